"""Published scores as data, with marks that follow from the prevalence of their test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.evaluation.prevalence import constant_score

SOURCE = Path(__file__).with_name("published.yaml")
ROUNDING = 1.05e-4
"""Cells have four digits, some of them truncated and not rounded."""
UNCHECKED = "These numbers are in neither paper's text that the tests compare the other tables with"
"""Remark on a table whose source was not at hand."""
NEAR_ONE_CLASS = 0.0065
"""Means over participants lie this near the line of one-class predictors, which is not straight."""


@dataclass(frozen=True)
class Cell:
    """One printed number.

    Attributes:
        value: as printed; at participant level the mean over participants.
        sd: standard deviation over participants, where printed.
        mark: the constant predictor with the same score at the test set's prevalence; empty where there is none.
    """

    paper: str
    table: str
    release: str
    level: str
    split: str
    method: str
    modalities: str
    setting: str
    metric: str
    value: float
    sd: float | None
    mark: str


@dataclass(frozen=True)
class PublishedTable:
    """One printed table at one level; ``rows`` are (method, modalities, setting, cell per metric)."""

    paper: str
    table: str
    title: str
    release: str
    level: str
    main: bool
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, str, str, tuple[Cell | None, ...]], ...]
    remarks: tuple[str, ...]


def constant_mark(row: Mapping[str, float], prevalence: float) -> str:
    """``"all-negative"`` or ``"all-positive"`` where all scores of a row are that predictor's, else ``""``.

    Args:
        row: metric -> printed value; metrics of ranking are left out of account.
        prevalence: share of positives in the test set.
    """
    for positive, name in ((False, "all-negative"), (True, "all-positive")):
        constants = {metric: constant_score(metric, prevalence, positive) for metric in row}
        gaps = [abs(row[metric] - constant) for metric, constant in constants.items() if constant is not None]
        if gaps and max(gaps) <= ROUNDING:
            return name
    return ""


def releases() -> dict[str, dict[str, Any]]:
    """Participants, items and positives of each release's test set, by release."""
    loaded: dict[str, dict[str, Any]] = _source()["releases"]
    return loaded


def prevalence(release: str, level: str) -> float:
    """Share of frames or videos with A/H in a release's test set."""
    counts = releases()[release][level]
    return float(counts["positives"] / counts["n"])


def published_costs() -> list[dict[str, Any]]:
    """Printed costs: paper, table, method, modalities, parameters, trainable, flops, macs, epoch_s, frame_s, device."""
    loaded: list[dict[str, Any]] = _source()["compute"]
    return loaded


def published_people() -> dict[str, Any]:
    """What the tables of single participants count: ``better``: metric -> method -> (better, of); and a ``remark``."""
    loaded: dict[str, Any] = _source()["people"]
    return loaded


@cache
def published(level: str) -> tuple[PublishedTable, ...]:
    """The printed tables of a level: frame, video or participant."""
    return tuple(_table(entry) for entry in _source()["tables"] if entry["level"] == level)


@cache
def _source() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(SOURCE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return loaded


def _table(entry: dict[str, Any]) -> PublishedTable:
    rows, remarks = [], []
    for method, modalities, setting, *printed in entry["rows"]:
        values = dict(zip(entry["metrics"], printed, strict=True))
        known = {metric: _mean(value) for metric, value in values.items() if value is not None}
        # a mean over participants is no constant predictor's score at the pooled prevalence
        pooled = entry["level"] != "participant"
        mark = constant_mark(known, prevalence(entry["release"], entry["level"])) if pooled else ""
        names = {"method": method, "modalities": modalities, "setting": setting, "mark": mark}
        rows.append((method, modalities, setting, tuple(_cell(entry, names, *item) for item in values.items())))
        remarks += _remarks(entry, known)
    counted = tuple(f"{remark} ({remarks.count(remark)} of {len(rows)} rows)" for remark in dict.fromkeys(remarks))
    if not entry.get("checked", True):
        counted += (UNCHECKED,)
    known_keys = {key: entry[key] for key in ("paper", "table", "title", "release", "level", "main")}
    return PublishedTable(**known_keys, metrics=tuple(entry["metrics"]), rows=tuple(rows), remarks=counted)


def _mean(printed: Any) -> float:
    return float(printed[0] if isinstance(printed, list) else printed)


def _cell(entry: dict[str, Any], names: dict[str, str], metric: str, printed: Any) -> Cell | None:
    if printed is None:
        return None
    sd = float(printed[1]) if isinstance(printed, list) else None
    mark = names["mark"] if constant_score(metric, 0.5, True) is not None else ""
    keys = {key: entry[key] for key in ("paper", "table", "release", "level", "split")}
    return Cell(**keys, **(names | {"mark": mark}), metric=metric, value=_mean(printed), sd=sd)


def _remarks(entry: dict[str, Any], row: dict[str, float]) -> list[str]:
    """What the numbers of a row imply, computed from the test set's prevalence."""
    found = []
    if entry["level"] == "participant":
        if {"AVGF1", "WAR"} <= row.keys() and near_one_class(row["AVGF1"], row["WAR"]):
            found.append("AVGF1 is what predicting a single class gives at this WAR")
        return found
    share = prevalence(entry["release"], entry["level"])
    if {"F1", "WF1"} <= row.keys() and impossible(row["F1"], row["WF1"], share):
        found.append("F1 and WF1 cannot both hold at this prevalence of A/H")
    if row.get("AP_paper", 1.0) < share / 2 - ROUNDING:
        found.append("AP lies below that of a constant probability, a sign of saturated probabilities")
    return found


def impossible(f1: float, wf1: float, prevalence: float) -> bool:
    """Whether the F1 of the negative class that WF1 implies lies outside [0, 1]."""
    negative = (wf1 - prevalence * f1) / (1 - prevalence)
    return not -0.001 <= negative <= 1.001


def derived_avgf1(f1: float, wf1: float, prevalence: float) -> float | None:
    """AVGF1 from the two scores that the dataset paper prints; None where they cannot both hold."""
    if impossible(f1, wf1, prevalence):
        return None
    negative = (wf1 - prevalence * f1) / (1 - prevalence)
    return (f1 + min(max(negative, 0.0), 1.0)) / 2


def avgf1_cells(table: PublishedTable) -> list[tuple[str, float]]:
    """Name and AVGF1 of each row, as printed or computed from F1 and WF1.

    Empty for tables with neither, and where F1 and WF1 of any row cannot both hold: the other rows are then
    not reliable either.
    """
    found: list[tuple[str, float]] = []
    for method, modalities, setting, cells in table.rows:
        values = {cell.metric: cell.value for cell in cells if cell}
        value = values.get("AVGF1")
        if value is None and {"F1", "WF1"} <= values.keys() and table.level != "participant":
            value = derived_avgf1(values["F1"], values["WF1"], prevalence(table.release, table.level))
            if value is None:
                return []
        if value is not None:
            found.append((" ".join(filter(None, [method, "+".join(modalities), setting])), value))
    return found


def near_one_class(avgf1: float, war: float) -> bool:
    """Whether AVGF1 lies on the line a / (1 + a) of predictors with one answer at accuracy a."""
    return abs(avgf1 - war / (1 + war)) <= NEAR_ONE_CLASS
