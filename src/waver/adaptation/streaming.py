"""The stream of test-time adaptation: frames arrive in order, and each batch is predicted as it arrives."""

from __future__ import annotations

import torch
from torch import Tensor

from waver.adaptation.base import Network, OnlineAdapter, SourceView, TargetView


def predict_stream(
    adapter: OnlineAdapter, model: Network, target: TargetView, source: SourceView | None, seed: int
) -> tuple[Tensor, int]:
    """Predict the frames of one participant batch by batch; no batch is given to the method before its turn.

    Args:
        adapter: the method.
        model: the network that it starts from.
        target: the frames, by video, then time.
        source: source frames where the method needs them.
        seed: of everything that the method draws.

    Returns:
        Logits float32 [N, 2] and the number of optimiser steps.
    """
    logits, steps, stream, before = [], 0, None, -1
    for video, frames in target.stream(adapter.batch):
        if stream is None or (adapter.needs.reset == "video" and video != before):
            steps += stream.steps if stream else 0
            stream = adapter.begin(model, source, seed)
        before = video
        logits.append(stream.predict(frames))
    found = target.on_frames(torch.cat([torch.zeros(0, 2), *logits]))
    return found, steps + (stream.steps if stream else 0)
