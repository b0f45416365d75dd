"""Scores of out-of-fold predictions: a split of its own, compared within question and fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scored_folder import Folder, one, prediction_rows, seeded_guess, write_predictions

from waver.config.sections import EvaluateConfig
from waver.evaluation import metrics
from waver.evaluation.scores import score_predictions
from waver.io.tables import PREDICTIONS, SCORES, read_table

LEVELS = ("frame", "participant", "video")


@pytest.fixture(scope="module")
def rows(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("scores")
    files = list(folder.controls.values())
    for seed in (0, 1):
        guessed = prediction_rows(folder.rows("train", "val"), seeded_guess(folder, 1.0, seed), folder.folds())
        files.append(write_predictions(path / f"{seed}.parquet", guessed, "lfan", seed=seed, protocol="cv"))
    names = ("scores", "comparisons", "calibration", "decomposition")
    outputs = {"json": path / "scores.json", **{name: path / f"{name}.parquet" for name in names}}
    tables = (folder.indexes, folder.packs, folder.participants, [folder.answers])
    score_predictions(files, *tables, EvaluateConfig(bootstrap=100, least_group=1), outputs)
    return read_table(outputs["scores"], SCORES)


@pytest.mark.slow
def test_cross_validation_is_a_split_of_its_own(folder: Folder, rows: list[dict[str, Any]]) -> None:
    """Out-of-fold predictions of train and val together, compared within question and fold."""
    labels, fold_of, videos = folder.labels(), folder.folds(), folder.rows("train", "val")
    guess = [seeded_guess(folder, 1.0, seed) for seed in (0, 1)]
    seeds = [{row["video"]: one(row) for row in videos} for one in guess]
    probability = np.concatenate([(seeds[0][row["video"]] + seeds[1][row["video"]]) / 2 for row in videos])
    label = np.concatenate([labels[row["video"]] for row in videos])
    stratum = np.concatenate(
        [np.full(row["frames"], row["question"] + 10 * fold_of[row["participant"]]) for row in videos]
    )
    expected = {
        "AVGF1": metrics.avgf1(probability, label),
        "AP": metrics.average_precision(probability, label),
        "AUROC_within": metrics.auroc_within(probability, label, stratum),
        "AVGF1_within": metrics.avgf1_within(probability, label, stratum),
    }
    for metric, value in expected.items():
        row = one(rows, method="lfan", level="frame", split="cv", metric=metric)
        assert row["value"] == pytest.approx(value, abs=1e-12)
        assert (row["n"], row["participants"], row["seeds"]) == (len(label), 11, 2)
    for level in LEVELS:
        gap = one(rows, method="lfan", level=level, split="cv", metric="AVGF1_minus_content_free")
        mine = one(rows, method="lfan", level=level, split="cv", metric="AVGF1")
        control = one(rows, method="content_free", level=level, split="cv", metric="AVGF1")
        assert gap["value"] == pytest.approx(mine["value"] - control["value"], abs=1e-12)
        assert mine["n"] == control["n"]


def test_the_question_prior_tells_nothing_within_questions(folder: Folder, rows: list[dict[str, Any]]) -> None:
    for level in LEVELS:
        for split in ("cv", "val", "test"):
            row = one(rows, method="question_prior", level=level, split=split, metric="AUROC_within")
            assert row["value"] in ((0.5, None) if level == "video" else (0.5,)), (level, split)
    # pooled over folds it would: a question's prior is high in the fold that holds few of its positives out
    predicted = read_table(folder.controls["question_prior", "frame", "cv"], PREDICTIONS)
    labels, question = folder.labels(), {row["video"]: row["question"] for row in folder.rows("train", "val")}
    probability = np.array([row["probability"] for row in predicted])
    label = np.array([labels[row["video"]][row["frame"]] for row in predicted])
    pooled = metrics.auroc_within(probability, label, np.array([question[row["video"]] for row in predicted]))
    assert pooled < 0.49
