"""What a page knows of a recording: plain values for its script, short where there is one for every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.video_probe import open_video
from waver.errors import ExcludedItem
from waver.evaluation.segments import runs_of
from waver.predict.result import RecordingResult, Segment
from waver.predict.segments import SegmentRule, Span
from waver.provenance import digest

CONFLICT, GATE = "conflict/", "gate/"
_APART, _OPEN = 0.5, 0.5
"""A pair is marked where its distance, (1 - cosine) / 2, and the weight that the model gives it reach these."""
_PER_MILLE, _PER_CENT = 1000, 100


def page_data(
    result: RecordingResult, rule: SegmentRule | None, annotated: Sequence[Span] | None, model: str, stamp: str
) -> dict[str, Any]:
    """What the script of a page is given.

    Args:
        result: of the recording, with its segments.
        rule: of the segments; what lies between its two limits is unclear. None: the threshold is the only limit.
        annotated: segments of the annotation, frames; None where there is none, or nobody may see it.
        model: name of the model.
        stamp: of the model; a review belongs to these segments of this model.

    Returns:
        Values for JSON; frames count from 0 on the clock of ``fps``, ``end_frame`` is the frame after the last.
    """
    segments = [segment_row(one) for one in result.segments]
    return {
        "recording": result.recording,
        "fps": result.fps,
        "offset_s": first_frame_s(result.video),
        "frames": result.frames,
        "probability": _integers(result.probability, _PER_MILLE),
        "threshold": result.threshold,
        "low": rule.off if rule else result.threshold,
        "high": rule.on if rule else result.threshold,
        "segments": segments,
        "annotated": None if annotated is None else [list(span) for span in annotated],
        "modalities": [_modality(result, place, name) for place, name in enumerate(result.valid)],
        "conflict": _conflict(result),
        "words": None if result.words is None else [[w.word, _ms(w.start_s), _ms(w.end_s)] for w in result.words],
        "model": model,
        "stamp": digest([stamp, result.recording, segments]),
    }


def first_frame_s(video: Path | None) -> float:
    """When a player shows the first frame, which the clock counts from: later than 0 where the sound begins earlier."""
    if video is None:
        return 0.0
    try:
        with open_video(video) as (_, stream):
            known = stream.start_time is not None and stream.time_base is not None
            start_s = float(stream.start_time * stream.time_base) if known else 0.0
    except ExcludedItem:
        return 0.0  # the player does not play it either
    return max(0.0, round(start_s, 6))


def segment_row(segment: Segment) -> dict[str, Any]:
    """A segment for the table of a page and its script."""
    return {
        "start_frame": segment.start_frame,
        "end_frame": segment.end_frame,
        "mean": round(segment.mean, 3),
        "peak": round(segment.peak, 3),
        "contributions": {name: round(float(value), 1) + 0.0 for name, value in segment.contributions.items()},
        "cues": list(segment.cues),
    }


def gaps(valid: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Stretches [start, end) of frames without the modality."""
    runs = runs_of(~valid, np.zeros(len(valid), np.int64))
    return [list(span) for span in zip(runs.start.tolist(), runs.end.tolist(), strict=True)]


def _modality(result: RecordingResult, place: int, name: str) -> dict[str, Any]:
    adds = None if result.contributions is None else _integers(result.contributions[:, place], _PER_CENT)
    return {"name": name, "gaps": gaps(np.asarray(result.valid[name])), "adds": adds}


def _conflict(result: RecordingResult) -> dict[str, list[list[int]]]:
    """Pair -> where its modalities are apart; none of a model that does not compare them."""
    pairs = {name.removeprefix(CONFLICT): track for name, track in result.tracks.items() if name.startswith(CONFLICT)}
    found = {}
    for pair, track in pairs.items():
        weight = result.tracks.get(f"{GATE}{pair}", np.ones(result.frames, np.float32))
        found[pair] = gaps(~((np.asarray(track) >= _APART) & (np.asarray(weight) >= _OPEN)))
    return found


def _integers(values: npt.NDArray[np.floating[Any]], scale: int) -> list[int]:
    whole: list[int] = np.rint(np.nan_to_num(np.asarray(values, np.float64)) * scale).astype(np.int64).tolist()
    return whole


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
