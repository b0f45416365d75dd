"""CoTTA: continual test-time adaptation (Wang et al., CVPR 2022, arXiv 2203.13591)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView
from waver.adaptation.methods.tta.norms import by_batch
from waver.adaptation.methods.tta.views import ViewsConfig, augmented


class Cotta:
    """A student learns the predictions of a teacher that follows it slowly, and forgets some of what it learned.

    Where the network as it was is unsure of a batch, the teacher's prediction is the mean over augmented versions.
    The teacher predicts. All parameters are adapted.
    """

    class Config(ViewsConfig):
        """Settings of the authors' release for small pictures, and versions that are ours."""

        lr: float = Field(1e-3, gt=0, description="learning rate of Adam")
        teacher: float = Field(0.999, ge=0, lt=1, description="share of itself that the teacher keeps in a step")
        restored: float = Field(
            0.01, ge=0, le=1, description="share of the parameters that take their first values again in a step"
        )
        certain: float = Field(
            0.92, ge=0, le=1, description="mean confidence of the first network from which on no versions are averaged"
        )

    needs: ClassVar[Needs] = Needs(stream=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch

    def begin(self, model: Network, source: SourceView | None, seed: int) -> TaughtStream:
        """A stream whose student and teacher are the network as it is."""
        return TaughtStream(model, self.config, seed)


class TaughtStream:
    """Student, teacher, and the network as it was; batch norms normalise by the batch."""

    def __init__(self, model: Network, config: Cotta.Config, seed: int) -> None:
        self._config, self._generator, self.steps = config, torch.Generator().manual_seed(seed), 0
        # what the student may not change stays so: a network says which of its parameters are adapted
        self._first, self._teacher = (by_batch(model, 0).requires_grad_(False) for _ in range(2))
        self.student = by_batch(model, 0)
        self._optimiser = torch.optim.Adam(self.student.parameters(), config.lr)

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the teacher from before the step that the batch causes."""
        logits = self._taught(frames)
        loss = -(logits.softmax(dim=1) * self.student(frames).log_softmax(dim=1)).sum(dim=1).mean()
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self.steps += 1
        self._follow_and_restore()
        return logits

    @torch.no_grad()
    def _taught(self, frames: Frames) -> Tensor:
        certain = self._first(frames).softmax(dim=1).amax(dim=1).mean() >= self._config.certain
        if bool(certain):
            found: Tensor = self._teacher(frames)
            return found
        versions = [augmented(frames, self._config, self._generator) for _ in range(self._config.views)]
        return torch.stack([self._teacher(version) for version in versions]).mean(dim=0)

    @torch.no_grad()
    def _follow_and_restore(self) -> None:
        networks = (self._teacher, self.student, self._first)
        for taught, own, first in zip(*(network.parameters() for network in networks), strict=True):
            taught.lerp_(own, 1 - self._config.teacher)
            restored = torch.rand(own.shape, generator=self._generator) < self._config.restored
            own.copy_(torch.where(restored.to(own.device), first, own))
