"""What a run has predicted already, recording by recording: val and test of the model that is chosen in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from waver.align.packs import read_packs
from waver.evaluation.segments import runs_of
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, PREDICTIONS, VIDEOS, read_arrow, read_table
from waver.io.zarr_store import read_store, store_attributes
from waver.modalities import modality_names, packed, stored_modalities
from waver.predict.judge import contributions, result_of
from waver.predict.preparation import provenance
from waver.predict.result import RecordingResult, Word
from waver.predict.segments import Span, with_segments
from waver.predict.trained import Trained
from waver.training.corpus import read_corpus

Array = npt.NDArray[Any]
ByVideo = Mapping[str, Mapping[str, Array]]
"""Video -> column -> values of its frames."""
SPLITS = ("val", "test")


class Predicted(NamedTuple):
    """A recording of a run.

    Attributes:
        result: with its segments; named by its video id.
        annotated: segments of the annotation, frames; None where its frames are not labelled.
        path: of the file, relative to the data set's root.
    """

    result: RecordingResult
    annotated: list[Span] | None
    path: str


def run_results(
    folder: Path, trained: Trained, attributed: bool = False, splits: Sequence[str] = SPLITS
) -> Iterator[Predicted]:
    """The recordings that a model of a run predicted, one after the other.

    Args:
        folder: ``results/<run>``.
        trained: a model of the run.
        attributed: predict again, without each modality in turn, for what each contributes.
        splits: of the recordings.

    Raises:
        WaverError: a file of the run is gone.
    """
    file = folder / "train" / trained.name / "model.pt"
    predicted = by_video(read_arrow(file.with_name("predictions.parquet"), PREDICTIONS), "probability")
    explained = file.with_name("explanations.parquet")
    tracks = _tracks(explained) if explained.is_file() else {}
    for index in packs_of(folder, file):
        letters = trained.checkpoint.modalities
        samples = read_corpus([index], index.with_name("packs"), letters, splits) if attributed else []
        added = {one.video: contributions(trained, one) for one in samples}
        for one in _of_pack(index, trained, predicted, tracks, splits):
            result = replace(one.result, contributions=added.get(one.result.recording))
            yield one._replace(result=with_segments(result, trained.decisions.segments))


def _of_pack(
    index: Path, trained: Trained, predicted: ByVideo, tracks: ByVideo, splits: Sequence[str]
) -> Iterator[Predicted]:
    """The recordings of a shard, without segments."""
    data, shard = index.parents[1], index.stem
    files = {row["video"]: row["path"] for row in read_table(data / f"ingest/shards/{shard}.videos.parquet", VIDEOS)}
    known = [one for one in stored_modalities() if one.name in modality_names(trained.checkpoint.modalities)]
    arrays = {one.name: packed(one)[1] for one in known}
    for one in read_packs([index], index.with_name("packs"), ("label", *arrays.values()), splits):
        video, row, found = one.video, one.row, one.arrays
        if video not in predicted:
            continue
        valid = {name: _valid(found[array]) for name, array in arrays.items()}
        spoken = _words(data, shard, row)
        result = result_of(trained, row, predicted[video]["probability"], valid, tracks.get(video, {}), spoken)
        yield Predicted(result, _runs(found["label"]) if row["labelled"] else None, files[video])


def packs_of(folder: Path, model: Path) -> list[Path]:
    """Index tables of the packs that a model of a run was made from."""
    root = Path(os.path.abspath(folder)).parents[1]
    return [root / path for path in provenance(model)["input"]]


def _valid(array: Array) -> npt.NDArray[np.bool_]:
    """Frames with the modality, of its second array: flags, or the number of the word."""
    valid: npt.NDArray[np.bool_] = array if array.dtype == bool else array >= 0
    return valid


def _runs(label: Array) -> list[Span]:
    runs = runs_of(label > 0, np.zeros(len(label), np.int64))
    return list(zip(runs.start.tolist(), runs.end.tolist(), strict=True))


def by_video(table: Any, *columns: str) -> dict[str, dict[str, Array]]:
    """Video -> columns of its rows, in the order of ``frame``; columns of numbers alone."""
    video, frame = (np.asarray(table[name]) for name in ("video", "frame"))
    order = np.lexsort((frame, video))
    names, start = np.unique(video[order], return_index=True)
    parts = {name: np.split(np.asarray(table[name])[order], start[1:]) for name in columns}
    return {str(name): {column: parts[column][place] for column in columns} for place, name in enumerate(names)}


def _tracks(path: Path) -> dict[str, dict[str, Array]]:
    table = pq.read_table(path, page_checksum_verification=True)
    return by_video(table, *(name for name in table.column_names if "/" in name))


def _words(data: Path, shard: str, row: Mapping[str, Any]) -> tuple[list[Word] | None, str | None]:
    """Words with their times, and the language; None where nothing was recognised or given."""
    index = data / f"features/speech/{shard}.parquet"
    rows = read_table(index, FEATURE_INDEX) if index.is_file() else []
    own = next((one for one in rows if one["video"] == row["video"] and one["status"] == "ok"), None)
    if own is None:
        return None, None
    store = store_path(index.with_name("stores"), own)
    about, times = store_attributes(store), read_store(store, "start_s", "end_s")
    spoken = zip(about["words"], times["start_s"].tolist(), times["end_s"].tolist(), strict=True)
    return [Word(*one) for one in spoken], about.get("language") or None
