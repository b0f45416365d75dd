"""Everything of a shard on the 24 fps clock: features, words and labels, packed for training."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.align.packs import write_pack
from waver.config.sections import AlignConfig
from waver.errors import SetAside
from waver.features.affect import expression_affect
from waver.provenance import digest
from waver.store.arrays import Array, open_store, read_store
from waver.store.lock import exclusive
from waver.store.shards import Row, store_path
from waver.store.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_table

log = logging.getLogger(__name__)

_CLOCKS = ("faces", "audio")  # stores that hold source_frame, in the order in which they are asked
_MODALITIES = {
    "visual": ("feature", "valid"),
    "audio": ("feature", "valid"),
    "words": ("vector", "word_of_frame"),
    "cues": ("feature", "valid"),
}


@dataclass(frozen=True)
class _Shard:
    """Where the things of a shard lie and what became of each video."""

    stores: Mapping[str, Path]
    rows: Mapping[str, Mapping[str, Row]]
    segments: Mapping[str, list[Row]]
    tolerance: int

    def has(self, thing: str, video: str) -> bool:
        row = self.rows.get(thing, {}).get(video)
        return row is not None and row["status"] == "ok"

    def read(self, thing: str, video: Row, *names: str) -> dict[str, Array]:
        return read_store(store_path(self.stores[thing], video), *names)


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
    """Put the videos of a shard on the clock and write them end to end.

    A modality whose feature was set aside comes with width 0, ``valid`` False, and no words. A video
    without any modality but cues, or whose parts disagree in length by more than the tolerance, is set aside.

    Args:
        videos: the shard's VIDEOS table.
        segments: the shard's SEGMENTS table.
        indexes: FEATURE_INDEX tables by thing: visual, audio, words, cues, and faces, whose
            ``source_frame`` is used where there is one.
        stores: folders of the stores, by thing.
        pack: Zarr store to write.
        index: PACK_INDEX table to write.
        config: tolerance.
        code: code version of this module.
    """
    rows = read_table(videos, VIDEOS)
    shard = _Shard(
        stores=stores,
        rows={thing: {row["video"]: row for row in read_table(path, FEATURE_INDEX)} for thing, path in indexes.items()},
        segments=_by_video(read_table(segments, SEGMENTS)),
        tolerance=config.tolerance_frames,
    )
    keys = {thing: {name: (row["status"], row["key"]) for name, row in of.items()} for thing, of in shard.rows.items()}
    key = digest({"features": keys, "videos": rows, "segments": shard.segments, "config": config, "code": code})
    with exclusive(Path(f"{index}.lock")):
        write_pack(pack, index, [_align(video, shard) for video in rows], key)


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
    except SetAside as problem:
        log.warning("%s set aside: %s", video["video"], problem)
        return {**row, "status": "set_aside", "reason": problem.reason, "remedy": problem.remedy}, {}
    counts = {
        "frames": len(arrays["source_frame"]),
        "words": len(arrays.get("text", ())),
        "positive_frames": int(arrays["label"].sum()),
    }
    return {**row, **counts, "note": "; ".join(notes)}, arrays


def _arrays(video: Row, shard: _Shard) -> tuple[dict[str, Array], list[str]]:
    present = [thing for thing in _MODALITIES if shard.has(thing, video["video"])]
    if not set(present) - {"cues"}:
        raise SetAside(f"it has no usable modality ({_reasons(video, shard)})", "see the feature tables of its shard")
    source_frame = _clock(video, shard)
    label, notes = _labels(video, shard, source_frame)
    arrays = {"source_frame": source_frame, "label": label}
    for thing in _MODALITIES:
        if thing not in present:
            notes.append(f"no {thing}")
            continue
        first, second, note = _read_modality(thing, video, shard, len(source_frame))
        notes += note
        names = ("text", "word_of_frame") if thing == "words" else (thing, f"{thing}_valid")
        arrays.update(zip(names, (first, second), strict=True))
    return arrays | _affect(video, shard, len(source_frame)), notes


def _affect(video: Row, shard: _Shard, frames: int) -> dict[str, Array]:
    """Targets of affect that are known, float32 [T, 3] each."""
    found: dict[str, Array] = {}
    if shard.has("visual", video["video"]):
        store = open_store(store_path(shard.stores["visual"], video))
        if "expression" in store:  # of a backbone with emotion classes
            expression, valid = (np.asarray(store[name][:]) for name in ("expression", "valid"))
            found["visual_affect"] = expression_affect(expression, store.attrs["expressions"], valid)
    if shard.has("cues", video["video"]):
        found |= shard.read("cues", video, "audio_affect", "text_affect")
    return {name: _fit(values, frames, np.nan) for name, values in found.items()}


def _clock(video: Row, shard: _Shard) -> npt.NDArray[np.int32]:
    """Source frame shown in each slot, int32 [T]; where nothing was recorded, each labelled frame has its slot."""
    if not any(thing in shard.rows for thing in _CLOCKS):
        return np.arange(video["source_frames"], dtype=np.int32)
    clock = next((thing for thing in _CLOCKS if shard.has(thing, video["video"])), None)
    if clock is None:
        raise SetAside(
            f"neither its faces nor its sound tell which source frame is shown when ({_reasons(video, shard)})",
            "see the feature tables of its shard",
        )
    return shard.read(clock, video, "source_frame")["source_frame"].astype(np.int32)


def _reasons(video: Row, shard: _Shard) -> str:
    rows = {thing: of.get(video["video"]) for thing, of in shard.rows.items()}
    told = [f"{thing}: {row['reason'] if row else 'not worked on'}" for thing, row in rows.items()
            if row is None or row["status"] != "ok"]  # fmt: skip
    return "; ".join(told)


def _labels(video: Row, shard: _Shard, source_frame: npt.NDArray[np.int32]) -> tuple[Array, list[str]]:
    """uint8 [T]: 1 where the source frame shown lies in an A/H segment; zeros without annotation."""
    annotated, recorded = video["annotated_frames"], video["source_frames"]
    if annotated is None:
        return np.zeros(len(source_frame), np.uint8), []
    apart = annotated - recorded
    if abs(apart) > shard.tolerance or annotated < 1:
        raise SetAside(
            f"its annotation has {annotated} frames and the video {recorded}",
            f"check that both are of the same recording, or raise align.tolerance_frames ({shard.tolerance})",
        )
    positive = np.zeros(annotated, np.uint8)
    for segment in shard.segments.get(video["video"], ()):
        positive[max(segment["start_frame"], 0) : max(segment["end_frame"], 0)] = 1
    # frames past the end of the annotation carry on with its last label
    label: Array = positive[np.minimum(source_frame, annotated - 1)]
    mended = f"annotation {abs(apart)} frames {'longer' if apart > 0 else 'shorter'} than the video"
    return label, [mended] if apart else []


def _read_modality(thing: str, video: Row, shard: _Shard, frames: int) -> tuple[Array, Array, list[str]]:
    """A modality's two arrays, cut or padded to T where they differ by no more than the tolerance."""
    first_name, second_name = _MODALITIES[thing]
    arrays = shard.read(thing, video, first_name, second_name)
    first, second = arrays[first_name], arrays[second_name]
    length = len(second)
    if abs(length - frames) > shard.tolerance:
        raise SetAside(
            f"its {thing} has {length} frames on the clock and its picture {frames}",
            "delete its stores and run again; report it if it comes back",
        )
    note = [f"{thing} {abs(length - frames)} frames {'longer' if length > frames else 'shorter'}"]
    if thing == "words":
        return first, _fit(second, frames, -1), note if length != frames else []
    return _fit(first, frames, 0), _fit(second, frames, False), note if length != frames else []


def _fit(values: Array, frames: int, fill: float) -> Array:
    if len(values) >= frames:
        return values[:frames]
    rest = np.full((frames - len(values), *values.shape[1:]), fill, values.dtype)
    return np.concatenate([values, rest])
