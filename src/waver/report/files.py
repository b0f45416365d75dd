"""Files of all tables: the papers', the costs', and one JSON of which the page is made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.report.compute import CostInputs, compute_sheet
from waver.report.filling import paper_sheets
from waver.report.papers import layouts, read_runs, splits_at
from waver.report.sheets import FORMS, form
from waver.report.window_length import draw_window_length, window_sheets
from waver.store.whole import written_whole

log = logging.getLogger(__name__)

INDEX = "tables.json"
"""All tables, for the page."""


@dataclass(frozen=True)
class TableInputs:
    """What the tables are made from.

    Attributes:
        scores: this run's SCORES table.
        beside: name -> SCORES table of another run.
        costs: files of the table of costs.
        backbone: this run's visual backbone; empty where there are no faces.
        kinds: what else rows may ask of this run: ``zero_shot`` or ``fine_tuned``.
        data: name of the data set.
        demo: its participants are synthetic.
    """

    scores: Path
    beside: Mapping[str, Path]
    costs: CostInputs
    backbone: str
    kinds: Sequence[str]
    data: str
    demo: bool


def write_tables(inputs: TableInputs, folder: Path) -> None:
    """Write every table as Markdown, CSV and LaTeX, the figure, and ``tables.json`` (rule ``report_tables``).

    Nothing of a single participant is read: scores and costs alone.

    Args:
        inputs: what the tables are made from.
        folder: where they go.

    Raises:
        WaverError: a table of scores cannot be read.
    """
    data = "synthetic participants, on whom scores say nothing about people" if inputs.demo else inputs.data
    runs = read_runs(inputs.scores, inputs.backbone, inputs.kinds, data, inputs.beside)
    written = [paper_sheets(layout, runs) for layout in layouts()["tables"]]
    written += [window_sheets(runs), [compute_sheet(inputs.costs)]]
    folder.mkdir(parents=True, exist_ok=True)
    for sheets in written:
        for suffix in FORMS:
            with written_whole(folder / f"{sheets[0].name}.{suffix}") as file:
                file.write_text(form(sheets, suffix), encoding="utf-8")
        log.info("%s: %d lines of ours", sheets[0].name, sheets[0].ours)
    split = splits_at(layouts()["figure"]["level"], runs[:1])[0]
    draw_window_length(runs[0].scores, split, folder)
    with written_whole(folder / INDEX) as file:
        told = {"tables": [[sheet.record() for sheet in sheets] for sheets in written]}
        file.write_text(json.dumps(told) + "\n", encoding="utf-8")
