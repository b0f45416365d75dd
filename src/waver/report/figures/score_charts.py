"""Figures of scores: forest, difference to the control, within questions, groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from waver.report.figures.style import (
    BLUE,
    CONTROL_STYLE,
    INK,
    LINE,
    METHOD_STYLE,
    MUTED,
    ORANGE,
    RED,
    UNSURE_STYLE,
    WASH,
    Drawn,
    LineStyle,
    finish,
    new_figure,
    plot_style,
)
from waver.report.formatting import LANGUAGES, method_name, p_value, plural, score, signed, uses_labels, where
from waver.report.ranking import AVERAGED, AVERAGED_SCORES, MethodScores, Row, content_free, ranked_methods, select
from waver.report.text.findings import Gap, resampled, unknown

_ABOVE, _BELOW = LineStyle(BLUE, marker=">"), LineStyle(RED, marker="<")
_TOGETHER = LineStyle(ORANGE, filled=False)


def draw_forest(rows: Sequence[MethodScores], level: str, split: str, folder: Path) -> Drawn | None:
    """AVGF1 of every method and control with its interval."""
    shown = [row for row in rows if row.value("AVGF1") is not None]
    if not shown:
        return None
    with plot_style(f"forest-{level}"):
        figure = new_figure(8.6, 0.9 + 0.3 * len(shown))
        axes = figure.subplots()
        control = content_free(shown)
        if control is not None:
            _control_band(axes, control.scores["AVGF1"])
        for place, row in enumerate(shown):
            whisker(axes, place, row.scores["AVGF1"], _style(row), row.control)
        method_axis(axes, [(row.name, row.control) for row in shown])
        axes.set_xlabel(f"AVGF1, {where(level, split)}")
        caption = (
            "Each line is a method: the mark is its score, the bar the 95 % interval over participants. Controls are "
            "grey squares. The vertical band is the content-free control: a method that overlaps it may owe its score "
            f"to the question and the length of the answer. {AVERAGED_SCORES}"
        )
        return finish(figure, f"forest-{level}", folder, "Scores with 95 % intervals", caption)


def _control_band(axes: Any, row: Row) -> None:
    if row["low"] is not None and row["high"] is not None:
        axes.axvspan(row["low"], row["high"], color=WASH, zorder=0)
    axes.axvline(row["value"], **CONTROL_STYLE.line(1), zorder=1)


def _style(row: MethodScores) -> LineStyle:
    return CONTROL_STYLE if row.control else METHOD_STYLE


def whisker(axes: Any, place: float, row: Row, style: LineStyle, muted: bool = False, label: str = "") -> None:
    """A value with its interval, and its label at the right edge.

    Args:
        axes: panel to draw on.
        place: height on the axis of methods.
        row: ``value``, ``low`` and ``high``; the latter two None where there is no interval.
        style: of the mark; the bar has its colour.
        muted: whether the label is muted, as those of controls are.
        label: empty for the value.
    """
    if row["low"] is not None and row["high"] is not None:
        axes.plot([row["low"], row["high"]], [place, place], color=style.colour, linewidth=2, solid_capstyle="round")
    axes.plot(row["value"], place, **style.mark(7, edge=1))
    axes.annotate(
        label or score(row["value"]), (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize=8.5, color=MUTED if muted else INK,
    )  # fmt: skip


def method_axis(axes: Any, names: Sequence[tuple[str, bool]]) -> None:
    """One line per method, from the top; each name with whether it is a control."""
    axes.set_yticks(range(len(names)), [name for name, _ in names])
    for tick, (_, control) in zip(axes.get_yticklabels(), names, strict=True):
        tick.set_color(MUTED if control else INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter(lambda value, _: score(value, 2).replace("-", "−"))


def draw_difference(found: Sequence[Gap], level: str, split: str, folder: Path) -> Drawn | None:
    """Paired difference of AVGF1 to the content-free control; None where nothing was compared."""
    shown = [gap for gap in found if not uses_labels(gap.method)]
    if not shown:
        return None
    with plot_style(f"difference-{level}"):
        figure = new_figure(8.6, 0.9 + 0.3 * len(shown))
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for place, gap in enumerate(shown):
            style = UNSURE_STYLE if not gap.certain else _ABOVE if gap.difference > 0 else _BELOW
            row = {"value": gap.difference, "low": gap.low, "high": gap.high}
            whisker(axes, place, row, style, label=f"{signed(gap.difference)}  {p_value(gap.p)}")
        method_axis(axes, [(gap.name, False) for gap in shown])
        axes.set_xlabel(f"AVGF1 above the content-free control, {where(level, split)}")
        caption = (
            "Difference to the content-free control on the same resampled participants, with its 95 % interval. Right "
            "of zero, a method scores more than question, length and position in the answer alone. A blue mark that "
            "points right is above the control with certainty, a red one that points left is below, an open grey one "
            f"neither: p, of {resampled(shown) or 'no resample'}, is corrected for {plural(len(shown), 'method')} "
            f"(Holm). {AVERAGED}"
        )
        if not any(gap.reachable for gap in shown):
            caption += f" Whether a method is above the control {unknown(shown)}"
        return finish(figure, f"difference-{level}", folder, "Difference to the content-free control", caption)


def draw_within(rows: Sequence[MethodScores], level: str, split: str, folder: Path) -> Drawn | None:
    """AUROC over all questions and within them, joined by a line."""
    shown = [row for row in rows if row.value("AUROC") is not None and row.value("AUROC_within") is not None]
    shown = [row for row in shown if row.method not in ("all_negative", "all_positive") and not _twin(row)]
    if not shown:
        return None
    with plot_style(f"within-{level}"):
        figure = new_figure(8.6, 1.1 + 0.3 * len(shown))
        axes = figure.subplots()
        axes.axvline(0.5, color=INK, linewidth=1)
        for place, row in enumerate(shown):
            overall, inside = row.value("AUROC"), row.value("AUROC_within")
            axes.plot([overall, inside], [place, place], color=LINE, linewidth=2.4, zorder=1)
            whisker(axes, place, row.scores["AUROC_within"], _style(row), row.control)
            axes.plot(overall, place, **_TOGETHER.mark(6))
        method_axis(axes, [(row.name, row.control) for row in shown])
        axes.plot([], [], **_TOGETHER.mark(6), label="all questions together")
        axes.plot([], [], **METHOD_STYLE.mark(7, edge=1), label="within each question, averaged")
        figure.legend(loc="outside upper left", ncols=2, handletextpad=0.3)
        axes.set_xlabel(f"AUROC, {where(level, split)} (.5 is chance)")
        caption = (
            f"Open marks rank all {level}s together, where it helps to know which question tends to elicit A/H. "
            f"Filled marks rank {level}s within one question, where this does not help; the bar is their 95 % interval "
            f"over participants, the number at the right their value. {AVERAGED_SCORES}"
        )
        return finish(figure, f"within-{level}", folder, "Ranking within questions", caption)


def _twin(row: MethodScores) -> bool:
    """The question prior as a model, which has the name of a control."""
    return row.control and bool(row.modalities)


def draw_groups(scores: Sequence[Row], level: str, split: str, folder: Path, least: int) -> Drawn | None:
    """AVGF1 of the selected method and the content-free control in each group."""
    selection = select(scores, level)
    if selection is None:
        return None
    leader = selection.chosen
    groups = sorted({row["group"] for row in scores if row["level"] == level and "=" in row["group"]}, key=_group_key)
    found = {group: ranked_methods(scores, level, split, group=group) for group in groups}
    found = {group: rows for group, rows in found.items() if rows and not group.startswith("question=")}
    if not found:
        return None
    with plot_style(f"groups-{level}"):
        figure = new_figure(8.6, 1.2 + 0.42 * len(found))
        axes = figure.subplots()
        for place, rows in enumerate(found.values()):
            _group(axes, place, rows, leader, least)
        _group_axis(axes, list(found), leader)
        axes.set_xlabel(f"AVGF1, {where(level, split)}")
        caption = (
            "The best method of the page's first table and the control in each group, with the 95 % interval. Groups "
            f"of fewer than {least} people have no score, nor has a group whose score would tell that of so few. "
            f"{AVERAGED_SCORES}"
        )
        return finish(figure, f"groups-{level}", folder, f"By group of participants, {level}s", caption)


def _group_axis(axes: Any, groups: Sequence[str], leader: MethodScores) -> None:
    axes.set_yticks(range(len(groups)), [_group_name(group) for group in groups])
    axes.tick_params(axis="y", colors=INK)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: score(value, 1))
    axes.barh([-9], [0], **METHOD_STYLE.bar(), label=leader.name)
    axes.barh([-9], [0], **CONTROL_STYLE.bar(), label=method_name("content_free"))
    axes.figure.legend(loc="outside upper left", ncols=2)


def _group_name(group: str) -> str:
    kind, value = _group_key(group)
    return f"{kind}: {LANGUAGES.get(value, value)}".replace("_", " ")


def _group_key(group: str) -> tuple[str, str]:
    kind, _, value = group.partition("=")
    return kind, value


def _group(axes: Any, place: int, rows: Sequence[MethodScores], leader: MethodScores, least: int) -> None:
    shown = (_same(rows, leader), content_free(rows))
    if all(row is None or row.value("AVGF1") is None for row in shown):
        axes.text(
            0.01, place, f"too few people here or elsewhere (under {least})", va="center", color=MUTED, style="italic"
        )
        return
    for row, offset, style in zip(shown, (-0.17, 0.17), (METHOD_STYLE, CONTROL_STYLE), strict=True):
        value = None if row is None else row.value("AVGF1")
        if row is None or value is None:
            continue
        axes.barh(place + offset, value, height=0.28, **style.bar(), alpha=0.85)
        found = row.scores["AVGF1"]
        if found["low"] is not None and found["high"] is not None:
            axes.plot([found["low"], found["high"]], [place + offset] * 2, color=INK, linewidth=1)


def _same(rows: Sequence[MethodScores], wanted: MethodScores) -> MethodScores | None:
    return next((row for row in rows if row.same_method(wanted)), None)
