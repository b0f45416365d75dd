"""Normalisation layers of a stream: statistics by the batch, and the methods that adapt scale and shift."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from waver.adaptation.base import Frames, Network
from waver.config.sections import Section

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class StreamConfig(Section):
    """Batches of a stream."""

    batch: int = Field(64, ge=1, description="the most frames of a batch; they are consecutive frames of one video")


class BatchStatistics(nn.Module):
    """A batch norm that mixes the batch's statistics with the source's (Schneider et al. 2020, eq. 3).

    Args:
        norm: its statistics are read, not changed; scale and shift are shared with it.
        source_frames: how many frames the source's statistics count for; 0: the batch's alone, but for a batch of
            one frame, which has no variance: the source's then.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, source_frames: float) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.source_frames = norm.weight, norm.bias, norm.eps, source_frames
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [B, C] -> [B, C], or maps [B, C, H, W] -> [B, C, H, W]."""
        source_frames, count = self.source_frames, len(x)
        if count == 1 and source_frames == 0:
            source_frames, count = 1, 0
        share = count / (source_frames + count)
        places = (0, 2, 3) if x.ndim == 4 else (0,)
        mean = share * x.mean(dim=places) + (1 - share) * self.running_mean
        variance = share * x.var(dim=places, unbiased=False) + (1 - share) * self.running_var
        mean, variance, weight, bias = (
            values[:, None, None] if x.ndim == 4 else values for values in (mean, variance, self.weight, self.bias)
        )
        return (x - mean) / torch.sqrt(variance + self.eps) * weight + bias


def has_batch_norm(network: nn.Module) -> bool:
    """Whether any layer is a batch norm."""
    return any(isinstance(module, BATCH_NORMS) for module in network.modules())


def by_batch(model: Network, source_frames: float) -> Network:
    """Copy of a network in evaluation mode, whose batch norms are ``BatchStatistics``."""
    network = copy.deepcopy(model).eval()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, BATCH_NORMS):
                setattr(module, name, BatchStatistics(child, source_frames))
    return network.eval()


def scales_and_shifts(network: nn.Module) -> list[nn.Parameter]:
    """Scale and shift of every normalisation layer."""
    layers = [module for module in network.modules() if isinstance(module, (*_NORMS, BatchStatistics))]
    return [parameter for layer in layers for parameter in layer.parameters(recurse=False)]


def entropy(logits: Tensor) -> Tensor:
    """Entropy of each prediction, nats, float32 [B]."""
    return -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1)


class AffineStream(ABC):
    """Predicts by the batch's statistics, then takes steps on scale and shift of the normalisation layers.

    Attributes:
        model: copy of the network; all else stays.
        affine: the parameters adapted.
        steps: optimiser steps taken.
    """

    def __init__(self, model: Network) -> None:
        self.model = by_batch(model, 0)
        self.model.requires_grad_(False)
        self.affine: list[Tensor] = list(scales_and_shifts(self.model))
        for parameter in self.affine:
            parameter.requires_grad_(True)
        self.steps = 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] from before the step that the batch causes."""
        logits = self.logits(frames)
        self.update(frames, logits)
        return logits.detach()

    def logits(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of B frames, with gradient."""
        found: Tensor = self.model(frames)
        return found

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """Gradient of each parameter adapted; 0 of a layer that these logits do not depend on."""
        found = torch.autograd.grad(loss, self.affine, allow_unused=True)
        return [torch.zeros_like(p) if own is None else own for p, own in zip(self.affine, found, strict=True)]

    @abstractmethod
    def update(self, frames: Frames, logits: Tensor) -> None:
        """Adapt to a batch.

        Args:
            frames: B frames.
            logits: float32 [B, 2], the prediction of the batch, with gradient.
        """
