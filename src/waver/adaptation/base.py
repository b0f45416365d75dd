"""Inputs and outputs of a personalisation method, and the model it starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

BOTTLENECK = 256
"""Width Db of the bottleneck, as in SHOT and NRC."""

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Frames = Any
"""Frames as a network takes them: normalised features float32 [B, D] of a SourceModel, pictures uint8 [B, S, S, 3] of a
``waver.adaptation.faces.network.FaceNetwork``, or ``waver.adaptation.fusion.windows.Windows``."""


@dataclass(frozen=True)
class Needs:
    """What a method may see; the runner passes nothing else.

    Attributes:
        source: labelled frames of the source participants (unsupervised domain adaptation).
        target_labels: labels of T_tr and T_va (the oracle).
        stream: T_te in place of T_tr, unlabelled, in batches in the order of time; each is predicted as it
            arrives, by an OnlineAdapter (test-time adaptation).
        reset: what a stream begins anew with.
        batch_norm: it does something only to a network with batch norm.
        norms: it adapts normalisation layers alone.
        body: it adapts all but the last layer, and nothing else.
    """

    source: bool = False
    target_labels: bool = False
    stream: bool = False
    reset: Literal["participant", "video"] = "participant"
    batch_norm: bool = False
    norms: bool = False
    body: bool = False


class Network(nn.Module, ABC):
    """What a method adapts: frames become features, and a last linear layer makes logits of these.

    Attributes:
        prior: float32 [2], share of each class among the source frames; None where that is not known.
        steps: optimiser steps taken since the network was built or read.
        watch: called after each epoch of a training, with the network as it is then; it gives nothing back. A copy of
            the network has it too.
        note: called with what ``record_labels`` is given; it gives nothing back either.
    """

    prior: Tensor | None
    steps: int = 0
    watch: Callable[[Network], None] | None = None
    note: Callable[[Tensor], None] | None = None

    @abstractmethod
    def represent(self, frames: Frames) -> Tensor:
        """Features before the last layer, float32 [N, C], of the N frames asked for."""

    @abstractmethod
    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 [N, 2] of features float32 [N, C]: the last layer."""

    @property
    @abstractmethod
    def class_rows(self) -> Tensor:
        """The last layer's weights for each class, float32 [2, C]."""

    @property
    @abstractmethod
    def last_layer(self) -> nn.Module:
        """The last layer."""

    def forward(self, frames: Frames) -> Tensor:
        """Logits float32 [N, 2] of the N frames asked for."""
        return self.judge(self.represent(frames))

    def record_labels(self, labels: Tensor) -> None:
        """Tell whoever looks on which pseudo-label each row of the view has from now on, int64 [N]; -1: none."""
        if self.note is not None:
            self.note(labels)

    def body(self) -> list[nn.Parameter]:
        """All parameters but those of the last layer."""
        last = {id(parameter) for parameter in self.last_layer.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in last]


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

    @cached_property
    def _tensor(self) -> Tensor:
        return torch.tensor(self.features)

    def batches(self, size: int, generator: torch.Generator) -> list[Tensor]:
        """One pass in random order: the batches, of ``size`` frames but for the last, and never of one frame alone."""
        order = torch.randperm(len(self.features), generator=generator)
        return [rows for rows in torch.split(order, size) if len(rows) > 1]

    def frames(self, batch: Tensor) -> Frames:
        """Frames of a batch as the network takes them; it gives features and logits of ``rows(batch)``."""
        return self._tensor[batch]

    def rows(self, batch: Tensor) -> Tensor:
        """Rows of a batch's frames, int64 [N]."""
        return batch

    def all_frames(self) -> Iterable[Frames]:
        """All frames, in batches in the order of the rows."""
        return [self._tensor]

    def stream(self, batch: int) -> Iterator[tuple[int, Frames]]:
        """The next frames, at most ``batch`` of one video, and the number of that video."""
        for rows in stream_batches(self.video, batch):
            yield int(self.video[rows[0]]), self._tensor[torch.from_numpy(rows)]

    def on_frames(self, logits: Tensor) -> Tensor:
        """Logits [N, 2] of the rows as logits of the participant's frames that the view is of."""
        return logits

    def mirrored(self) -> TargetView | None:
        """The same frames as a mirror shows them; None of features, which have no mirror image."""
        return None

    def predict(self, network: Network) -> Tensor:
        """Logits of the participant's frames that the view is of, in evaluation mode."""
        return predict(network, self._tensor)


def stream_batches(video: npt.NDArray[np.int32], batch: int) -> list[npt.NDArray[np.int64]]:
    """Rows of each batch: stretches of one video, of nearly equal length and at most ``batch`` frames.

    Args:
        video: int32 [N], ascending number of each frame's video.
        batch: the most frames of a batch.
    """
    starts = np.flatnonzero(np.diff(video, prepend=video[:1] - 1))
    videos = np.split(np.arange(len(video), dtype=np.int64), starts[1:])
    return [part for rows in videos if len(rows) for part in np.array_split(rows, -(-len(rows) // batch))]


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

    def predict_val(self, network: Network) -> Tensor:
        """Logits [M, 2] of T_va, in evaluation mode."""
        return predict(network, torch.tensor(self.val_features))


@dataclass(frozen=True)
class SourceView:
    """Labelled frames of the source participants (train split).

    Attributes:
        features: float32 [N, D], normalised; for a network of faces uint8 [N, S, S, 3].
        labels: uint8 [N].
        participant: int32 [N], number of the frame's participant.
    """

    features: Features
    labels: Labels
    participant: npt.NDArray[np.int32]


class SourceModel(Network):
    """Bottleneck B (linear, batch norm) and weight-normalised head H over frozen features.

    The shape that SHOT (Liang et al. 2020, section 3) needs and that harms no other method.
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

    def represent(self, frames: Frames) -> Tensor:
        """Bottleneck features float32 [B, 256] of normalised features float32 [B, D]."""
        found: Tensor = self.bottleneck(frames)
        return found

    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of bottleneck features float32 [B, 256]."""
        logits: Tensor = self.head(features)
        return logits

    @property
    def class_rows(self) -> Tensor:
        """The head's weights, float32 [2, 256]."""
        weight: Tensor = self.head.weight  # type: ignore[assignment]
        return weight

    @property
    def last_layer(self) -> nn.Module:
        """The head."""
        return self.head


@torch.no_grad()
def predict(network: Network, frames: Frames) -> Tensor:
    """Logits float32 [N, 2] in evaluation mode: batch-norm statistics are used, not changed."""
    network.eval()
    logits: Tensor = network(frames)
    return logits


@torch.no_grad()
def represented(network: Network, target: TargetView) -> tuple[Tensor, Tensor]:
    """Features [N, C] before the last layer, and logits [N, 2], of all rows of a view, in evaluation mode."""
    network.eval()
    features = torch.cat([network.represent(frames) for frames in target.all_frames()])
    return features, network.judge(features)


View = TypeVar("View", contravariant=True)


class Adapter(Protocol[View]):
    """A method. It is built with its own ``Config`` and adapts the source model to one participant.

    ``View`` is LabelledTargetView where ``needs.target_labels``, else TargetView.
    """

    Config: ClassVar[type]
    needs: ClassVar[Needs]

    def adapt(self, model: Network, target: View, source: SourceView | None, seed: int) -> Network:
        """The adapted model; ``model`` itself stays as it was.

        Args:
            model: the source model.
            target: what the method may see of the participant.
            source: source frames where ``needs.source``, else None.
            seed: of everything drawn.
        """
        ...
