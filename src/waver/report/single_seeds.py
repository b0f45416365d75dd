"""The scores of single seeds, beside the score of the probabilities averaged over them."""

from __future__ import annotations

from waver.report.standings import Row
from waver.report.wording import score

COMPARABLE = (
    "After “seeds”: mean ± standard deviation of the scores of the single seeds. A published score is of one model, so "
    "compare it with this mean, and where a line has one seed with the score itself; the score of several seeds is of "
    "their averaged probabilities."
)
"""Stands with every table of scores: which of the two compares with the papers."""

AVERAGED_SCORES = "Scores of several seeds are of their averaged probabilities."
"""Stands with every figure of scores."""

AVERAGED = "Differences, their intervals and p are of the probabilities averaged over the seeds."
"""Stands with every table and figure of comparisons."""


def spread(row: Row, digits: int = 3) -> str:
    """``.849 ± .013`` of a row of the scores; empty where it is of one seed."""
    mean, deviation = row.get("seed_mean"), row.get("seed_sd")
    return "" if mean is None or deviation is None else f"{score(mean, digits)} ± {score(deviation, digits)}"


def seeds(row: Row, digits: int = 3) -> str:
    """``seeds .849 ± .013``; empty where the row is of one seed."""
    told = spread(row, digits)
    return f"seeds {told}" if told else ""
