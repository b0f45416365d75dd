"""From frames to videos: the papers' rule (dataset paper, appendix, video-level classification)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from waver.store.arrays import Array


def video_probability(probability: Array, window_frames: int) -> float:
    """Probability that a video holds A/H: the largest mean over a window slid frame by frame.

    Args:
        probability: float [T] of the frames, in order.
        window_frames: length of the window; a shorter video is one window (the papers leave it open).

    Returns:
        The probability; nan for a video without frames.
    """
    if not len(probability):
        return float("nan")
    # windows are summed afresh: running sums would leave .5 as .5000000001, which is a positive
    windows = np.lib.stride_tricks.sliding_window_view(probability, min(window_frames, len(probability)))
    return float(windows.mean(axis=1).max())


def video_probabilities(probability: Array, lengths: Sequence[int], window_frames: int) -> Array:
    """The rule for several videos laid end to end; float64 [number of videos]."""
    count = np.array(lengths, np.int64)
    ends = np.cumsum(count)
    parts = zip(ends - count, ends, strict=True)
    return np.array([video_probability(probability[start:end], window_frames) for start, end in parts], np.float64)
