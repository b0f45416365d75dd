"""From frames to videos: the papers' rule (dataset paper, appendix, video-level classification), and the release's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np

from waver.io.zarr_store import Array

VideoRule = Literal["sliding_mean", "majority", "mean_logits", "mean_probabilities"]


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


def majority(probability: Array) -> float:
    """Share of the frames that are called A/H; above .5, and A/H, where they are most. nan without frames."""
    return float((probability > 0.5).mean()) if len(probability) else float("nan")


def mean_logits(margin: Array) -> float:
    """Softmax of the mean logits of the frames, from their margins [T]; above .5 where A/H has the larger mean."""
    return float(np.exp(-np.logaddexp(0, -margin.mean()))) if len(margin) else float("nan")


def mean_probabilities(probability: Array) -> float:
    """Mean probability of the frames; above .5 where A/H has the larger mean. nan without frames."""
    return float(probability.mean()) if len(probability) else float("nan")


def video_probabilities(
    probability: Array,
    lengths: Sequence[int],
    window_frames: int,
    rule: VideoRule = "sliding_mean",
    margin: Array | None = None,
) -> Array:
    """The rule for several videos laid end to end; float64 [number of videos].

    Args:
        probability: float [N] of the frames of all videos.
        lengths: frames of each video.
        window_frames: window of ``sliding_mean``.
        rule: which one; the video is A/H above .5 with each of them.
        margin: float [N], logit of A/H minus logit of none; the only input of ``mean_logits``.
    """
    rules: dict[str, Callable[[Array], float]] = {
        "sliding_mean": partial(video_probability, window_frames=window_frames),
        "majority": majority,
        "mean_logits": mean_logits,
        "mean_probabilities": mean_probabilities,
    }
    values = probability
    if rule == "mean_logits":
        assert margin is not None
        values = margin
    count = np.array(lengths, np.int64)
    ends = np.cumsum(count)
    parts = zip(ends - count, ends, strict=True)
    return np.array([rules[rule](values[start:end]) for start, end in parts], np.float64)
