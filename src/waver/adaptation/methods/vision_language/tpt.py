"""TPT: test-time prompt tuning (Shu et al., NeurIPS 2022, arXiv 2209.07511)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.vision_language.base import Fitted, Frames, Sees, Start
from waver.adaptation.vision_language.confidence import certain_views, marginal_entropy
from waver.config.sections import Section
from waver.models.vision_language.encoder import VisionLanguageEncoder


class Tpt:
    """The words before the class are tuned on each frame, so that its certain views agree."""

    class Config(Section):
        """The release's values."""

        lr: float = Field(5e-3, ge=0, description="rate of AdamW, whose weight decay is .01")
        steps: int = Field(1, ge=0, description="steps for each frame")
        share: float = Field(0.1, gt=0, le=1, description="share of the views that count")
        batch: int = Field(32, ge=1, description="frames at once; each has prompts of its own")
        reset: Literal["frame", "participant"] = Field(
            "frame", description="what the prompts begin anew with; participant: they go on (not in the paper)"
        )

    sees = Sees(views=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch if config.reset == "frame" else 1

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> PromptStream:
        """A stream that starts from the words of the template."""
        return PromptStream(start.encoder, class_prompts(start), start.scale, self.config)


class LearnableContext(NamedTuple):
    """Sentences that begin alike; these first words can be learnt.

    Attributes:
        embedded: float32 [C, L, Dt], embeddings of their tokens.
        end: int64 [C], position of the end token.
        context: tokens that are alike, at positions 1 to ``context``.
    """

    embedded: Tensor
    end: Tensor
    context: int

    def with_context(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """The sentences with contexts float32 [K, n, Dt]: embeddings [K C, L, Dt] and ends [K C]."""
        count, classes = len(context), len(self.embedded)
        whole = self.embedded.expand(count, *self.embedded.shape)
        own = context[:, None].expand(count, classes, *context.shape[1:])
        joined = torch.cat([whole[:, :, :1], own, whole[:, :, 1 + self.context :]], dim=2)
        return joined.flatten(0, 1), self.end.repeat(count)


@torch.no_grad()
def learnable_context(encoder: VisionLanguageEncoder, texts: Sequence[str]) -> LearnableContext:
    """Sentences with the words that they have in common."""
    tokens = encoder.tokens(texts)
    alike = (tokens.ids == tokens.ids[0]).all(dim=0).int().cumprod(dim=0)
    return LearnableContext(encoder.embed(tokens.ids), tokens.end, int(alike.sum()) - 1)


def class_prompts(start: Start) -> LearnableContext:
    """The template's sentences."""
    return learnable_context(start.encoder, [start.config.template.format(word) for word in start.config.words])


class PromptStream:
    """Contexts of frames."""

    def __init__(
        self, encoder: VisionLanguageEncoder, prompts: LearnableContext, scale: float, config: Tpt.Config
    ) -> None:
        self._encoder, self._prompts, self._scale, self._config = encoder, prompts, scale, config
        self.steps = 0
        self._first = prompts.embedded[0, 1 : 1 + prompts.context]
        self._kept: tuple[Tensor, torch.optim.Optimizer] | None = None

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the frames as they are, after the steps on their views."""
        config, views = self._config, frames.views.to(self._encoder.device)
        context, optimiser = self._kept or self._begin(len(views))
        if config.reset == "participant":
            self._kept = (context, optimiser)
        kept: Tensor | None = None
        for _ in range(config.steps):
            logits = self._logits(views, context)
            kept = certain_views(logits.detach(), config.share) if kept is None else kept
            # a sum: each frame has its own prompts, and its own step
            loss = marginal_entropy(logits.gather(1, kept[..., None].expand(-1, -1, logits.shape[2]))).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.steps += len(views)
        with torch.no_grad():
            return self._logits(views[:, :1], context)[:, 0]

    def _begin(self, count: int) -> tuple[Tensor, torch.optim.Optimizer]:
        context = self._first.expand(count, *self._first.shape).clone().requires_grad_(True)
        return context, torch.optim.AdamW([context], self._config.lr)

    def _logits(self, views: Tensor, context: Tensor) -> Tensor:
        """Logits float32 [K, V, C] of views [K, V, D], each frame by its own prompts."""
        read = self._encoder.read(*self._prompts.with_context(context)) @ self._encoder.text_projection
        classes = functional.normalize(read, dim=-1).reshape(len(context), -1, read.shape[-1])
        return self._scale * views @ classes.transpose(1, 2)
