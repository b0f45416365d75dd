"""What the annotators said of the A/H segments of the videos at hand, frame by frame.

The segments of a video are the runs of A/H in its labels, in order; where their numbers differ (a segment is shorter
than a frame of the clock, or two have become one) nothing is known of the video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.codebook import PAIRS, cue_names
from waver.io.tables import SEGMENTS, read_tables
from waver.training.corpus import Floats, VideoSample

CUES, CERTAINTY = "cues", "certainty"
"""Keys of ``VideoSample.annotated``."""

_SEEN_BY = {"face": "visual", "body": "visual", "voice": "audio", "language": "text"}
"""What the annotators look at -> the modality that holds it."""


def with_annotation(samples: Iterable[VideoSample], segments: Sequence[Path]) -> list[VideoSample]:
    """Samples with what is known of their segments.

    ``annotated`` then has ``cues`` float32 [T, C], 1 in a segment in which the cue (a column of ``cue_names``) is
    named and 0 in one in which only others are, and ``certainty`` float32 [T, 1], as released; nan elsewhere.

    Args:
        samples: videos of the splits that are learned from.
        segments: SEGMENTS tables; rows of other videos are left alone.
    """
    rows: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in read_tables(segments, SEGMENTS):
        rows[row["video"]].append(row)
    return [replace(sample, annotated=_annotated(sample, rows[sample.video])) for sample in samples]


def _annotated(sample: VideoSample, rows: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    names = cue_names()
    cues = np.full((sample.frames, len(names)), np.nan, np.float32)
    certainty = np.full((sample.frames, 1), np.nan, np.float32)
    for run, row in annotated_runs(sample.label, rows) if sample.labelled else ():
        if row["cue_names"]:
            cues[run] = np.isin(names, row["cue_names"])
        if row["certainty"] is not None:
            certainty[run] = row["certainty"]
    return {CUES: cues, CERTAINTY: certainty}


def annotated_runs(
    label: npt.NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[slice, Mapping[str, Any]]]:
    """Frames and row of each A/H segment of a video; none where labels and rows are of different numbers of segments.

    Args:
        label: uint8 [T].
        rows: of SEGMENTS, those of the video.
    """
    runs = list(_runs(label))
    if len(runs) != len(rows):
        return []
    return list(zip(runs, sorted(rows, key=lambda row: int(row["segment"])), strict=True))


def _runs(label: npt.NDArray[np.uint8]) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(np.int8), [0]])))
    return (slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True))


def pair_of(cue: str) -> str:
    """Modalities that a cue of inconsistency lies between, ``audio+text``; empty where one modality holds both."""
    found = sorted({_SEEN_BY[part] for part in PAIRS[cue]})
    return "+".join(found) if len(found) > 1 else ""


def pair_shares(samples: Sequence[VideoSample]) -> dict[str, float]:
    """Share of the annotators' inconsistencies that lie between two modalities, ``text+visual`` and so on.

    What lies between face and body, which are both in the picture, belongs to no pair. Empty where no inconsistency
    is named.

    Args:
        samples: training videos, annotated.
    """
    columns = {cue: cue_names().index(f"inconsistencies: {cue}") for cue in PAIRS}
    counts = dict.fromkeys(("text+visual", "audio+text", "audio+visual"), 0.0)
    total = 0.0
    for sample in samples:
        for run in _runs(sample.label) if CUES in sample.annotated else ():
            named = sample.annotated[CUES][run.start]
            for cue, column in columns.items():
                if named[column] == 1:
                    total += 1
                    counts[pair_of(cue)] = counts.get(pair_of(cue), 0.0) + 1
    counts.pop("", None)
    return {key: number / total for key, number in counts.items()} if total else {}


def named_cues(samples: Sequence[VideoSample]) -> npt.NDArray[np.int64]:
    """Columns of ``cue_names`` that any training segment has; nothing can be learned of the others."""
    found = [np.nanmax(sample.annotated[CUES], axis=0, initial=0) for sample in samples if CUES in sample.annotated]
    return np.flatnonzero(np.max(found, axis=0, initial=0) > 0) if found else np.zeros(0, np.int64)
