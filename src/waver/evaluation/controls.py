"""Controls: predictions that look at nobody. What a model scores above them is what it saw.

``all_negative`` and ``all_positive`` are constants. ``content_free`` knows the question asked, how long
the answer took, how many words it had and, for frames, the position in the video; a logistic regression
on these, class-balanced, fitted on the train split alone.

Its decision at .5 matters: unbalanced it is all-negative, balanced it calls too many frames positive (on
the public BAH-224 val frames AVGF1 .57 against .63). So the intercept is set, on train, to predict as many
positives as there are. A control made weak would flatter every model beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from waver.align.packs import read_packs
from waver.errors import WaverError
from waver.evaluation.truth import video_label
from waver.provenance import seed_for
from waver.shapes import FPS
from waver.store.arrays import Array
from waver.store.tables import PACK_INDEX, PREDICTIONS, read_tables, write_arrow

log = logging.getLogger(__name__)

CONTROLS = ("all_negative", "all_positive", "content_free")
LEVELS = ("frame", "video")

_QUESTIONS = np.arange(1, 8)
_CERTAIN = 40.0
"""Logit margin of the constants: probability 1 in float64, or below 1e-17."""

_FIT_FRAMES = 200_000
"""Train frames fitted on at most, drawn once with a fixed seed: eleven weights need no more."""

Row = Mapping[str, Any]


def predict_controls(
    indexes: Sequence[Path], packs: Path, outputs: Mapping[str, Path], record: Mapping[str, Any]
) -> None:
    """Fit the controls on train and write their predictions for val and test.

    Args:
        indexes: pack index of every shard.
        packs: folder of the packs; of them the frame labels of train are read, nothing else.
        outputs: ``<control>.<level>`` -> predictions file, for CONTROLS and LEVELS.
        record: metadata that all files share: model_set, config, code.

    Raises:
        WaverError: the train split has no labels.
    """
    rows = [row for row in read_tables(indexes, PACK_INDEX) if row["status"] == "ok"]
    judged = [row for row in rows if row["split"] in ("val", "test")]
    for name, path in outputs.items():
        control, level = name.split(".")
        margin = _margins(control, level, rows, judged, indexes, packs)
        about = {"method": control, "modalities": "", "level": level, "protocol": "standard", "seed": 0}
        write_arrow(path, _table(judged, level, margin), {**record, **about})


def _margins(
    control: str, level: str, rows: Sequence[Row], judged: Sequence[Row], indexes: Sequence[Path], packs: Path
) -> Array:
    """Logit margin of each item of the judged videos, float64 [n]."""
    size = sum(row["frames"] for row in judged) if level == "frame" else len(judged)
    if control != "content_free":
        return np.full(size, _CERTAIN if control == "all_positive" else -_CERTAIN)
    features, label = _train_videos(rows) if level == "video" else _train_frames(rows, indexes, packs)
    if not len(label):
        raise WaverError(
            f"no {level} of the train split in {packs} is labelled, and the content-free control is fitted on them; "
            "check the annotation files and the split"
        )
    if label.min() == label.max():
        log.warning("every labelled %s of the train split is of class %d, and so is the control", level, label[0])
        return np.full(size, _CERTAIN if label[0] else -_CERTAIN)
    if not size:
        return np.zeros(0)
    unseen = video_features(judged) if level == "video" else frame_features(judged)
    # rounded, so that equal features tie: a matrix product may differ in the last bits from row to row
    return np.asarray(np.round(fit(features, label).decision_function(unseen), 9))


def video_features(rows: Sequence[Row]) -> Array:
    """Question one-hot (zeros where unknown), log duration in seconds, log(1 + words); float64 [V, 9]."""
    question = np.array([row["question"] or 0 for row in rows])
    duration_s = np.array([row["duration_s"] for row in rows], np.float64)
    words = np.array([row["words"] for row in rows], np.float64)
    one_hot = (question[:, None] == _QUESTIONS).astype(np.float64)
    return np.column_stack([one_hot, np.log(np.maximum(duration_s, 1 / FPS)), np.log1p(words)])


def frame_features(rows: Sequence[Row]) -> Array:
    """Features of each frame's video, its position in it (0 to 1) and its time in seconds; float64 [N, 11]."""
    frames = np.array([row["frames"] for row in rows], np.int64)
    first = np.repeat(np.cumsum(frames) - frames, frames)
    position = np.arange(len(first)) - first
    relative = position / np.repeat(np.maximum(frames - 1, 1), frames)
    return np.column_stack([np.repeat(video_features(rows), frames, axis=0), relative, position / FPS])


def _train_videos(rows: Sequence[Row]) -> tuple[Array, Array]:
    """Features and labels of the train videos whose label is known."""
    known = [row for row in rows if row["split"] == "train" and video_label(row) >= 0]
    return video_features(known), np.array([video_label(row) for row in known], np.uint8)


def _train_frames(rows: Sequence[Row], indexes: Sequence[Path], packs: Path) -> tuple[Array, Array]:
    """Features and labels of the labelled train frames, or of a draw of _FIT_FRAMES of them."""
    known = [row for row in rows if row["split"] == "train" and row["labelled"]]
    labels = {video.video: video.arrays["label"] for video in read_packs(indexes, packs, ("label",), ("train",))}
    label = np.concatenate([*(labels[row["video"]] for row in known), np.zeros(0, np.uint8)])
    features = frame_features(known)
    if len(label) > _FIT_FRAMES:
        drawn = np.random.default_rng(seed_for("content_free", "frames"))
        kept = np.sort(drawn.choice(len(label), _FIT_FRAMES, replace=False))
        features, label = features[kept], label[kept]
    return features, label


def fit(features: Array, label: Array) -> Pipeline:
    """Class-balanced logistic regression on standardised features, deciding at the prevalence.

    Args:
        features: float64 [n, D].
        label: [n], 0 or 1, both present.

    Returns:
        A scikit-learn pipeline whose decision_function is the logit margin: above 0 for as many of the
        items fitted on as are positive.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    model.fit(features, label)
    model[-1].intercept_ -= np.quantile(model.decision_function(features), 1 - label.mean())
    log.info("content-free control fitted on %d items", len(label))
    return model


def _table(rows: Sequence[Row], level: str, margin: Array) -> pa.Table:
    counts = np.array([row["frames"] if level == "frame" else 1 for row in rows], np.int64)
    owner = pa.array(np.repeat(np.arange(len(rows)), counts))
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("video", "participant", "split")}
    frame = np.arange(len(margin)) - np.repeat(np.cumsum(counts) - counts, counts)
    arrays = {name: column.take(owner) for name, column in columns.items()}
    arrays["frame"] = pa.array(frame, pa.int32()) if level == "frame" else pa.nulls(len(margin), pa.int32())
    arrays["probability"] = pa.array(1 / (1 + np.exp(-margin)))
    arrays["margin"] = pa.array(margin)
    return pa.table([arrays[name] for name in PREDICTIONS.names], schema=PREDICTIONS)
