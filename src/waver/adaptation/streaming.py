"""The stream of test-time adaptation: frames arrive in order, and each batch is predicted as it arrives."""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from waver.adaptation.base import Frames, Needs, Network, SourceView, TargetView
from waver.adaptation.trace import Chosen


class Stream(Protocol):
    """A model that adapts while frames of one participant arrive.

    Attributes:
        steps: optimiser steps taken so far.
        chosen: of methods that choose frames, how many are in the caches, or were learned from so far.
    """

    steps: int

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the next B frames; adapts to them as well."""
        ...


class OnlineAdapter(Protocol):
    """A method of test-time adaptation. It is given one batch of the stream at a time, and cannot see what follows.

    Attributes:
        batch: the most frames of a batch; a batch never holds frames of two videos.
    """

    Config: ClassVar[type]
    needs: ClassVar[Needs]
    batch: int

    def begin(self, model: Network, source: SourceView | None, seed: int) -> Stream:
        """A stream that starts from the model, which stays as it was; arguments as of ``Adapter.adapt``."""
        ...


def predict_stream(
    adapter: OnlineAdapter, model: Network, target: TargetView, source: SourceView | None, seed: int
) -> tuple[Tensor, int, Chosen]:
    """Predict the frames of one participant batch by batch; no batch is given to the method before its turn.

    Args:
        adapter: the method.
        model: the network that it starts from.
        target: the frames, by video, then time.
        source: source frames where the method needs them.
        seed: of everything that the method draws.

    Returns:
        Logits float32 [N, 2], the number of optimiser steps, and how many frames were chosen after each batch.
    """
    logits, steps, stream, before = [], 0, None, -1
    chosen = Chosen()
    for video, frames in target.stream(adapter.batch):
        if stream is None or (adapter.needs.reset == "video" and video != before):
            steps += stream.steps if stream else 0
            stream = adapter.begin(model, source, seed)
        before = video
        logits.append(stream.predict(frames))
        chosen.add(len(logits[-1]), getattr(stream, "chosen", None))
    found = target.on_frames(torch.cat([torch.zeros(0, 2), *logits]))
    return found, steps + (stream.steps if stream else 0), chosen
