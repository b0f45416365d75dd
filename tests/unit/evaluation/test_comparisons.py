"""Paired comparisons: against hand values, scipy, and what resampling by hand gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_table import made, made_table, made_truth, question_margin, skilled
from scipy import stats

from recorded import recorded, widened
from waver.config.sections import EvaluateConfig
from waver.evaluation import metrics
from waver.evaluation.bootstrap import resamples
from waver.evaluation.comparisons import COMPARED, COMPARISONS, REFERENCES, comparison_rows
from waver.evaluation.equal_positives import avgf1_equal
from waver.evaluation.method_tables import Table
from waver.evaluation.significance import holm, wilcoxon_p

CONFIG = EvaluateConfig(bootstrap=200)


@pytest.fixture(scope="module")
def table() -> Table:
    truth = made_truth(people=40)
    question = question_margin(truth)
    margins = {
        "all_negative": np.full(len(question), -40.0),
        "content_free": question,
        "better": question + skilled(truth, 3.0, 1),
        "twin": question,
        "noise": skilled(truth, 0.0, 2),
    }
    return made_table(truth, margins)


def _one(rows: list[dict], **wanted: object) -> dict:
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


@pytest.mark.slow
def test_difference_is_that_of_resampled_items(table: Table) -> None:
    rows = list(comparison_rows(table, ("content_free",), CONFIG))
    assert set(rows[0]) == set(COMPARISONS.names)
    # 200, and 400 more for the p of three methods
    weights = resamples(40, 600, "bootstrap", CONFIG.seed, "video", "cv", "standard", "all")
    control, better = (next(p for p in table.methods if p.name.method == name) for name in ("content_free", "better"))
    truth, stratum = table.truth, table.truth.question + 10 * (table.truth.participant % 5)
    gaps: dict[str, list[float]] = {metric: [] for metric in COMPARED}
    for weight in weights:
        item = np.repeat(np.arange(len(truth.label)), weight[truth.participant].astype(int))
        y = truth.label[item]
        mine, theirs = better.probability[item], control.probability[item]
        gaps["AVGF1"].append(metrics.avgf1(mine, y) - metrics.avgf1(theirs, y))
        gaps["AVGF1_equal"].append(avgf1_equal(mine, y) - avgf1_equal(theirs, y))
        gaps["AP"].append(metrics.average_precision(mine, y) - metrics.average_precision(theirs, y))
        gaps["AUROC"].append(metrics.auroc(mine, y) - metrics.auroc(theirs, y))
        within = [metrics.auroc_within(p, y, stratum[item]) for p in (mine, theirs)]
        gaps["AUROC_within"].append(within[0] - within[1])
    for metric, gap in gaps.items():
        row = _one(rows, method="better", metric=metric)
        assert row["difference"] == pytest.approx(gap[0], abs=1e-12)
        assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(gap[1:201], (2.5, 97.5))), abs=1e-12)
        drawn = np.array(gap[1:])
        least = min((drawn <= 0).sum(), (drawn >= 0).sum())
        assert row["p_bootstrap"] == pytest.approx(2 * (least + 1) / 601)
        assert row["resamples"] == 600
        assert row["participants"] == 40


def test_videos_are_compared_by_accuracy_of_each_person(table: Table) -> None:
    rows = list(comparison_rows(table, ("content_free",), CONFIG))
    truth = table.truth
    control, better = (next(p for p in table.methods if p.name.method == name) for name in ("content_free", "better"))
    right = [(p.probability > 0.5) == (truth.label == 1) for p in (better, control)]
    each = [np.mean(right[0][truth.participant == s]) - np.mean(right[1][truth.participant == s]) for s in range(40)]
    row = _one(rows, method="better", metric="AVGF1")
    assert row["own_score"] == "accuracy"
    assert row["n_participants"] == 40
    assert 20 < row["improved"] == sum(gap > 0 for gap in each) < 40
    assert row["p_wilcoxon"] == wilcoxon_p(np.array(each))
    assert row["shift"] > 0
    assert _one(rows, method="better", metric="AP")["p_wilcoxon"] is None


def test_frames_are_compared_by_each_persons_own_score() -> None:
    truth = made_truth(people=12, frames=30, level="frame")
    label = np.where(truth.participant == 3, 0, truth.label).astype(np.int8)
    truth = replace(truth, label=label)
    margins = {"content_free": question_margin(truth), "better": skilled(truth, 2.0, 3)}
    for level in ("frame", "participant"):
        table = made_table(truth, margins, level=level)
        rows = list(comparison_rows(table, ("content_free",), CONFIG))
        who = [s for s in range(12) if s != 3]  # who has no positive frame has no F1 of it
        for metric, score in (("AVGF1", metrics.avgf1), ("AP", metrics.average_precision)):
            each = [
                score(table.methods[1].probability[mine], label[mine])
                - score(table.methods[0].probability[mine], label[mine])
                for mine in (truth.participant == s for s in who)
            ]
            row = _one(rows, metric=metric)
            assert (row["own_score"], row["n_participants"]) == (metric, 11)
            assert row["p_wilcoxon"] == pytest.approx(stats.wilcoxon(each).pvalue)
            if level == "participant":
                assert row["difference"] == pytest.approx(np.mean(each))


def test_who_is_better_and_who_is_not(table: Table) -> None:
    rows = list(comparison_rows(table, REFERENCES, CONFIG))
    assert {row["reference"] for row in rows} == {"content_free"}
    assert len(rows) == 4 * len(COMPARED)
    better, twin, noise = (_one(rows, method=name, metric="AUROC") for name in ("better", "twin", "noise"))
    assert better["low"] > 0
    assert better["p_holm"] < 0.05
    assert (twin["difference"], twin["low"], twin["high"], twin["p_bootstrap"], twin["p_holm"]) == (0, 0, 0, 1, 1)
    assert _one(rows, method="twin", metric="AVGF1")["p_wilcoxon"] == 1
    assert noise["high"] < 0


def test_families_are_methods_of_one_table_and_metric(table: Table) -> None:
    rows = list(comparison_rows(table, ("content_free",), CONFIG))
    for metric in COMPARED:
        family = [row for row in rows if row["metric"] == metric and row["method"] != "all_negative"]
        assert {row["methods_in_family"] for row in family} == {3}
        expected = holm(np.array([row["p_bootstrap"] for row in family]))
        np.testing.assert_allclose([row["p_holm"] for row in family], expected)
        control = _one(rows, method="all_negative", metric=metric)
        assert control["p_bootstrap"] is not None
        assert (control["p_holm"], control["methods_in_family"]) == (None, 0)


def test_pairs_share_their_items(table: Table) -> None:
    """A method that misses people is compared on those it has."""
    truth = table.truth
    some = np.flatnonzero(truth.participant < 25)
    part = made(truth, "part", question_margin(truth) + 1.0, some)
    rows = list(comparison_rows(replace(table, methods=[*table.methods, part]), ("content_free",), CONFIG))
    row = _one(rows, method="part", metric="AVGF1")
    control = next(p for p in table.methods if p.name.method == "content_free")
    gap = metrics.avgf1(part.probability, truth.label[some]) - metrics.avgf1(
        control.probability[some], truth.label[some]
    )
    assert row["difference"] == pytest.approx(gap, abs=1e-12)
    assert row["participants"] == row["n_participants"] == 25


def test_what_was_adapted_is_compared_with_the_same_network_unadapted() -> None:
    truth = made_truth(people=10)
    rows = [("source_only", "can"), ("source_only", "bottleneck"), ("tent", "can"), ("tent", "bottleneck")]
    rows += [("tda", "clip"), ("content_free", "")]
    methods = [made(truth, name, skilled(truth, 1.0, n), network=net) for n, (name, net) in enumerate(rows)]
    table = Table("video", "test", "block", truth, methods)
    found = [row for row in comparison_rows(table, REFERENCES, CONFIG) if row["metric"] == "AP"]
    gap = {(r["method"], r["network"]): r["difference"] for r in found if r["reference"] == "source_only"}
    assert gap.keys() == {("tent", "can"), ("tent", "bottleneck")}
    assert gap["tent", "can"] != gap["tent", "bottleneck"]
    assert sum(row["reference"] == "content_free" for row in found) == 5


def test_a_reference_has_the_methods_modalities_where_it_can() -> None:
    truth = made_truth(people=10)
    methods = [
        made(truth, name, skilled(truth, 1.0, seed), modalities=modalities)
        for seed, (name, modalities) in enumerate(
            [("content_free", ""), ("source_only", "V"), ("source_only", "VAT"), ("shot", "V"), ("mllm", "VT")]
        )
    ]
    table = Table("video", "test", "block", truth, methods)
    rows = [row for row in comparison_rows(table, REFERENCES, CONFIG) if row["metric"] == "AP"]
    pairs = {(row["method"], row["modalities"], row["reference"], row["reference_modalities"]) for row in rows}
    assert {pair for pair in pairs if pair[2] == "source_only"} == {
        ("shot", "V", "source_only", "V"),
        ("mllm", "VT", "source_only", "V"),
        ("mllm", "VT", "source_only", "VAT"),
    }
    assert {pair[:2] for pair in pairs if pair[2] == "content_free"} == {
        ("source_only", "V"),
        ("source_only", "VAT"),
        ("shot", "V"),
        ("mllm", "VT"),
    }


def test_one_class_leaves_rankings_undefined() -> None:
    truth = made_truth(people=6)
    truth = replace(truth, label=np.zeros_like(truth.label))
    table = made_table(truth, {"content_free": question_margin(truth), "model": skilled(truth, 1.0, 0)})
    rows = list(comparison_rows(table, ("content_free",), CONFIG))
    row = _one(rows, metric="AUROC")
    assert (row["difference"], row["low"], row["p_bootstrap"], row["p_holm"]) == (None, None, None, None)
    assert _one(rows, metric="AVGF1")["difference"] is not None


def test_a_variant_is_held_against_the_model_without_it() -> None:
    truth = made_truth(people=40)
    question = question_margin(truth)
    margins = {
        "content_free": question,
        "lfan": question + skilled(truth, 0.5, 1),
        "lfan.w24": question + skilled(truth, 3.0, 2),
        "lfan.w48": question + skilled(truth, 0.5, 3),
        "can": question + skilled(truth, 0.5, 4),
    }
    known = {method: recorded(method, "T") for method in ("lfan", "can")}
    known |= {f"lfan.w{window}": widened("lfan", "T", window) for window in (24, 48)}
    methods = [made(truth, method, margins[method], model=model) for method, model in known.items()]
    others = [(recorded("lfan", "A"), "lfan"), (widened("lfan", "A", 24), "lfan.w24")]
    methods += [made(truth, name, margins[name], modalities="A", model=model) for model, name in others]
    plain = made_table(truth, {"content_free": question})
    # a name with a point is a label like any other
    methods.append(made(truth, "lfan.not_a_variant", margins["can"], model=None))
    rows = list(comparison_rows(replace(plain, methods=(*plain.methods, *methods)), REFERENCES, CONFIG))
    against = [row for row in rows if row["reference"] == "lfan" and row["metric"] == "AVGF1"]
    assert [(row["method"], row["modalities"], row["reference_modalities"]) for row in against] == [
        ("lfan.w24", "T", "T"), ("lfan.w48", "T", "T"), ("lfan.w24", "A", "A"),
    ]  # fmt: skip
    assert {row["methods_in_family"] for row in against} == {3}
    mine, base = (metrics.avgf1(1 / (1 + np.exp(-margins[name])), truth.label) for name in ("lfan.w24", "lfan"))
    assert against[0]["difference"] == pytest.approx(mine - base, abs=1e-12)
    assert against[0]["p_holm"] < 0.05 < against[1]["p_holm"]
    # against the control they are methods like any other
    assert _one(rows, method="lfan.w48", reference="content_free", metric="AP")["methods_in_family"] == 7


def test_a_variant_with_one_more_modality_is_held_against_the_model_that_lacks_it() -> None:
    truth = made_truth(people=10)
    question = question_margin(truth)
    cued = recorded("conflict", "VTC", "with_cues", "VT", modalities="VTC")
    models = [recorded("conflict", "VT"), recorded("conflict", "VTC"), cued, recorded("conflict", "VT", "no_pairs"),
              cued.head]  # fmt: skip
    methods = [
        made(truth, one.method, question + skilled(truth, 0.5, number), modalities=one.modalities, model=one)
        for number, one in enumerate(models)
    ]
    plain = made_table(truth, {"content_free": question})
    compared = comparison_rows(replace(plain, methods=(*plain.methods, *methods)), REFERENCES, CONFIG)
    against = [row for row in compared if row["reference"] == "conflict" and row["metric"] == "AP"]
    assert {(row["method"], row["modalities"], row["reference_modalities"]) for row in against} == {
        ("conflict.with_cues", "VTC", "VT"),
        ("conflict.with_cues.video-head", "VTC", "VT"),
        ("conflict.no_pairs", "VT", "VT"),
    }


def test_what_adapts_clip_is_held_against_clip_with_the_same_sentences() -> None:
    truth = made_truth(people=10)
    names = ("clip_zero_shot", "clip_ensemble", "clip_au", "tda", "dpe", "clip_autt")
    plain = made_table(truth, {name: skilled(truth, 0.5, number) for number, name in enumerate(names)})
    methods = tuple(replace(one, name=one.name._replace(network="clip")) for one in plain.methods)
    rows = comparison_rows(replace(plain, methods=methods), REFERENCES, CONFIG)
    assert {(row["method"], row["reference"]) for row in rows} == {
        ("tda", "clip_zero_shot"),
        ("dpe", "clip_ensemble"),
        ("clip_autt", "clip_au"),
        ("clip_ensemble", "clip_zero_shot"),
        ("clip_au", "clip_zero_shot"),
    }
