"""Histogram of lengths, in which nobody is alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from waver.evaluation.disclosure import disclosed
from waver.report.figures.style import INK, LINE, MUTED

_BINS = 24
_TOO_FEW = "too few"


def length_histogram(axes: Any, values: Sequence[tuple[str, float]], least: int, title: str, what: str) -> None:
    """Histogram of values, with their median; bins of few people, and bins that would give others away, are left out.

    Args:
        axes: to draw on.
        values: (participant, value).
        least: ``evaluate.least_group``.
        title: of the histogram.
        what: the values are of.
    """
    axes.set_title(title)
    if len({who for who, _ in values}) < least:
        axes.text(0.5, 0.5, _TOO_FEW, ha="center", color=MUTED, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    numbers = np.array([value for _, value in values])
    first = 0.0 if numbers.min() < numbers.max() / 3 else float(np.floor(numbers.min()))
    edges = np.linspace(first, float(np.ceil(numbers.max())) + 1e-9, min(_BINS, max(6, len(numbers) // 4)) + 1)
    place = np.clip(np.digitize(numbers, edges) - 1, 0, len(edges) - 2)
    bins = range(len(edges) - 1)
    people = {number: [who for (who, _), bin_ in zip(values, place, strict=True) if bin_ == number] for number in bins}
    shown = disclosed(people, least)
    for number, inside in people.items():
        if inside and number in shown:
            axes.bar(edges[number], len(inside), width=edges[1] - edges[0], align="edge", facecolor=MUTED,
                     edgecolor=LINE, linewidth=0.4, alpha=0.7)  # fmt: skip
    axes.axvline(float(np.median(numbers)), color=INK, linewidth=1.2)
    axes.set_xlim(first, float(edges[-1]))
    axes.set_ylabel(what)
    axes.grid(axis="y")
