"""Figure of scores and predicted positives while methods adapt: where a method collapses onto one class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from waver.report.figures.style import (
    CONTROL_STYLE,
    INK,
    METHOD_STYLE,
    POSITIVE,
    Drawn,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import PROTOCOLS, percent, plural, row_name, score

Row = dict[str, Any]
Curve = npt.NDArray[np.float64]

_PLACES = np.linspace(0, 1, 21)
"""Shares of the steps at which curves of different lengths meet."""
_COLUMNS = 4
_SHOWN = ("AVGF1", "positive")
_TITLE = "Scores and predicted positives while methods adapt"


class Steps(NamedTuple):
    """What becomes of the predictions of a method over its steps; curves are means over participants.

    Attributes:
        name: of the method.
        steps: mean optimiser steps of a participant.
        people: participants.
        mean: curve -> value at each place; nan where too few people have one.
        spread: its standard deviation between participants.
        truth: mean share of frames with A/H.
    """

    name: str
    steps: float
    people: int
    mean: dict[str, Curve]
    spread: dict[str, Curve]
    truth: float


def steps_of(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str, least: int) -> list[Steps]:
    """Curves of every method that takes steps, by name.

    Args:
        adapted: metadata and diagnostics of each table of predictions.
        protocol: how a participant's frames were split.
        least: people without whom no curve is shown.
    """
    lines: dict[str, dict[str, list[Row]]] = {}
    for about, own in adapted:
        for line in own if about["protocol"] == protocol else ():
            if line.get("trace"):
                lines.setdefault(row_name(about), {}).setdefault(line["participant"], []).append(line)
    return [_mean(name, people, least) for name, people in sorted(lines.items()) if len(people) >= least]


def _mean(name: str, people: dict[str, list[Row]], least: int) -> Steps:
    every = [line for own in people.values() for line in own]
    mean, spread = {}, {}
    for curve in (*_SHOWN, *(f"unadapted_{one}" for one in _SHOWN)):
        # seeds first, so that every participant counts once
        own = np.stack([np.mean([_curve(line, curve) for line in lines], axis=0) for lines in people.values()])
        known = np.isfinite(own).sum(axis=0) >= least
        mean[curve], spread[curve] = np.full((2, len(_PLACES)), np.nan)
        mean[curve][known], spread[curve][known] = np.nanmean(own[:, known], axis=0), np.nanstd(own[:, known], axis=0)
    frames = [(line["test_positives"], line["test_positives"] + line["test_negatives"]) for line in every]
    truth = float(np.mean([positive / count for positive, count in frames]))
    return Steps(name, float(np.mean([line["steps"] for line in every])), len(people), mean, spread, truth)


def _curve(line: Row, name: str) -> Curve:
    """A curve of one participant at all places; nan before its first value."""
    known = [(point["done"], point[name]) for point in line["trace"] if point[name] is not None]
    if not known:
        return np.full(len(_PLACES), np.nan)
    places, values = np.array(known).T
    found: Curve = np.interp(_PLACES, places, values)
    found[places[0] > _PLACES] = np.nan
    return found


def draw_steps(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str, folder: Path, least: int) -> Drawn | None:
    """Two panels a method, AVGF1 above the share predicted positive; None where no method takes steps."""
    shown = steps_of(adapted, protocol, least)
    if not shown:
        return None
    name = f"steps-{protocol}"
    with plot_style(name):
        columns = min(len(shown), _COLUMNS)
        bands = math.ceil(len(shown) / columns)
        figure = new_figure(max(2.55 * columns, 5.2), 0.6 + 3.3 * bands)
        panels = figure.subplots(2 * bands, columns, sharey="row", squeeze=False)
        for place in range(bands * columns):
            pair = panels[place // columns * 2 : place // columns * 2 + 2, place % columns]
            if place < len(shown):
                _method(pair, shown[place], first=place % columns == 0)
            else:
                for panel in pair:
                    panel.set_axis_off()
        figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        return finish(figure, name, folder, _TITLE, _caption(shown, protocol, least))


def _method(pair: Sequence[Any], found: Steps, first: bool) -> None:
    steps = _PLACES * found.steps
    for panel, curve in zip(pair, _SHOWN, strict=True):
        mean, spread = found.mean[curve], found.spread[curve]
        low, high = np.clip(mean - spread, 0, 1), np.clip(mean + spread, 0, 1)
        panel.fill_between(steps, low, high, color=METHOD_STYLE.colour, alpha=0.15, linewidth=0)
        panel.plot(steps, mean, **METHOD_STYLE.line(1.8), label="adapted")
        panel.plot(steps, found.mean[f"unadapted_{curve}"], **CONTROL_STYLE.line(1.4), label="the network as it was")
        panel.set_ylim(0, 1.02)
        panel.set_yticks([0, 0.5, 1])
        panel.grid(axis="y")
        panel.tick_params(axis="x", colors=INK)
        panel.set_xlim(0, found.steps)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    top, bottom = pair
    bottom.axhline(found.truth, color=POSITIVE, linewidth=1.4, linestyle=(0, (1.5, 1.5)), label="share with A/H")
    top.set_title(found.name)
    bottom.set_xlabel("optimiser steps")
    top.yaxis.set_major_formatter(lambda value, _: score(value, 1))
    bottom.yaxis.set_major_formatter(lambda value, _: percent(value))
    if first:
        top.set_ylabel("AVGF1")
        bottom.set_ylabel("predicted positive")


def _caption(shown: Sequence[Steps], protocol: str, least: int) -> str:
    people = max(found.people for found in shown)
    return (
        f"{PROTOCOLS[protocol]}, means over {plural(people, 'participant')} with the standard deviation between them, "
        "scored on frames that were not adapted on and not seen by any method. Methods that adapt first are scored "
        "after each epoch; of the oracle's epochs the one that T_va chose is kept. Online methods are scored on the "
        "frames that have arrived, AVGF1 from where both classes have come up, and the grey line is the network as it "
        "was on the same frames. A share predicted positive that runs to 0 or to 100 % is a collapse onto one "
        f"class. Only methods that take steps; values of fewer than {plural(least, 'person', 'people')} are withheld."
    )
