"""Names of variants, and the figure of the window's length."""

import re

import pytest

from waver.report.standings import standings
from waver.report.windows import METRICS, draw_windows, tried
from waver.report.wording import method_name


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("lfan.w24", "LFAN, window 24"),
        ("conflict.no_pairs", "Conflict model without pairs"),
        ("conflict.difference_only", "Conflict model, difference only"),
        ("can.released_padding", "CAN, released padding"),
        ("lfan.window_24", "LFAN, window 24"),
    ],
)
def test_a_variant_is_told_after_the_model(method, name):
    assert method_name(method) == name
    base, _, told = name.partition(",") if "," in name else name.partition(" without")
    assert method_name(method, "VATQ") == f"{base} V+A+T + question{name[len(base) :]}"
    assert told


def rows(method, modalities, value, split="test", level="frame"):
    about = {"level": level, "split": split, "protocol": "standard", "group": "all", "n": 100, "participants": 9,
             "positives": 20, "predicted_positives": 30, "seeds": 1, "model_set": "embedded"}  # fmt: skip
    interval = {"low": value - 0.05, "high": value + 0.05}
    return [
        {**about, **interval, "method": method, "modalities": modalities, "metric": metric, "value": value}
        for metric in METRICS
    ]


WINDOWS = {24: 0.41, 2880: 0.48, 96: 0.52}
SCORES = [row for window, value in WINDOWS.items() for row in rows(f"lfan.w{window}", "VAT", value)]


def test_lengths_are_in_seconds_and_ascend():
    found = tried(standings([*SCORES, *rows("lfan", "VAT", 0.5), *rows("lfan.slow", "VAT", 0.6)], "frame", "test"))
    assert list(found) == ["LFAN V+A+T"]
    assert [(at, row.value("AP")) for at, row in found["LFAN V+A+T"]] == [(1, 0.41), (4, 0.52), (120, 0.48)]


def test_no_figure_without_lengths(tmp_path):
    one = [*rows("lfan", "VAT", 0.5), *rows("lfan.w24", "VAT", 0.5), *rows("conflict.no_pairs", "VAT", 0.5)]
    assert draw_windows(one, tmp_path) is None
    assert draw_windows([], tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_the_figure_has_every_metric_with_its_intervals(tmp_path):
    scores = [*SCORES, *rows("content_free", "", 0.45), *rows("can.w24", "VAT", 0.4), *rows("can.w48", "VAT", 0.45)]
    for row in scores:
        if row["method"] == "can.w48":
            row |= {"low": None, "high": None}
    drawn = draw_windows(scores, tmp_path)
    assert (tmp_path / "windows.svg").is_file()
    for told in (">AVGF1<", ">WF1<", ">AP<", ">AP (papers')<", ">CAN V+A+T<", ">LFAN V+A+T<", ">120<", ">1<"):
        assert told in drawn.svg
    assert drawn.caption.startswith("Frames of the test split. ")
    drawn_again = draw_windows(scores, tmp_path)
    assert drawn_again.svg == drawn.svg
    assert len(re.findall(r"<path", drawn.svg)) > 3 * len(METRICS)


def test_the_split_to_choose_by_comes_first(tmp_path):
    held_out = [
        {**row, "split": "cv", "protocol": "standard"} for method in ("lfan.w24", "lfan.w48")
        for row in rows(method, "T", 0.5)
    ]  # fmt: skip
    assert draw_windows([*SCORES, *held_out], tmp_path).caption.startswith("Frames in cross-validation. ")
