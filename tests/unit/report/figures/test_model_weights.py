"""The figure of readable weights: the strongest features, in order, and those that the folds disagree about."""

from dataclasses import replace

import pytest

from waver.report.data import load
from waver.report.figures.model_weights import SHOWN, draw_weights, weighed


def row(feature, weight, fold=None):
    return {"feature": feature, "weight": weight, "fold": fold}


def test_the_strongest_are_kept_and_ordered_towards_ah():
    rows = [row(f"cue {n}", (-1) ** n * n) for n in range(40)]
    kept = weighed(rows)
    assert len(kept) == SHOWN
    assert {one.feature for one in kept} == {f"cue {n}" for n in range(40 - SHOWN, 40)}
    assert [one.mean for one in kept] == sorted((one.mean for one in kept), reverse=True)


def test_folds_decide_and_may_disagree():
    rows = [row("a", 9.0), row("a", 1.0, 0), row("a", 2.0, 1), row("b", 0.5), row("b", -0.1, 0), row("b", 0.4, 1)]
    a, b = weighed(rows)
    assert (a.feature, a.mean, a.agreed) == ("a", 1.5, True)
    assert (b.feature, b.mean, b.agreed) == ("b", pytest.approx(0.15), False)


def test_without_folds_the_weights_of_train_are_shown():
    (only,) = weighed([row("a", -0.3), row("a", -0.5)])  # two seeds
    assert only.mean == pytest.approx(-0.4)
    assert not only.folds


@pytest.mark.slow
def test_the_page_shows_them(texts_only, report_config, tmp_path):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    drawn = draw_weights(material, tmp_path)
    assert drawn.title == "Weights of Cue counts, words + question"
    assert "3 folds" in drawn.caption
    svg = (tmp_path / "weights.svg").read_text()
    assert svg.index(">question 4<") < svg.index(">count of but<") < svg.index(">question 1<")
    assert draw_weights(replace(material, weights={}), tmp_path) is None
    assert draw_weights(replace(material, weights={("tfidf", "T"): []}), tmp_path) is None
