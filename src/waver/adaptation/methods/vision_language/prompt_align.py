"""PromptAlign: prompts of both towers, aligned with the source's tokens (Abdul Samadh et al., NeurIPS 2023)."""

from __future__ import annotations

import copy

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.methods.vision_language.maple import (
    MultimodalPrompts,
    new_prompts,
    token_statistics,
    train_prompts,
)
from waver.adaptation.vision_language.base import Fitted, Frames, Sees, SourceFrames, Start
from waver.adaptation.vision_language.confidence import certain_views, marginal_entropy
from waver.config.sections import Section
from waver.models.vision_language.encoder import SeenImage, VisionLanguageEncoder
from waver.models.vision_language.views import views_of

WEIGHT = 100 / 3
"""Of the alignment; the release divides by three layers, of which its loop takes two."""


class PromptAlign:
    """MaPLe's prompts are tuned on each frame: its certain views should agree, and their tokens look like the source's.

    Prompts and statistics of tokens are made on the source. arXiv 2311.01459.
    """

    class Config(Section):
        """The release's values; its rate for other data sets is 5e-4, that for domains of ImageNet 4e-2."""

        lr: float = Field(5e-4, ge=0, description="rate of AdamW")
        steps: int = Field(1, ge=0, description="steps for each frame that is tuned on")
        every: int = Field(1, ge=1, description="frames from one tuned on to the next; others take the last prompts")
        crops: int = Field(64, ge=1, description="views of a frame, the frame itself among them")
        least_area: float = Field(0.5, gt=0, le=1, description="least share of the face in a crop")
        share: float = Field(0.1, gt=0, le=1, description="share of the views that count; raise it for few views")
        align: float = Field(1.0, ge=0, description="weight of the alignment, over the release's")
        layers: tuple[int, ...] = Field((0, 1), description="blocks whose entering tokens are aligned, as released")
        prompts: int = Field(2, ge=1, description="prompts of each tower")
        depth: int = Field(3, ge=1, description="blocks that have prompts of their own")
        source_frames: int = Field(2000, ge=2, description="most frames of each class that prompts are trained on")
        source_lr: float = Field(0.0026, ge=0, description="rate of that training (SGD, batches of 4, cosine)")
        source_epochs: int = Field(2, ge=0, description="its epochs")

    batch = 16
    sees = Sees(pictures=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, start: Start, source: SourceFrames, seed: int) -> Fitted:
        """Trained prompts, and mean and variance of the tokens that enter each aligned block."""
        config = self.config
        prompts = new_prompts(start, config.prompts, config.depth, seed)
        rows = train_prompts(
            start.encoder, prompts, source, config.source_frames, config.source_lr, config.source_epochs, seed
        )
        found = token_statistics(start.encoder, prompts, source, rows, config.layers)
        state = {f"prompts.{name}": value.cpu() for name, value in prompts.state_dict().items()}
        return {**state, **{name: value.cpu() for name, value in found.items()}}

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> AlignedStream:
        """A stream that starts from the prompts trained on the source."""
        prompts = new_prompts(start, self.config.prompts, self.config.depth, 0)
        prompts.load_state_dict(
            {name.removeprefix("prompts."): one for name, one in fitted.items() if name.startswith("prompts.")}
        )
        aims = {
            layer: tuple(fitted[f"{kind}.{layer}"].to(start.encoder.device) for kind in ("mean", "variance"))
            for layer in self.config.layers
        }
        return AlignedStream(start.encoder, prompts, aims, start.scale, self.config)


class AlignedStream:
    """Prompts of one frame, from the start again with the next that is tuned on."""

    def __init__(
        self,
        encoder: VisionLanguageEncoder,
        prompts: MultimodalPrompts,
        aims: dict[int, tuple[Tensor, ...]],
        scale: float,
        config: PromptAlign.Config,
    ) -> None:
        self._encoder, self._first, self._aims, self._scale, self._config = encoder, prompts, aims, scale, config
        self._last, self._seen, self.steps = prompts, 0, 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the frames as they are, after the steps."""
        found = []
        for picture, seed in zip(frames.pictures, frames.seeds, strict=True):
            if self._seen % self._config.every == 0:
                self._last = self._tuned(picture[None], seed)
            self._seen += 1
            with torch.no_grad():
                seen = self._encoder.see(self._encoder.resized(picture[None]), self._last.visual())
                found.append(self._logits(seen, self._last))
        return torch.cat(found)

    def _logits(self, seen: SeenImage, prompts: MultimodalPrompts) -> Tensor:
        feature = functional.normalize(seen.pre @ self._encoder.image_projection, dim=-1)
        return self._scale * feature @ prompts.classes(self._encoder).T

    def _tuned(self, picture: Tensor, seed: int) -> MultimodalPrompts:
        config, prompts = self._config, copy.deepcopy(self._first)
        views = views_of(self._encoder, picture, [seed], config.crops, config.least_area)[0]
        optimiser = torch.optim.AdamW(prompts.parameters(), config.lr)
        kept: Tensor | None = None
        for _ in range(config.steps):
            seen = self._encoder.see(views, prompts.visual())
            logits = self._logits(seen, prompts)
            kept = certain_views(logits.detach(), config.share) if kept is None else kept
            aligned = alignment([seen.entering[layer][kept] for layer in self._aims], list(self._aims.values()))
            loss = marginal_entropy(logits[kept]) + config.align * WEIGHT * aligned
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += 1
        return prompts


def alignment(tokens: list[Tensor], aims: list[tuple[Tensor, ...]]) -> Tensor:
    """How far tokens [n, P, Du] are from mean and variance [P, Du]: half of each L1 distance, summed over layers."""
    total = torch.zeros((), device=tokens[0].device if tokens else None)
    for own, (mean, variance) in zip(tokens, aims, strict=True):
        total = total + 0.5 * functional.l1_loss(own.mean(dim=0), mean)
        total = total + 0.5 * functional.l1_loss(own.var(dim=0, unbiased=False), variance)
    return total
