"""Critical-difference diagram (Demsar, JMLR 2006): mean ranks of methods over participants, and which differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from waver.evaluation.significance import LEVEL
from waver.report.figures.style import (
    INK,
    LINE,
    METHOD_STYLE,
    MUTED,
    UNSURE_STYLE,
    Drawn,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import PROTOCOLS, p_value, plural, row_name, score, uses_labels

Row = dict[str, Any]
_LEAST_METHODS = 3


class Ranks(NamedTuple):
    """Ranks of methods over the same participants.

    Attributes:
        mean: name -> mean rank, best first; 1 is the best, equal scores share a rank.
        people: participants.
        p: of Friedman's test that all methods are alike.
        critical: difference of mean ranks above which two methods differ (Nemenyi).
    """

    mean: dict[str, float]
    people: int
    p: float
    critical: float


def ranks_of(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str) -> Ranks | None:
    """Ranks by the participants' own AVGF1, seeds averaged; None of fewer than three methods or of one participant.

    Methods that use the person's labels take no part, nor do participants whom a method was not scored on.

    Args:
        adapted: metadata and diagnostics of each table of predictions.
        protocol: how a participant's frames were split.
    """
    scores: dict[str, dict[str, list[float]]] = {}
    for about, lines in adapted:
        if about["protocol"] == protocol and not uses_labels(about["method"]):
            for line in lines:
                if line.get("AVGF1") is not None:
                    scores.setdefault(row_name(about), {}).setdefault(line["participant"], []).append(line["AVGF1"])
    people = sorted(set.intersection(*(set(own) for own in scores.values()))) if scores else []
    if len(scores) < _LEAST_METHODS or len(people) < 2:
        return None
    table = np.array([[np.mean(own[person]) for own in scores.values()] for person in people])
    found = np.apply_along_axis(stats.rankdata, 1, -table.round(12))
    mean = sorted(zip(scores, found.mean(axis=0).tolist(), strict=True), key=lambda one: (one[1], one[0]))
    return Ranks(dict(mean), len(people), friedman_p(found), nemenyi(len(scores), len(people)))


def friedman_p(ranks: npt.NDArray[np.float64]) -> float:
    """The p of Friedman's test, by Iman and Davenport's F, of ranks [people, methods]; 1 where all are alike."""
    people, methods = ranks.shape
    spread = ((ranks - (methods + 1) / 2) ** 2).sum()
    if not spread:
        return 1.0
    chi2 = people * (methods - 1) * ((ranks.mean(axis=0) - (methods + 1) / 2) ** 2).sum() * people / spread
    if chi2 >= people * (methods - 1):
        return 0.0
    f = (people - 1) * chi2 / (people * (methods - 1) - chi2)
    return float(stats.f.sf(f, methods - 1, (methods - 1) * (people - 1)))


def nemenyi(methods: int, people: int) -> float:
    """Critical difference of mean ranks at LEVEL."""
    q = float(stats.studentized_range.ppf(1 - LEVEL, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * people))


def alike(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """First and last of the largest groups of neighbouring methods that do not differ; of ascending mean ranks."""
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(number for number, other in enumerate(ranks) if other - rank <= critical)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def draw_ranks(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str, folder: Path, least: int) -> Drawn | None:
    """Mean ranks on an axis, bars below it over methods that do not differ; None of too few methods or people."""
    found = ranks_of(adapted, protocol)
    if found is None or found.people < least:
        return None
    name = f"ranks-{protocol}"
    with plot_style(name):
        values, names = list(found.mean.values()), list(found.mean)
        groups = alike(values, found.critical)
        figure = new_figure(8.6, 0.9 + 0.3 * len(names) + 0.16 * len(groups))
        axes = figure.subplots()
        axes.plot([1, 1 + found.critical], [-1.6, -1.6], color=INK, linewidth=2)
        axes.text(
            1 + found.critical / 2, -1.8, f"critical difference {score(found.critical, 2)}", ha="center", color=MUTED
        )
        for place, value in enumerate(values):
            axes.plot([value, value], [-0.9, place], color=LINE, linewidth=1, zorder=0)
            axes.plot(value, place, **METHOD_STYLE.mark(7, edge=1))
            axes.annotate(
                score(value, 2), (value, place), (8, 0), textcoords="offset points", va="center", fontsize=8.5
            )
        for level, (first, last) in enumerate(groups):
            axes.plot([values[first], values[last]], [len(names) + 0.5 * level] * 2, **UNSURE_STYLE.line(4))
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", colors=INK)
        axes.set_ylim(len(names) + 0.5 * len(groups), -2.6)
        axes.set_xlim(0.8, max(len(names), 1 + found.critical) + 0.4)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("mean rank, 1 is the best")
        return finish(figure, name, folder, "Ranks of the methods over participants", _caption(found, protocol))


def _caption(found: Ranks, protocol: str) -> str:
    apart = max(found.mean.values()) - min(found.mean.values())
    verdict = "" if apart > found.critical else " No two methods are that far apart."
    return (
        f"{PROTOCOLS[protocol]}: each of {plural(found.people, 'participant')} ranks the methods and the networks as "
        "they were by the AVGF1 of their own frames (mean of the seeds). Friedman's test that all are alike: "
        f"{p_value(found.p)}. Methods under one grey bar differ by less than the critical difference of Nemenyi's "
        f"test, p < {score(LEVEL, 2)}.{verdict} Methods that use the person's labels are left out."
    )
