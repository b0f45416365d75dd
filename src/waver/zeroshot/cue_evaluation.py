"""Cues that are told, compared with those that annotators saw in the segments of A/H."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_agreement import CUE_SCORES, Segment, Source, cue_scores
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_tables, write_table
from waver.io.zarr_store import read_store
from waver.shapes import FPS
from waver.zeroshot.cue_signals import answer_cues, baseline
from waver.zeroshot.textualise import Detected, cue_rules, detected_cues, findable

Row = dict[str, Any]

CLOCKS = ("faces", "audio")
"""Those that say which source frame is shown in each slot."""

SOURCE = Source("textualisation", "", "all", 0)
"""Rules, which nobody trained: every split is scored at once."""


def evaluate_cues(
    videos: Sequence[Path],
    segments: Path,
    indexes: Mapping[str, Sequence[Path]],
    stores: Mapping[str, Path],
    config: EvaluateConfig,
    output: Path,
) -> None:
    """Write how well the cues that are told agree with annotated ones (CUE_SCORES; rule ``zeroshot_cues``).

    A cue is found in a segment where a detection overlaps it. Baselines are of all videos of a person.

    Args:
        videos: VIDEOS tables of the shards.
        segments: SEGMENTS table.
        indexes: feature -> FEATURE_INDEX tables of its shards.
        stores: feature -> folder of its stores.
        config: resamples, seed, and the people below which counts and scores are withheld.
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
    found = [
        Segment(person, *seen)
        for person, rows in sorted(people.items())
        if any(row["video"] in annotated for row in rows)
        for seen in _segments_of(rows, annotated, ok, stores)
    ]
    write_table(output, cue_scores(found, channels(), SOURCE, config), CUE_SCORES)


def channels() -> dict[str, str]:
    """Cue -> its channel, of those that rules can find, in the order of the rules."""
    return {rule.cue: rule.channel for rule in cue_rules().rules}


def _segments_of(
    rows: Sequence[Row], annotated: Mapping[str, list[Row]], ok: Mapping[str, set[str]], stores: Mapping[str, Path]
) -> Iterator[tuple[int | None, set[str], set[str], set[str]]]:
    """Of each annotated segment of a person: its question, what was annotated and found, and what could be found."""
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
                yield row["question"], segment["cues"], _within(detections, *span), findable(answers[video])


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
    """Video -> segments in which annotators named cues of the codebook, with their names as ``cues``."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["cue_names"]:
            found[row["video"]].append(row | {"cues": {name.partition(": ")[2] for name in row["cue_names"]}})
    return dict(found)
