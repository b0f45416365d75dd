"""Whole videos as steps: the frames' features, averaged a few times a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from waver.datasets.answers import Answer
from waver.training.corpus import VideoSample

Floats = npt.NDArray[np.float32]


def pooled(sample: VideoSample, step_frames: int) -> VideoSample:
    """Steps of ``step_frames`` frames, the last of what is left: the mean of the frames that have the modality.

    A step is valid where any of its frames is; its label is that of most of them, and of a draw A/H.
    """
    starts = np.arange(0, sample.frames, step_frames)
    features, valid = {}, {}
    for name, values in sample.features.items():
        there = sample.valid[name]
        count = np.add.reduceat(there.astype(np.int64), starts)
        total = np.add.reduceat(np.where(there[:, None], values, 0), starts, axis=0)
        features[name] = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
        valid[name] = count > 0
    frames = np.diff(np.append(starts, sample.frames))
    label = 2 * np.add.reduceat(sample.label.astype(np.int64), starts) >= frames
    return replace(sample, features=features, valid=valid, label=label.astype(np.uint8))


@dataclass(frozen=True)
class VideoSteps:
    """Videos as streams of steps; see ``waver.training.videos.data.Examples``.

    Attributes:
        answers: the videos, with their labels.
        samples: video id -> its steps, normalised; the stream ``question`` has one step.
    """

    answers: Sequence[Answer]
    samples: dict[str, VideoSample]

    def batch(self, numbers: Sequence[int], draws: Sequence[np.random.Generator] | None) -> tuple[Any, ...]:
        """``(streams, mask)``: name -> float32 [B, S, D], name -> bool [B, S]. Models draw for themselves."""
        chosen = [self.samples[self.answers[number].video] for number in numbers]
        streams: dict[str, Tensor] = {}
        mask: dict[str, Tensor] = {}
        for name in chosen[0].features:
            streams[name] = pad_sequence([torch.from_numpy(own.features[name]) for own in chosen], batch_first=True)
            mask[name] = pad_sequence([torch.from_numpy(own.valid[name]) for own in chosen], batch_first=True)
        return streams, mask
