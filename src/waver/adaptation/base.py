"""Inputs and outputs of a personalisation method, and the model it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

BOTTLENECK = 256
"""Width Db of the bottleneck, as in SHOT and NRC."""

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Needs:
    """What a method may see; the runner passes nothing else.

    Attributes:
        source: labelled frames of the source participants (unsupervised domain adaptation).
        target_labels: labels of T_tr and T_va (the oracle).
        stream: T_te in place of T_tr, unlabelled, in batches in the order of time; each is predicted as it
            arrives, by an OnlineAdapter (test-time adaptation).
        reset: what a stream begins anew with.
    """

    source: bool = False
    target_labels: bool = False
    stream: bool = False
    reset: Literal["participant", "video"] = "participant"


@dataclass(frozen=True)
class TargetView:
    """Unlabelled frames of one target participant, by video, then time.

    Attributes:
        features: float32 [N, D], normalised with the mean and deviation of the source frames.
        video: int32 [N], number of the frame's video within this participant.
        frame: int32 [N], frame on the 24 fps clock.
    """

    features: Features
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]


@dataclass(frozen=True)
class LabelledTargetView(TargetView):
    """T_tr with its labels, and T_va to select by.

    Attributes:
        labels: uint8 [N].
        val_features: float32 [M, D].
        val_labels: uint8 [M].
    """

    labels: Labels
    val_features: Features
    val_labels: Labels


@dataclass(frozen=True)
class SourceView:
    """Labelled frames of the source participants (train split).

    Attributes:
        features: float32 [N, D], normalised.
        labels: uint8 [N].
        participant: int32 [N], number of the frame's participant.
    """

    features: Features
    labels: Labels
    participant: npt.NDArray[np.int32]


class SourceModel(nn.Module):
    """Bottleneck B (linear, batch norm) and weight-normalised head H over frozen features.

    The shape that SHOT (Liang et al. 2020, section 3) needs and that harms no other method.

    Attributes:
        prior: float32 [2], share of each class among the source frames.
        steps: optimiser steps taken since the model was built or read.
    """

    prior: Tensor

    def __init__(self, width: int) -> None:
        """Random weights for features of ``width`` D."""
        super().__init__()
        self.bottleneck = nn.Sequential(nn.Linear(width, BOTTLENECK), nn.BatchNorm1d(BOTTLENECK))
        nn.init.xavier_normal_(self.bottleneck[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.bottleneck[0].bias)  # type: ignore[arg-type]
        head = nn.Linear(BOTTLENECK, 2)
        nn.init.xavier_normal_(head.weight)
        nn.init.zeros_(head.bias)
        self.head: nn.Module = weight_norm(head)
        self.register_buffer("prior", torch.full((2,), 0.5))
        self.steps = 0

    def forward(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of normalised features float32 [B, D]."""
        logits: Tensor = self.head(self.bottleneck(features))
        return logits


@torch.no_grad()
def bottleneck_features(model: SourceModel, features: Tensor) -> Tensor:
    """Bottleneck features float32 [N, 256] in evaluation mode."""
    model.eval()
    found: Tensor = model.bottleneck(features)
    return found


@torch.no_grad()
def predict(model: SourceModel, features: Tensor) -> Tensor:
    """Logits float32 [N, 2] in evaluation mode: batch-norm statistics are used, not changed."""
    model.eval()
    logits: Tensor = model(features)
    return logits


View = TypeVar("View", contravariant=True)


class Adapter(Protocol[View]):
    """A method. It is built with its own ``Config`` and adapts the source model to one participant.

    ``View`` is LabelledTargetView where ``needs.target_labels``, else TargetView.
    """

    Config: ClassVar[type]
    needs: ClassVar[Needs]

    def adapt(self, model: SourceModel, target: View, source: SourceView | None, seed: int) -> SourceModel:
        """The adapted model; ``model`` itself stays as it was.

        Args:
            model: the source model.
            target: what the method may see of the participant.
            source: source frames where ``needs.source``, else None.
            seed: of everything drawn.
        """
        ...


class Stream(Protocol):
    """A model that adapts while frames of one participant arrive.

    Attributes:
        steps: optimiser steps taken so far.
    """

    steps: int

    def predict(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of the next B frames, normalised features float32 [B, D]; adapts to them as well."""
        ...


class OnlineAdapter(Protocol):
    """A method of test-time adaptation. It is given one batch of the stream at a time, and cannot see what follows.

    Attributes:
        batch: the most frames of a batch; a batch never holds frames of two videos.
    """

    Config: ClassVar[type]
    needs: ClassVar[Needs]
    batch: int

    def begin(self, model: SourceModel, source: SourceView | None, seed: int) -> Stream:
        """A stream that starts from the source model; ``model`` itself stays as it was.

        Args:
            model: the source model.
            source: source frames where ``needs.source``, else None.
            seed: of everything drawn.
        """
        ...
