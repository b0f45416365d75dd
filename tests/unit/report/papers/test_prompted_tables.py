"""The papers' tables of language models, filled by what was asked."""

from __future__ import annotations

import numpy as np
import pytest

from waver.evaluation import metrics
from waver.evaluation.prevalence import constant_score
from waver.io.tables import SCORES, write_table
from waver.report.formatting import row_name
from waver.report.papers.layouts import Run, layouts, read_runs
from waver.report.papers.paper_table import paper_tables
from waver.report.papers.published import published, releases
from waver.report.ranking import best, ranked_methods
from waver.report.tables.results import results
from waver.training.trained_model import NO_MODEL


def rows(method, modalities="", level="video", n=525, predicted=300, models="real", **metrics):
    about = {
        "method": method, "modalities": modalities, **NO_MODEL, "network": None, "level": level, "split": "test",
        "protocol": "standard", "group": "all", "n": n, "participants": 75, "positives": n // 2,
        "predicted_positives": predicted, "seeds": 1, "model_set": models, "low": None, "high": None,
        "seed_mean": None, "seed_sd": None,
    }  # fmt: skip
    return [{**about, "metric": metric, "value": value} for metric, value in metrics.items()]


def sheet(name, *scores):
    layout = next(entry for entry in layouts()["tables"] if entry["table"] == name)
    return paper_tables(layout, [Run("", "", frozenset(), [row for some in scores for row in some], "data")])[0]


def cells(table, *labels):
    found = next(line for line in table.lines if line.labels[: len(labels)] == labels)
    return dict(zip((column.head for column in table.columns), found.cells, strict=True))


def test_a_row_is_filled_by_the_model_prompt_and_window_that_it_names():
    table = sheet(
        "2026_table_7_video",
        rows("video_llava.td1.video", "VT", AVGF1=0.6),
        rows("video_llava_tuned.td1.video", "VT", AVGF1=0.7),
        rows("video_llava.td1.w8", "VT", AVGF1=0.5),
        rows("causal_lm.td1.video", "T", AVGF1=0.55, models="packaged"),
    )
    mine = cells(table, "Video-LLaVA", "Transcript + Definition 1", "zero-shot")
    assert (mine["AVGF1"].text, mine["AVGF1, published"].text) == (".6000", ".6341")
    assert cells(table, "Video-LLaVA", "Transcript + Definition 1", "fine-tuned")["AVGF1"].text == ".7000"
    also = [line.labels[0] for line in table.lines if line.body == "Not in the paper"]
    assert also == ["Text LLM T, prompt td1, whole videos", "Video-LLaVA V+T, prompt td1, windows of 8 frames"]
    assert table.ours == 4


def test_windows_fill_the_tables_of_frames():
    scores = [rows(f"video_llava.td1.w{w}", "VT", "frame", F1=w / 1000, WF1=0.5) for w in (8, 24, 192)]
    context = sheet("2025_table_20", *scores)
    assert cells(context, "24 frames")["F1"].text == ".0240"
    assert cells(context, "192 frames")["F1, published"].text == ".3618"
    assert cells(sheet("2025_table_19", *scores), "Transcript + Definition 1")["F1"].text == ".0080"
    assert cells(context, "48 frames")["F1"].note


@pytest.mark.parametrize(
    ("name", "labels", "how"),
    [
        ("2025_table_20", ("48 frames",), "video_llava], with td1 among zeroshot.prompts, and zeroshot.windows: [48]"),
        (
            "2026_table_7_video",
            ("AffectGPT", "Simple"),
            "affectgpt], with s among zeroshot.prompts, and zeroshot.video",
        ),
        (
            "2026_table_7_video",
            ("Video-LLaVA", "Transcript + Definition 1", "fine-tuned"),
            "zeroshot.finetune.models: [video_llava], and zeroshot.finetune.prompt: td1",
        ),
    ],
)
def test_a_row_that_was_not_run_names_the_lines_that_run_it(name, labels, how):
    table = sheet(name)
    cell = cells(table, *labels)[table.columns[0].head]
    assert how in table.notes[cell.note - 1]


def test_cells_of_constants_are_marked_and_random_weights_are_named():
    scores = rows("video_llava.s.video", "V", predicted=0, models="tiny random", AVGF1=0.2828)
    table = sheet("2026_table_7_video", scores)
    mine = cells(table, "Video-LLaVA", "Simple")
    assert mine["AVGF1, published"].below == "= all-negative"
    assert mine["Predicted A/H"].below.endswith("= all-negative")
    assert mine["Seeds, models"].below == "tiny random"


def test_a_cell_says_which_prompts_made_it(tmp_path):
    files = {name: tmp_path / f"{name}.parquet" for name in ("own", "other")}
    scores = {
        "own": rows("video_llava.td1.video", "VT", AVGF1=0.6),
        "other": rows("affectgpt.s.video", "VA", AVGF1=0.5),
    }
    for name, prompts in (("own", "released"), ("other", "paper2026")):
        about = {"prompt_sets": {scores[name][0]["method"]: prompts}}
        write_table(files[name], [dict.fromkeys(SCORES.names) | row for row in scores[name]], SCORES, about)
    runs = read_runs(files["own"], "", [], "data", {"again": files["other"]})
    layout = next(entry for entry in layouts()["tables"] if entry["table"] == "2026_table_7_video")
    table = paper_tables(layout, runs)[0]
    note = cells(table, "Video-LLaVA", "Transcript + Definition 1")["AVGF1"].note
    assert table.notes[note - 1] == "asked with the prompts released"
    (other,) = [line for line in table.lines if "run again" in line.labels[0]]
    assert table.notes[other.cells[0].note - 1] == "asked with the prompts paper2026"


def test_every_published_number_of_a_language_model_is_in_a_layout():
    layouts_of = {tuple(entry["published"]) for entry in layouts()["tables"]}
    requested = [t for level in ("frame", "video") for t in published(level) if "language model" in t.title]
    assert {(table.paper, table.table) for table in requested} <= layouts_of
    assert sum(len(table.rows) for table in requested) == 5 + 12 + 5 + 5 + 5


def test_conditions_have_readable_names():
    name = row_name({"method": "video_llava.td1.w24.contextual", "modalities": "VT"})
    assert name == "Video-LLaVA V+T, prompt td1, windows of 24 frames, contextual calibration"
    tuned = row_name({"method": "video_llava_tuned.td1.video", "modalities": "VT"})
    assert tuned == "Video-LLaVA V+T, fine-tuned, prompt td1, whole videos"
    assert row_name({"method": "new_model.s.video", "modalities": "V"}) == "new model V, prompt s, whole videos"


def test_random_weights_are_never_called_best():
    scores = [
        *rows("video_llava.td1.video", "VT", models="tiny random", AVGF1=0.9),
        *rows("causal_lm.td1.video", "T", models="embedded", AVGF1=0.5),
    ]
    assert best(ranked_methods(scores, "video", "test")).method == "causal_lm.td1.video"
    notes = {row.name: row.note for row in results(scores, "video", "test").methods}
    assert notes["Video-LLaVA V+T, prompt td1, whole videos"] == "random weights: its scores mean nothing"
    assert notes["Text LLM T, prompt td1, whole videos"] == ""


CONSTANTS = [
    ("300", "video", (0.2828, 0.2230), (0.3772, 0.4570)),
    ("300", "frame", (0.4456, 0.7163), (0.1640, 0.0644)),
    ("224", "video", (0.2807, 0.2191), (0.3788, 0.4619)),
    ("224", "frame", (0.4453, 0.7148), (0.1648, 0.0650)),
]
"""Release, level, and AVGF1 and WF1 of all-negative and of all-positive on its test split."""


@pytest.mark.parametrize(("release", "level", "negative", "positive"), CONSTANTS)
def test_constants_of_the_published_test_splits_follow_from_labels_like_theirs(release, level, negative, positive):
    counts = releases()[release][level]
    label = (np.arange(counts["n"]) < counts["positives"]).astype(np.uint8)
    for answer, printed in ((0.0, negative), (1.0, positive)):
        cells = metrics.confusion(np.full(len(label), answer), label)
        scores = metrics.avgf1_of(cells).item(), metrics.wf1_of(cells).item()
        assert scores == pytest.approx(printed, abs=6e-5)
        share = counts["positives"] / counts["n"]
        assert scores[0] == pytest.approx(constant_score("AVGF1", share, bool(answer)))
