"""Calibration: scores by definition, a planted temperature, and nobody judged by their own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made_table import made_table, made_truth
from sklearn import metrics as sklearn_metrics

from waver.config.sections import EvaluateConfig
from waver.evaluation import calibration
from waver.evaluation.method_tables import Table
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.reliability import CALIBRATION, calibration_rows, out_of_fold, temperatures

CONFIG = EvaluateConfig(bootstrap=100)


def _planted(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Margins that are ``temperature`` times too far out."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=n) * 1.5
    label = (rng.random(n) < 1 / (1 + np.exp(-honest))).astype(np.uint8)
    return honest * temperature, label


def test_brier_and_log_loss_against_scikit_learn() -> None:
    margin, label = _planted(2000, 2.0)
    probability = calibration.tempered(margin, 1.0)
    assert calibration.brier(probability, label) == pytest.approx(sklearn_metrics.brier_score_loss(label, probability))
    assert calibration.log_loss(probability, label) == pytest.approx(sklearn_metrics.log_loss(label, probability))
    assert math.isfinite(calibration.log_loss(np.array([0.0]), np.array([1])))


def test_bins_hold_equally_many() -> None:
    probability = np.random.default_rng(0).random(1500)
    bins = calibration.bin_of(probability, calibration.mass_edges(probability))
    np.testing.assert_array_equal(np.bincount(bins), np.full(15, 100))
    assert (np.diff(bins[np.argsort(probability)]) >= 0).all()


def test_ties_share_a_bin() -> None:
    probability = np.array([0.1] * 50 + [0.7] * 40 + [0.9] * 10)
    bins = calibration.bin_of(probability, calibration.mass_edges(probability))
    np.testing.assert_array_equal(np.bincount(bins), [50, 40, 10])
    assert calibration.bin_of(np.array([0.0]), np.array([0.5, 0.6]))[0] == 0


def test_ece_by_definition() -> None:
    probability = np.array([0.1] * 4 + [0.8] * 6)
    label = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
    assert calibration.ece(probability, label) == pytest.approx(0.4 * 0.15 + 0.6 * 0.3)
    rng = np.random.default_rng(2)
    probability, label = rng.random(777), rng.integers(0, 2, 777)
    order, total = np.argsort(probability), 0.0
    for start, end in zip(range(15), range(1, 16), strict=True):
        part = order[start * 777 // 15 : end * 777 // 15]
        total += abs(probability[part].mean() - label[part].mean()) * len(part) / 777
    assert calibration.ece(probability, label) == pytest.approx(total, abs=1e-12)


def test_honest_probabilities_have_almost_no_error() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(200_000)
    label = rng.random(200_000) < probability
    assert calibration.ece(probability, label) < 0.006
    assert calibration.ece(probability**2, label) > 0.1


def test_nothing_to_score() -> None:
    none = np.zeros(0)
    for score in (calibration.brier, calibration.log_loss, calibration.ece):
        assert math.isnan(score(none, none))
    assert math.isnan(calibration.temperature(none, none))


@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_temperature_recovers_what_was_planted(planted: float) -> None:
    margin, label = _planted(50_000, planted)
    found = calibration.temperature(margin, label)
    assert found == pytest.approx(planted, rel=0.04)
    best = calibration.log_loss(calibration.tempered(margin, found), label)
    for other in (found * 0.9, found * 1.1, planted):
        assert best <= calibration.log_loss(calibration.tempered(margin, other), label)
    if planted != 1.0:
        before = calibration.ece(calibration.tempered(margin, 1.0), label)
        assert calibration.ece(calibration.tempered(margin, found), label) < before / 4


def test_temperature_stops_at_its_bounds() -> None:
    margin = np.array([-1.0, -2.0, 1.0, 2.0])
    assert calibration.temperature(margin, (margin > 0).astype(int)) == calibration.LEAST
    assert calibration.temperature(margin, (margin < 0).astype(int)) == calibration.MOST


def test_a_constant_has_no_temperature() -> None:
    assert math.isnan(calibration.temperature(np.full(9, -40.0), np.arange(9) % 2))
    truth = made_truth(people=10)
    table = made_table(truth, {"all_negative": np.full(len(truth.label), -40.0)})
    (row,) = calibration_rows(table, {}, CONFIG)
    assert (row["bin"], row["n"], row["temperature"], row["ECE_tempered"]) == (0, 70, None, None)


def test_margins_come_back() -> None:
    margin = np.array([-20.0, 0.0, 3.0])
    np.testing.assert_allclose(calibration.margin_of(calibration.tempered(margin, 1.0)), margin, rtol=1e-6)
    assert np.isfinite(calibration.margin_of(np.array([0.0, 1.0]))).all()


# tables -----------------------------------------------------------------------------------------


def _cross_validated(planted: float = 3.0) -> Table:
    truth = made_truth(people=60)
    margin, label = _planted(len(truth.label), planted)
    return made_table(replace(truth, label=label.astype(np.int8)), {"bold": margin})


def _standard(table: Table) -> Table:
    """The val part, as a model fitted on train would give it."""
    (predicted,) = table.methods
    name = predicted.name._replace(protocol="standard")
    val = predicted.take(table.truth.split[predicted.item] == "val")
    return replace(table, split="val", methods=[replace(val, name=name, fold=np.full(len(val.item), -1, np.int8))])


def test_a_fold_has_the_temperature_of_the_others() -> None:
    table = _cross_validated()
    (predicted,) = table.methods
    found = temperatures(table, predicted, None)
    for fold in range(5):
        others = predicted.fold != fold
        expected = calibration.temperature(predicted.margin[others], table.truth.label[others])
        np.testing.assert_allclose(found[~others], expected, rtol=1e-6)
    assert len(np.unique(found)) == 5


def _flipped(table: Table, who: np.ndarray) -> Table:
    label = np.where(who, 1 - table.truth.label, table.truth.label).astype(np.int8)
    return replace(table, truth=replace(table.truth, label=label))


def test_labels_of_who_is_judged_move_no_temperature() -> None:
    table = _cross_validated()
    (predicted,) = table.methods
    before = temperatures(table, predicted, None)
    for fold in range(5):
        held_out = predicted.fold == fold
        after = temperatures(_flipped(table, held_out), predicted, None)
        np.testing.assert_array_equal(after[held_out], before[held_out])
        assert (after[~held_out] != before[~held_out]).all()
    standard = _standard(table)
    (model,) = standard.methods
    scalar = temperatures(standard, model, predicted)
    is_val = table.truth.split == "val"
    np.testing.assert_array_equal(temperatures(_flipped(standard, is_val), model, predicted), scalar)
    assert (temperatures(_flipped(standard, ~is_val), model, predicted) != scalar).all()


def test_rows() -> None:
    table = _cross_validated()
    standard = _standard(table)
    validated = out_of_fold([table, standard])
    for judged in (table, standard):
        rows = list(calibration_rows(judged, validated, CONFIG))
        assert set(rows[0]) == set(CALIBRATION.names)
        assert {row["tempered"] for row in rows} == {False, True}
        sample = Paired(judged, CONFIG).sample(judged.methods[0], judged.methods[0].item)
        before = [row for row in rows if not row["tempered"]]
        assert sum(row["n"] for row in before) == len(sample.label)
        assert sum(row["n"] * row["observed"] for row in before) == pytest.approx(sample.label.sum())
        gap = sum(row["n"] * abs(row["observed"] - row["predicted"]) for row in before) / len(sample.label)
        assert rows[0]["ECE"] == pytest.approx(gap) == pytest.approx(calibration.ece(sample.probability, sample.label))
        assert all(row["observed_low"] <= row["observed"] <= row["observed_high"] for row in rows)
        assert rows[0]["temperature"] == pytest.approx(3.0, rel=0.4)
        for name in ("ECE", "Brier", "log_loss"):
            assert rows[0][f"{name}_tempered"] < rows[0][name]


def test_without_cross_validation_there_is_no_temperature() -> None:
    standard = _standard(_cross_validated())
    rows = list(calibration_rows(standard, {}, CONFIG))
    assert rows
    assert {row["tempered"] for row in rows} == {False}
    assert {row[f"{name}_tempered"] for row in rows for name in ("ECE", "Brier", "log_loss")} == {None}
    assert {row["temperature"] for row in rows} == {None}


def test_participant_level_has_no_curve() -> None:
    assert list(calibration_rows(replace(_cross_validated(), level="participant"), {}, CONFIG)) == []
