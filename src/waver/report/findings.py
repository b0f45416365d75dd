"""What the comparisons say, in sentences. None of them is written beforehand: each follows from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from waver.report.inputs import Row
from waver.report.standings import Standing
from waver.report.wording import CONTENT_FREE, USES_LABELS, interval, is_control, listed, p_value, row_name, score

LEVEL = 0.05
"""Chance of any false claim among the methods of a table that is put up with."""


@dataclass(frozen=True)
class Gap:
    """One method minus the content-free control in one metric, on the same participants.

    Attributes:
        p: two-sided, of the paired bootstrap, after Holm's correction over the methods of the table.
        row: of the comparisons table.
    """

    method: str
    modalities: str
    difference: float
    low: float | None
    high: float | None
    p: float | None
    row: Row

    @property
    def name(self) -> str:
        return row_name(self.row)

    @property
    def certain(self) -> bool:
        """Whether the difference survives the correction for the number of methods."""
        return self.p is not None and self.p < LEVEL and self.apart

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def told(self) -> str:
        """``95 % interval .01 to .05, p .012 after Holm's correction over 7 methods``."""
        within = interval(self.low, self.high, " to ")
        family = self.row["methods_in_family"]
        p = p_value(self.p)
        corrected = f"{p} after Holm's correction over {family} methods" if family > 1 else p
        return ", ".join(filter(None, [f"95 % interval {within}" if within else "", corrected if p else ""]))


def gaps(
    comparisons: Sequence[Row],
    level: str,
    split: str,
    metric: str = "AVGF1",
    protocol: str = "standard",
    controls: bool = False,
) -> list[Gap]:
    """Differences of the methods, or of the other controls, to the content-free control; the largest first."""
    wanted = (level, split, protocol, metric, CONTENT_FREE)
    found = []
    for row in comparisons:
        where = (row["level"], row["split"], row["protocol"], row["metric"], row["reference"])
        if where == wanted and is_control(row["method"]) == controls and row["difference"] is not None:
            names = row["method"], row["modalities"]
            found.append(Gap(*names, row["difference"], row["low"], row["high"], row["p_holm"], row))
    return sorted(found, key=lambda gap: (-gap.difference, gap.name))


def verdict(found: Sequence[Gap]) -> str:
    """Whether any method is above the control with certainty; empty where nothing was compared."""
    fair = [gap for gap in found if gap.method not in USES_LABELS]
    if not fair:
        return ""
    above = [gap for gap in fair if gap.certain and gap.difference > 0]
    below = [gap for gap in fair if gap.certain and gap.difference < 0]
    told = _above(above) if above else _none(fair[0], len(fair))
    if below:
        which = "It is" if len(fair) == 1 else f"{len(below)} of {len(fair)} are"
        told += f" {which} below it with certainty."
    return told


def _above(above: Sequence[Gap]) -> str:
    first, *others = above
    told = f"{first.name} is above the content-free control by {score(first.difference)} ({first.told})."
    if others:
        names = listed([f"{gap.name} (by {score(gap.difference)})" for gap in others])
        told += f" So {'is' if len(others) == 1 else 'are'} {names}."
    return told


def _none(first: Gap, number: int) -> str:
    who = f"The best of {number}, {first.name}," if number > 1 else f"{first.name}"
    size = score(abs(first.difference))
    far = "scores the same" if size == ".000" else f"lies {size} {'above' if first.difference > 0 else 'below'} it"
    bounds = f" ({first.told})" if first.told else ""
    told = f"No method here is above the content-free control with certainty. {who} {far}{bounds}."
    if first.apart and first.difference > 0:
        told += " By itself its interval leaves out zero, but among so many methods one would do so by luck."
    return told


def inside(rows: Sequence[Standing], found: Sequence[Gap]) -> str:
    """The same inside the questions; empty where no method has a within-question AUROC.

    Args:
        rows: standings of a level and split.
        found: ``gaps`` in AUROC_within there.
    """
    known = [row for row in rows if row.ranked and row.value("AUROC_within") is not None]
    control = next((row.value("AUROC_within") for row in rows if row.method == CONTENT_FREE), None)
    if not known:
        return ""
    best = max(known, key=lambda row: row.value("AUROC_within") or 0.0)
    own = best.scores["AUROC_within"]
    within = interval(own["low"], own["high"], " to ")
    things = "frames of answers" if own["level"] == "frame" else "answers"
    told = (
        f"Between two {things} to the same question, one with A/H and one without, {best.name} puts the right one "
        f"first in {score(own['value'], 2)} of pairs"
        + (f" ({within})" if within else "")
        + ", where guessing gives .50"
    )
    if control is None:
        return f"{told}."
    gap = next((gap for gap in found if (gap.method, gap.modalities) == (best.method, best.modalities)), None)
    sure = "" if gap is None else "; the difference is certain" if gap.certain else "; the difference may be luck"
    return f"{told} and the control, which looks at nobody, {score(control, 2)}{sure}."
