"""Scores of single seeds beside the score of the averaged seeds, wherever a score of ours stands."""

import csv
import io
from dataclasses import replace

import pytest

from recorded import recorded, widened
from waver.io.tables import SCORES, read_table
from waver.report.data import load
from waver.report.figures.published_scores import published_and_own
from waver.report.figures.reliability import calibration_table, curves
from waver.report.figures.score_charts import draw_difference, draw_forest, draw_groups, draw_within
from waver.report.figures.window_length import window_tables
from waver.report.papers.layouts import Run, layouts
from waver.report.papers.paper_table import paper_tables
from waver.report.ranking import AVERAGED, AVERAGED_SCORES, COMPARABLE, ranked_methods
from waver.report.tables.differences import differences
from waver.report.tables.formats import form
from waver.report.tables.results import results
from waver.report.tables.variants import variant_table
from waver.report.text.facts import compared
from waver.report.text.findings import gaps
from waver.report.text.summary import summary
from waver.training.trained_model import NO_MODEL

PLAIN, NARROW = recorded("lfan", "VAT"), widened("lfan", "VAT", 24)
MODELS = {"lfan": PLAIN.columns, NARROW.method: NARROW.columns}


def row(method, metric, value, seed_mean, seed_sd, modalities="VAT", level="frame"):
    return {
        "method": method, "modalities": modalities, **MODELS.get(method, NO_MODEL),
        "level": level, "split": "test", "protocol": "standard",
        "group": "all", "metric": metric, "value": value, "low": value - 0.02, "high": value + 0.02,
        "seed_mean": seed_mean, "seed_sd": seed_sd, "n": 100, "participants": 9, "positives": 20,
        "predicted_positives": 30, "seeds": 3 if seed_sd is not None else 1, "model_set": "embedded",
    }  # fmt: skip


METRICS = ("AVGF1", "AP_paper", "AP")
ROWS = [
    row(method, metric, value, mean, sd, modalities)
    for method, modalities, value, mean, sd in (
        ("lfan", "VAT", 0.6, 0.5627, 0.0141),
        ("lfan", "V", 0.5, 0.5, None),
        ("lfan.w24", "VAT", 0.61, 0.5712, 0.0233),
        ("content_free", "", 0.45, 0.45, None),
    )
    for metric in METRICS
]
OWN = Run("", "", frozenset(), ROWS, "made-up people")


@pytest.mark.parametrize("level", ["frame", "participant", "video"])
def test_on_the_page_they_stand_below_the_interval(level):
    rows = [{**one, "level": level} for one in ROWS]
    rows.append(row("lfan", "AVGF1_sd", 0.1, 0.12, 0.01, level=level))
    table = results(rows, level, "test")
    cells = {one.name: one.cells[0] for one in (*table.methods, *table.controls)}
    first = "sd .10\n" if level == "participant" else ""
    assert cells["LFAN V+A+T"].below == f"{first}.58–.62\nseeds .563 ± .014"
    assert cells["LFAN V+A+T"].text == ".600"
    assert "seeds" not in cells["LFAN V"].below + cells["Content-free control"].below
    assert table.caption.endswith(COMPARABLE)


def test_in_the_papers_tables_they_are_told_with_four_digits_and_as_columns():
    layout = next(one for one in layouts()["tables"] if one["table"] == "2026_table_2")
    sheets = paper_tables(layout, [OWN])
    assert "| .6000 [.58–.62; seeds .5627 ± .0141] | .5502 |" in form(sheets, "md")
    assert "| .5000 [.48–.52] | .5165 |" in form(sheets, "md")
    assert "{\\scriptsize .58--.62; seeds .5627 $\\pm$ .0141}" in form(sheets, "tex")
    found = list(csv.DictReader(io.StringIO(form(sheets, "csv"))))
    several, one = (next(line for line in found if line["Modalities"] == name)
                    for name in ("Visual + Audio + Text", "Visual"))  # fmt: skip
    assert (several["AVGF1"], several["AVGF1 seed mean"], several["AVGF1 seed sd"]) == ("0.6", "0.5627", "0.0141")
    assert (one["AVGF1"], one["AVGF1 seed mean"], one["AVGF1 seed sd"]) == ("0.5", "0.5", "")


def test_a_score_without_an_interval_keeps_its_columns():
    layout = next(one for one in layouts()["tables"] if one["table"] == "2026_table_2")
    bare = [{**one, "low": None, "high": None} for one in ROWS]
    found = list(csv.DictReader(io.StringIO(form(paper_tables(layout, [replace(OWN, scores=bare)]), "csv"))))
    line = next(one for one in found if one["Modalities"] == "Visual + Audio + Text")
    names = ("AVGF1", "AVGF1 low", "AVGF1 high", "AVGF1 seed mean", "AVGF1 seed sd")
    assert [line[name] for name in names] == ["0.6", "", "", "0.5627", "0.0141"]


def test_the_table_of_windows_tells_them():
    (table,) = window_tables([OWN])
    assert [one.cells[0].below for one in table.lines[:2]] == [
        ".59–.63\nseeds .5712 ± .0233",
        ".58–.62\nseeds .5627 ± .0141",
    ]
    assert COMPARABLE in table.caption


def test_every_table_of_the_papers_says_which_is_comparable():
    for layout in layouts()["tables"]:
        scores = [{**one, "level": layout["level"]} for one in ROWS]
        for sheet in paper_tables(layout, [replace(OWN, scores=scores)]):
            assert COMPARABLE in sheet.caption, layout["table"]


def test_differences_are_of_averaged_seeds_and_variants_show_both_models(tmp_path):
    gap = {"level": "frame", "split": "test", "protocol": "standard", "modalities": "VAT", "participants": 9,
           "metric": "AVGF1", "difference": 0.01, "low": -0.01, "high": 0.03, "p_holm": 0.4, "shift": None,
           "least_p_holm": 0.01, "least_p_wilcoxon_holm": None, "resamples": 1000}  # fmt: skip
    against = {**gap, **PLAIN.columns, "method": "lfan", "reference": "content_free", "reference_modalities": ""}
    assert AVERAGED in differences([against], "frame", "test").caption
    assert AVERAGED in draw_difference(gaps([against], "frame", "test"), "frame", "test", tmp_path).caption
    varied = {**gap, **NARROW.columns, "method": NARROW.method, "reference": "lfan", "reference_modalities": "VAT"}
    table = variant_table([varied], "frame", "test", ROWS)
    assert table.methods[0].cells[0].below == "−.01 to .03\np .40\nseeds .571 ± .023\nbase .563 ± .014"
    assert AVERAGED in table.caption
    assert COMPARABLE in table.caption


@pytest.mark.slow
def test_the_sentences_have_them_for_the_methods_they_name(made, report_config):
    material = load(made.inputs, report_config, "demo", False)
    ((_, text),) = summary(replace(material, comparisons=[], scores=ROWS))
    assert "LFAN V+A+T, window 24" in text
    assert ".610 (95 % interval .59 to .63; single seeds, mean ± sd: .571 ± .023)" in text
    assert "scores .450 (95 % interval .43 to .47)." in text  # the control has one seed
    alone = [{**one, "seed_sd": None, "seeds": 1} for one in ROWS]
    ((_, text),) = summary(replace(material, comparisons=[], scores=alone))
    assert "seeds" not in text


def test_figures_say_that_their_scores_are_of_averaged_seeds(tmp_path):
    found = ranked_methods(
        [*ROWS, *(row("lfan", name, 0.6, 0.56, 0.01) for name in ("AUROC", "AUROC_within"))], "frame", "test"
    )
    grouped = [*ROWS, *({**one, "group": "sex=Female"} for one in ROWS)]
    drawn = [draw_forest(found, "frame", "test", tmp_path), draw_within(found, "frame", "test", tmp_path),
             draw_groups(grouped, "frame", "test", tmp_path, 5)]  # fmt: skip
    assert all(one.caption.endswith(AVERAGED_SCORES) for one in drawn)


def test_what_was_scored_reaches_every_table(made, report_config):
    """From predictions of two seeds to the cells; the model of one seed has none."""
    material = load(made.inputs, report_config, "demo", False)
    scores = read_table(made.inputs.scores, SCORES)
    assert {one["method"] for one in scores if one["seed_sd"] is not None} == {"can"}
    for level in ("frame", "participant", "video"):
        actual = {one.name: one.cells[0].below for one in results(scores, level, "test").methods}
        assert [name for name, below in actual.items() if "seeds" in below] == ["CAN V+A+T"]
    split, found = curves(material.calibration, "frame")
    table = calibration_table(found, "frame", split, scores)
    shown = {one.name: [cell.below for cell in one.cells] for one in table.methods}
    assert [below[:6] for below in shown["CAN V+A+T"]] == ["seeds ", "", "seeds ", "", "", "", ""]
    assert not any(shown["LFAN V"])
    assert "compare it with the mean of our single seeds" in compared(material, "frame")


def test_the_figure_of_published_scores_marks_the_mean_of_the_single_seeds(made, report_config):
    material = load(made.inputs, report_config, "demo", False)
    alone = [one for one in material.scores if one["method"] in ("can", "content_free")]
    ours = published_and_own(replace(material, scores=alone), "frame")[-1]
    found = next(one for one in alone if (one["method"], one["level"], one["split"], one["group"], one["metric"])
                 == ("can", "frame", "test", "all", "AVGF1"))  # fmt: skip
    assert ours.values == (found["seed_mean"],)
    assert ", seeds ." in ours.label
    single = [{**one, "seed_sd": None} for one in alone]
    assert published_and_own(replace(material, scores=single), "frame")[-1].values == ()
