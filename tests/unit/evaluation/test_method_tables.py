"""The scores table: every method beside its controls, on the same items, paired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_folder import Folder, one, pick, prediction_rows, seeded_guess, write_predictions

from synthetic import write_answers, write_packs
from waver.config.sections import EvaluateConfig
from waver.evaluation import metrics
from waver.evaluation.bootstrap import METRICS
from waver.evaluation.control_names import CONTROLS, Control
from waver.evaluation.controls import predict_controls
from waver.evaluation.scores import score_predictions
from waver.io.tables import PARTICIPANTS, PREDICTIONS, SCORES, read_table, write_table

pytestmark = pytest.mark.slow

CONFIG = EvaluateConfig(bootstrap=100, least_group=2)
LEVELS = ("frame", "participant", "video")


def _some(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A fifth of the frames, as an adaptation protocol scores them."""
    return [row for row in rows if (row["frame"] // 24) % 5 == 1]


def _outputs(path: Path) -> dict[str, Path]:
    tables = {name: path / f"{name}.parquet" for name in ("scores", "comparisons", "calibration", "decomposition")}
    return {**tables, "json": path / "scores.json"}


def _score(folder: Folder, out: Path, files: list[Path], config: EvaluateConfig = CONFIG) -> list[dict[str, Any]]:
    out.mkdir(exist_ok=True, parents=True)
    tables = (folder.indexes, folder.packs, folder.participants, [folder.answers])
    score_predictions(files, *tables, config, _outputs(out))
    return read_table(out / "scores.parquet", SCORES)


@pytest.fixture(scope="module")
def files(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("predictions")
    made = list(folder.controls.values())
    judged = folder.rows("val", "test")
    for seed in (0, 1):
        rows = prediction_rows(judged, seeded_guess(folder, 1.0, seed))
        made.append(write_predictions(path / f"lfan.{seed}.parquet", rows, "lfan", seed=seed))
        rows = prediction_rows(folder.rows("train", "val"), seeded_guess(folder, 1.0, seed), folder.folds())
        made.append(write_predictions(path / f"lfan.{seed}.cv.parquet", rows, "lfan", seed=seed, protocol="cv"))
    shot = _some(prediction_rows(folder.rows("test"), seeded_guess(folder, 2.0, 5)))
    made.append(write_predictions(path / "shot.parquet", shot, "shot", protocol="frame_random"))
    mllm = [
        {
            "video": r["video"],
            "participant": r["participant"],
            "split": r["split"],
            "frame": None,
            "probability": 0.7,
            "fold": None,
        }
        for r in judged
    ]
    rows = [{**row, "margin": 1.0} for row in mllm]
    made.append(write_predictions(path / "mllm.parquet", rows, "mllm", level="video", modalities="VT"))
    return made


@pytest.fixture(scope="module")
def scored(folder: Folder, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scores")
    _score(folder, out, files)
    return out


@pytest.fixture(scope="module")
def rows(scored: Path) -> list[dict[str, Any]]:
    return read_table(scored / "scores.parquet", SCORES)


def test_every_table_has_its_controls(rows: list[dict[str, Any]]) -> None:
    tables = {(row["level"], row["split"], row["protocol"], row["group"]) for row in rows}
    assert {table[:3] for table in tables} == {
        *((level, split, "standard") for level in LEVELS for split in ("cv", "val", "test")),
        ("frame", "test", "frame_random"),
        ("participant", "test", "frame_random"),
    }
    for level, split, protocol, group in tables:
        here = pick(rows, level=level, split=split, protocol=protocol, group=group)
        methods = {row["method"] for row in here}
        assert {"all_negative", "all_positive", "question_prior", "content_free"} < methods, (level, split, protocol)
        assert ("mllm" in methods) == (level == "video" and split != "cv")
        assert ("lfan" in methods) == (protocol == "standard")
        for method in methods:
            assert {row["metric"] for row in here if row["method"] == method} >= set(METRICS)


def test_no_row_twice(rows: list[dict[str, Any]]) -> None:
    assert len({tuple(row[key] for key in SCORES.names[:7]) for row in rows}) == len(rows)


def test_values(folder: Folder, files: list[Path], rows: list[dict[str, Any]]) -> None:
    """Frame scores from the definition, seeds averaged first."""
    labels = folder.labels()
    guesses = []
    for seed in (0, 1):
        guess = seeded_guess(folder, 1.0, seed)
        guesses.append({row["video"]: guess(row) for row in folder.rows("val", "test")})
    videos = folder.rows("test")
    probability = np.concatenate([(guesses[0][row["video"]] + guesses[1][row["video"]]) / 2 for row in videos])
    label = np.concatenate([labels[row["video"]] for row in videos])
    question = np.concatenate([np.full(row["frames"], row["question"]) for row in videos])
    expected = {
        "AVGF1": metrics.avgf1(probability, label),
        "AP": metrics.average_precision(probability, label),
        "AP_paper": metrics.average_precision_paper(probability, label),
        "AUROC_within": metrics.auroc_within(probability, label, question),
    }
    for metric, value in expected.items():
        row = one(rows, method="lfan", level="frame", split="test", metric=metric)
        assert row["value"] == pytest.approx(value, abs=1e-12)
        assert row["low"] <= row["value"] <= row["high"]
        assert (row["seeds"], row["n"], row["participants"]) == (2, len(label), 6)
        assert row["positives"] == label.sum()
        assert row["predicted_positives"] == (probability > 0.5).sum()
    alone = [
        metrics.avgf1(probability[who], label[who])
        for who in (
            np.concatenate([np.full(row["frames"], row["participant"] == name) for row in videos])
            for name in sorted({row["participant"] for row in videos})
        )
    ]
    mean = one(rows, method="lfan", level="participant", split="test", metric="AVGF1")
    assert mean["value"] == pytest.approx(np.mean(alone))
    assert (mean["n"], mean["participants"]) == (6, 6)
    spread = one(rows, method="lfan", level="participant", split="test", metric="AVGF1_sd")
    assert spread["value"] == pytest.approx(np.std(alone, ddof=1))


def test_constants(rows: list[dict[str, Any]]) -> None:
    for level in ("frame", "video"):
        never = one(rows, method="all_negative", level=level, split="test", metric="F1")
        always = one(rows, method="all_positive", level=level, split="test", metric="AP")
        assert never["value"] == never["predicted_positives"] == 0
        assert always["predicted_positives"] == always["n"]
        assert always["value"] == pytest.approx(always["positives"] / always["n"])
        within = one(rows, method="all_positive", level="frame", split="test", metric="AUROC_within")
        assert within["value"] == 0.5


def test_differences_are_paired(rows: list[dict[str, Any]]) -> None:
    for level, protocol, method in (
        ("frame", "standard", "lfan"),
        ("participant", "frame_random", "shot"),
        ("video", "standard", "mllm"),
    ):
        place = {"level": level, "split": "test", "protocol": protocol}
        for metric in ("AVGF1", "AP"):
            mine = one(rows, method=method, metric=metric, **place)
            control = one(rows, method="content_free", metric=metric, **place)
            gap = one(rows, method=method, metric=f"{metric}_minus_content_free", **place)
            assert gap["value"] == pytest.approx(mine["value"] - control["value"], abs=1e-12)
            assert gap["low"] <= gap["value"] <= gap["high"]
    assert not pick(rows, method="content_free", metric="AVGF1_minus_content_free")


def test_a_method_equal_to_its_control_differs_by_nothing(folder: Folder, tmp_path: Path) -> None:
    for level in ("frame", "video"):
        twin = read_table(folder.controls["content_free", level, "standard"], PREDICTIONS)
        write_predictions(tmp_path / f"{level}.parquet", twin, "twin", level=level)
    files = [*folder.controls.values(), tmp_path / "frame.parquet", tmp_path / "video.parquet"]
    rows = _score(folder, tmp_path, files)
    gaps = pick(rows, method="twin", metric="AVGF1_minus_content_free")
    assert {row["level"] for row in gaps} == {"frame", "participant", "video"}
    shown = [(row["value"], row["low"], row["high"]) for row in gaps if row["value"] is not None]
    assert set(shown) == {(0.0, 0.0, 0.0)}
    assert len(shown) > len(gaps) / 2
    others = pick(rows, method="all_negative", metric="AVGF1_minus_content_free", split="test")
    assert all(row["value"] != 0 for row in others)


def test_protocol_controls_are_scored_on_the_same_frames(rows: list[dict[str, Any]]) -> None:
    part = pick(rows, protocol="frame_random", level="frame", group="all", metric="AVGF1")
    whole = one(rows, method="all_negative", level="frame", split="test", metric="AVGF1")
    assert {row["method"] for row in part} == {*CONTROLS, "shot"}
    assert len({(row["n"], row["positives"]) for row in part}) == 1
    assert part[0]["n"] < whole["n"] / 3
    negative = next(row for row in part if row["method"] == "all_negative")
    rate = negative["positives"] / negative["n"]
    assert negative["value"] == pytest.approx((1 - rate) / (2 - rate))


def test_adapted_in_a_cross_validation_is_held_to_controls_that_never_saw_the_people(
    folder: Folder, tmp_path: Path
) -> None:
    known = prediction_rows(folder.rows("train", "val"), seeded_guess(folder, 2.0, 5), folder.folds())
    shot = write_predictions(tmp_path / "shot.parquet", _some(known), "shot", protocol="block")
    rows = _score(folder, tmp_path / "out", [*folder.controls.values(), shot])
    here = pick(rows, protocol="block", level="frame", group="all", metric="AP")
    assert {(row["split"], row["method"]) for row in here} == {("cv", name) for name in (*CONTROLS, "shot")}
    assert {row["n"] for row in here} == {len(_some(known))}
    out_of_fold = _some(read_table(folder.controls[Control("content_free", "frame", "cv")], PREDICTIONS))
    labels = folder.labels()
    truth = np.array([labels[row["video"]][row["frame"]] for row in out_of_fold])
    value = metrics.average_precision(np.array([row["probability"] for row in out_of_fold]), truth)
    assert next(row["value"] for row in here if row["method"] == "content_free") == pytest.approx(value)


def test_a_control_is_cut_to_a_method_that_misses_videos(folder: Folder, tmp_path: Path) -> None:
    guess = seeded_guess(folder, 1.0, 0)
    partial = prediction_rows(folder.rows("test")[2:], guess)
    whole = prediction_rows(folder.rows("val", "test"), guess)
    files = [*folder.controls.values(), write_predictions(tmp_path / "part.parquet", partial, "part")]
    files.append(write_predictions(tmp_path / "whole.parquet", whole, "whole"))
    rows = _score(folder, tmp_path, files)
    part = one(rows, method="part", level="frame", split="test", metric="AVGF1")
    control = one(rows, method="content_free", level="frame", split="test", metric="AVGF1")
    gap = one(rows, method="part", level="frame", split="test", metric="AVGF1_minus_content_free")
    assert part["n"] < control["n"]
    assert gap["value"] != pytest.approx(part["value"] - control["value"], abs=1e-6)


def test_small_groups_show_nothing(folder: Folder, files: list[Path], tmp_path: Path) -> None:
    people = {row["participant"]: row for row in read_table(folder.participants, PARTICIPANTS)}
    test = sorted(name for name, row in people.items() if row["split"] == "test")
    men = [name for name in test if people[name]["sex"] == "Male"]
    assert 0 < len(men) < 5 <= len(test) - len(men)
    rows = _score(folder, tmp_path, files, EvaluateConfig(bootstrap=100, least_group=5))
    counts = ("n", "participants", "positives", "predicted_positives")
    numbers = (*counts, "value", "low", "high", "seed_mean", "seed_sd")
    # the men's scores, and the women's, which tell the men's together with everyone's
    for group in ("sex=Male", "sex=Female"):
        few = pick(rows, group=group, split="test", level="frame", protocol="standard")
        assert few
        assert {row[name] for row in few for name in numbers} == {None}
    everyone = one(rows, method="lfan", level="frame", split="test", metric="AVGF1")
    assert everyone["value"] is not None
    assert everyone["participants"] == len(test)
    # a split of few people has its size and no score
    few = one(rows, method="lfan", level="frame", split="val", metric="AVGF1")
    assert few["participants"] < 5
    assert {few[name] for name in ("value", "low", "high", "positives", "predicted_positives")} == {None}


def test_groups_have_scores_and_no_counts(rows: list[dict[str, Any]]) -> None:
    shown = [row for row in rows if row["group"] != "all" and row["value"] is not None]
    assert shown
    assert {row[name] for row in shown for name in ("n", "participants", "positives")} == {None}


def test_nobody_without_metadata_is_in_a_group(folder: Folder, files: list[Path], tmp_path: Path) -> None:
    people = read_table(folder.participants, PARTICIPANTS)
    write_table(tmp_path / "people.parquet", [{**row, "sex": None, "age_group": None} for row in people], PARTICIPANTS)
    arguments = (folder.indexes, folder.packs, tmp_path / "people.parquet", [folder.answers], CONFIG)
    score_predictions(files, *arguments, _outputs(tmp_path))
    assert {row["group"] for row in read_table(tmp_path / "scores.parquet", SCORES)} == {"all"}


def test_json_has_the_same_rows(scored: Path, rows: list[dict[str, Any]]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads((scored / "scores.json").read_text(), parse_constant=refuse) == rows


def test_same_inputs_same_bytes_in_any_order(folder: Folder, files: list[Path], scored: Path, tmp_path: Path) -> None:
    _score(folder, tmp_path, files[::-1])
    assert (tmp_path / "scores.parquet").read_bytes() == (scored / "scores.parquet").read_bytes()


def test_another_seed_moves_intervals_not_values(
    folder: Folder, files: list[Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    other = _score(folder, tmp_path, files, EvaluateConfig(bootstrap=100, least_group=2, seed=1))
    assert [row["value"] for row in other] == [row["value"] for row in rows]
    assert [row["low"] for row in other] != [row["low"] for row in rows]


def test_nothing_to_judge_gives_an_empty_table(folder: Folder, tmp_path: Path) -> None:
    indexes, packs = write_packs(tmp_path, {"train": 4}, questions=2, frames=60, shards=1)
    outputs = {name: tmp_path / path.name for name, path in folder.controls.items()}
    answers = [write_answers(tmp_path / "answers.parquet", indexes)]
    predict_controls(indexes, packs, answers, 0, outputs, {"model_set": "embedded"})
    files = [*outputs.values(), write_predictions(tmp_path / "shot.parquet", [], "shot", protocol="block")]
    tables = (indexes, packs, folder.participants, answers)
    score_predictions(files, *tables, CONFIG, _outputs(tmp_path))
    assert read_table(tmp_path / "scores.parquet", SCORES) == json.loads((tmp_path / "scores.json").read_text()) == []


def test_a_split_without_positives_has_no_ap(folder: Folder, tmp_path: Path) -> None:
    """Frames of one negative stretch, as a small protocol may leave them."""
    labels = folder.labels()
    rows = prediction_rows(folder.rows("test"), lambda row: np.full(row["frames"], 0.2))
    rows = [row for row in rows if labels[row["video"]][row["frame"]] == 0]
    files = [*folder.controls.values(), write_predictions(tmp_path / "p.parquet", rows, "shot", protocol="block")]
    scored = pick(_score(folder, tmp_path, files), protocol="block", group="all", method="shot")
    assert {row["level"] for row in scored} == {"frame"}  # nobody has positives: no participant to score
    values = {row["metric"]: row["value"] for row in scored}
    assert values["AP"] is None
    assert values["AUROC_within"] is None
    assert values["WAR"] == 1
