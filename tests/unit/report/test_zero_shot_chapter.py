"""The page's chapter of language models, of predictions made by hand in the schema."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from prompted_predictions import write_asked
from waver.config.sections import EvaluateConfig
from waver.evaluation.comparisons import COMPARISONS
from waver.evaluation.decomposition import DECOMPOSITION
from waver.evaluation.groups import group_names
from waver.evaluation.labels import frame_truth, video_truth
from waver.evaluation.method_tables import SPLITS, arrange
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.predictions import read_predictions
from waver.evaluation.reliability import CALIBRATION
from waver.evaluation.scores import table_rows
from waver.evaluation.single_seeds import with_single_seeds
from waver.io.tables import ANSWERS, SCORES, read_tables, write_table
from waver.report.build import render_report
from waver.report.data import load
from waver.report.papers.prompted_cells import EQUAL, NOT_ABOVE, plain_statement, prompted_cells
from waver.report.zeroshot import zero_shot_chapter
from waver.zeroshot.condition_scores import score_conditions
from waver.zeroshot.records import Condition

SIMPLE, SPOKEN = Condition("video_llava", "s"), Condition("video_llava", "td1")
WINDOWS, TEXT = Condition("video_llava", "td1", 24), Condition("causal_lm", "td1")


STATISTICS = {"comparisons": COMPARISONS, "calibration": CALIBRATION, "decomposition": DECOMPOSITION}
"""Empty here: they are of other chapters."""


def write_scores(path, predictions, inputs, config):
    """The scores table, as the rule of scores makes it, without the statistics."""
    truths = {"frame": frame_truth(inputs.pack_indexes, inputs.packs, SPLITS)}
    truths["video"] = video_truth(inputs.answers, SPLITS)
    groups = group_names(inputs.participants, read_tables(inputs.answers, ANSWERS))
    found = read_predictions(predictions, truths)
    everyone = [Paired(table, config) for table in arrange(found, truths, config.window_frames)]
    rows = [row for paired in everyone for row in table_rows(paired, groups, config)]
    write_table(path, with_single_seeds(rows, everyone, truths, groups, config), SCORES)


@pytest.fixture(scope="module")
def asked(made, report_config, tmp_path_factory):
    """Inputs of a run that asked two models: random weights over videos and windows, a packaged text model."""
    folder = tmp_path_factory.mktemp("asked")
    rng = np.random.default_rng(0)
    indexes = made.inputs.pack_indexes

    def noise(row, items):
        return rng.normal(size=items)

    paths = [
        write_asked(folder, indexes, SIMPLE, lambda row, items: np.full(items, -3.0)),
        write_asked(folder, indexes, SPOKEN, noise),
        write_asked(folder, indexes, WINDOWS, noise),
        write_asked(
            folder,
            indexes,
            TEXT,
            noise,
            weights="packaged",
            answers="generate",
            unparsable=0.125,
            order_disagreement=0.25,
        ),
    ]
    config = EvaluateConfig(bootstrap=100, least_group=3)
    controls = [path for path in made.inputs.predictions if path.stem.split(".")[0] in ("all_negative", "content_free")]
    written = {name: folder / f"{name}.parquet" for name in STATISTICS}
    for name, schema in STATISTICS.items():
        write_table(written[name], [], schema)
    write_scores(folder / "scores.parquet", [*controls, *paths], made.inputs, config)
    score_conditions(paths, indexes, made.inputs.packs, made.inputs.answers, config, folder / "conditions.parquet")
    tables = {"scores": folder / "scores.parquet", "conditions": folder / "conditions.parquet"}
    inputs = replace(made.inputs, histories={}, **written, **tables)
    return inputs, report_config, folder


@pytest.fixture(scope="module")
def page(asked):
    inputs, config, folder = asked
    render_report(inputs, config, "demo", True, folder / "report.html", folder / "figures")
    html = (folder / "report.html").read_text()
    return re.search(r'<section id="prompted">.*?</section>', html, re.DOTALL)[0]


@pytest.fixture(scope="module")
def chapter(asked):
    inputs, config, _ = asked
    return zero_shot_chapter(load(inputs, config, "demo", True))


def table(chapter, start):
    return next(one for label, one in [*chapter.tables, *chapter.more] if label.startswith(start))


def cells(shown, name):
    row = next(row for row in (*shown.methods, *shown.controls) if row.name.startswith(name))
    return row, dict(zip(shown.heads, row.cells, strict=True))


@pytest.mark.slow
def test_a_collapsed_condition_is_marked_and_both_thresholds_stand_side_by_side(chapter):
    shown = table(chapter, "Videos, test")
    row, simple = cells(shown, "Video-LLaVA, simple")
    assert (simple["Predicted A/H"].text, simple["Predicted A/H"].below) == ("0 %", "collapsed")
    assert row.note == "whole videos; no transcript; answers by score; weights tiny random"
    assert "All lines: prompts released." in shown.caption
    _, spoken = cells(shown, "Video-LLaVA, transcript + definition 1")
    assert spoken["Predicted A/H"].below == ""
    assert spoken["AVGF1"].below
    assert "above ." in spoken["AVGF1, threshold of val"].below
    assert spoken["AP"].text != "–"


def test_what_a_call_costs_and_what_answers_weigh_is_in_every_row(chapter):
    _, found = cells(table(chapter, "Videos, test"), "Text LLM")
    assert found["Unparsable"].text == "12.5 %"
    assert found["Differs by order"].text == "25.0 %"
    assert found["Label mass"].text == "0.2 %"
    assert (found["Calls"].text, found["Calls"].below) == ("10", "0.05 s\n2,100 tokens")


def test_orders_have_a_column_where_some_prompt_has_two(chapter):
    frames = table(chapter, "Frames, test split")
    assert "Differs by order" not in frames.heads
    assert {len(row.cells) for row in (*frames.methods, *frames.controls)} == {len(frames.heads)}
    videos = table(chapter, "Videos, test split")
    assert {len(row.cells) for row in (*videos.methods, *videos.controls)} == {len(videos.heads)}
    assert cells(videos, "Video-LLaVA, simple")[1]["Differs by order"].text == "–"


def test_controls_stand_below_and_val_has_no_tuned_threshold(chapter):
    shown = table(chapter, "Videos, test")
    assert [row.name for row in shown.controls] == ["All negative", "Content-free control"]
    _, constant = cells(shown, "All negative")
    assert constant["Predicted A/H"].text == "0 %"
    _, val = cells(table(chapter, "Videos, validation"), "Text LLM")
    assert val["AVGF1, threshold of val"].text == "–"
    assert [label for label, _ in chapter.tables] == ["Videos, test split", "Frames, test split"]
    assert {label for label, _ in chapter.more} >= {"Frames, validation split", "By language"}


@pytest.mark.slow
def test_the_page_says_what_random_weights_are_worth_and_which_prompts_were_asked(page, chapter):
    assert "Video-LLaVA: a small network with random weights" in chapter.opening[0]
    assert "Text LLM: a small model out of an installed package" in chapter.opening[1]
    assert "scores are worth nothing" in page
    prompts = dict(chapter.prompts)
    assert [prompt for prompt, _, _ in prompts["released"]] == ["s", "td1"]
    assert "Video transcript: {transcript}." in page


def test_languages_have_their_own_scores(chapter):
    shown = table(chapter, "By language")
    assert shown.heads == ("Everyone", "English", "French")
    assert {row.name for row in shown.controls} >= {"Content-free control"}
    assert "Text LLM V+T, prompt td1, whole videos" in {row.name for row in shown.methods}


def test_a_run_that_asked_nobody_has_no_chapter(made, report_config):
    assert zero_shot_chapter(load(made.inputs, report_config, "demo", True)) is None


def test_the_plain_statement_counts_the_published_cells_that_say_nothing():
    video, frame = prompted_cells("video"), prompted_cells("frame")
    assert [sum(cell.verdict == EQUAL for cell in cells) for cells in (video, frame)] == [6, 2]
    assert {cell.name for cell in video if cell.verdict == NOT_ABOVE} == {
        "Video-LLaVA V definition 1, zero-shot", "AffectGPT V+A simple, zero-shot", "Video-LLaVA V definition 1",
    }  # fmt: skip
    text = plain_statement(frame)
    assert text.startswith("Of 15 published scores of frames, 2 equal that of a predictor with one answer")
    assert "5 more are not above the better such predictor and 7 less than .01 above it." in text
    assert text.endswith("Further above it: Video-LLaVA V definition 1 (dataset paper, .4804).")
    assert plain_statement(video).endswith("(2026 paper, .3945). All of these had the transcript.")
