"""Features, words and labels of a shard on the 24 fps clock, packed for training."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.align.packs import write_pack
from waver.config.sections import AlignConfig
from waver.errors import ExcludedItem
from waver.features.cues.affect import expression_affect
from waver.io.lock import exclusive
from waver.io.shard_job import Row, store_path
from waver.io.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_metadata, read_table
from waver.io.zarr_store import Array, open_store, read_store
from waver.modalities import layouts, packed, stored_modalities
from waver.provenance import digest
from waver.records import Modality
from waver.shapes import FPS

log = logging.getLogger(__name__)

_ROUNDED_S = 1e-3
_CLOCKS = ("faces", "audio")  # stores that hold source_frame, in order of preference


@dataclass(frozen=True)
class _Shard:
    """Stores and index rows of the features of a shard, by video."""

    stores: Mapping[str, Path]
    rows: Mapping[str, Mapping[str, Row]]
    segments: Mapping[str, list[Row]]
    tolerance: int

    def has(self, feature: str, video: str) -> bool:
        row = self.rows.get(feature, {}).get(video)
        return row is not None and row["status"] == "ok"

    def read(self, feature: str, video: Row, *names: str) -> dict[str, Array]:
        return read_store(store_path(self.stores[feature], video), *names)


def align_pack(
    videos: Path,
    segments: Path,
    indexes: dict[str, Path],
    stores: dict[str, Path],
    pack: Path,
    index: Path,
    config: AlignConfig,
    code: str,
) -> None:
    """Put the videos of a shard on the clock and write them concatenated.

    A modality whose feature was excluded has width 0, ``valid`` False, and no words. A video that has
    no modality that is sufficient, or whose parts differ in length by more than the tolerance, is excluded.

    Args:
        videos: the shard's VIDEOS table.
        segments: the shard's SEGMENTS table.
        indexes: FEATURE_INDEX tables by feature: those of the modalities (visual, audio, words, cues, ...), and
            faces, whose ``source_frame`` is used if it exists.
        stores: folders of the stores, by feature.
        pack: Zarr store to write.
        index: PACK_INDEX table to write.
        config: tolerance.
        code: code version of this module.
    """
    rows = read_table(videos, VIDEOS)
    shard = _Shard(
        stores=stores,
        rows={
            feature: {row["video"]: row for row in read_table(path, FEATURE_INDEX)} for feature, path in indexes.items()
        },
        segments=_by_video(read_table(segments, SEGMENTS)),
        tolerance=config.tolerance_frames,
    )
    keys = {
        feature: {name: (row["status"], row["key"]) for name, row in of.items()} for feature, of in shard.rows.items()
    }
    key = digest(
        {"features": keys, "videos": rows, "segments": shard.segments, "config": config, "code": code}
        | {"modalities": layouts()}
    )
    with exclusive(Path(f"{index}.lock")):
        write_pack(pack, index, [_align(video, shard) for video in rows], key, read_metadata(videos))


def _by_video(rows: list[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["video"]].append(row)
    return dict(grouped)


def _align(video: Row, shard: _Shard) -> tuple[dict[str, Any], dict[str, Array]]:
    """Row of the index (without offset) and arrays of one video."""
    known = {name: video[name] for name in ("video", "participant", "split", "question", "label", "duration_s")}
    row = {
        **known, "status": "ok", "frames": 0, "words": 0, "positive_frames": 0,
        "labelled": video["annotated_frames"] is not None, "note": "", "reason": None, "remedy": None,
    }  # fmt: skip
    try:
        arrays, notes = _arrays(video, shard)
    except ExcludedItem as problem:
        log.warning("%s excluded: %s", video["video"], problem)
        return {**row, "status": "set_aside", "reason": problem.reason, "remedy": problem.remedy}, {}
    counts = {
        "frames": len(arrays["source_frame"]),
        "words": len(arrays.get("text", ())),
        "positive_frames": int(arrays["label"].sum()),
    }
    return {**row, **counts, "note": "; ".join(notes)}, arrays


def _arrays(video: Row, shard: _Shard) -> tuple[dict[str, Array], list[str]]:
    present = [one for one in stored_modalities() if shard.has(one.feature, video["video"])]
    if not any(one.sufficient for one in present):
        raise ExcludedItem(
            f"it has no usable modality ({_reasons(video, shard)})", "see the feature tables of its shard"
        )
    source_frame = _clock(video, shard)
    label, notes = _labels(video, shard, source_frame)
    arrays = {"source_frame": source_frame, "label": label}
    for one in stored_modalities():
        if one not in present:
            notes.append(f"no {one.feature}")
            continue
        first, second, note = _read_modality(one, video, shard, len(source_frame))
        notes += note
        arrays.update(zip(packed(one), (first, second), strict=True))
    return arrays | _affect(video, shard, len(source_frame)), notes


def _affect(video: Row, shard: _Shard, frames: int) -> dict[str, Array]:
    """Targets of affect that are known, float32 [T, 3] each."""
    found: dict[str, Array] = {}
    if shard.has("visual", video["video"]):
        store = open_store(store_path(shard.stores["visual"], video))
        if "expression" in store:  # the backbone has emotion classes
            expression, valid = (np.asarray(store[name][:]) for name in ("expression", "valid"))
            found["visual_affect"] = expression_affect(expression, store.attrs["expressions"], valid)
    if shard.has("cues", video["video"]):
        found |= shard.read("cues", video, "audio_affect", "text_affect")
    return {name: _fit(values, frames, np.nan) for name, values in found.items()}


def _clock(video: Row, shard: _Shard) -> npt.NDArray[np.int32]:
    """Source frame shown in each slot, int32 [T]; without a recording, each labelled frame has its slot."""
    if not any(feature in shard.rows for feature in _CLOCKS):
        return np.arange(video["source_frames"], dtype=np.int32)
    clock = next((feature for feature in _CLOCKS if shard.has(feature, video["video"])), None)
    if clock is None:
        raise ExcludedItem(
            f"neither its faces nor its sound give the source frame of each time ({_reasons(video, shard)})",
            "see the feature tables of its shard",
        )
    return shard.read(clock, video, "source_frame")["source_frame"].astype(np.int32)


def _reasons(video: Row, shard: _Shard) -> str:
    rows = {feature: of.get(video["video"]) for feature, of in shard.rows.items()}
    reasons = [f"{feature}: {row['reason'] if row else 'not processed'}" for feature, row in rows.items()
            if row is None or row["status"] != "ok"]  # fmt: skip
    return "; ".join(reasons)


def _labels(video: Row, shard: _Shard, source_frame: npt.NDArray[np.int32]) -> tuple[Array, list[str]]:
    """uint8 [T]: 1 in an A/H segment; zeros without annotation.

    A segment in seconds is where its time is, also in a hole of the picture; one in frames is where they are shown.
    """
    annotated, recorded = video["annotated_frames"], video["source_frames"]
    if annotated is None:
        return np.zeros(len(source_frame), np.uint8), []
    apart = annotated - recorded
    if abs(apart) > shard.tolerance or annotated < 1:
        raise ExcludedItem(
            f"its annotation has {annotated} frames and the video {recorded}",
            f"at 24 a second the video has {video['duration_s'] * FPS:.0f}, and neither fits; "
            "copy both of one recording from the release",
        )
    positive = np.zeros(annotated, np.uint8)
    segments = shard.segments.get(video["video"], ())
    for segment in segments:
        positive[max(segment["start_frame"], 0) : max(segment["end_frame"], 0)] = 1
    # frames after the end of the annotation have its last label
    label: Array = positive[np.minimum(source_frame, annotated - 1)]
    timed = [(one["start_s"], one["end_s"]) for one in segments if one["start_s"] is not None]
    if timed and len(timed) == len(segments):
        label = _within(timed, len(source_frame))
    corrected = f"annotation {abs(apart)} frames {'longer' if apart > 0 else 'shorter'} than the video"
    return label, [corrected] if apart else []


def _within(times_s: list[tuple[float, float]], frames: int) -> Array:
    """uint8 [T]: 1 where a slot begins within one of the times, which are rounded to milliseconds."""
    label = np.zeros(frames, np.uint8)
    for start_s, end_s in times_s:
        first, last = (math.ceil((time_s - _ROUNDED_S) * FPS) for time_s in (start_s, end_s))
        label[max(first, 0) : max(last, 0)] = 1
    return label


def _read_modality(one: Modality, video: Row, shard: _Shard, frames: int) -> tuple[Array, Array, list[str]]:
    """A modality's two arrays, cut or padded to T where they differ by no more than the tolerance."""
    arrays = shard.read(one.feature, video, *one.arrays)
    first, second = (arrays[name] for name in one.arrays)
    length = len(second)
    if abs(length - frames) > shard.tolerance:
        raise ExcludedItem(
            f"its {one.feature} has {length} frames on the clock and its picture {frames}",
            "delete its stores and run again; report it if it comes back",
        )
    note = [f"{one.feature} {abs(length - frames)} frames {'longer' if length > frames else 'shorter'}"]
    if one.by_word:
        return first, _fit(second, frames, -1), note if length != frames else []
    return _fit(first, frames, 0), _fit(second, frames, False), note if length != frames else []


def _fit(values: Array, frames: int, fill: float) -> Array:
    if len(values) >= frames:
        return values[:frames]
    rest = np.full((frames - len(values), *values.shape[1:]), fill, values.dtype)
    return np.concatenate([values, rest])
