"""Packs: the concatenated videos of a shard on the 24 fps clock, one writer, one reader.

A pack holds the stored modalities of ``waver.registry.MODALITIES``, for N frames and W words:

    visual         float32 [N, Dv]   visual_valid  bool [N]   (a face was found)
    audio          float32 [N, Da]   audio_valid   bool [N]   (there is sound)
    cues           float32 [N, Dc]   cues_valid    bool [N]   (there is sound, or a transcript)
    text           float32 [W, Dt]   word_of_frame int32 [N]  (row of ``text``, -1: nobody speaks)
    label          uint8   [N]       source_frame  int32 [N]  (frame of the source video)
    visual_affect, audio_affect, text_affect    float32 [N, 3]  (targets of affect, nan where unknown)

Its index (PACK_INDEX) says which rows belong to which video.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.datasets.questions import rows_with_questions
from waver.errors import WaverError
from waver.io.tables import PACK_INDEX, write_table
from waver.io.zarr_store import Array, new_store, open_store
from waver.modalities import packed, stored_modalities

AFFECTED = tuple(one.name for one in stored_modalities() if one.affect)
"""Modalities that have targets of affect; columns: positive, negative, hesitant, each in [0, 1]."""

EMPTY: dict[str, Array] = {
    **{
        array: empty
        for one in stored_modalities()
        if not one.by_word
        for array, empty in zip(packed(one), (np.zeros((0, 0), np.float32), np.zeros(0, bool)), strict=True)
    },
    "word_of_frame": np.zeros(0, np.int32),
    "label": np.zeros(0, np.uint8),
    "source_frame": np.zeros(0, np.int32),
    **{f"{name}_affect": np.zeros((0, 3), np.float32) for name in AFFECTED},
    "text": np.zeros((0, 0), np.float32),
}
FRAME_ARRAYS = tuple(name for name in EMPTY if name != "text")


@dataclass(frozen=True)
class PackedVideo:
    """One video read from a pack.

    Attributes:
        row: its row of the index, with the ``questions`` of its data set.
        arrays: the requested ones; ``text`` is float32 [T, Dt] with zeros where nobody speaks,
            together with ``text_valid`` bool [T].
    """

    row: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @property
    def video(self) -> str:
        return str(self.row["video"])

    @property
    def participant(self) -> str:
        return str(self.row["participant"])


def write_pack(
    pack: str | Path,
    index: str | Path,
    videos: Sequence[tuple[dict[str, Any], dict[str, Array]]],
    key: str,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a pack and its index.

    Args:
        pack: Zarr store to write.
        index: Parquet file to write.
        videos: index rows (without offset and key) and, where the status is ok, their arrays: FRAME_ARRAYS
            with first axis ``frames``, ``word_of_frame`` counting the video's own words, and ``text``. Arrays
            that a video lacks are filled: not valid, nobody speaks, targets of affect unknown.
        key: digest of the pack's inputs.
        metadata: of the index: the record of the data set's questions, where it has one.
    """
    rows, offset, words = [], 0, 0
    parts: dict[str, list[Array]] = {name: [] for name in EMPTY}
    for row, arrays in videos:
        rows.append({**row, "offset": offset, "key": key})
        if row["status"] != "ok":
            continue
        complete = {name: arrays.get(name, _lacking(name, int(row["frames"]))) for name in EMPTY}
        spoken = complete["word_of_frame"]
        complete["word_of_frame"] = np.where(spoken >= 0, spoken + words, -1).astype(np.int32)
        for name, values in complete.items():
            parts[name].append(values)
        offset += int(row["frames"])
        words += len(complete["text"])
    with new_store(pack, key) as writer:
        for name, pieces in parts.items():
            writer.put(name, _end_to_end(name, pieces))
    write_table(index, rows, PACK_INDEX, metadata or None)


def _lacking(name: str, frames: int) -> Array:
    """The fill of an array that a video lacks."""
    rows = 0 if name == "text" else frames
    fill = np.nan if name.endswith("_affect") else -1 if name == "word_of_frame" else 0
    return np.full((rows, *EMPTY[name].shape[1:]), fill, EMPTY[name].dtype)


def _end_to_end(name: str, pieces: list[Array]) -> Array:
    if not pieces:
        return EMPTY[name]
    width = max((piece.shape[1] for piece in pieces if piece.ndim == 2), default=0)
    # a video without this modality has width 0; its rows are zeros, its valid flags False
    return np.concatenate([_widen(piece, width) for piece in pieces])


def _widen(piece: Array, width: int) -> Array:
    if piece.ndim == 1 or piece.shape[1] == width:
        return piece
    return np.zeros((len(piece), width), piece.dtype)


def read_packs(
    indexes: Sequence[str | Path], packs: str | Path, names: Sequence[str], splits: Sequence[str] | None = None
) -> Iterator[PackedVideo]:
    """Videos of several packs, in the order of the indexes.

    Args:
        indexes: index tables ``<shard>.parquet``; the pack is ``<packs>/<shard>.zarr``.
        packs: folder of the packs.
        names: arrays to read, of FRAME_ARRAYS and ``text``.
        splits: splits to read; data of other splits is never read.

    Raises:
        WaverError: a pack is missing, or does not belong to its index.
    """
    for index in indexes:
        rows = [row for row in rows_with_questions([index], PACK_INDEX) if row["status"] == "ok"]
        rows = [row for row in rows if splits is None or row["split"] in splits]
        if not rows:
            continue
        pack = Path(packs) / f"{Path(index).stem}.zarr"
        group = open_store(pack)
        if group.attrs["key"] != rows[0]["key"]:
            raise WaverError(f"{pack} was not written with {index}; delete both and run again")
        for row in rows:
            yield PackedVideo(row, _read_video(group, row, names))


def _read_video(group: Any, row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Array]:
    span = slice(row["offset"], row["offset"] + row["frames"])
    arrays = {name: np.asarray(group[name][span]) for name in names if name != "text"}
    if "text" in names:
        word = np.asarray(group["word_of_frame"][span])
        arrays["text"], arrays["text_valid"] = _spread(group["text"], word)
    return arrays


def _spread(text: Any, word: Array) -> tuple[Array, Array]:
    spoken = word >= 0
    frames = np.zeros((len(word), text.shape[1]), np.float32)
    if spoken.any():
        low, high = int(word[spoken].min()), int(word[spoken].max()) + 1
        np.take(np.asarray(text[low:high]), np.where(spoken, word - low, 0), axis=0, out=frames, mode="clip")
        frames[~spoken] = 0
    return frames, spoken
