"""T3AL: test-time adaptation for localisation in time (Liberatori et al., CVPR 2024, arXiv 2404.05426)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.vision_language.base import Fitted, Frames, Sees, Start
from waver.config.sections import Section

_LEAST = 1e-3
SMOOTHING = 0.2
_LATE = 1e-6
"""A threshold that is met is not passed."""


class T3al:
    """The projections are tuned on one video, so that its likest frames come nearer to the class and others do not.

    How the A/H papers ran it is unpublished. Here the action is A/H; a frame whose smoothed likeness exceeds the
    video's mean is positive, and none is in a video that CLIP as a whole takes for the other class (``gate``).
    The method sees the scored frames of a whole video before it predicts the first.
    """

    class Config(Section):
        """The release's values for THUMOS14."""

        steps: int = Field(60, ge=0, description="steps for each video")
        lr: float = Field(1e-5, ge=0, description="rate of the text's projection and of the scale (Adam)")
        image_share: float = Field(1e-3, ge=0, description="rate of the image's projection over that")
        weight_decay: float = Field(1e-4, ge=0, description="of the parameters tuned")
        window: int = Field(20, ge=1, description="frames of the moving average")
        chosen: int = Field(4, ge=2, description="positive and negative frames of a step")
        pool: int = Field(100, ge=1, description="they are chosen among as many times their number, at most a quarter")
        jitter: int = Field(10, ge=0, description="frames by which they are moved at random")
        action: Literal["fixed", "argmax"] = Field(
            "fixed", description="class localised; fixed: A/H; argmax: the class of the whole video, as in the release"
        )
        gate: bool = Field(True, description="no frame is positive in a video that is as a whole of the other class")
        released_restore: bool = Field(
            False, description="as in the release: the next video starts from the parameters before the last step"
        )

    batch = 0

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sees = Sees(reset="participant" if config.released_restore else "video")

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> Localiser:
        """A stream that starts from CLIP's projections."""
        encoder = start.encoder
        tuned = Tuned(
            encoder.image_projection.detach().cpu().clone(),
            encoder.text_projection.detach().cpu().clone(),
            encoder.clip.logit_scale.detach().cpu().clone(),
        )
        return Localiser(tuned, start.template[:, 0], self.config)


@dataclass(frozen=True)
class Tuned:
    """Projections float32 [Du, D] and [Dt, D], and the logarithm of the scale."""

    image: Tensor
    text: Tensor
    log_scale: Tensor

    def copy(self) -> Tuned:
        """The same values, apart."""
        return Tuned(*(one.detach().clone() for one in (self.image, self.text, self.log_scale)))


class Localiser:
    """Tunes on each video, and starts again with the next."""

    def __init__(self, tuned: Tuned, texts: Tensor, config: T3al.Config) -> None:
        """``texts`` float32 [2, Dt]: the classes before the projection."""
        self.tuned, self._texts, self._config, self.steps = tuned, texts, config, 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [T, 2] of a video's frames; 0 is the video's mean likeness."""
        config, start = self._config, self.tuned.copy()
        with torch.no_grad():
            classes = functional.normalize(self._texts @ start.text, dim=-1)
            whole = int((functional.normalize((frames.pre @ start.image).mean(dim=0), dim=0) @ classes.T).argmax())
        action = 1 if config.action == "fixed" else whole
        tuned, last = self._tune(frames, start, action)
        if config.released_restore:
            self.tuned = last
        with torch.no_grad():
            seen = frames.pre @ tuned.image
            background = (frames.pre @ start.image).mean(dim=0)
            text = functional.normalize(self._texts[action] @ tuned.text, dim=0)
            curve = tuned.log_scale.exp() * functional.normalize(seen - background, dim=-1) @ text
        margin = above_the_mean(moving_average(curve, config.window))
        if action == 0:
            margin = -margin
        if config.gate and whole == 0:
            margin = margin - margin.max().clamp_min(0) - _LATE
        return torch.stack([-margin / 2, margin / 2], dim=1)

    def _tune(self, frames: Frames, start: Tuned, action: int) -> tuple[Tuned, Tuned]:
        """The parameters after the last step, and before it."""
        config, tuned = self._config, start.copy()
        last = start
        for one in (tuned.image, tuned.text, tuned.log_scale):
            one.requires_grad_(True)
        groups = [
            {"params": [tuned.text, tuned.log_scale], "lr": config.lr},
            {"params": [tuned.image], "lr": config.lr * config.image_share},
        ]
        optimiser = torch.optim.Adam(groups, weight_decay=config.weight_decay)
        background = (frames.pre @ start.image).mean(dim=0)
        draw = torch.Generator().manual_seed(frames.seeds[0])
        for _ in range(config.steps):
            last = tuned.copy()
            seen, scale = frames.pre @ tuned.image, tuned.log_scale.exp()
            text = functional.normalize(self._texts[action] @ tuned.text, dim=0)
            with torch.no_grad():
                curve = moving_average(scale * (seen - background) @ text, config.window)
                positive, negative = (chosen_frames(sign * curve, config, draw) for sign in (1, -1))
            seen = functional.normalize(seen, dim=-1)
            loss = likeness_loss(scale * seen[positive] @ text, scale * seen[negative] @ text)
            loss = loss + byol(seen[positive], text.expand(len(positive), -1))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += 1
        return tuned.copy(), last


def byol(prediction: Tensor, target: Tensor) -> Tensor:
    """The release's loss: 2 - 2 <x, .8 t + .2 / n> of unit x and t, summed over the first axis, averaged over the rest.

    Args:
        prediction: float32 [n] or [n, D].
        target: of the same shape; no gradient passes.
    """
    unit = functional.normalize(target, dim=-1)
    smooth = (1 - SMOOTHING) * unit + SMOOTHING / target.shape[-1]
    return 2 - 2 * (functional.normalize(prediction, dim=-1) * smooth.detach()).sum(dim=0).mean()


def likeness_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Likenesses of positive frames should be 1, of negative ones 0, but for a common factor."""
    return byol(torch.cat([positive, negative]), torch.cat([torch.ones_like(positive), torch.zeros_like(negative)]))


def moving_average(values: Tensor, window: int) -> Tensor:
    """Mean float32 [T] over windows of a curve [T], whose ends are repeated."""
    padded = torch.cat([values[:1].expand(window), values, values[-1:].expand(window)])
    means = padded.unfold(0, window, 1).mean(dim=1)
    return means[window // 2 + 1 : len(means) - (window + 1) // 2]


def chosen_frames(curve: Tensor, config: T3al.Config, draw: torch.Generator) -> Tensor:
    """Frames int64 [n] spread evenly over the highest of a curve, each moved a little."""
    count, frames = config.chosen, len(curve)
    pool = max(1, min(config.pool * count, frames // 4))
    best = curve.topk(pool).indices.sort().values
    if len(best) < count:
        best = best.repeat_interleave(-(-count // len(best)))[:count]
    best = best[:: (len(best) - 1) // (count - 1)][:count]
    moved = torch.randint(-config.jitter, max(config.jitter, 1 - config.jitter), (count,), generator=draw)
    return (best + moved).clamp(0, frames - 1)


def above_the_mean(curve: Tensor) -> Tensor:
    """Log odds of a curve, stretched from 0 to 1, minus those of its mean; a constant curve stays below 0."""
    span = curve.max() - curve.min()
    if float(span) < _LATE:
        return torch.full_like(curve, -_LATE)
    score = ((curve - curve.min()) / span).clamp(_LEAST, 1 - _LEAST)
    return score.logit() - score.mean().logit()
