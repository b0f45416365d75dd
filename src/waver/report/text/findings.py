"""What the comparisons show, in sentences. Every sentence follows from the rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from waver.evaluation.comparisons import people_of
from waver.evaluation.significance import LEVEL
from waver.report.data import Row
from waver.report.formatting import (
    CONTENT_FREE,
    count,
    interval,
    is_control,
    listed,
    p_value,
    plural,
    row_name,
    score,
    uses_labels,
)
from waver.report.ranking import MethodScores, identity


@dataclass(frozen=True)
class Gap:
    """One method minus a reference, the content-free control as a rule, in one metric, on the same participants.

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
        return self.p is not None and self.p < LEVEL and self.excludes_zero

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def reachable(self) -> bool:
        """Whether this number of people, methods and resamples can give a certain difference."""
        return in_reach(self.row["least_p_holm"])

    @property
    def statistics(self) -> str:
        """``95 % interval .01 to .05, p .012 of 1,400 resamples after Holm's correction over 7 methods``."""
        within = interval(self.low, self.high, " to ")
        family = self.row["methods_in_family"]
        p = f"{p_value(self.p)} of {plural(self.row['resamples'], 'resample')}" if p_value(self.p) else ""
        corrected = f"{p} after Holm's correction over {family} methods" if family > 1 else p
        return ", ".join(filter(None, [f"95 % interval {within}" if within else "", corrected if p else ""]))

    @property
    def position(self) -> str:
        """``is .030 above it (95 % interval ...)``, it being the control."""
        size = score(abs(self.difference))
        where = "scores the same" if size == ".000" else f"is {size} {'above' if self.difference > 0 else 'below'} it"
        return where + (f" ({self.statistics})" if self.statistics else "")


def in_reach(least: float | None) -> bool:
    """Whether a test whose least corrected p is given (None: without a p) can find a difference."""
    return least is not None and least < LEVEL


def gaps(
    comparisons: Sequence[Row],
    level: str,
    split: str,
    metric: str = "AVGF1",
    protocol: str = "standard",
    controls: bool = False,
    references: Collection[str] = (CONTENT_FREE,),
) -> list[Gap]:
    """Differences of the methods, or of the other controls, to a reference of each; the largest first."""
    wanted = (level, split, protocol, metric)
    found = []
    for row in comparisons:
        if row["reference"] not in references or is_control(row["method"]) != controls:
            continue
        if (
            tuple(row[key] for key in ("level", "split", "protocol", "metric")) == wanted
            and row["difference"] is not None
        ):
            names = row["method"], row["modalities"]
            found.append(Gap(*names, row["difference"], row["low"], row["high"], row["p_holm"], row))
    return sorted(found, key=lambda gap: (-gap.difference, gap.name))


def gap_of(found: Sequence[Gap], method: MethodScores) -> Gap | None:
    """The difference of one method."""
    return next((gap for gap in found if identity(gap.row) == method.identity), None)


def verdict(found: Sequence[Gap], named: MethodScores | None = None) -> str:
    """Whether any method is above the control with certainty; empty where nothing was compared.

    Args:
        found: ``gaps`` of a level and split.
        named: a method whose difference stands in the sentence before, and is not repeated.
    """
    fair = [gap for gap in found if not uses_labels(gap.method)]
    if not fair:
        return ""
    above = [gap for gap in fair if gap.certain and gap.difference > 0]
    below = [gap for gap in fair if gap.certain and gap.difference < 0]
    known = gap_of(fair, named) if named else None
    text = _above(above, known) if above else _none(fair, known is not None and known.difference >= fair[0].difference)
    if below:
        which = "It is" if len(fair) == 1 else f"{len(below)} of {len(fair)} are"
        text += f" {which} below the control with certainty."
    return text


def _above(above: Sequence[Gap], known: Gap | None) -> str:
    others = [gap for gap in above if gap is not known]
    text = "This difference is certain."
    if len(others) == len(above):
        first, *others = above
        text = f"{first.name} is above the content-free control by {score(first.difference)} ({first.statistics})."
    if others:
        names = listed([f"{gap.name} (by {score(gap.difference)})" for gap in others])
        text += f" Also above the control with certainty: {names}."
    return text


def _none(fair: Sequence[Gap], repeated: bool) -> str:
    """That no method is above the control with certainty; where no test can find one, that this is unknown."""
    first, number = fair[0], len(fair)
    who = f"The best of {number}, {first.name}," if number > 1 else f"{first.name}"
    largest = "" if repeated else f" {who} {first.position}."
    missed = [gap for gap in fair if not gap.reachable]
    if len(missed) == number:
        return f"Whether a method here is above the content-free control {unknown(fair)}{largest}"
    text = f"No method here is above the content-free control with certainty.{largest}"
    if first.excludes_zero and first.difference > 0:
        text += " By itself its interval excludes zero, but among so many methods one would do so by chance."
    if missed:
        text += f" {listed([gap.name for gap in missed])} could not have been: too few people were evaluated."
    return text


def unknown(found: Sequence[Gap]) -> str:
    """``is unknown: with 6 participants and 9 methods, no p after Holm's correction can be below .28``."""
    known = [gap for gap in found if gap.row["least_p_holm"] is not None]
    if not known:
        most = max(people_of(gap.row) for gap in found)
        return f"is unknown: {plural(most, 'participant')} cannot be resampled."
    row = min((gap.row for gap in known), key=lambda row: float(row["least_p_holm"]))
    return f"is unknown: {bound(people_of(row), row['methods_in_family'], row['least_p_holm'])}."


def bound(people: int, family: int, least: float) -> str:
    """``with 6 participants and 9 methods, no p after Holm's correction can be below .28``."""
    floor = score(least, 3 if least < 0.1 else 2)
    if family < 2:
        return f"with {plural(people, 'participant')}, no p can be below {floor}"
    people_and_methods = f"with {plural(people, 'participant')} and {family} methods"
    return f"{people_and_methods}, no p after Holm's correction can be below {floor}"


def resampled(found: Sequence[Gap]) -> str:
    """``1,000 resamples``, ``1,000 to 8,000 resamples``: those of the p-values; empty where there is no p."""
    numbers = {gap.row["resamples"] for gap in found if gap.p is not None}
    if not numbers:
        return ""
    least, most = min(numbers), max(numbers)
    return f"{f'{count(least)} to ' if least < most else ''}{plural(most, 'resample')}"


def inside(rows: Sequence[MethodScores], found: Sequence[Gap]) -> str:
    """The same within the questions; empty where no method has a within-question AUROC.

    Args:
        rows: methods of a level and split.
        found: ``gaps`` in AUROC_within there.
    """
    known = [row for row in rows if row.ranked and row.value("AUROC_within") is not None]
    control = next((row.value("AUROC_within") for row in rows if row.method == CONTENT_FREE), None)
    if not known:
        return ""
    best = max(known, key=lambda row: row.value("AUROC_within") or 0.0)
    own = best.scores["AUROC_within"]
    within = interval(own["low"], own["high"], " to ")
    items = "frames of answers" if own["level"] == "frame" else "answers"
    text = (
        f"Of two {items} to the same question, one with A/H and one without, {best.name} ranks the right one first in "
        f"{score(own['value'], 2)} of pairs" + (f" ({within})" if within else "") + "; chance gives .50"
    )
    if control is None:
        return f"{text}."
    return f"{text} and the content-free control {score(control, 2)}{_certainty(gap_of(found, best))}."


def _certainty(gap: Gap | None) -> str:
    if gap is None:
        return ""
    if not gap.reachable:
        return f"; whether the difference is chance {unknown([gap]).rstrip('.')}"
    return "; the difference is certain" if gap.certain else "; the difference may be chance"
