"""Pairs of a source and a target batch: the schedule of unsupervised domain adaptation."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import SourceView
from waver.adaptation.selection import EpochsConfig
from waver.adaptation.source_model import balanced_rows


class UdaConfig(EpochsConfig):
    """Schedule of unsupervised domain adaptation in the dataset paper (appendix E.3); the release's weight of MMD."""

    lr: float = Field(2e-4, gt=0, description="learning rate, falls to a tenth by a cosine")
    epochs: int = Field(10, ge=1, description="epochs; one ends with the smaller of the two sets of frames")
    batch: int = Field(128, ge=2, description="source frames and target frames per step")
    weight_decay: float = Field(5e-4, ge=0, description="weight decay")
    weight: float = Field(1.0, ge=0, description="weight of the discrepancy beside the source's cross-entropy")
    source_prior: Literal["natural", "balanced"] = Field(
        "natural", description="classes of the source batches: as they are, or equally many of each"
    )


class SourceBatches:
    """Shuffled batches of labelled source frames, drawn anew each epoch.

    Attributes:
        batches: whole batches in an epoch.
    """

    def __init__(
        self, source: SourceView, batch: int, prior: Literal["natural", "balanced"], generator: torch.Generator
    ) -> None:
        """Shuffle for the first epoch.

        Args:
            source: source frames.
            batch: frames of a batch.
            prior: ``natural``: all frames; ``balanced``: those of the rarer class and as many of the other.
            generator: of the order.
        """
        self._features = torch.from_numpy(source.features)
        self._labels = torch.from_numpy(source.labels).long()
        self._batch, self._prior, self._generator = batch, prior, generator
        self.shuffle()

    def shuffle(self) -> None:
        """Begin an epoch."""
        if self._prior == "balanced":
            rows = balanced_rows(self._labels, self._generator)
        else:
            rows = torch.randperm(len(self._labels), generator=self._generator)
        self._rows = [part for part in torch.split(rows, self._batch) if len(part) == self._batch] or [rows]
        self.batches = len(self._rows)
        self._next = 0

    def next(self) -> tuple[Tensor, Tensor]:
        """Features float32 [B, D] and labels int64 [B] of the next batch; after the last one the first again."""
        rows = self._rows[self._next % self.batches]
        self._next += 1
        return self._features[rows], self._labels[rows]


def common_batch(wanted: int, *available: int) -> int:
    """Frames of a batch: those wanted, or fewer where a set has fewer."""
    return max(2, min(wanted, *available))


def whole_batches(count: int, batch: int, most: int, generator: torch.Generator) -> Tensor:
    """Shuffled rows of an epoch, int64, cut to whole batches and at most ``most`` of them."""
    return torch.randperm(count, generator=generator)[: batch * min(most, max(1, count // batch))]
