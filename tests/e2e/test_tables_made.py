"""The papers' tables of a finished run: there, linked from the page, and not made twice."""

from __future__ import annotations

import json
import re

import pytest

from waver.report.tables.formats import FORMS
from waver.report.tables.names import FIGURE, TABLES

pytestmark = pytest.mark.timeout(2700)


def test_every_table_is_there_and_the_page_links_what_is_there(finished):
    report = finished.folder / "results/tiny/report"
    wanted = {f"{name}.{form}" for name in TABLES for form in FORMS} | {f"{FIGURE}.svg", "tables.json"}
    assert wanted <= {path.name for path in (report / "tables").iterdir()}
    links = re.findall(r'href="(tables/[^"]+)"', (report / "report.html").read_text())
    assert "tables/compute.md" in links
    assert [link for link in links if not (report / link).is_file()] == []


def test_costs_were_measured_of_each_trained_model(finished):
    train = finished.folder / "results/tiny/train"
    assert {str(path.parent.relative_to(train)) for path in train.rglob("cost.json")} >= {"lfan/VAT", "can/V"}
    cost = json.loads((train / "lfan/VAT/cost.json").read_text())
    assert cost["frames"] == 96
    assert cost["epochs"] == [2]
    table = (finished.folder / "results/tiny/report/tables/compute.md").read_text()
    assert f"{cost['parameters']:,}" in table


def test_scores_and_figure_have_the_window_of_the_recipe_and_not_of_the_name(finished):
    """The variant is called w24, and its window is 48 frames."""
    scores = json.loads((finished.folder / "results/tiny/evaluate/scores.json").read_text())
    windows = {row["method"]: row["window_frames"] for row in scores if row["fusion"]}
    assert windows == {"lfan": 96, "can": 96, "can.w24": 48}
    assert {row["changed"] for row in scores if row["variant"] == "w24"} == {'{"window": 48}'}
    figure = (finished.folder / f"results/tiny/report/tables/{FIGURE}.csv").read_text()
    drawn = [line.split(",")[:3] for line in figure.splitlines() if line.startswith("CAN")]
    assert drawn[:2] == [["CAN V", "48", "2.0"], ["CAN V", "96", "4.0"]]


def test_tables_that_are_made_are_not_made_again(finished):
    assert finished.would_run("--", "tables", "results/tiny/report/tables/2026_table_2.md") == set()


def test_another_layout_fills_the_tables_again_and_scores_nothing(finished):
    path = finished.folder / "src/waver/report/papers/papers.yaml"
    original = path.read_text()
    try:
        path.write_text(original + "\n# edited\n")
        assert finished.would_run() == {"report_tables", "report_html"}
    finally:
        path.write_text(original)
