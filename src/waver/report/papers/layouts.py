"""Runs, layouts and captions of the papers' tables.

Rows, columns and the scores that they show are data (``papers.yaml``); published numbers are those of
``published.yaml``. A row that needs another run of the workflow (another visual backbone) takes the scores of
that run, which ``report.other_runs`` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.evaluation.control_names import STANDARD
from waver.io.tables import SCORES, read_metadata, read_table
from waver.report.formatting import SPLITS, is_control, plural, share
from waver.report.papers.published import PublishedTable, published
from waver.report.ranking import COMPARABLE, MethodScores, shown_scores
from waver.training.trained_model import other_backbone
from waver.zeroshot.records import Condition

LAYOUTS = Path(__file__).with_name("papers.yaml")
SPLIT_ORDER = ("test", "cv", "val")
"""The papers print the test split."""

Layout = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """Scores of one run of the workflow.

    Attributes:
        label: its name in ``report.other_runs``; empty for the run of these tables; of this run's models on another
            visual backbone (``train.backbones``), which are as a run of their own, the name of that.
        backbone: visual backbone of its faces; of another run its label.
        kinds: what rows may require of a run: its backbone, ``zero_shot`` or ``fine_tuned``; of another its label.
        scores: rows of its scores table.
        data: name of the data set in captions.
        beside: it is of this run.
        prompt_sets: method -> set of prompts, of models that were asked.
    """

    label: str
    backbone: str
    kinds: frozenset[str]
    scores: Sequence[dict[str, Any]]
    data: str = ""
    beside: bool = False
    prompt_sets: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Notes:
    """Notes of a table by number; equal notes have one number."""

    texts: list[str] = field(default_factory=list)

    def number(self, words: str) -> int:
        """Number of a note, from 1."""
        if words not in self.texts:
            self.texts.append(words)
        return self.texts.index(words) + 1


@cache
def layouts() -> dict[str, Any]:
    """``tables``, ``figure``, ``how``: the content of papers.yaml."""
    loaded: dict[str, Any] = yaml.safe_load(LAYOUTS.read_text(encoding="utf-8"))
    return loaded


def read_runs(own: Path, backbone: str, kinds: Iterable[str], data: str, other_runs: Mapping[str, Path]) -> list[Run]:
    """This run and the others that the config names.

    Args:
        own: this run's scores.
        backbone: this run's visual backbone.
        kinds: what else rows may require of this run.
        data: name of this run's data set in captions.
        other_runs: name -> scores of another run.

    Raises:
        WaverError: a table cannot be read.
    """
    others = [
        Run(label, label, frozenset({label}), shown_scores(read_table(path, SCORES)), "", False, _prompt_sets(path))
        for label, path in other_runs.items()
    ]
    scores = shown_scores(read_table(own, SCORES))
    first = Run("", backbone, frozenset({backbone, *kinds}), scores, data, False, _prompt_sets(own))
    return [first, *_on_other_backbones(scores), *others]


def _on_other_backbones(scores: Sequence[dict[str, Any]]) -> Iterator[Run]:
    """A run's models on the features of other backbones, named as those on its own, and these backbones themselves."""
    for name in dict.fromkeys(filter(None, map(other_backbone, scores))):
        own = [{**row, "method": row["fusion"], "variant": None} for row in scores if other_backbone(row) == name]
        itself = [row for row in scores if row["method"] == name]
        yield Run(name, name, frozenset({name}), [*own, *itself], beside=True)


def _prompt_sets(scores: Path) -> dict[str, str]:
    found: dict[str, str] = read_metadata(scores).get("prompt_sets", {})
    return found


def printed_table(layout: Layout) -> PublishedTable:
    """The published table of a layout."""
    paper, table = layout["published"]
    return next(t for t in published(layout["level"]) if (t.paper, t.table) == (paper, table))


def splits_at(level: str, runs: Sequence[Run]) -> list[str]:
    """Splits of a level with scores of methods, test first; else one with scores of controls; else ``[""]``."""
    here = [row for run in runs for row in run.scores if (row["level"], row["protocol"]) == (level, STANDARD)]
    models = {row["split"] for row in here if not is_control(row["method"])}
    found = models or {row["split"] for row in here}
    return [split for split in SPLIT_ORDER if split in found][: None if models else 1] or [""]


def run_caption(rows: Iterable[MethodScores], own: Run, level: str, split: str) -> str:
    """The people of this run's scores, and its models."""
    listed = list(rows)
    # a model that is asked is of a set of its own
    first = next((row for row in listed if Condition.of(row.method) is None), next(iter(listed), None))
    if first is None:
        return f"This run scored no {level}s."
    row = first.any
    people = plural(row["participants"], "participant")
    if split == "cv":
        people += " of train and val, each evaluated with models that were fitted on others"
    text = f"This run: {SPLITS[split]} of {own.data}, {people}, {plural(row['n'], level)}"
    text += f", {share(row['positives'], row['n'])} with A/H"
    backbone = f"; visual backbone {own.backbone}" if own.backbone else ""
    models = "several sets" if row["model_set"] == "mixed" else f"the {row['model_set']} set"
    return f"{text}; models of {models}{backbone}; a score is that of the mean over seeds. {COMPARABLE}"
