"""Figure of the weights of a linear model of answers: which features predict A/H, and whether all folds agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.report.data import Material, Row
from waver.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    UNSURE_STYLE,
    Drawn,
    LineStyle,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import method_name, plural

SHOWN = 16
"""Features shown: those with the largest weights."""

_FOR, _AGAINST = LineStyle(ORANGE, marker=">"), LineStyle(BLUE, marker="<")


@dataclass(frozen=True)
class Weighed:
    """One feature: its weight in the model of the train split and in the models of the folds."""

    feature: str
    train: float
    folds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the folds; where there are none, the weight of the model of the train split."""
        return float(np.mean(self.folds)) if self.folds else self.train

    @property
    def agreed(self) -> bool:
        """Whether all models have the same sign."""
        return len({np.sign(weight) for weight in (self.train, *self.folds)}) == 1


def weighed(rows: Sequence[Row]) -> list[Weighed]:
    """The features with the largest weights, the strongest for A/H first."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        train, folds = found.setdefault(row["feature"], ([], []))
        (train if row["fold"] is None else folds).append(row["weight"])
    every = [Weighed(name, float(np.mean(train)), tuple(folds)) for name, (train, folds) in found.items()]
    strongest = sorted(every, key=lambda one: -abs(one.mean))[:SHOWN]
    return sorted(strongest, key=lambda one: -one.mean)


def draw_weights(material: Material, folder: Path) -> Drawn | None:
    """The figure, of the model with the most weights; None where no model has any."""
    method, modalities = max(material.weights, key=lambda name: len(material.weights[name]), default=("", ""))
    rows = weighed(material.weights[method, modalities]) if method else []
    if not rows:
        return None
    with plot_style("weights"):
        figure = new_figure(8.6, 1.1 + 0.3 * len(rows))
        axes = figure.subplots()
        for place, row in enumerate(rows):
            _line(axes, place, row)
        axes.set_yticks(range(len(rows)), [row.feature for row in rows])
        axes.tick_params(axis="y", colors=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("change of the log odds of A/H by one standard deviation of the feature")
        title = f"Weights of {method_name(method, modalities)}"
        return finish(figure, "weights", folder, title, _caption(rows))


def _line(axes: Any, place: int, row: Weighed) -> None:
    style = UNSURE_STYLE if not row.agreed else _FOR if row.mean > 0 else _AGAINST
    axes.barh([place], [row.mean], height=0.55, **style.bar(), alpha=0.45)
    axes.plot(row.folds or (row.train,), [place] * max(1, len(row.folds)), **style.mark(5))


def _caption(rows: Sequence[Weighed]) -> str:
    folds = len(rows[0].folds)
    text = (
        f"The {plural(len(rows), 'feature')} with the largest weights. Orange features predict A/H, blue features no "
        "A/H. Counts and rates of the same cue share its weight."
    )
    if folds:
        text += (
            f" A mark is the model of one of {folds} folds, which share most of their people. Where the signs of the "
            "marks differ, the feature is grey and hatched, its marks are open, and its weight means nothing."
        )
    return text
