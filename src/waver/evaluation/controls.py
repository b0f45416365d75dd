"""Controls: predictions without the content of an answer. A model knows more only as far as it scores above them.

``all_negative`` and ``all_positive`` are constants. ``question_prior`` knows the question.
``content_free`` knows the question, how long the answer took, how many words it had and, for frames, the
position in the video. Both are logistic regressions, class-balanced, fitted like the models:
on the train split, and in the cross-validation on the folds that are not held out.

``neighbours`` also knows how often people with a near participant number are labelled A/H, beyond what the
question and the length explain. Numbers say nothing about a person, but people with near numbers were
recorded, and it seems annotated, one after the other: on the public BAH-224 labels this predicts about as
much as the same person's other labels. It is not a model to use. It shows which part of a score within
questions may be a habit of annotators, and that people are less independent than the intervals assume.

Their decision at .5 matters: unbalanced they are all-negative, balanced they predict too many frames as positive
(on the public BAH-224 val frames AVGF1 .57 against .63). So the intercept is set, on the items fitted on,
to predict as many positives as there are. A weak control would flatter every model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from waver.align.packs import read_packs
from waver.datasets.folds import Folding, folds_of
from waver.datasets.question_context import frame_context, question_one_hot, video_context
from waver.datasets.questions import rows_with_questions
from waver.errors import WaverError
from waver.evaluation.control_names import STANDARD, Control
from waver.evaluation.decision import cut
from waver.io.predictions import frames_of, prediction_table
from waver.io.tables import ANSWERS, PACK_INDEX, write_arrow
from waver.io.zarr_store import Array
from waver.provenance import seed_for

log = logging.getLogger(__name__)

_CERTAIN = 40.0
"""Logit margin of the constants: probability 1 in float64, or below 1e-17."""

_FIT_FRAMES = 200_000
"""Most frames to fit on, subsampled once with a fixed seed: twenty weights need no more."""

_NEAR = 5.0
"""Standard deviation of the distance at which participant numbers count as near."""
_SHRINK = 1.0
"""Number of people without surplus that every neighbourhood is averaged with."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Items:
    """The items to predict at one level, and what a control may know of them.

    Attributes:
        rows: videos, each with ``items`` of them.
        label: label of each item of each row, int8; -1 unknown.
        features: rows -> float64 [n, D], for content_free.
    """

    rows: Sequence[Row]
    label: Mapping[str, Array]
    features: Callable[[Sequence[Row]], Array]

    def labels(self, rows: Sequence[Row]) -> Array:
        return np.concatenate([*(self.label[row["video"]] for row in rows), np.zeros(0, np.int8)])


def predict_controls(
    indexes: Sequence[Path],
    packs: Path,
    answers: Sequence[Path],
    folds: int,
    outputs: Mapping[Control, Path],
    record: Mapping[str, Any],
    folding: Folding = "random",
) -> None:
    """Fit the controls and write their predictions of val and test, and out of fold of train and val.

    Args:
        indexes: pack index of every shard.
        packs: folder of the packs; it reads the frame labels of train and val from them, nothing else.
        answers: ANSWERS tables of every shard, for the video level.
        folds: folds of the cross-validation; below 2 its tables are empty.
        outputs: files of predictions to write.
        record: metadata that all files share: model_set, config, code.
        folding: who is held out together.

    Raises:
        WaverError: the train split has no labels.
    """
    packed = {row["video"]: row for row in rows_with_questions(indexes, PACK_INDEX) if row["status"] == "ok"}
    answered = rows_with_questions(answers, ANSWERS)
    everything = {"frame": frame_items(list(packed.values()), indexes, packs), "video": video_items(answered, packed)}
    people = [row["participant"] for row in answered if row["split"] in ("train", "val")]
    fold_of = folds_of(people, folds, folding) if folds > 1 else {}
    for (control, level, protocol), path in outputs.items():
        items, margins = everything[level], partial(_margins, control, level, everything[level])
        if protocol == STANDARD:
            rows = [row for row in items.rows if row["split"] in ("val", "test")]
            table = _table(rows, margins([row for row in items.rows if row["split"] == "train"], rows), None)
        else:
            table = _out_of_fold(items, fold_of, folds, margins)
        about = {"method": control, "modalities": "", "level": level, "protocol": protocol, "seed": 0}
        write_arrow(path, table, {**record, **about})


def frame_items(rows: Sequence[Row], indexes: Sequence[Path], packs: Path) -> Items:
    """Frames of the packed videos; labels of test are not read."""
    labels = {row["video"]: np.full(row["frames"], -1, np.int8) for row in rows}
    for video in read_packs(indexes, packs, ("label",), ("train", "val")):
        if video.row["labelled"]:
            labels[video.video] = video.arrays["label"].astype(np.int8)
    return Items([{**row, "items": row["frames"]} for row in rows], labels, frame_context)


def video_items(answers: Sequence[Row], packed: Mapping[str, Row]) -> Items:
    """All listed videos; words are counted in the transcript or, where there is none, as recognised.

    Where a recording's length is unknown, it is taken from its words; where no length is known, it is left out.
    """
    rows = [{**row, "words": row["words"] or packed.get(row["video"], row)["words"], "items": 1} for row in answers]
    labels = {row["video"]: np.array([-1 if row["label"] is None else row["label"]], np.int8) for row in rows}
    timed = any(row["duration_s"] is not None for row in rows)
    return Items(_with_durations(rows) if timed else rows, labels, partial(video_context, timed=timed))


def _with_durations(rows: Sequence[Row]) -> list[Row]:
    """Rows whose unknown durations are those that recordings of as many words have in the mean of logs."""
    known = [row for row in rows if row["duration_s"] is not None]
    words, spent = (np.array([row[name] for row in known], np.float64) for name in ("words", "duration_s"))
    line = np.polynomial.Polynomial.fit(np.log1p(words), np.log(spent), int(len(set(words)) > 1))
    return [
        row if row["duration_s"] is not None else {**row, "duration_s": float(np.exp(line(np.log1p(row["words"]))))}
        for row in rows
    ]


def _out_of_fold(
    items: Items, fold_of: Mapping[str, int], count: int, margins: Callable[[Sequence[Row], Sequence[Row]], Array]
) -> pa.Table:
    rows = [row for row in items.rows if row["participant"] in fold_of]
    tables = [_table([], np.zeros(0), None)]
    for number in range(count if fold_of else 0):
        train = [row for row in rows if fold_of[row["participant"]] != number]
        held_out = [row for row in rows if fold_of[row["participant"]] == number]
        tables.append(_table(held_out, margins(train, held_out), number))
    return pa.concat_tables(tables)


def _margins(control: str, level: str, items: Items, train: Sequence[Row], held_out: Sequence[Row]) -> Array:
    """Logit margin of each item of the held-out videos, float64 [n], from the labels of others."""
    size = sum(row["items"] for row in held_out)
    if control.startswith("all_"):
        return np.full(size, _CERTAIN if control == "all_positive" else -_CERTAIN)
    known = [row for row in train if items.label[row["video"]].min(initial=0) >= 0]
    label = items.labels(known)
    if not len(label):
        raise WaverError(
            f"no {level} of the training data has a label, so the {control} control cannot be fitted; "
            "check the annotation files and the split"
        )
    if label.min() == label.max():
        log.warning("every labelled %s of the training data has class %d, so the control predicts it", level, label[0])
        return np.full(size, _CERTAIN if label[0] else -_CERTAIN)
    if not size:
        return np.zeros(0)
    features = _question if control == "question_prior" else items.features
    if control == "neighbours":
        features = _with_neighbours(known, label, features)
    fitted_on, label = _drawn(features(known), label)
    # rounded, so that equal features tie: a matrix product may differ in the last bits from row to row
    return np.asarray(np.round(fit(fitted_on, label).decision_function(features(held_out)), 9))


def _with_neighbours(
    known: Sequence[Row], label: Array, features: Callable[[Sequence[Row]], Array]
) -> Callable[[Sequence[Row]], Array]:
    """Features with one more: the surplus of the labels of people with near numbers over their content-free score.

    A person's own labels are never in it, so that it means the same for training and held-out people.
    """
    fitted_on, drawn = _drawn(features(known), label)
    expected = fit(fitted_on, drawn).predict_proba(features(known))[:, 1]
    size = [row["items"] for row in known]
    owner = np.repeat(np.array([row["participant"] for row in known]), size)
    people, number = np.unique(owner, return_inverse=True)
    surplus = np.bincount(number, label - expected) / np.bincount(number)

    def nearby(person: str) -> float:
        if not person.isdecimal():
            return 0.0
        near = np.array([other.isdecimal() and other != person for other in people])
        distance = np.array([int(other) for other in people[near]], np.float64) - int(person)
        weight = np.exp(-0.5 * (distance / _NEAR) ** 2)
        return float((weight * surplus[near]).sum() / (weight.sum() + _SHRINK))

    def with_surplus(rows: Sequence[Row]) -> Array:
        surplus_near = {person: nearby(person) for person in {row["participant"] for row in rows}}
        column = np.repeat([surplus_near[row["participant"]] for row in rows], [row["items"] for row in rows])
        return np.column_stack([features(rows), column])

    return with_surplus


def _question(rows: Sequence[Row]) -> Array:
    return np.repeat(question_one_hot(rows), [row["items"] for row in rows], axis=0)


def _drawn(features: Array, label: Array) -> tuple[Array, Array]:
    if len(label) <= _FIT_FRAMES:
        return features, label
    drawn = np.random.default_rng(seed_for("content_free", "frames"))
    kept = np.sort(drawn.choice(len(label), _FIT_FRAMES, replace=False))
    return features[kept], label[kept]


def fit(features: Array, label: Array) -> Pipeline:
    """Class-balanced logistic regression on standardised features, deciding at the prevalence.

    Args:
        features: float64 [n, D].
        label: [n], 0 or 1, both present.

    Returns:
        A scikit-learn pipeline whose decision_function is the logit margin: above 0 for as many of the
        items fitted on as are positive, or as near as ties allow.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    model.fit(features, label)
    model[-1].intercept_ -= cut(model.decision_function(features), int(label.sum()))
    log.info("control fitted on %d items", len(label))
    return model


def _table(rows: Sequence[Row], margin: Array, fold: int | None) -> pa.Table:
    items, counts = [(row["video"], row["participant"], row["split"]) for row in rows], [row["items"] for row in rows]
    frame = frames_of(counts) if any("offset" in row for row in rows) else None
    return prediction_table(items, margin, counts, frame, None if fold is None else [fold] * len(rows))


def content_free(items: Items) -> Pipeline:
    """The content-free control as ``fit`` returns it, fitted on the labelled items of the train split.

    Raises:
        WaverError: they are all of one class, or there are none.
    """
    train = [row for row in items.rows if row["split"] == "train" and items.label[row["video"]].min(initial=0) >= 0]
    label = items.labels(train)
    if not len(label) or label.min() == label.max():
        raise WaverError(
            "the labels of the train split are all of one class, so there is no content-free control to hand over; "
            "check the annotation files and the split"
        )
    return fit(*_drawn(items.features(train), label))
