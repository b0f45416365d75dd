"""Frames of one participant as windows of a fusion: no window holds a frame of another subset.

A fusion looks at the frames around a frame. Here it looks at those of the same subset alone. The frames of a subset
form sequences: frames of one video that follow each other without a gap. Under ``frame_random``, where nearly every
frame has gaps on either side, a sequence is all frames of the subset in one video, one after the other, as if no time
had passed between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from waver.adaptation.base import Frames, Labels, Needs, Network, TargetView, predict
from waver.adaptation.participants import Split, Target, copied

STREAMED_FRAMES = 64
"""Frames predicted at once by a network that no longer changes, as by the online methods."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Windows side by side.

    Attributes:
        features: float32 [B, T, D], streams side by side, normalised; zeros on padding.
        mask: bool [B, T]; False on padding, which lies at the end.
        wanted: bool [B, T]; the N frames whose features and logits are wanted, in the order of windows, then time.
    """

    features: Tensor
    mask: Tensor
    wanted: Tensor


class Layout(NamedTuple):
    """How the frames of a subset are laid out.

    Attributes:
        window_steps: most steps of a window.
        stride: every n-th frame of a sequence is a step that the network is given, as in its training; its logits
            are those of all n.
        joined: gaps between frames of one video are no end of a sequence.
    """

    window_steps: int
    stride: int
    joined: bool


@dataclass(frozen=True)
class FusionView(TargetView):
    """Unlabelled steps of one target participant, by video, then time; ``features`` and the like are of S steps.

    Attributes:
        start: int64 [Q + 1], first step of each sequence, and S.
        shown: int64 [N], step of each frame that the view is of.
        layout: how they are laid out.
    """

    start: Ints
    shown: Ints
    layout: Layout

    @cached_property
    def _windows(self) -> list[Ints]:
        """Steps of the windows to adapt on: sequences, or nearly equal parts of them; every step is in one."""
        sequences = np.split(np.arange(len(self.features)), self.start[1:-1])
        most = self.layout.window_steps
        return [part for steps in sequences for part in np.array_split(steps, -(-len(steps) // most))]

    def batches(self, size: int, generator: torch.Generator) -> list[Tensor]:
        """One pass over the windows in random order: as many in a batch as it takes for ``size`` steps."""
        found: list[list[int]] = [[]]
        steps = 0
        for number in torch.randperm(len(self._windows), generator=generator).tolist():
            found[-1].append(number)
            steps += len(self._windows[number])
            if steps >= size:
                found.append([])
                steps = 0
        # batch norm cannot take a single frame
        return [torch.tensor(batch) for batch in found if sum(len(self._windows[n]) for n in batch) > 1]

    def frames(self, batch: Tensor) -> Frames:
        """The windows of a batch, all of whose steps are asked for."""
        parts = [self._tensor[torch.from_numpy(self._windows[number])] for number in batch.tolist()]
        mask = pad_sequence([torch.ones(len(part), dtype=torch.bool) for part in parts], batch_first=True)
        return Windows(pad_sequence(parts, batch_first=True), mask, mask)

    def rows(self, batch: Tensor) -> Tensor:
        """Steps of a batch, in the order in which the network gives their logits."""
        return torch.from_numpy(np.concatenate([self._windows[number] for number in batch.tolist()]))

    def all_frames(self) -> Iterable[Frames]:
        """All windows, one by one."""
        return (self.frames(torch.tensor([number])) for number in range(len(self._windows)))

    def stream(self, batch: int) -> Iterator[tuple[int, Frames]]:
        """The next steps of a sequence, at most ``batch`` frames, in a window that ends with them."""
        most = max(1, batch // self.layout.stride)
        for first, end in zip(self.start[:-1], self.start[1:], strict=True):
            for part in np.array_split(np.arange(first, end), -(-(end - first) // most)):
                stop = int(part[-1]) + 1
                begin = min(int(part[0]), max(int(first), stop - self.layout.window_steps))
                mask = torch.ones(1, stop - begin, dtype=torch.bool)
                wanted = torch.arange(begin, stop)[None] >= int(part[0])
                yield int(self.video[first]), Windows(self._tensor[None, begin:stop], mask, wanted)

    def on_frames(self, logits: Tensor) -> Tensor:
        """Logits [N, 2] of the frames, of those [S, 2] of the steps."""
        return logits[torch.from_numpy(self.shown)]

    def predict(self, network: Network) -> Tensor:
        """Logits [N, 2] of the frames as they arrive, in evaluation mode."""
        steps = [predict(network, frames) for _, frames in self.stream(STREAMED_FRAMES)]
        return self.on_frames(torch.cat([torch.zeros(0, 2), *steps]))


@dataclass(frozen=True)
class LabelledFusionView(FusionView):
    """T_tr with its labels, and T_va to select by.

    Attributes:
        labels: uint8 [S].
        val: T_va without labels.
        val_labels: uint8 [M], of the frames of T_va.
    """

    labels: Labels
    val: FusionView
    val_labels: Labels

    def predict_val(self, network: Network) -> Tensor:
        """Logits [M, 2] of T_va, in evaluation mode."""
        return self.val.predict(network)


def fusion_view(needs: Needs, target: Target, split: Split, layout: Layout) -> FusionView:
    """What a method may see of a participant: fresh read-only arrays of the steps allowed, and no more.

    Args:
        needs: of the method.
        target: the participant.
        split: rows of the subsets.
        layout: how their frames are laid out.
    """
    rows = split["test" if needs.stream else "train"]
    if not needs.target_labels:
        return FusionView(**_seen(target, rows, layout))
    if needs.stream:
        raise ValueError("a method that reads the test stream must not see labels")
    seen, val = _seen(target, rows, layout), split["val"]
    labels = copied(target.labels, rows[_middle(seen["shown"])])
    held_out = FusionView(**_seen(target, val, layout))
    return LabelledFusionView(**seen, labels=labels, val=held_out, val_labels=copied(target.labels, val))


def _seen(target: Target, rows: Ints, layout: Layout) -> dict[str, Any]:
    """Fields of a FusionView."""
    video, frame = target.video[rows], target.frame[rows]
    ends = np.diff(video) != 0
    if not layout.joined:
        ends |= np.diff(frame) != 1
    first = np.flatnonzero(np.concatenate([[True], ends])) if len(rows) else np.zeros(0, np.int64)
    lengths = np.diff(np.append(first, len(rows)))
    steps = -(-lengths // layout.stride)
    start = np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)
    within = np.arange(len(rows)) - np.repeat(first, lengths)
    shown = np.repeat(start[:-1], lengths) + within // layout.stride
    kept = rows[_middle(shown)]
    parts = {name: copied(values, kept) for name, values in _values(target).items()}
    return {**parts, "start": start, "shown": shown, "layout": layout}


def _values(target: Target) -> dict[str, npt.NDArray[Any]]:
    return {"features": target.features, "video": target.video, "frame": target.frame}


def _middle(shown: Ints) -> Ints:
    """Number of the middle one of the frames of each step, the later of two, as ``corpus.thinned`` takes it."""
    first, count = np.unique(shown, return_index=True, return_counts=True)[1:]
    return first + count // 2
