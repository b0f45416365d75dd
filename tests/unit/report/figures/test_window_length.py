"""Names of variants, and the length of the window: its figure on the page and as a file, and its numbers."""

import re
from dataclasses import replace

import pytest

from recorded import recorded, widened
from waver.report.build import _window_length
from waver.report.data import load
from waver.report.figures.style import INK, LINE, SERIES
from waver.report.figures.window_length import METRICS, draw_window_length, tried, window_tables
from waver.report.formatting import row_name
from waver.report.papers.layouts import Run
from waver.report.tables.names import FIGURE
from waver.training.trained_model import NO_MODEL

WINDOW = 696
TITLES = (">AVGF1<", ">F1 of A/H<", ">WF1<", ">AP (papers')<", ">AP<")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (widened("lfan", "V", 24), "LFAN V, window 24"),
        (recorded("lfan", "VATQ", "w24", window=96), "LFAN V+A+T + question, w24 (window 96)"),
        (recorded("lfan", "V", "w24", lr=0.1), "LFAN V, w24"),
        (recorded("lfan", "V", "w96", window=96, lr=0.1), "LFAN V, w96 (window 96)"),
        (recorded("lfan", "V", "window_24", window=24, hop=24), "LFAN V, window 24 (window 24)"),
        (recorded("conflict", "VATQ", "no_pairs", options={}), "Conflict model V+A+T + question without pairs"),
        (recorded("conflict", "VT", "difference_only", options={}), "Conflict model V+T, difference only"),
        (recorded("can", "V", "released_padding", padding="repeat"), "CAN V, released padding"),
        (recorded("can", "V", "content_free", lr=0.1), "CAN V, content free"),
        (
            recorded("conflict", "VT", "no_pairs", options={}).head,
            "Conflict model V+T without pairs, video-level head",
        ),
    ],
)
def test_the_name_of_a_variant_follows_the_model(model, name):
    assert row_name({**model.columns, "method": model.method, "modalities": model.modalities}) == name


def rows(model, value, split="test", **own):
    """Rows of the scores table: ``value`` for every metric but those of ``own``, intervals of .05 to both sides."""
    about = {"level": "frame", "split": split, "protocol": "standard", "group": "all", "n": 100, "participants": 9,
             "positives": 20, "predicted_positives": 30, "seeds": 1, "model_set": "embedded"}  # fmt: skip
    method, modalities = (model, "") if isinstance(model, str) else (model.method, model.modalities)
    columns = NO_MODEL if isinstance(model, str) else model.columns
    values = dict.fromkeys(METRICS, value) | own
    return [
        {**about, **columns, "method": method, "modalities": modalities, "metric": metric, "value": one,
         "low": one - 0.05, "high": one + 0.05}
        for metric, one in values.items()
    ]  # fmt: skip


SHORT = widened("lfan", "VAT", 24)
BASE = rows(recorded("lfan", "VAT", window=WINDOW), 0.5)
CONTROLS = [*rows("content_free", 0.45), *rows("all_negative", 0.2)]
TRIED = [
    row
    for frames, value in ((24, 0.41), (2880, 0.48), (96, 0.52))
    for row in rows(widened("lfan", "VAT", frames), value)
]
SCORES = [*BASE, *TRIED, *CONTROLS]


def test_the_configured_length_is_one_of_those_tried_and_lengths_ascend():
    others = [recorded("lfan", "VAT", "slow", lr=0.1), recorded("lfan", "V"), recorded("can", "VAT"),
              recorded("conflict", "VTC", "with_cues", modalities="VTC"), recorded("lfan", "VAT", "hops", hop=9),
              recorded("lfan", "VAT", "w48", window=48, lr=0.1), widened("lfan", "VAT", 48).head]  # fmt: skip
    found = tried([*SCORES, *(row for model in others for row in rows(model, 0.6))], "test")
    assert list(found) == ["LFAN V+A+T"]
    assert [(frames, row.value("AP")) for frames, row in found["LFAN V+A+T"]] == [
        (24, 0.41), (96, 0.52), (WINDOW, 0.5), (2880, 0.48),
    ]  # fmt: skip
    # a length that was named although it is the configured one stands for itself
    again = tried([*SCORES, *rows(recorded("lfan", "VAT", "w696"), 0.7)], "test")["LFAN V+A+T"]
    assert [row.value("AP") for frames, row in again if frames == WINDOW] == [0.7]


def test_a_variant_has_the_window_of_its_recipe_whatever_its_name():
    scores = [*BASE, *rows(recorded("lfan", "VAT", "w24", window=96), 0.6), *CONTROLS]
    scores += rows(recorded("lfan", "VAT", "w96", window=96, hop=24), 0.7)
    found = tried(scores, "test")["LFAN V+A+T"]
    assert [(frames, row.method) for frames, row in found] == [
        (96, "lfan.w24"), (96, "lfan.w96"), (WINDOW, "lfan"),
    ]  # fmt: skip
    table = window_tables([Run("", "", frozenset(), scores, "made-up people")])[0]
    assert [one.labels[1:] for one in table.lines if not one.body] == [("96", "4.0"), ("96", "4.0"), ("696", "29.0")]


def test_the_table_has_the_numbers_of_the_figure():
    table = window_tables([Run("", "", frozenset(), SCORES, "made-up people")])[0]
    ours = [one for one in table.lines if not one.body]
    assert [one.labels for one in ours] == [
        ("LFAN V+A+T", str(n), s) for n, s in ((24, "1.0"), (96, "4.0"), (WINDOW, "29.0"), (2880, "120.0"))
    ]
    heads = [column.head for column in table.columns]
    assert heads[:5] == ["AVGF1", "F1", "WF1", "AP (papers')", "AP"]
    assert [one.cells[heads.index("F1")].text for one in ours] == [".4100", ".5200", ".5000", ".4800"]
    empty = window_tables([Run("", "", frozenset(), BASE, "made-up people")])[0]
    assert empty.ours == 0
    assert "train.windows" in empty.notes[0]


def ringed(svg: str) -> int:
    """Rings in a figure."""
    return len(re.findall(rf"fill-opacity: 0; stroke: {INK}|fill: none; stroke: {INK}", svg))


@pytest.mark.slow
def test_the_figure_has_every_metric_its_intervals_and_both_controls(tmp_path):
    other = [*rows(widened("can", "VAT", 24), 0.4), *rows(widened("can", "VAT", 48), 0.45)]
    for row in other[len(METRICS) :]:
        row |= {"low": None, "high": None}  # one participant has no interval
    drawn = draw_window_length([*SCORES, *other], "test", tmp_path)
    svg = (tmp_path / f"{FIGURE}.svg").read_text()
    for actual in (*TITLES, ">LFAN V+A+T<", ">CAN V+A+T<", ">Content-free control<", ">All negative<", ">120<", ">29<"):
        assert actual in svg, actual
    assert ">Frames of the test split<" in svg
    assert drawn.caption.startswith("Frames of the test split. ")
    panels = len(METRICS)
    # a bar of two points for each interval: four lengths of one model, one of the other
    bars = re.findall(r'<path d="M \S+ \S+ \nL \S+ \S+ \n"[^>]*stroke-opacity: 0\.7', svg)
    assert len(bars) == panels * (4 + 1)
    assert svg.count("stroke-dasharray: 6,3.6") == svg.count("stroke-dasharray: 1.8,3") == panels + 1  # and the legend
    assert len(re.findall(rf"fill: {LINE}; opacity: 0.5", svg)) == panels
    assert ringed(svg) == panels * 2
    again = draw_window_length([*SCORES, *other], "test", tmp_path)
    assert again.svg == drawn.svg


@pytest.mark.slow
def test_models_side_by_side_have_colours_of_their_own(tmp_path):
    fusions = ("can", "conflict", "jmt", "lfan", "mt")
    scores = [row for name in fusions for frames in (24, 48) for row in rows(widened(name, "VAT", frames), 0.5)]
    draw_window_length(scores, "test", tmp_path)
    svg = (tmp_path / f"{FIGURE}.svg").read_text()
    assert all(f"stroke: {colour}; stroke-width: 1.2" in svg for colour in SERIES[: len(fusions)])


@pytest.mark.slow
def test_labels_of_many_lengths_do_not_meet(tmp_path):
    scores = [row for frames in range(24, 2881, 24) for row in rows(widened("lfan", "V", frames), 0.5)]
    svg = draw_window_length(scores, "test", tmp_path).svg
    labels = re.findall(r">(\d+)</text>", svg)
    assert labels[0] == "1"
    assert 8 <= len(set(labels)) <= 15


def test_where_no_length_was_tried_the_file_says_so(tmp_path):
    draw_window_length(BASE, "test", tmp_path)
    draw_window_length([], "", tmp_path)
    assert "No other window was trained" in (tmp_path / f"{FIGURE}.svg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([], False),
        ([*BASE, *CONTROLS], False),
        ([*rows(SHORT, 0.5), *rows(recorded("can", "VAT"), 0.5)], False),
        ([*rows(SHORT, 0.5), *BASE], True),
        ([*rows(SHORT, 0.5), *rows(widened("lfan", "VAT", 48), 0.5)], True),
    ],
    ids=["nothing", "the configured length", "one length", "one beside the configured", "two"],
)
def test_the_page_shows_it_where_two_lengths_were_tried(made, report_config, tmp_path, scores, shown):
    material = replace(load(made.inputs, report_config, "demo", True), scores=scores)
    drawn = _window_length(material, tmp_path)
    assert (drawn is not None) == shown
    assert [path.name for path in tmp_path.iterdir()] == ["windows.svg"] * shown


@pytest.mark.slow
def test_the_page_takes_the_split_to_choose_by(made, report_config, tmp_path):
    held_out = [row for n in (24, 48) for row in rows(widened("lfan", "T", n), 0.5, split="cv")]
    material = replace(load(made.inputs, report_config, "demo", True), scores=[*SCORES, *held_out])
    assert _window_length(material, tmp_path).caption.startswith("Frames in cross-validation. ")
