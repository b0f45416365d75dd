"""The stream of test-time adaptation: frames arrive in order, and each batch is predicted as it arrives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.adaptation.base import OnlineAdapter, SourceModel, SourceView, TargetView
from waver.adaptation.protocol import Ints


def predict_stream(
    adapter: OnlineAdapter, model: SourceModel, target: TargetView, source: SourceView | None, seed: int
) -> tuple[Tensor, int]:
    """Predict the frames of one participant batch by batch; no batch is given to the method before its turn.

    Args:
        adapter: the method.
        model: the source model.
        target: the frames, by video, then time.
        source: source frames where the method needs them.
        seed: of everything that the method draws.

    Returns:
        Logits float32 [N, 2] and the number of optimiser steps.
    """
    features = torch.tensor(target.features)
    logits, steps, stream, before = [], 0, None, -1
    for rows in stream_batches(target.video, adapter.batch):
        video = int(target.video[rows[0]])
        if stream is None or (adapter.needs.reset == "video" and video != before):
            steps += stream.steps if stream else 0
            stream = adapter.begin(model, source, seed)
        before = video
        logits.append(stream.predict(features[torch.from_numpy(rows)]))
    return torch.cat([torch.zeros(0, 2), *logits]), steps + (stream.steps if stream else 0)


def stream_batches(video: npt.NDArray[np.int32], batch: int) -> list[Ints]:
    """Rows of each batch: stretches of one video, of nearly equal length and at most ``batch`` frames.

    Args:
        video: int32 [N], ascending number of each frame's video.
        batch: the most frames of a batch.
    """
    starts = np.flatnonzero(np.diff(video, prepend=video[:1] - 1))
    videos = np.split(np.arange(len(video), dtype=np.int64), starts[1:])
    return [part for rows in videos if len(rows) for part in np.array_split(rows, -(-len(rows) // batch))]
