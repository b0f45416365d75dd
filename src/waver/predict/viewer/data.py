"""What a page knows of a recording: plain values for its script, short where there is one for every frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.evaluation.segments import runs_of
from waver.predict.result import RecordingResult, Segment
from waver.predict.segments import Span
from waver.provenance import digest

CONFLICT = "conflict/"
_APART = 0.5
"""Value of a track of conflict, (1 - cosine) / 2, from which on two modalities point in different directions."""
_PER_MILLE, _PER_CENT = 1000, 100


def page_data(result: RecordingResult, annotated: Sequence[Span] | None, model: str, stamp: str) -> dict[str, Any]:
    """What the script of a page is given.

    Args:
        result: of the recording, with its segments.
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
        "frames": result.frames,
        "probability": _integers(result.probability, _PER_MILLE),
        "threshold": result.threshold,
        "low": result.bands.low,
        "high": result.bands.high,
        "segments": segments,
        "annotated": None if annotated is None else [list(span) for span in annotated],
        "modalities": [_modality(result, place, name) for place, name in enumerate(result.valid)],
        "conflict": _conflict(result),
        "words": None if result.words is None else [[w.word, _ms(w.start_s), _ms(w.end_s)] for w in result.words],
        "model": model,
        "stamp": digest([stamp, result.recording, segments]),
    }


def segment_row(segment: Segment) -> dict[str, Any]:
    """A segment for the table of a page and its script."""
    return {
        "start_frame": segment.start_frame,
        "end_frame": segment.end_frame,
        "mean": round(segment.mean, 3),
        "peak": round(segment.peak, 3),
        "contributions": {name: round(float(value), 2) for name, value in segment.contributions.items()},
        "cues": list(segment.cues),
    }


def gaps(valid: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Stretches [start, end) of frames without the modality."""
    runs = runs_of(~valid, np.zeros(len(valid), np.int64))
    return [list(span) for span in zip(runs.start.tolist(), runs.end.tolist(), strict=True)]


def _modality(result: RecordingResult, place: int, name: str) -> dict[str, Any]:
    adds = None if result.contributions is None else _integers(result.contributions[:, place], _PER_CENT)
    return {"name": name, "gaps": gaps(np.asarray(result.valid[name])), "adds": adds}


def _conflict(result: RecordingResult) -> dict[str, list[list[int]]] | None:
    """Pair -> where its modalities are apart; by the cues of segments where the model has no track of it."""
    tracks: Mapping[str, Any] = {name: x for name, x in result.tracks.items() if name.startswith(CONFLICT)}
    if tracks:
        return {name.removeprefix(CONFLICT): gaps(np.asarray(x) < _APART) for name, x in tracks.items()}
    told = [[one.start_frame, one.end_frame] for one in result.segments if one.cues]
    return {"": told} if told else None


def _integers(values: npt.NDArray[np.floating[Any]], scale: int) -> list[int]:
    whole: list[int] = np.rint(np.nan_to_num(np.asarray(values, np.float64)) * scale).astype(np.int64).tolist()
    return whole


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
