"""Where a score comes from, step by step, and the files that hold all statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_table import made_table, made_truth, question_margin, skilled

from waver.config.sections import EvaluateConfig
from waver.evaluation import metrics
from waver.evaluation.comparisons import COMPARISONS
from waver.evaluation.decomposition import DECOMPOSED, DECOMPOSITION, WITHIN, decomposition_rows
from waver.evaluation.method_tables import Table
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.reliability import CALIBRATION
from waver.evaluation.scores import write_statistics
from waver.io.tables import read_table

CONFIG = EvaluateConfig(bootstrap=100)
Rows = list[dict]


def _margins(level: str = "video", frames: int = 1) -> tuple:
    truth = made_truth(people=30, frames=frames, level=level)
    question = question_margin(truth)
    length = question + skilled(truth, 0.5, 4)
    return truth, {"question_prior": question, "content_free": length, "model": length + skilled(truth, 3.0, 5)}


@pytest.fixture(scope="module")
def table() -> Table:
    return made_table(*_margins())


def _steps(rows: Rows, metric: str) -> dict[str, dict]:
    return {row["step"]: row for row in rows if row["metric"] == metric}


def test_steps_add_up(table: Table) -> None:
    rows = list(decomposition_rows(table, CONFIG))
    assert set(rows[0]) == set(DECOMPOSITION.names)
    assert {row["method"] for row in rows} == {"model"}
    for metric in DECOMPOSED:
        steps = _steps(rows, metric)
        assert list(steps) == ["chance", "question", "length", "person"]
        values = [step["value"] for step in steps.values()]
        gains = [step["gain"] for step in steps.values()]
        assert gains[0] is None
        assert values[0] + sum(gains[1:]) == pytest.approx(values[-1])
        np.testing.assert_allclose(gains[1:], np.diff(values), atol=1e-12)
        assert steps["person"]["over"] == "content_free"
        assert steps["person"]["gain_low"] > 0
        assert steps["question"]["gain_low"] > 0


def test_values(table: Table) -> None:
    rows = list(decomposition_rows(table, CONFIG))
    label = table.truth.label
    score = {"AVGF1": metrics.avgf1, "AP": metrics.average_precision, "AUROC": metrics.auroc}
    for metric in DECOMPOSED:
        for step in ("question", "length", "person"):
            row = _steps(rows, metric)[step]
            predicted = next(p for p in table.methods if p.name.method == row["predictor"])
            assert row["value"] == pytest.approx(score[metric](predicted.probability, label), abs=1e-12)
            assert (row["n"], row["participants"]) == (210, 30)
    constants = [metrics.avgf1(np.full(210, p), label) for p in (0.0, 1.0)]
    chance = _steps(rows, "AVGF1")["chance"]
    assert chance["value"] == pytest.approx(max(constants))
    assert chance["predictor"] == ("all_negative", "all_positive")[int(np.argmax(constants))]
    assert _steps(rows, "AP")["chance"]["value"] == pytest.approx(label.mean())
    assert _steps(rows, "AUROC")["chance"]["value"] == 0.5


def test_within_questions(table: Table) -> None:
    rows = list(decomposition_rows(table, CONFIG))
    stratum = table.truth.question + 10 * (table.truth.participant % 5)
    model, control = (
        metrics.auroc_within(
            next(p for p in table.methods if p.name.method == name).probability, table.truth.label, stratum
        )
        for name in ("model", "content_free")
    )
    row = _steps(rows, "AUROC_within")["within"]
    assert row["value"] == pytest.approx(model, abs=1e-12)
    assert row["gain"] == pytest.approx(model - control, abs=1e-12)
    assert row["gain_low"] <= row["gain"] <= row["gain_high"]
    assert {row["metric"] for row in rows if row["step"] == "within"} == set(WITHIN)
    # decisions that are the same for a whole question are no yardstick of decisions inside it
    assert _steps(rows, "AVGF1_within")["within"]["gain"] is None


def test_the_question_alone_has_nothing_that_the_person_adds() -> None:
    truth, margins = _margins()
    twin = made_table(truth, {**margins, "model": margins["content_free"]})
    for metric in DECOMPOSED:
        person = _steps(list(decomposition_rows(twin, CONFIG)), metric)["person"]
        assert (person["gain"], person["gain_low"], person["gain_high"]) == (0, 0, 0)


def test_a_missing_step_is_passed_over(table: Table) -> None:
    some = Table("video", "cv", "standard", table.truth, [table.methods[1], table.methods[2]])
    steps = _steps(list(decomposition_rows(some, CONFIG)), "AVGF1")
    assert list(steps) == ["chance", "length", "person"]
    assert steps["length"]["over"] == steps["chance"]["predictor"]
    alone = Table("video", "cv", "standard", table.truth, [table.methods[2]])
    rows = list(decomposition_rows(alone, CONFIG))
    assert list(_steps(rows, "AVGF1")) == ["chance", "person"]
    assert _steps(rows, "AUROC_within")["within"]["gain"] is None


def test_participant_level_is_about_peoples_own_scores() -> None:
    truth, margins = _margins("frame", 20)
    table = made_table(truth, margins, level="participant")
    steps = _steps(list(decomposition_rows(table, CONFIG)), "AVGF1")
    own = [
        metrics.avgf1(table.methods[2].probability[mine], truth.label[mine])
        for mine in (truth.participant == s for s in range(30))
    ]
    assert steps["person"]["value"] == pytest.approx(np.mean(own))
    assert steps["chance"]["value"] < steps["question"]["value"] < steps["person"]["value"]


@pytest.mark.slow
def test_everything_in_three_files(table: Table, tmp_path: Path) -> None:
    truth, margins = _margins("frame", 10)
    tables = [table, *(made_table(truth, margins, level=level) for level in ("frame", "participant"))]
    paths = [tmp_path / f"{name}.parquet" for name in ("comparisons", "calibration", "decomposition")]
    write_statistics([Paired(one, CONFIG) for one in tables], CONFIG, *paths)
    compared, reliable, decomposed = (
        read_table(path, schema) for path, schema in zip(paths, (COMPARISONS, CALIBRATION, DECOMPOSITION), strict=True)
    )
    assert (
        {row["level"] for row in compared}
        == {row["level"] for row in decomposed}
        == {
            "video",
            "frame",
            "participant",
        }
    )
    assert {row["level"] for row in reliable} == {"video", "frame"}
    assert {row["method"] for row in reliable} == {"question_prior", "content_free", "model"}
    again = [tmp_path / "again" / path.name for path in paths]
    write_statistics([Paired(one, CONFIG) for one in tables], CONFIG, *again)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_nothing_to_compare(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in ("comparisons", "calibration", "decomposition")]
    write_statistics([], CONFIG, *paths)
    for path, schema in zip(paths, (COMPARISONS, CALIBRATION, DECOMPOSITION), strict=True):
        assert read_table(path, schema) == []
