"""Mean and standard deviation of the scores of the single seeds, beside the score of the averaged seeds."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
from scored_folder import Folder, Rows, one, pick, prediction_rows, seeded_guess, write_predictions
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from waver.config.sections import EvaluateConfig
from waver.evaluation.control_names import Control
from waver.evaluation.scores import score_predictions
from waver.io.tables import PREDICTIONS, SCORES, read_table

pytestmark = pytest.mark.slow

CONFIG = EvaluateConfig(bootstrap=100, least_group=2)
SEEDS = (0, 1, 2)
KEY = ("method", "modalities", "level", "split", "protocol", "group", "metric")


def _score(folder: Folder, out: Path, files: list[Path]) -> Rows:
    out.mkdir()
    outputs = {name: out / f"{name}.parquet" for name in ("scores", "comparisons", "calibration", "decomposition")}
    tables = (folder.indexes, folder.packs, folder.participants, [folder.answers])
    score_predictions(files, *tables, CONFIG, {**outputs, "json": out / "scores.json"})
    return read_table(out / "scores.parquet", SCORES)


def _judged(rows: Rows, seed: int) -> Rows:
    """What a seed judges: the last leaves a video out, and part of another."""
    return rows if seed < 2 else rows[120:]


def _write(folder: Folder, path: Path, seed: int) -> list[Path]:
    """Predictions of frames, in a cross-validation, of an adaptation in two shards, and of whole videos."""
    path.mkdir()
    frames = prediction_rows(folder.rows("val", "test"), seeded_guess(folder, 0.8, seed))
    held_out = prediction_rows(folder.rows("train", "val"), seeded_guess(folder, 0.8, seed), folder.folds())
    adapted = [row for row in prediction_rows(folder.rows("test"), seeded_guess(folder, 1.5, seed)) if row["frame"] % 3]
    draw = np.random.default_rng(seed)
    said = [
        {**{name: row[name] for name in ("video", "participant", "split")}, "frame": None, "margin": 0.0,
         "probability": float(draw.random()), "fold": None}
        for row in folder.rows("val", "test")
    ]  # fmt: skip
    written = [
        ("lfan", _judged(frames, seed), {}),
        ("lfan", held_out, {"protocol": "cv"}),
        ("shot", adapted[:400], {"protocol": "block"}),
        ("shot", adapted[400:], {"protocol": "block"}),
        ("tfidf", said if seed else said[3:], {"level": "video"}),
    ]
    return [
        write_predictions(path / f"{number}.parquet", rows, method, seed=seed, **about)
        for number, (method, rows, about) in enumerate(written)
    ]


@pytest.fixture(scope="module")
def files(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Path]]:
    path = tmp_path_factory.mktemp("seeds")
    return {seed: _write(folder, path / str(seed), seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def controls(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The content-free control, which has not judged a person's videos that every seed judged."""
    path, missed, found = tmp_path_factory.mktemp("controls"), folder.rows("test")[-1]["participant"], []
    for level in ("frame", "video"):
        for protocol in ("standard", "cv"):
            rows = read_table(folder.controls[Control("content_free", level, protocol)], PREDICTIONS)
            judged = [row for row in rows if row["participant"] != missed]
            about = {"modalities": "", "level": level, "protocol": protocol}
            found.append(write_predictions(path / f"{level}.{protocol}.parquet", judged, "content_free", **about))
    return found


@pytest.fixture(scope="module")
def rows(
    folder: Folder, files: dict[int, list[Path]], controls: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Rows:
    everything = [*controls, *(path for made in files.values() for path in made)]
    return _score(folder, tmp_path_factory.mktemp("together") / "scores", everything)


@pytest.fixture(scope="module")
def alone(
    folder: Folder, files: dict[int, list[Path]], controls: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Rows]:
    """The scores of a run of each seed."""
    path = tmp_path_factory.mktemp("alone")
    return [_score(folder, path / str(seed), [*controls, *files[seed]]) for seed in SEEDS]


def test_the_average_of_seeds_scores_above_each_of_them_and_both_are_told(folder: Folder, tmp_path: Path) -> None:
    files, guesses = [], []
    for seed in SEEDS:
        rows = prediction_rows(folder.rows("test"), seeded_guess(folder, 1.0, seed))
        guesses.append(np.array([row["probability"] for row in rows]))
        files.append(write_predictions(tmp_path / f"{seed}.parquet", rows, "lfan", seed=seed))
    labels = folder.labels()
    label = np.concatenate([labels[row["video"]] for row in folder.rows("test")])
    who = np.concatenate([np.full(row["frames"], row["participant"]) for row in folder.rows("test")])
    people = [who == person for person in np.unique(who) if label[who == person].any()]

    def avgf1(guess: np.ndarray) -> float:
        return float(f1_score(label, guess > 0.5, average="macro"))

    def mean_avgf1(guess: np.ndarray) -> float:
        return float(np.mean([f1_score(label[own], guess[own] > 0.5, average="macro") for own in people]))

    scored = _score(folder, tmp_path / "scores", files)
    for level, metric, score in (
        ("frame", "AVGF1", avgf1),
        ("frame", "AP", lambda guess: average_precision_score(label, guess)),
        ("frame", "AUROC", lambda guess: roc_auc_score(label, guess)),
        ("participant", "AVGF1", mean_avgf1),
    ):
        row = one(scored, method="lfan", level=level, split="test", metric=metric)
        single = [score(guess) for guess in guesses]
        assert row["value"] == pytest.approx(score(np.mean(guesses, axis=0)), abs=1e-12)
        assert row["seed_mean"] == pytest.approx(statistics.mean(single), abs=1e-12)
        assert row["seed_sd"] == pytest.approx(statistics.stdev(single), abs=1e-12)
        assert row["value"] > max(single) > row["seed_mean"] + 0.1 * row["seed_sd"]


def test_each_seed_is_scored_as_if_it_were_alone(rows: Rows, alone: list[Rows]) -> None:
    """Every score of every level, split, protocol and group; seeds leave out different items."""
    by_key = [{tuple(row[name] for name in KEY): row for row in found} for found in alone]
    several = [row for row in rows if row["seeds"] > 1]
    assert {(row["method"], row["level"], row["split"], row["protocol"]) for row in several} == {
        *(("lfan", level, split, "standard") for level in ("frame", "participant", "video")
          for split in ("cv", "val", "test")),
        *(("shot", level, "test", "block") for level in ("frame", "participant")),
        *(("tfidf", "video", split, "standard") for split in ("val", "test")),
    }  # fmt: skip
    assert {row["group"] for row in several} > {"all"}
    assert "AVGF1_minus_content_free" in {row["metric"] for row in several}
    assert any(row["seed_sd"] for row in several)
    for row in several:
        values = [found[tuple(row[name] for name in KEY)]["value"] for found in by_key]
        if None in values or row["value"] is None:
            assert (row["seed_mean"], row["seed_sd"]) == (None, None), row
        else:
            assert row["seed_mean"] == pytest.approx(statistics.mean(values), abs=1e-9), row
            assert row["seed_sd"] == pytest.approx(statistics.stdev(values), abs=1e-9), row


def test_of_one_seed_the_score_is_its_own(rows: Rows, alone: list[Rows]) -> None:
    single = pick(alone[1], group="all")
    assert {row["method"] for row in single} == {"lfan", "shot", "tfidf", "content_free"}
    for row in [*single, *pick(rows, method="content_free")]:
        assert (row["seeds"], row["seed_mean"], row["seed_sd"]) == (1, row["value"], None)


def test_seeds_without_a_score(folder: Folder, tmp_path: Path) -> None:
    """One that is undefined makes both null; a seed that judged nobody of a split is left out there."""
    labels, files = folder.labels(), []
    for seed, splits in enumerate((("val", "test"), ("test",))):
        frames = prediction_rows(folder.rows(*splits), seeded_guess(folder, 1.0, seed))
        negative = [row for row in frames if seed == 0 or labels[row["video"]][row["frame"]] == 0]
        files.append(write_predictions(tmp_path / f"lfan.{seed}.parquet", negative, "lfan", seed=seed))
        files.append(write_predictions(tmp_path / f"can.{seed}.parquet", frames, "can", seed=seed))
    rows = _score(folder, tmp_path / "scores", files)
    ranked, right = (one(rows, method="lfan", level="frame", split="test", metric=name) for name in ("AP", "WAR"))
    assert ranked["value"] is not None
    assert (ranked["seed_mean"], ranked["seed_sd"]) == (None, None)
    assert right["seed_sd"] > 0
    val, test = (one(rows, method="can", level="frame", split=split, metric="AVGF1") for split in ("val", "test"))
    assert (val["seeds"], val["seed_mean"], val["seed_sd"]) == (2, val["value"], None)
    assert test["seed_sd"] > 0


def test_groups_too_small_to_be_shown_have_no_seeds_either(rows: Rows) -> None:
    hidden = [row for row in rows if row["value"] is None and row["group"] != "all"]
    assert hidden
    assert {(row["seed_mean"], row["seed_sd"]) for row in hidden} == {(None, None)}
