"""Figures made from the scores table: forest, difference to the control, inside questions, groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waver.report.standings import Row, Standing, best, content_free, standings
from waver.report.style import BLUE, CONTROL, INK, LINE, MUTED, ORANGE, PAPER, WASH, Drawn, finish, look, new_figure
from waver.report.wording import CONTROLS, score, signed

DIFFERENCE = "AVGF1_minus_content_free"
"""Metric of the paired difference to the content-free control, with its own interval."""


def draw_forest(rows: Sequence[Standing], folder: Path) -> Drawn | None:
    """AVGF1 of every method and control with its interval."""
    shown = [row for row in rows if row.value("AVGF1") is not None]
    if not shown:
        return None
    with look("forest"):
        figure = new_figure(8.6, 0.9 + 0.3 * len(shown))
        axes = figure.subplots()
        control = content_free(shown)
        if control is not None:
            _control_band(axes, control.scores["AVGF1"])
        for place, row in enumerate(shown):
            _whisker(axes, place, row.scores["AVGF1"], CONTROL if row.control else BLUE, row.control)
        _method_axis(axes, shown)
        axes.set_xlabel("AVGF1, test frames")
        caption = (
            "Each line is a method: the mark is its score, the bar the 95 % interval over participants. Controls are "
            "grey. The vertical band is the content-free control: what overlaps it may owe its score to the question "
            "asked and the length of the answer."
        )
        return finish(figure, "forest", folder, "Scores with their uncertainty", caption)


def _control_band(axes: Any, row: Row) -> None:
    if row["low"] is not None and row["high"] is not None:
        axes.axvspan(row["low"], row["high"], color=WASH, zorder=0)
    axes.axvline(row["value"], color=CONTROL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)


def _whisker(axes: Any, place: float, row: Row, colour: str, square: bool, label: str = "") -> None:
    if row["low"] is not None and row["high"] is not None:
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2, solid_capstyle="round")
    mark = "s" if square else "o"
    axes.plot(row["value"], place, mark, color=colour, markersize=7, markeredgecolor=PAPER, markeredgewidth=1)
    axes.annotate(
        label or score(row["value"]), (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize=8.5, color=MUTED if square else INK,
    )  # fmt: skip


def _method_axis(axes: Any, rows: Sequence[Standing]) -> None:
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(MUTED if row.control else INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(lambda value, _: score(value, 2).replace("-", "−"))


def draw_difference(rows: Sequence[Standing], folder: Path) -> Drawn | None:
    """Paired difference of AVGF1 to the content-free control; None where the scores hold none."""
    shown = [row for row in rows if row.value(DIFFERENCE) is not None and not row.control]
    if not shown:
        return None
    with look("difference"):
        figure = new_figure(8.6, 0.9 + 0.3 * len(shown))
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(shown):
            found = row.scores[DIFFERENCE]
            clear = found["low"] is not None and (found["low"] > 0 or found["high"] < 0)
            _whisker(axes, place, found, BLUE if clear else CONTROL, False, signed(found["value"]))
        _method_axis(axes, shown)
        axes.set_xlabel("AVGF1 above the content-free control, test frames")
        caption = (
            "Difference to the content-free control on the same resampled participants. Right of zero, a method scores "
            "more than question, length and position in the answer give. Grey bars include zero: no difference is "
            "shown. The bars are not corrected for the number of methods."
        )
        return finish(figure, "difference", folder, "What the models add to the control", caption)


def draw_within(rows: Sequence[Standing], folder: Path) -> Drawn | None:
    """AUROC over all frames and inside questions, joined by a line."""
    shown = [row for row in rows if row.value("AUROC") is not None and row.value("AUROC_within") is not None]
    shown = [row for row in shown if row.method not in ("all_negative", "all_positive")]
    if not shown:
        return None
    with look("within"):
        figure = new_figure(8.6, 1.1 + 0.3 * len(shown))
        axes = figure.subplots()
        axes.axvline(0.5, color=INK, linewidth=1)
        for place, row in enumerate(shown):
            whole, inside = row.value("AUROC"), row.value("AUROC_within")
            axes.plot([whole, inside], [place, place], color=LINE, linewidth=2.4, zorder=1)
            _whisker(axes, place, row.scores["AUROC_within"], CONTROL if row.control else BLUE, row.control)
            axes.plot(whole, place, "o", color=PAPER, markeredgecolor=ORANGE, markeredgewidth=1.6, markersize=6)
        _method_axis(axes, shown)
        axes.plot([], [], "o", color=PAPER, markeredgecolor=ORANGE, markeredgewidth=1.6, label="all questions together")
        axes.plot([], [], "o", color=BLUE, label="inside each question, averaged")
        figure.legend(loc="outside upper left", ncols=2, handletextpad=0.3)
        axes.set_xlabel("AUROC, test frames (.5 is chance)")
        caption = (
            "Open marks rank all frames together and so profit from knowing which question tends to draw A/H. Filled "
            "marks rank frames inside one question, where that knowledge is worth nothing."
        )
        return finish(figure, "within", folder, "Inside the questions", caption)


def draw_groups(scores: Sequence[Row], folder: Path, least: int) -> Drawn | None:
    """AVGF1 of the best method and the content-free control in each group, with the number of people."""
    leader = best(standings(scores, "frame", "test"))
    if leader is None:
        return None
    groups = sorted({row["group"] for row in scores if row["level"] == "frame" and "=" in row["group"]}, key=_group_key)
    found = {group: standings(scores, "frame", "test", group=group) for group in groups}
    found = {group: rows for group, rows in found.items() if rows and not group.startswith("question=")}
    if not found:
        return None
    with look("groups"):
        figure = new_figure(8.6, 0.9 + 0.42 * len(found))
        axes = figure.subplots()
        for place, rows in enumerate(found.values()):
            _group(axes, place, rows, leader, least)
        axes.set_yticks(range(len(found)), [group.replace("=", ": ").replace("_", " ") for group in found])
        axes.tick_params(axis="y", colors=INK)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(lambda value, _: score(value, 1))
        axes.barh([-9], [0], color=BLUE, label=leader.name)
        axes.barh([-9], [0], color=CONTROL, label=CONTROLS["content_free"])
        figure.legend(loc="outside upper left", ncols=2)
        axes.set_xlabel("AVGF1, test frames")
        caption = (
            "The leading method and the control in each group, with the 95 % interval and the number of people. "
            f"Groups of fewer than {least} people are not scored: one person would decide the number."
        )
        return finish(figure, "groups", folder, "By group of participants", caption)


def _group_key(group: str) -> tuple[str, str]:
    kind, _, value = group.partition("=")
    return kind, value


def _group(axes: Any, place: int, rows: Sequence[Standing], leader: Standing, least: int) -> None:
    people = max(row.any["participants"] for row in rows)
    if people < least:
        axes.text(0.01, place, f"too few people (under {least})", va="center", color=MUTED, style="italic")
        return
    for row, offset, colour in ((_same(rows, leader), -0.17, BLUE), (content_free(rows), 0.17, CONTROL)):
        value = None if row is None else row.value("AVGF1")
        if row is None or value is None:
            continue
        axes.barh(place + offset, value, height=0.28, color=colour, alpha=0.85)
        found = row.scores["AVGF1"]
        if found["low"] is not None and found["high"] is not None:
            axes.plot([found["low"], found["high"]], [place + offset] * 2, color=INK, linewidth=1)
    axes.annotate(
        f"{people} people", (1.0, place), xycoords=("axes fraction", "data"), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize=8.5, color=INK,
    )  # fmt: skip


def _same(rows: Sequence[Standing], wanted: Standing) -> Standing | None:
    return next((r for r in rows if (r.method, r.modalities) == (wanted.method, wanted.modalities)), None)
