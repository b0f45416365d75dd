"""The papers' tables, filled with what was run, beside what was printed.

Which rows, which columns and which of our scores is data (``papers.yaml``); published numbers are those of
``published.yaml``. A row that needs another run of the workflow (another visual backbone) is filled from the
scores of that run, which ``report.beside`` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.evaluation.names import STANDARD
from waver.report.published import PublishedTable, published
from waver.report.single_seeds import COMPARABLE
from waver.report.standings import Standing
from waver.report.wording import SPLITS, is_control, plural, share
from waver.store.tables import SCORES, read_table

LAYOUTS = Path(__file__).with_name("papers.yaml")
SPLIT_ORDER = ("test", "cv", "val")
"""The papers print the test split."""

Layout = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """Scores of one run of the workflow.

    Attributes:
        label: its name in ``report.beside``; empty for the run whose tables these are.
        backbone: visual backbone of its faces; of another run its label.
        kinds: what rows may ask of a run: its backbone, ``zero_shot`` or ``fine_tuned``; of another its label.
        scores: rows of its scores table.
        data: what a caption calls the data set.
    """

    label: str
    backbone: str
    kinds: frozenset[str]
    scores: Sequence[dict[str, Any]]
    data: str = ""


@dataclass
class Notes:
    """Notes of a table by number; the same words get the same number."""

    told: list[str] = field(default_factory=list)

    def number(self, words: str) -> int:
        """Number of a note, from 1."""
        if words not in self.told:
            self.told.append(words)
        return self.told.index(words) + 1


@cache
def layouts() -> dict[str, Any]:
    """``tables``, ``figure``, ``how``: the content of papers.yaml."""
    loaded: dict[str, Any] = yaml.safe_load(LAYOUTS.read_text(encoding="utf-8"))
    return loaded


def read_runs(own: Path, backbone: str, kinds: Iterable[str], data: str, beside: Mapping[str, Path]) -> list[Run]:
    """This run and those beside it.

    Args:
        own: this run's scores.
        backbone: this run's visual backbone.
        kinds: what else rows may ask of this run.
        data: what a caption calls this run's data set.
        beside: name -> scores of another run.

    Raises:
        WaverError: a table cannot be read.
    """
    others = [Run(label, label, frozenset({label}), read_table(path, SCORES)) for label, path in beside.items()]
    return [Run("", backbone, frozenset({backbone, *kinds}), read_table(own, SCORES), data), *others]


def printed_table(layout: Layout) -> PublishedTable:
    """The published table of a layout."""
    paper, table = layout["published"]
    return next(t for t in published(layout["level"]) if (t.paper, t.table) == (paper, table))


def splits_at(level: str, runs: Sequence[Run]) -> list[str]:
    """Splits at a level in which anything but controls was scored, test first; else any one; else ``[""]``."""
    here = [row for run in runs for row in run.scores if (row["level"], row["protocol"]) == (level, STANDARD)]
    models = {row["split"] for row in here if not is_control(row["method"])}
    found = models or {row["split"] for row in here}
    return [split for split in SPLIT_ORDER if split in found][: None if models else 1] or [""]


def run_caption(rows: Iterable[Standing], own: Run, level: str, split: str) -> str:
    """Who was scored in this run, and by which models."""
    first = next(iter(rows), None)
    if first is None:
        return f"This run scored no {level}s."
    row = first.any
    people = plural(row["participants"], "participant")
    if split == "cv":
        people += " of train and val, each judged by models that never saw them"
    told = f"This run: {SPLITS[split]} of {own.data}, {people}, {plural(row['n'], level)}"
    told += f", {share(row['positives'], row['n'])} with A/H"
    seen = f"; visual backbone {own.backbone}" if own.backbone else ""
    return f"{told}; models of the {row['model_set']} set{seen}; scored is the mean over seeds. {COMPARABLE}"
