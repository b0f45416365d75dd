"""Rows of the scores table by method, the order of methods, and which method represents a level."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from waver.evaluation.control_names import STANDARD
from waver.registry import CONTROLS
from waver.report.formatting import CONTENT_FREE, SPLITS, is_control, row_name, score, uses_labels
from waver.zeroshot.records import RANDOM

Row = dict[str, Any]

CHOOSE_BY = ("cv", "val", "test")
"""Splits by which the best method of a level is chosen; the first that has scores of methods counts."""

COMPARABLE = (
    "After “seeds”: mean ± standard deviation of the scores of the single seeds. A published score is of one model: "
    "compare it with this mean, or with the score itself where a line has one seed. The score of several seeds is "
    "that of their averaged probabilities."
)
"""In every table of scores: which of the two numbers compares with the papers."""

AVERAGED_SCORES = "Scores of several seeds are those of their averaged probabilities."
"""In every figure of scores."""

AVERAGED = "Differences, their intervals and p are those of the probabilities averaged over the seeds."
"""In every table and figure of comparisons."""


def shown_scores(scores: Iterable[Row]) -> list[Row]:
    """Rows of the tables (level, split, protocol) in which any score may be shown; the others rest on few people."""
    rows = list(scores)
    known = {_table_of(row) for row in rows if row["value"] is not None}
    return [row for row in rows if _table_of(row) in known]


def _table_of(row: Row) -> tuple[str, str, str]:
    return row["level"], row["split"], row["protocol"]


def identity(row: Row) -> tuple[str, str, str | None]:
    """What tells a row's method from the others of its table: name, modalities, and the network that was adapted."""
    return row["method"], row["modalities"], row.get("network")


@dataclass(frozen=True)
class MethodScores:
    """All scores of one method on one sample (level, split, protocol, group).

    Attributes:
        scores: metric -> row of the scores table.
        network: what was adapted; None of a method that is no adaptation.
    """

    method: str
    modalities: str
    scores: dict[str, Row]
    network: str | None = None

    @property
    def name(self) -> str:
        return row_name(self.any)

    @property
    def control(self) -> bool:
        return is_control(self.method)

    @property
    def ranked(self) -> bool:
        """Whether it may be called best; controls, methods that use the person's labels and random weights may not."""
        return not self.control and not uses_labels(self.method) and not self.random

    @property
    def random(self) -> bool:
        """Whether the weights are random numbers, so that the scores mean nothing."""
        return bool(self.any.get("model_set") == RANDOM)

    @property
    def any(self) -> Row:
        """A row, for the columns that do not depend on the metric: n, positives, seeds."""
        return self.scores.get("AVGF1") or next(iter(self.scores.values()))

    def value(self, metric: str) -> float | None:
        """The score; None where it is missing or undefined."""
        found = self.scores.get(metric)
        value = None if found is None else found["value"]
        return None if value is None or value != value else float(value)

    def same_method(self, other: MethodScores) -> bool:
        """Whether both are scores of one method."""
        return self.identity == other.identity

    @property
    def identity(self) -> tuple[str, str, str | None]:
        """As ``identity`` of any of its rows."""
        return self.method, self.modalities, self.network


def ranked_methods(
    scores: Iterable[Row], level: str, split: str, protocol: str = STANDARD, group: str = "all"
) -> list[MethodScores]:
    """Methods by falling AVGF1, then controls in their fixed order."""
    wanted = (level, split, protocol, group)
    found: dict[tuple[str, str, str | None], dict[str, Row]] = {}
    for row in scores:
        if (row["level"], row["split"], row["protocol"], row["group"]) == wanted:
            found.setdefault(identity(row), {})[row["metric"]] = row
    rows = [MethodScores(method, modalities, own, network) for (method, modalities, network), own in found.items()]
    order = list(CONTROLS)
    return sorted(
        rows, key=lambda r: (r.control, order.index(r.method) if r.control else -(r.value("AVGF1") or 0.0), r.name)
    )


def scored_splits(scores: Iterable[Row], level: str, protocol: str = STANDARD) -> list[str]:
    """Splits in which a level was scored, in the order of the page; those with scores of controls alone come last."""
    found: dict[str, bool] = {}
    for row in scores:
        if (row["level"], row["protocol"]) == (level, protocol):
            found[row["split"]] = found.get(row["split"], False) or not is_control(row["method"])
    return sorted((split for split in SPLITS if split in found), key=lambda split: not found[split])


def best(rows: Sequence[MethodScores], metric: str = "AVGF1") -> MethodScores | None:
    """The method with the highest value that may be called best."""
    known = [row for row in rows if row.ranked and row.value(metric) is not None]
    return max(known, key=lambda row: row.value(metric) or 0.0, default=None)


def content_free(rows: Sequence[MethodScores]) -> MethodScores | None:
    """The content-free control among the rows."""
    return next((row for row in rows if row.method == CONTENT_FREE), None)


@dataclass(frozen=True)
class Selection:
    """The method that represents a level, and the splits on which it was chosen and is shown.

    Attributes:
        chosen: its scores on the split of the choice.
        chosen_on: cv, val or test.
        shown: its scores on the split that the page shows.
        shown_on: test where the method was scored on test, else ``chosen_on``.
        candidates: methods among which it was chosen.
    """

    chosen: MethodScores
    chosen_on: str
    shown: MethodScores
    shown_on: str
    candidates: int

    @property
    def independent(self) -> bool:
        """Whether the people of the shown score had no part in the choice."""
        return self.shown_on != self.chosen_on


def select(
    scores: Sequence[Row], level: str, protocol: str = STANDARD, without: Collection[str] = ()
) -> Selection | None:
    """The method with the highest AVGF1 in cross-validation, or where there is none on val; never on test if avoidable.

    Args:
        scores: rows of the scores table.
        level: frame, video or participant.
        protocol: standard, or how a participant's frames were split for adaptation.
        without: methods that are no candidates.
    """
    rows_of = {split: ranked_methods(scores, level, split, protocol) for split in CHOOSE_BY}
    candidates = {
        split: [row for row in rows if row.ranked and row.method not in without and row.value("AVGF1") is not None]
        for split, rows in rows_of.items()
    }
    for split in CHOOSE_BY:
        chosen = best(candidates[split])
        if chosen is not None:
            tested = next((row for row in candidates["test"] if row.same_method(chosen)), None)
            shown, shown_on = (chosen, split) if tested is None else (tested, "test")
            return Selection(chosen, split, shown, shown_on, len(candidates[split]))
    return None


def spread(row: Row, digits: int = 3) -> str:
    """``.849 ± .013`` of a row of the scores; empty where it is of one seed."""
    mean, deviation = row.get("seed_mean"), row.get("seed_sd")
    return "" if mean is None or deviation is None else f"{score(mean, digits)} ± {score(deviation, digits)}"


def seeds(row: Row, digits: int = 3) -> str:
    """``seeds .849 ± .013``; empty where the row is of one seed."""
    text = spread(row, digits)
    return f"seeds {text}" if text else ""
