"""Figure 12 of the dataset paper with our runs: what the length of the window does to F1, WF1 and AP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waver.evaluation.names import STANDARD
from waver.report.filling import CONTROLS, FOOT
from waver.report.paper_cells import OWN_METRICS, SCORE_PARTS, counts_of, our_cells
from waver.report.papers import Notes, Run, layouts, run_caption, splits_at
from waver.report.sheets import Column, Line, Sheet
from waver.report.standings import Standing, standings
from waver.report.style import CONTROL, MUTED, RED, SERIES, Drawn, finish, look, new_figure
from waver.report.tables import COLUMNS
from waver.report.wording import SPLITS, method_name, score
from waver.shapes import FPS
from waver.training.names import split_name, window_of

_TICKS = 12

Point = tuple[int, Standing]
"""Frames of the window, and the scores of the model that was trained with it."""


def window_sheets(runs: Sequence[Run], window: int) -> list[Sheet]:
    """The numbers of the figure, once a split; only of this run, which is the first.

    Args:
        runs: this run, then others.
        window: ``train.window``, that of the model without a variant.
    """
    return [_sheet(runs[0], window, split) for split in splits_at(layouts()["figure"]["level"], runs[:1])]


def _sheet(run: Run, window: int, split: str) -> Sheet:
    layout, notes = layouts()["figure"], Notes()
    metrics = (*layout["metrics"], *OWN_METRICS)
    found = series(run, window, split)
    lines = [
        Line((name, str(frames), score(frames / FPS, 1)), tuple(our_cells(standing, metrics)), "")
        for name, points in found.items()
        for frames, standing in points
    ]
    ours = len(lines)
    if not lines:
        note = notes.number(f"no window was tried; they would be with {layout['config']}")
        lines.append(Line(("–", "–", "–"), tuple(our_cells(None, metrics, note)), ""))
    rows = {row.method: row for row in standings(run.scores, layout["level"], split, STANDARD)}
    lines += [Line((method_name(one), "", ""), tuple(our_cells(rows.get(one), metrics)), CONTROLS) for one in FOOT]
    return Sheet(
        name=layout["table"],
        title=f"Dataset paper, Figure 12: {layout['title']}",
        split=split,
        caption=f"Published: {layout['paper']}. {run_caption(rows.values(), run, layout['level'], split)} "
        "In brackets: the 95 % interval over participants.",
        heads=tuple(layout["heads"]),
        columns=(*(Column(COLUMNS[metric], parts=SCORE_PARTS) for metric in metrics), *counts_of()),
        lines=tuple(lines),
        notes=tuple(notes.told),
        ours=ours,
    )


def series(run: Run, window: int, split: str) -> dict[str, list[Point]]:
    """Model -> its windows, ascending, of models of which more than the configured window was tried."""
    rows = standings(run.scores, layouts()["figure"]["level"], split, STANDARD)
    found: dict[tuple[str, str], dict[int, Standing]] = {}
    for row in rows:
        frames = window_of(row.method)
        if frames is not None:
            found.setdefault((split_name(row.method)[0], row.modalities), {})[frames] = row
    for row in rows:
        if (row.method, row.modalities) in found:
            found[row.method, row.modalities].setdefault(window, row)
    return {method_name(*model): sorted(points.items()) for model, points in found.items()}


def draw_figure_12(runs: Sequence[Run], window: int, folder: Path) -> Drawn:
    """F1, WF1 and AP against the length of the window, from top to bottom as in the paper, the best in red.

    Args:
        runs: this run, then others.
        window: ``train.window``.
        folder: where ``2025_figure_12.svg`` is written; where no window was tried it says so.
    """
    layout, run = layouts()["figure"], runs[0]
    split = splits_at(layout["level"], runs[:1])[0]
    found = series(run, window, split)
    rows = {row.method: row for row in standings(run.scores, layout["level"], split, STANDARD)}
    with look(layout["table"]):
        figure = new_figure(7.2, 2.4 * len(layout["metrics"]) if found else 1.2)
        if found:
            panels = figure.subplots(len(layout["metrics"]), 1, sharex=True, squeeze=False)[:, 0]
            for axes, metric in zip(panels, layout["metrics"], strict=True):
                _panel(axes, metric, found, rows)
            panels[0].legend(loc="best")
            panels[-1].set_xlabel("length of the window, seconds")
        else:
            figure.text(0.02, 0.5, f"No window was tried: {layout['config']}", color=MUTED)
        shown = f"; {SPLITS[split]} of {run.data}" if split else ""
        caption = (
            f"As Figure 12 of the dataset paper{shown}: bands are 95 % intervals over participants, a red dot the best "
            "window, dashed lines the content-free control and all-negative. Windows chosen by this figure are chosen "
            "on what it shows."
        )
        return finish(figure, layout["table"], folder, layout["title"], caption)


def _panel(axes: Any, metric: str, found: dict[str, list[Point]], rows: dict[str, Standing]) -> None:
    for number, (name, points) in enumerate(found.items()):
        known = [(frames / FPS, row) for frames, row in points if row.value(metric) is not None]
        colour = SERIES[0] if not number else SERIES[2 + number % (len(SERIES) - 2)]
        seconds = [at for at, _ in known]
        values = [row.value(metric) for _, row in known]
        axes.plot(seconds, values, "o-", color=colour, markersize=3, linewidth=1.6, label=name)
        sides = [(at, row.scores[metric]["low"], row.scores[metric]["high"]) for at, row in known]
        sides = [side for side in sides if None not in side]
        axes.fill_between(*zip(*sides, strict=True), color=colour, alpha=0.13, linewidth=0) if sides else None
        best = max(known, key=lambda point: point[1].value(metric) or 0.0, default=None)
        if best is not None:
            axes.plot(best[0], best[1].value(metric), "o", color=RED, markersize=6)
    for control in ("content_free", "all_negative"):
        level = rows[control].value(metric) if control in rows else None
        if level is not None:
            axes.axhline(level, color=CONTROL, linestyle="--", linewidth=0.9)
            axes.annotate(method_name(control), (1, level), xycoords=("axes fraction", "data"), va="bottom",
                          ha="right", fontsize=7.5, color=MUTED)  # fmt: skip
    axes.set_xscale("log")
    ticks = sorted({frames / FPS for points in found.values() for frames, _ in points})
    ticks = ticks[:: -(-len(ticks) // _TICKS)]
    axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_title(COLUMNS[metric])
    axes.grid(axis="y")
    axes.yaxis.set_major_formatter(lambda value, _: score(value, 3))
