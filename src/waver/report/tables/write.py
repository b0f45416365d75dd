"""Files of all tables: the papers' tables, the table of costs, and one JSON file for the page."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.io.atomic import atomic_write
from waver.report.figures.window_length import draw_window_length, window_tables
from waver.report.papers.layouts import layouts, read_runs, splits_at
from waver.report.papers.paper_table import paper_tables
from waver.report.tables.formats import FORMS, form
from waver.report.tables.model_costs import CostInputs, cost_table

log = logging.getLogger(__name__)

INDEX = "tables.json"
"""All tables, for the page."""


@dataclass(frozen=True)
class TableInputs:
    """Inputs of the tables.

    Attributes:
        scores: this run's SCORES table.
        other_runs: name -> SCORES table of another run.
        costs: files of the table of costs.
        backbone: this run's visual backbone; empty where there are no faces.
        kinds: what else rows may require of this run: ``zero_shot`` or ``fine_tuned``.
        data: name of the data set.
        demo: its participants are synthetic.
    """

    scores: Path
    other_runs: Mapping[str, Path]
    costs: CostInputs
    backbone: str
    kinds: Sequence[str]
    data: str
    demo: bool


def write_tables(inputs: TableInputs, folder: Path) -> None:
    """Write every table as Markdown, CSV and LaTeX, the figure, and ``tables.json`` (rule ``report_tables``).

    It reads scores and costs, and no data of a single participant.

    Args:
        inputs: scores and costs.
        folder: where they go.

    Raises:
        WaverError: a table of scores cannot be read.
    """
    data = "synthetic participants, whose scores mean nothing about people" if inputs.demo else inputs.data
    runs = read_runs(inputs.scores, inputs.backbone, inputs.kinds, data, inputs.other_runs)
    written = [paper_tables(layout, runs) for layout in layouts()["tables"]]
    written += [window_tables(runs), [cost_table(inputs.costs)]]
    folder.mkdir(parents=True, exist_ok=True)
    for tables in written:
        for suffix in FORMS:
            with atomic_write(folder / f"{tables[0].name}.{suffix}") as file:
                file.write_text(form(tables, suffix), encoding="utf-8")
        log.info("%s: %d lines of this run", tables[0].name, tables[0].ours)
    split = splits_at(layouts()["figure"]["level"], runs[:1])[0]
    draw_window_length(runs[0].scores, split, folder)
    with atomic_write(folder / INDEX) as file:
        record = {"tables": [[table.record() for table in tables] for tables in written]}
        file.write_text(json.dumps(record) + "\n", encoding="utf-8")
