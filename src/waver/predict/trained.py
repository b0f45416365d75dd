"""The trained model that predicts: chosen among those of a run, with all that it takes to apply it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.align.packs import read_packs
from waver.datasets.questions import Questions, questions_of, rows_with_questions
from waver.errors import WaverError
from waver.io.tables import PACK_INDEX, PREDICTIONS, read_arrow
from waver.io.zarr_store import Array
from waver.predict.controls import Controls, fit_controls
from waver.predict.decisions import Decisions, decide
from waver.predict.preparation import AGAIN, Preparation, preparation_of, provenance
from waver.provenance import file_sha256
from waver.registry import FUSIONS
from waver.training.frames.checkpoint import Checkpoint, load_checkpoint

SCORE = "val_AP"
"""Recorded of every trained model: average precision on the val frames, of the epoch that was kept."""


@dataclass(frozen=True)
class Trained:
    """A model that is ready for new recordings.

    Attributes:
        name: ``<fusion>/<modalities>/<seed>``.
        run: name of the run.
        chosen: why this one, in words.
        checkpoint: the model.
        sha256: of its file.
        preparation: what it needs made of a recording.
        decisions: chosen on val.
        controls: fitted on train; None where nothing can be.
        questions: of the data set that it learnt from.
        model_set: set of the frozen models of its features.
    """

    name: str
    run: str
    chosen: str
    checkpoint: Checkpoint
    sha256: str
    preparation: Preparation
    decisions: Decisions
    controls: Controls | None
    questions: Questions
    model_set: str


def load_trained(folder: Path, method: str = "", seed: int | None = None) -> Trained:
    """A model of a run.

    Args:
        folder: ``results/<run>``.
        method: ``<fusion>/<modalities>``; empty: the one with the best score on val.
        seed: of the training; None: the one with the best score on val.

    Raises:
        WaverError: there is no such model, or what it was made from is gone.
    """
    file, checkpoint, chosen = _chosen(folder, method, seed)
    root = Path(os.path.abspath(folder)).parents[1]
    packs = [root / path for path in provenance(file)["input"]]
    gone = next((pack for pack in packs if not pack.is_file()), None)
    if gone:
        raise WaverError(f"{gone}, which the model was made from, is gone; {AGAIN}")
    rows, questions = rows_with_questions(packs, PACK_INDEX), questions_of(packs[0])
    trained_on = [row for row in rows if row["split"] == "train" and row["status"] == "ok"]
    return Trained(
        name=str(file.parent.relative_to(folder / "train")),
        run=Path(os.path.abspath(folder)).name,
        chosen=chosen,
        checkpoint=checkpoint,
        sha256=file_sha256(file),
        preparation=preparation_of(packs[0], root),
        decisions=_decisions(file, packs, folder, checkpoint.decoder is not None),
        controls=fit_controls(map(_labelled, trained_on), questions),
        questions=questions,
        model_set=str(checkpoint.record.get("model_set", "")),
    )


def _chosen(folder: Path, method: str, seed: int | None) -> tuple[Path, Checkpoint, str]:
    """File of the model, the model, and why it was chosen."""
    files = [file for file in sorted(folder.glob("train/*/*/*/model.pt")) if file.parents[2].name != "videos"]
    known = {str(file.parent.relative_to(folder / "train")): file for file in files}
    if not known:
        raise WaverError(f"{folder} has no trained model of frames (train/<fusion>/<modalities>/<seed>/model.pt); "
                         "give results/<run> of a finished run")  # fmt: skip
    wanted = [name for name in known if _is_wanted(name, method, seed)]
    if not wanted:
        lacking = " ".join(filter(None, ("no model", method, "" if seed is None else f"with seed {seed}")))
        known_ones = ", ".join(dict.fromkeys(name.rpartition("/")[0] for name in known))
        raise WaverError(f"{folder} has {lacking}; it has {known_ones}")
    models = {name: load_checkpoint(known[name]) for name in wanted}
    score = {name: float(model.record.get(SCORE, np.nan)) for name, model in models.items()}
    name = max(wanted, key=lambda one: (np.nan_to_num(score[one], nan=-1.0), one))
    others = f", the best of {len(wanted)} models" if len(wanted) > 1 else ""
    return known[name], models[name], f"average precision {score[name]:.3f} on the frames of val{others}"


def _is_wanted(name: str, method: str, seed: int | None) -> bool:
    own, _, own_seed = name.rpartition("/")
    known = own.split("/")[0].partition(".")[0] in FUSIONS
    return known and method in ("", own) and seed in (None, int(own_seed))


def _labelled(row: dict[str, Any]) -> dict[str, Any]:
    """A row with a label of the video: as released, else whether a frame shows A/H."""
    if row["label"] is None and row["labelled"]:
        return {**row, "label": int(row["positive_frames"] > 0)}
    return row


def _decisions(model: Path, packs: Sequence[Path], folder: Path, decoded: bool) -> Decisions:
    """What val decides, by the predictions that the run made of it."""
    evaluate = folder / "evaluate/scores.parquet"
    config = provenance(evaluate)["params"]["config"] if evaluate.is_file() else {}
    predicted = _val_predictions(model.with_name("predictions.parquet"))
    frames = [(predicted[video], label, own) for video, label, own in _val_labels(packs) if video in predicted]
    rule, window_frames = config.get("video_rule", "sliding_mean"), int(config.get("window_frames", 24))
    return decide(frames, rule, window_frames, decoded)


def _val_predictions(file: Path) -> dict[str, Array]:
    """Video -> probability of each frame, float64 [T]."""
    table = read_arrow(file, PREDICTIONS)
    columns = {name: np.asarray(table[name]) for name in ("video", "split", "frame", "probability")}
    own = columns["split"] == "val"
    video, order = columns["video"][own], np.lexsort((columns["frame"][own], columns["video"][own]))
    names, start = np.unique(video[order], return_index=True)
    return dict(zip(map(str, names), np.split(columns["probability"][own][order], start[1:]), strict=True))


def _val_labels(packs: Sequence[Path]) -> Iterator[tuple[str, Array | None, int | None]]:
    """Video, labels of its frames and its own label; None where unknown."""
    for video in read_packs(packs, packs[0].with_name("packs"), ("label",), ("val",)):
        row = _labelled(dict(video.row))
        yield video.video, video.arrays["label"] if row["labelled"] else None, row["label"]
