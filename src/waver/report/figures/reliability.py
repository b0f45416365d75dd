"""Reliability curves: of the items with a probability near p, how many are A/H."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.report.data import Row
from waver.report.figures.style import (
    CONTROL_STYLE,
    LINE,
    METHOD_STYLE,
    MUTED,
    ORANGE,
    Drawn,
    LineStyle,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import SPLITS, is_constant, is_control, row_name, score, where
from waver.report.ranking import COMPARABLE, MethodScores, ranked_methods, seeds
from waver.report.tables.results import ShownCell, ShownRow, ShownTable

_COLUMNS = 4
_SCALED = LineStyle(ORANGE, (2.6, 1.4))


@dataclass(frozen=True)
class Curve:
    """Bins of one method, before and after temperature scaling; the latter may be missing."""

    method: str
    modalities: str
    plain: tuple[Row, ...]
    tempered: tuple[Row, ...]

    @property
    def name(self) -> str:
        return row_name(self.plain[0])


def curves(calibration: Sequence[Row], level: str) -> tuple[str, list[Curve]]:
    """The first split in which the level has curves, and its methods, the best calibrated first."""
    here = [row for row in calibration if row["level"] == level and row["protocol"] == "standard"]
    split = next((split for split in SPLITS if any(row["split"] == split for row in here)), "")
    bins: dict[tuple[str, str], list[Row]] = {}
    for row in here:
        if row["split"] == split and not (is_control(row["method"]) and row["modalities"]):
            bins.setdefault((row["method"], row["modalities"]), []).append(row)
    found = [Curve(*names, _part(rows, False), _part(rows, True)) for names, rows in bins.items()]
    found = [curve for curve in found if curve.plain]
    return split, sorted(found, key=lambda curve: (is_control(curve.method), curve.plain[0]["ECE"], curve.name))


def _part(rows: Sequence[Row], tempered: bool) -> tuple[Row, ...]:
    return tuple(sorted((row for row in rows if row["tempered"] == tempered), key=lambda row: row["bin"]))


def calibration_table(found: Sequence[Curve], level: str, split: str, scores: Sequence[Row] = ()) -> ShownTable | None:
    """ECE, Brier score and log loss of each method, before and after temperature scaling.

    Args:
        found: the methods.
        level: frame or video.
        split: cv, test or val.
        scores: rows of the scores table, for the scores of single seeds.
    """
    if not found:
        return None
    names = ("ECE", "Brier", "log_loss")
    scored = {(row.method, row.modalities): row for row in ranked_methods(scores, level, split)}
    rows = [ShownRow(one.name, "", is_control(one.method), tuple(_cells(one, names, scored))) for one in found]
    heads = tuple(head for name in ("ECE", "Brier score", "Log loss") for head in (name, "after scaling"))
    return ShownTable(
        caption=f"Calibration, {where(level, split)}. Less is better; a temperature of 1 changes nothing. {COMPARABLE}",
        heads=(*heads, "Temperature"),
        methods=tuple(row for row in rows if not row.control),
        controls=tuple(row for row in rows if row.control),
    )


def _cells(one: Curve, names: Sequence[str], scored: Mapping[tuple[str, str], MethodScores]) -> list[ShownCell]:
    row, known = one.plain[0], (one.method, one.modalities)
    single = scored[known].scores if known in scored else {}
    cells = [_cell(row[key], 3, seeds(single.get(key, {}))) for name in names for key in (name, f"{name}_tempered")]
    return [*cells, _cell(row["temperature"], 2)]


def _cell(value: float | None, digits: int, below: str = "") -> ShownCell:
    return ShownCell(score(value, digits), below, float("-inf") if value is None else value)


def draw_reliability(found: Sequence[Curve], level: str, split: str, folder: Path) -> Drawn | None:
    """One panel per method; None where there is no curve."""
    found = [curve for curve in found if not is_constant(curve.method)]
    if not found:
        return None
    bands = -(-len(found) // _COLUMNS)
    with plot_style(f"reliability-{level}"):
        # panels keep their size, however few they are
        figure = new_figure(2.5 * _COLUMNS + 0.5, 2.55 * bands + 0.5)
        panels = figure.subplots(bands, _COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes in panels.flat[len(found) :]:
            axes.set_visible(False)
        for axes, one in zip(panels.flat, found, strict=False):
            _panel(axes, one)
            axes.tick_params(labelbottom=True)
        figure.supxlabel("predicted probability", fontsize=9, color=MUTED)
        figure.supylabel("share with A/H", fontsize=9, color=MUTED)
        caption = (
            f"Each mark is about a fifteenth of the {where(level, split)}, by predicted probability; the bar is the "
            "95 % interval over participants. On the diagonal, probabilities equal observed shares; below it, A/H is "
            "predicted more often than observed. ECE is the mean distance to the diagonal. Orange, dashed, without "
            "marks: after division of the logit by a temperature that was fitted on other people."
        )
        return finish(figure, f"reliability-{level}", folder, f"Reliability of probabilities, {level}s", caption)


def _panel(axes: Any, one: Curve) -> None:
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
    if one.tempered:
        x, y = [row["predicted"] for row in one.tempered], [row["observed"] for row in one.tempered]
        axes.plot(x, y, **_SCALED.line(1.4))
    style = CONTROL_STYLE if is_control(one.method) else METHOD_STYLE
    for row in one.plain:
        ends = row["observed_low"], row["observed_high"]
        if None not in ends:
            axes.plot([row["predicted"]] * 2, ends, color=style.colour, linewidth=0.8)
    axes.plot([row["predicted"] for row in one.plain], [row["observed"] for row in one.plain], **style.line(1, 3.5))
    first = one.plain[0]
    after = f" → {score(first['ECE_tempered'])}" if first["ECE_tempered"] is not None else ""
    axes.set_title(one.name.replace(", ", ",\n"), fontsize=8.5)
    axes.text(0.03, 0.97, f"ECE {score(first['ECE'])}{after}", transform=axes.transAxes, va="top", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.grid()
