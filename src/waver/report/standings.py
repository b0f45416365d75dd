"""Score rows gathered by method, and who stands where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from waver.report.wording import CONTENT_FREE, CONTROLS, SPLITS, USES_LABELS, is_control, row_name

Row = dict[str, Any]


@dataclass(frozen=True)
class Standing:
    """All scores of one method on one sample (level, split, protocol, group).

    Attributes:
        scores: metric -> row of the scores table.
    """

    method: str
    modalities: str
    scores: dict[str, Row]

    @property
    def name(self) -> str:
        return row_name(self.any)

    @property
    def control(self) -> bool:
        return is_control(self.method)

    @property
    def ranked(self) -> bool:
        """Whether it may be called best: controls and methods given the person's labels may not."""
        return not self.control and self.method not in USES_LABELS

    @property
    def any(self) -> Row:
        """A row, for what does not depend on the metric: n, positives, seeds."""
        return self.scores.get("AVGF1") or next(iter(self.scores.values()))

    def value(self, metric: str) -> float | None:
        """The score, None where it is not there or not defined."""
        found = self.scores.get(metric)
        value = None if found is None else found["value"]
        return None if value is None or value != value else float(value)


def standings(
    scores: Iterable[Row], level: str, split: str, protocol: str = "standard", group: str = "all"
) -> list[Standing]:
    """Methods by falling AVGF1, then controls in their fixed order."""
    wanted = (level, split, protocol, group)
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in scores:
        if (row["level"], row["split"], row["protocol"], row["group"]) == wanted:
            found.setdefault((row["method"], row["modalities"]), {})[row["metric"]] = row
    rows = [Standing(method, modalities, metrics) for (method, modalities), metrics in found.items()]
    order = list(CONTROLS)
    return sorted(
        rows, key=lambda r: (r.control, order.index(r.method) if r.control else -(r.value("AVGF1") or 0.0), r.name)
    )


def splits_of(scores: Iterable[Row], level: str, protocol: str = "standard") -> list[str]:
    """Splits in which a level was scored, the one to look at first comes first; those of controls alone last."""
    found: dict[str, bool] = {}
    for row in scores:
        if (row["level"], row["protocol"]) == (level, protocol):
            found[row["split"]] = found.get(row["split"], False) or not is_control(row["method"])
    return sorted((split for split in SPLITS if split in found), key=lambda split: not found[split])


def best(rows: Sequence[Standing], metric: str = "AVGF1") -> Standing | None:
    """The method with the highest value that may be called best."""
    known = [row for row in rows if row.ranked and row.value(metric) is not None]
    return max(known, key=lambda row: row.value(metric) or 0.0, default=None)


def content_free(rows: Sequence[Standing]) -> Standing | None:
    """The content-free control among the rows."""
    return next((row for row in rows if row.method == CONTENT_FREE), None)
