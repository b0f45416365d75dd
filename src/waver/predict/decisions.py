"""What is decided on the val split of a trained model: the threshold of frames, and the bands of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from waver.evaluation.calibration import LEAST, MOST, margin_of, temperature
from waver.evaluation.metrics import avgf1_of
from waver.evaluation.video_aggregation import VideoRule, video_probabilities
from waver.io.zarr_store import Array
from waver.predict.result import Bands
from waver.predict.segments import SegmentRule, choose_rule

MOST_WRONG = 0.2
"""Share of wrong answers outside the unclear band that is aimed at."""
MOST_UNCLEAR = 0.5
"""Largest share of the val recordings that the unclear band holds."""


@dataclass(frozen=True)
class Decisions:
    """Chosen on the val split, applied as they are to new recordings.

    Attributes:
        frame_threshold: probability from which on a frame is called A/H: that of the highest AVGF1 on val frames.
        video_threshold: likewise of whole recordings.
        bands: the unclear band around ``video_threshold``.
        unclear: share of the val recordings in it.
        wrong: share of the val recordings outside it that are on the wrong side; None where none is outside.
        videos: labelled val recordings.
        rule: from frames to a recording.
        window_frames: window of the rule ``sliding_mean``.
        segments: from frames to segments.
        frame_temperature: what margins of frames are divided by, so that probabilities fit the labels of val best; 1
            where none is best.
        video_temperature: likewise of whole recordings.
    """

    frame_threshold: float
    video_threshold: float
    bands: Bands
    unclear: float
    wrong: float | None
    videos: int
    rule: VideoRule
    window_frames: int
    segments: SegmentRule
    frame_temperature: float = 1.0
    video_temperature: float = 1.0

    def state(self) -> dict[str, Any]:
        """Plain values for a file."""
        return asdict(self) | {"bands": list(self.bands)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Decisions:
        """Inverse of ``state``."""
        inner = {"bands": Bands(*state["bands"]), "segments": SegmentRule(**state["segments"])}
        needed = {"frame_temperature": state["frame_temperature"], "video_temperature": state["video_temperature"]}
        return cls(**{**state, **inner, **needed})

    def video_probability(self, probability: Array) -> float:
        """Probability that a recording holds A/H, of those of its frames, float [T]."""
        margin = np.log(probability) - np.log1p(-probability)
        return float(video_probabilities(probability, [len(probability)], self.window_frames, self.rule, margin)[0])


def best_threshold(probability: Array, label: Array) -> float:
    """The threshold of the highest AVGF1, half-way between two probabilities; of several, the one nearest to .5.

    Args:
        probability: float [n].
        label: [n], 0 or 1.

    Returns:
        The threshold; .5 where no class or only one is there.
    """
    if not len(label) or label.min() == label.max():
        return 0.5
    value = np.unique(probability)
    order = np.sort(probability[label == 1]), np.sort(probability[label == 0])
    cuts = np.concatenate([[0.5], (value[1:] + value[:-1]) / 2])
    missed, kept_out = (np.searchsorted(sorted_, cuts, side="left") for sorted_ in order)
    positives, negatives = (len(part) for part in order)
    score = avgf1_of(np.stack([positives - missed, negatives - kept_out, missed, kept_out], axis=-1))
    best = np.flatnonzero(score >= score.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])


def best_temperature(probability: Array, label: Array) -> float:
    """The temperature of the least log loss; 1 where one class alone is there, or no temperature is best.

    Args:
        probability: float [n].
        label: [n], 0 or 1.
    """
    if not len(label) or label.min() == label.max():
        return 1.0
    fitted = temperature(margin_of(probability), label)
    # at a bound none is best: the classes are told apart without a mistake, or not at all
    return fitted if LEAST < fitted < MOST else 1.0


def unclear_band(probability: Array, label: Array, threshold: float) -> tuple[Bands, float, float | None]:
    """The narrowest band around a threshold outside of which at most ``MOST_WRONG`` of the recordings are wrong.

    It takes in recordings in the order of their distance from the threshold, at most ``MOST_UNCLEAR`` of them, and then
    reaches to the nearest ones outside: what lies between, val says nothing about.

    Args:
        probability: float [n] of the val recordings.
        label: [n], 0 or 1.
        threshold: that the band lies around.

    Returns:
        The band, the share of the recordings in it, and the share of wrong ones outside of it.
    """
    count = len(label)
    if not count:
        return Bands(0.0, 1.0), 0.0, None
    order = np.argsort(np.abs(probability - threshold), kind="stable")
    ranked = probability[order]
    wrong = ((probability >= threshold) != (label == 1))[order]
    most = int(MOST_UNCLEAR * count)
    shares = [float(wrong[inside:].mean()) for inside in range(most + 1)]
    inside = next((place for place, share in enumerate(shares) if share <= MOST_WRONG), most)
    below, above = (ranked[inside:][side] for side in (ranked[inside:] < threshold, ranked[inside:] >= threshold))
    low = float(np.nextafter(below.max(), 1.0)) if len(below) else 0.0
    high = float(above.min()) if len(above) else 1.0
    return Bands(low, high), inside / count, shares[inside]


def decide(
    frames: Sequence[tuple[Array, Array | None, int | None]], rule: VideoRule, window_frames: int, decoded: bool
) -> Decisions:
    """Choose on the val split.

    Args:
        frames: of each recording the probability [T], the frame labels [T] and the label of the recording; None where
            unknown.
        rule: from frames to a recording.
        window_frames: window of the rule ``sliding_mean``.
        decoded: the probabilities are decoded by how long A/H lasts.
    """
    known = [(probability, label) for probability, label, _ in frames if label is not None]
    threshold = best_threshold(*_joined(known))
    segments = choose_rule(known, decoded)
    undecided = Decisions(threshold, 0.5, Bands(0.0, 1.0), 0.0, None, 0, rule, window_frames, segments)
    whole = [(undecided.video_probability(probability), own) for probability, _, own in frames if own is not None]
    chance, truth = (np.array([pair[part] for pair in whole], np.float64) for part in (0, 1))
    middle = best_threshold(chance, truth)
    bands, unclear, wrong = unclear_band(chance, truth, middle)
    return replace(
        undecided, video_threshold=middle, bands=bands, unclear=unclear, wrong=wrong, videos=len(whole),
        frame_temperature=best_temperature(*_joined(known)), video_temperature=best_temperature(chance, truth),
    )  # fmt: skip


def _joined(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    chance, truth = (np.concatenate([np.zeros(0), *(pair[part] for pair in pairs)]) for part in (0, 1))
    return chance, truth
