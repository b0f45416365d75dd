"""What val decides, and the controls beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import viewed
from waver.datasets.question_context import video_context
from waver.datasets.questions import bah_questions
from waver.evaluation.controls import fit
from waver.evaluation.metrics import avgf1
from waver.predict.controls import Controls, fit_controls
from waver.predict.decisions import (
    MOST_UNCLEAR,
    MOST_WRONG,
    Decisions,
    best_temperature,
    best_threshold,
    decide,
    unclear_band,
)


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_has_a_higher_avgf1(seed):
    draw = np.random.default_rng(seed)
    label = draw.integers(0, 2, 40)
    probability = np.round(draw.random(40) * 0.6 + 0.2 * label, 2)
    best = best_threshold(probability, label)
    scores = [avgf1((probability >= cut) * 1.0, label) for cut in np.unique(probability)]
    assert avgf1((probability >= best) * 1.0, label) == pytest.approx(max(scores))


@pytest.mark.parametrize("label", [np.zeros(0), np.zeros(3), np.ones(3)])
def test_one_class_decides_nothing(label):
    assert best_threshold(np.linspace(0.1, 0.2, len(label)), label) == 0.5


def test_the_band_holds_what_is_wrong_and_reaches_to_the_rest():
    probability = np.array([0.1, 0.2, 0.3, 0.45, 0.55, 0.7, 0.8, 0.9])
    label = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    bands, unclear, wrong = unclear_band(probability, label, 0.5)
    assert (unclear, wrong) == (1 / 8, 1 / 7)
    assert [bands.of(p) for p in (0.1, 0.3, 0.31, 0.45, 0.54, 0.55, 0.9)] == [
        "unlikely", "unlikely", "unclear", "unclear", "unclear", "likely", "likely",
    ]  # fmt: skip


def test_the_band_is_never_without_width_and_never_more_than_half():
    sure = unclear_band(np.array([0.1, 0.9]), np.array([0, 1]), 0.5)
    assert sure[0].of(0.5) == "unclear"
    assert sure[1:] == (0.0, 0.0)
    probability = np.linspace(0.05, 0.95, 20)
    _, unclear, wrong = unclear_band(probability, (probability < 0.5).astype(int), 0.5)
    assert unclear == MOST_UNCLEAR
    assert wrong is not None
    assert wrong > MOST_WRONG
    assert unclear_band(np.zeros(0), np.zeros(0), 0.5)[0].of(0.99) == "unclear"


def test_decisions_are_those_of_val_and_come_back_from_a_file():
    high, low = np.full(48, 0.9), np.full(48, 0.6)
    frames = [(np.concatenate([low, high]), np.repeat([0, 1], 48), 1), (low, np.zeros(48, int), 0), (high, None, None)]
    found = decide(frames, "sliding_mean", 24, decoded=False)
    assert (found.frame_threshold, found.video_threshold, found.videos) == (0.75, pytest.approx(0.75), 2)
    assert found.segments.spans(frames[0][0]) == [(48, 96)]
    assert found.video_probability(frames[0][0]) == pytest.approx(0.9)
    assert Decisions.from_state(found.state()) == found


@pytest.mark.slow
def test_calibrated_probabilities_fit_the_labels_of_val():
    """A model that is three times as sure as it should be, and one that nothing can be said of."""
    draw = np.random.default_rng(0)
    margin = draw.normal(0, 1.5, 20_000)
    label = (draw.random(20_000) < 1 / (1 + np.exp(-margin))).astype(int)
    sure = 1 / (1 + np.exp(-3 * margin))
    found = decide(
        [(sure[i : i + 200], label[i : i + 200], int(label[i])) for i in range(0, 20_000, 200)],
        "sliding_mean",
        24,
        False,
    )
    assert found.frame_temperature == pytest.approx(3, rel=0.05)
    made = replace(viewed.result(), probability=sure.astype(np.float32), temperatures=(found.frame_temperature, 0.5))
    for low in (0.1, 0.6):
        own = (made.calibrated >= low) & (made.calibrated < low + 0.1)
        assert label[own].mean() == pytest.approx(made.calibrated[own].mean(), abs=0.03)
    assert ((made.calibrated >= 0.5) == (made.probability >= 0.5)).all()
    assert made.video_calibrated == pytest.approx(0.9**2 / (0.9**2 + 0.1**2))
    assert best_temperature(np.array([0.2, 0.8]), np.array([0, 1])) == 1, "told apart without a mistake"
    assert best_temperature(np.array([0.2, 0.8]), np.array([1, 1])) == 1


def test_controls_are_those_of_the_tables():
    draw = np.random.default_rng(0)
    questions = bah_questions()
    rows = [
        {"question": int(draw.integers(1, 8)), "words": int(draw.integers(5, 90)), "duration_s": draw.random() * 60 + 5}
        for _ in range(60)
    ]
    rows = [{**row, "label": int(row["words"] + draw.normal() * 20 > 45)} for row in rows]
    controls = fit_controls([*rows, {**rows[0], "label": None}], questions)
    assert controls is not None
    margin = fit(video_context(rows, timed=True), np.array([row["label"] for row in rows])).decision_function(
        video_context(rows[:1], timed=True)
    )
    named = {**rows[0], "questions": questions}
    assert controls.of(named)[0] == pytest.approx(1 / (1 + np.exp(-margin[0])), abs=1e-9)
    unknown = controls.of({**named, "words": None})
    assert unknown[0] != controls.of(named)[0]
    assert unknown[1] == controls.of(named)[1]
    assert Controls.from_state(controls.state()) == controls
    assert fit_controls([{**row, "label": 1} for row in rows], questions) is None
