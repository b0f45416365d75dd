"""What the comparisons say, in sentences. None of them is written beforehand: each follows from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from waver.evaluation.comparisons import people_of
from waver.evaluation.significance import LEVEL
from waver.report.inputs import Row
from waver.report.standings import Standing
from waver.report.wording import (
    CONTENT_FREE,
    USES_LABELS,
    count,
    interval,
    is_control,
    listed,
    p_value,
    plural,
    row_name,
    score,
)


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
    def reachable(self) -> bool:
        """Whether the difference could have been certain, by so many people, methods and resamples."""
        return in_reach(self.row["least_p_holm"])

    @property
    def told(self) -> str:
        """``95 % interval .01 to .05, p .012 of 1,400 resamples after Holm's correction over 7 methods``."""
        within = interval(self.low, self.high, " to ")
        family = self.row["methods_in_family"]
        p = f"{p_value(self.p)} of {plural(self.row['resamples'], 'resample')}" if p_value(self.p) else ""
        corrected = f"{p} after Holm's correction over {family} methods" if family > 1 else p
        return ", ".join(filter(None, [f"95 % interval {within}" if within else "", corrected if p else ""]))


def in_reach(least: float | None) -> bool:
    """Whether a test whose least corrected p is given (None: without a p) can find anything."""
    return least is not None and least < LEVEL


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
    told = _above(above) if above else _none(fair)
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


def _none(fair: Sequence[Gap]) -> str:
    """That no method is above, of those that could have been; where none could, that this is not known."""
    first, number = fair[0], len(fair)
    who = f"The best of {number}, {first.name}," if number > 1 else f"{first.name}"
    size = score(abs(first.difference))
    far = "scores the same" if size == ".000" else f"lies {size} {'above' if first.difference > 0 else 'below'} it"
    bounds = f" ({first.told})" if first.told else ""
    missed = [gap for gap in fair if not gap.reachable]
    if len(missed) == number:
        return f"Whether a method here is above the content-free control {unknown(fair)} {who} {far}{bounds}."
    told = f"No method here is above the content-free control with certainty. {who} {far}{bounds}."
    if first.apart and first.difference > 0:
        told += " By itself its interval leaves out zero, but among so many methods one would do so by luck."
    if missed:
        told += f" {listed([gap.name for gap in missed])} could not have been: too few people were judged."
    return told


def unknown(found: Sequence[Gap]) -> str:
    """``cannot be told: of 6 participants and 9 methods, no p after Holm's correction can be below .28``."""
    known = [gap for gap in found if gap.row["least_p_holm"] is not None]
    if not known:
        most = max(people_of(gap.row) for gap in found)
        return f"cannot be told: {plural(most, 'participant')} cannot be drawn again."
    row = min((gap.row for gap in known), key=lambda row: float(row["least_p_holm"]))
    return f"cannot be told: {bound(people_of(row), row['methods_in_family'], row['least_p_holm'])}."


def bound(people: int, family: int, least: float) -> str:
    """``of 6 participants and 9 methods, no p after Holm's correction can be below .28``."""
    floor = score(least, 3 if least < 0.1 else 2)
    if family < 2:
        return f"of {plural(people, 'participant')}, no p can be below {floor}"
    return f"of {plural(people, 'participant')} and {family} methods, no p after Holm's correction can be below {floor}"


def resampled(found: Sequence[Gap]) -> str:
    """``1,000 resamples``, ``1,000 to 8,000 resamples``: those that p was taken from; empty where there is no p."""
    numbers = {gap.row["resamples"] for gap in found if gap.p is not None}
    if not numbers:
        return ""
    least, most = min(numbers), max(numbers)
    return f"{f'{count(least)} to ' if least < most else ''}{plural(most, 'resample')}"


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
    return f"{told} and the control, which looks at nobody, {score(control, 2)}{_sure(gap)}."


def _sure(gap: Gap | None) -> str:
    if gap is None:
        return ""
    if not gap.reachable:
        return f"; whether the difference is luck {unknown([gap]).rstrip('.')}"
    return "; the difference is certain" if gap.certain else "; the difference may be luck"
