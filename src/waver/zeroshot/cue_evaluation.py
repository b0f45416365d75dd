"""Cues that are told, compared with those that annotators saw in the segments of A/H."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_tables, write_table
from waver.io.zarr_store import read_store
from waver.shapes import FPS
from waver.zeroshot.cue_signals import answer_cues, baseline
from waver.zeroshot.textualise import Detected, cue_rules, detected_cues, findable

Row = dict[str, Any]

CLOCKS = ("faces", "audio")
"""Those that say which source frame is shown in each slot."""

CUE_SCORES = pa.schema(
    [
        pa.field("channel", pa.string(), False, {"meaning": "channel of the codebook"}),
        pa.field("cue", pa.string(), False, {"meaning": "cue of the codebook"}),
        pa.field(
            "segments", pa.int32(), False, {"meaning": "segments with any annotated cue where this one can be found"}
        ),
        pa.field("participants", pa.int32(), True, {"meaning": "people in whose segments it was annotated or found"}),
        pa.field("annotated", pa.int32(), True, {"meaning": "segments in which it was annotated; null of few people"}),
        pa.field("found", pa.int32(), True, {"meaning": "segments in which it was found; null of few people"}),
        pa.field("both", pa.int32(), True, {"meaning": "segments with both; null of few people"}),
        pa.field("precision", pa.float64(), True, {"meaning": "both / found; null where undefined or withheld"}),
        pa.field("recall", pa.float64(), True, {"meaning": "both / annotated; null where undefined or withheld"}),
    ]
)
"""One row for each cue that rules can find; no times and no words."""


class Segment(NamedTuple):
    """Cues of one segment of A/H.

    Attributes:
        participant: whose.
        annotated, found: cues that annotators named, and that overlap it.
        findable: cues whose signals or words are known in its video.
    """

    participant: str
    annotated: set[str]
    found: set[str]
    findable: set[str]


def evaluate_cues(
    videos: Sequence[Path],
    segments: Path,
    indexes: Mapping[str, Sequence[Path]],
    stores: Mapping[str, Path],
    least: int,
    output: Path,
) -> None:
    """Write how well the cues that are told agree with annotated ones (CUE_SCORES; rule ``zeroshot_cues``).

    A cue is found in a segment where a detection overlaps it. Baselines are of all videos of a person.

    Args:
        videos: VIDEOS tables of the shards.
        segments: SEGMENTS table.
        indexes: feature -> FEATURE_INDEX tables of its shards.
        stores: feature -> folder of its stores.
        least: people below which counts and scores are withheld.
        output: Parquet file to write.
    """
    annotated = _annotated(read_tables([segments], SEGMENTS))
    ok = {
        feature: {row["video"] for row in read_tables(paths, FEATURE_INDEX) if row["status"] == "ok"}
        for feature, paths in indexes.items()
    }
    people: dict[str, list[Row]] = defaultdict(list)
    for row in read_tables(videos, VIDEOS):
        people[row["participant"]].append(row)
    seen = [
        Segment(person, *cues)
        for person, rows in sorted(people.items())
        if any(row["video"] in annotated for row in rows)
        for cues in _segments_of(rows, annotated, ok, stores)
    ]
    write_table(output, cue_scores(seen, least), CUE_SCORES)


def _segments_of(
    rows: Sequence[Row], annotated: Mapping[str, list[Row]], ok: Mapping[str, set[str]], stores: Mapping[str, Path]
) -> Iterator[tuple[set[str], set[str], set[str]]]:
    """Annotated and found cues of each annotated segment of a person, and those that can be found in its video."""
    paths = {
        row["video"]: {name: store_path(stores[name], row) for name in ok if row["video"] in ok[name]} for row in rows
    }
    answers = {row["video"]: answer_cues(paths[row["video"]], round(row["duration_s"] * FPS)) for row in rows}
    usual = baseline(list(answers.values()))
    for row in rows:
        video = row["video"]
        detections = detected_cues(answers[video], usual) if video in annotated else []
        for segment in annotated.get(video, ()):
            span = _span_s(segment, paths[video])
            if span is not None:
                yield segment["told"], _within(detections, *span), findable(answers[video])


def _within(detections: Sequence[Detected], start_s: float, end_s: float) -> set[str]:
    return {one.rule.cue for one in detections if one.start_s < end_s and one.end_s > start_s}


def _span_s(segment: Row, paths: Mapping[str, Path]) -> tuple[float, float] | None:
    """Seconds of a segment on the 24 fps clock; None where nothing says when its frames are shown."""
    if segment["start_s"] is not None:
        return segment["start_s"], segment["end_s"]
    clock = next((paths[name] for name in CLOCKS if name in paths), None)
    if clock is None:
        return None
    shown = read_store(clock, "source_frame")["source_frame"]
    slots = np.flatnonzero((shown >= segment["start_frame"]) & (shown < segment["end_frame"]))
    return (slots[0] / FPS, (slots[-1] + 1) / FPS) if len(slots) else None


def _annotated(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Video -> segments in which annotators named cues of the codebook, with their names as ``told``."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["cue_names"]:
            found[row["video"]].append(row | {"told": {name.partition(": ")[2] for name in row["cue_names"]}})
    return dict(found)


def cue_scores(segments: Sequence[Segment], least: int) -> list[Row]:
    """CUE_SCORES rows, in the order of the rules.

    Args:
        segments: those with annotated cues.
        least: people below which counts and scores are withheld.
    """
    channels = {rule.cue: rule.channel for rule in cue_rules().rules}
    return [_scored(cue, channel, segments, least) for cue, channel in channels.items()]


def _scored(cue: str, channel: str, segments: Sequence[Segment], least: int) -> Row:
    known = [segment for segment in segments if cue in segment.findable]
    here = [segment for segment in known if cue in segment.annotated | segment.found]
    people = len({segment.participant for segment in here})
    head = {"channel": channel, "cue": cue, "segments": len(known)}
    if people < least:
        return head | dict.fromkeys(CUE_SCORES.names[3:])
    annotated = sum(cue in segment.annotated for segment in here)
    found = sum(cue in segment.found for segment in here)
    both = annotated + found - len(here)
    return head | {
        "participants": people, "annotated": annotated, "found": found, "both": both,
        "precision": both / found if found else None, "recall": both / annotated if annotated else None,
    }  # fmt: skip
