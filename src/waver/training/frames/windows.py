"""Windows of videos, and batches of windows (2026 paper, training details).

Config, checkpoints and tables count a window and its hop in frames of the 24 fps clock. Of every ``stride`` frames one
is worked on, a step; where samples are thinned to steps, windows are cut in steps (``in_steps``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.errors import WaverError
from waver.provenance import seed_for
from waver.training.corpus import VideoSample, rows_of


class InFrames(Protocol):
    """What says how windows lie, in frames of the clock: a recipe, a checkpoint."""

    @property
    def window(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def stride(self) -> int: ...


class InSteps(NamedTuple):
    """Length of a window, and the way to the next one, in steps."""

    window_steps: int
    hop_steps: int


def in_steps(lengths: InFrames) -> InSteps:
    """Window and hop in steps, to the nearest one and at least one each."""
    window, hop = (max(1, round(frames / lengths.stride)) for frames in (lengths.window, lengths.hop))
    return InSteps(window, hop)


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop`` (not included) of sample number ``sample``."""

    sample: int
    start: int
    stop: int


@dataclass(frozen=True)
class Batch:
    """Windows side by side.

    Attributes:
        streams: modality name -> float32 [B, T, D], zero on padding.
        label: int64 [B, T].
        mask: bool [B, T]; False on padding, which lies at the end.
        affect: modality name -> target float32 [B, T, 3] in [0, 1], nan where nothing is known and on padding;
            empty for a model without such targets.
        annotated: what the annotators said, float32 [B, T, k], nan where nothing is known and on padding.
    """

    streams: dict[str, Tensor]
    label: Tensor
    mask: Tensor
    affect: dict[str, Tensor]
    annotated: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        streams = {name: values.to(device) for name, values in self.streams.items()}
        affect = {name: values.to(device) for name, values in self.affect.items()}
        annotated = {name: values.to(device) for name, values in self.annotated.items()}
        return Batch(streams, self.label.to(device), self.mask.to(device), affect, annotated)


def window_starts(frames: int, window: int, hop: int) -> list[int]:
    """First frames of the windows of a video; one more at its end where the hops do not reach it."""
    if frames <= window:
        return [0]
    starts = list(range(0, frames - window + 1, hop))
    if starts[-1] + window < frames:
        starts.append(frames - window)
    return starts


def windows_of(lengths: Sequence[int], window: int, hop: int) -> list[Window]:
    """Windows of all videos; a video shorter than a window is one window of its own length."""
    return [
        Window(sample, start, min(start + window, frames))
        for sample, frames in enumerate(lengths)
        for start in window_starts(frames, window, hop)
    ]


def repeat_last(sample: VideoSample, window: int) -> VideoSample:
    """A sample made at least a window long by repeating its last frame and label, as released."""
    return rows_of(sample, np.minimum(np.arange(max(sample.frames, window)), sample.frames - 1))


def epoch_order(count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """A permutation of ``count`` windows that depends on the seed and the epoch alone."""
    return np.random.default_rng(seed_for("windows", seed, epoch)).permutation(count)


def drawn(positive: npt.NDArray[np.bool_], ratio: float, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Numbers of the windows of one epoch, in order: those with A/H, and ``ratio`` times as many of the others.

    Which of the others depends on the seed and the epoch alone; how many is the same in every epoch.

    Args:
        positive: bool [N], the window has a frame with A/H.
        ratio: windows without A/H for each one with A/H; all of them where there are fewer.
        seed: of the training.
        epoch: counted from 1.

    Raises:
        WaverError: no window has A/H.
    """
    with_it, others = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not len(with_it):
        raise WaverError("no training window has A/H; set train.undersample to 0 or add videos with A/H")
    count = min(len(others), round(ratio * len(with_it)))
    kept = np.random.default_rng(seed_for("undersample", seed, epoch)).choice(others, count, replace=False)
    return np.sort(np.concatenate([with_it, kept]))


def collate(samples: Sequence[VideoSample], windows: Sequence[Window]) -> Batch:
    """Cut windows out of samples and pad them to the longest."""
    length = max(window.stop - window.start for window in windows)
    mask = np.zeros((len(windows), length), bool)
    label = np.zeros((len(windows), length), np.int64)
    first = samples[windows[0].sample]
    streams = {n: np.zeros((*mask.shape, values.shape[1]), np.float32) for n, values in first.features.items()}
    affect, annotated = (
        {n: np.full((*mask.shape, values.shape[1]), np.nan, np.float32) for n, values in known.items()}
        for known in (first.affect, first.annotated)
    )
    for row, window in enumerate(windows):
        sample, span = samples[window.sample], slice(window.start, window.stop)
        frames = window.stop - window.start
        mask[row, :frames] = True
        label[row, :frames] = sample.label[span]
        for name, stream in streams.items():
            stream[row, :frames] = sample.features[name][span]
        for name, target in affect.items():
            target[row, :frames] = sample.affect[name][span]
        for name, said in annotated.items():
            said[row, :frames] = sample.annotated[name][span]
    given = (_tensors(values) for values in (affect, annotated))
    return Batch(_tensors(streams), torch.from_numpy(label), torch.from_numpy(mask), *given)


def _tensors(arrays: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def batches(
    samples: Sequence[VideoSample], windows: Sequence[Window], size: int, order: npt.NDArray[np.int64]
) -> Iterator[Batch]:
    """Batches of ``size`` windows in the given order; the last may be smaller."""
    for first in range(0, len(order), size):
        yield collate(samples, [windows[number] for number in order[first : first + size]])
