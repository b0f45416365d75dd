"""Batch norm of a stream: statistics by the batch, and the methods that adapt its scale and shift."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from waver.adaptation.base import SourceModel
from waver.config.sections import Section


class StreamConfig(Section):
    """Batches of a stream."""

    batch: int = Field(64, ge=1, description="the most frames of a batch; they are consecutive frames of one video")


def normalised_by_batch(model: SourceModel, features: Tensor, source_frames: float) -> Tensor:
    """Bottleneck features by the statistics of the batch, mixed with the source's (Schneider et al. 2020, eq. 3).

    Args:
        model: its batch norm's statistics are read, not changed.
        features: float32 [B, D], normalised features.
        source_frames: how many frames the source's statistics count for; 0: the batch's alone, but for a batch of
            one frame, which has no variance: the source's then.

    Returns:
        float32 [B, 256].
    """
    linear, norm = model.bottleneck[0], model.bottleneck[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    before = linear(features)
    count = len(features)
    if count == 1 and source_frames == 0:
        source_frames, count = 1, 0
    share = count / (source_frames + count)
    variance = before.var(dim=0, unbiased=False)
    mean = share * before.mean(dim=0) + (1 - share) * norm.running_mean
    variance = share * variance + (1 - share) * norm.running_var
    scaled: Tensor = (before - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias
    return scaled


def entropy(logits: Tensor) -> Tensor:
    """Entropy of each prediction, nats, float32 [B]."""
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1)


class AffineStream(ABC):
    """Predicts by the batch's statistics, then takes steps on scale and shift of the batch norm.

    Attributes:
        model: copy of the source model; all else stays.
        affine: the parameters adapted.
        steps: optimiser steps taken.
    """

    def __init__(self, model: SourceModel) -> None:
        self.model = copy.deepcopy(model).eval()
        self.model.requires_grad_(False)
        norm = self.model.bottleneck[1]
        self.affine: list[Tensor] = [norm.weight, norm.bias]  # type: ignore[list-item]
        for parameter in self.affine:
            parameter.requires_grad_(True)
        self.steps = 0

    def predict(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] from before the step that the batch causes."""
        logits = self.logits(features)
        self.update(features, logits)
        return logits.detach()

    def logits(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of features float32 [B, D], with gradient."""
        found: Tensor = self.model.head(normalised_by_batch(self.model, features, 0))
        return found

    @abstractmethod
    def update(self, features: Tensor, logits: Tensor) -> None:
        """Adapt to a batch.

        Args:
            features: float32 [B, D].
            logits: float32 [B, 2], the prediction of the batch, with gradient.
        """
