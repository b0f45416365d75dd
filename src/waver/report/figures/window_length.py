"""Scores by length of the window, after Figure 12 of the dataset paper: the figure and its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from waver.evaluation.control_names import STANDARD
from waver.report.figures.style import (
    CONTROL_STYLES,
    INK,
    LINE,
    MUTED,
    Drawn,
    LineStyle,
    finish,
    line_styles,
    new_figure,
    plot_style,
)
from waver.report.formatting import method_name, score, where
from waver.report.papers.cells import SCORE_PARTS, counts_of, our_cells
from waver.report.papers.layouts import Notes, Run, layouts, run_caption, splits_at
from waver.report.papers.paper_table import CONTROLS, FOOT
from waver.report.ranking import AVERAGED_SCORES, MethodScores, Row, content_free, ranked_methods
from waver.report.tables.formats import Column, Line, TableData
from waver.report.tables.names import FIGURE
from waver.report.tables.results import COLUMNS
from waver.shapes import FPS
from waver.training.trained_model import only_window

METRICS = ("AVGF1", "F1", "WF1", "AP_paper", "AP")
"""One panel each; F1, WF1 and AP (papers') are those of the paper's figure."""

_TITLES = COLUMNS | {"F1": "F1 of A/H"}
_MODELS = 12
"""Most models in a panel; of more, crossing lines cannot be distinguished."""
_TICKS = 14
"""Most labels of lengths on an axis."""

Point = tuple[int, MethodScores]
"""Frames of the window, and the scores of the model that was trained with it."""
Tried = dict[str, list[Point]]


def tried(scores: Sequence[Row], split: str) -> Tried:
    """Model -> its windows, ascending, of models that were trained with other windows than the configured one.

    These are the variants that differ from the model by the window alone, whatever their names, and the model itself
    where no variant has its window.

    Args:
        scores: rows of the scores table.
        split: what was scored.
    """
    rows = ranked_methods(scores, layouts()["figure"]["level"], split, STANDARD)
    found: dict[tuple[str, str], list[Point]] = {}
    for row in rows:
        if only_window(row.any):
            found.setdefault((row.any["fusion"], row.modalities), []).append((row.any["window_frames"], row))
    for row in rows:
        points = found.get((row.method, row.modalities))
        if points and row.any["window_frames"] not in (frames for frames, _ in points):
            points.append((row.any["window_frames"], row))
    return {
        method_name(*model): sorted(points, key=lambda point: (point[0], point[1].method))
        for model, points in sorted(found.items())
    }


def window_tables(runs: Sequence[Run]) -> list[TableData]:
    """The numbers of the figure, once per split, of this run alone, which is the first.

    Args:
        runs: this run, then others.
    """
    return [_table(runs[0], split) for split in splits_at(layouts()["figure"]["level"], runs[:1])]


def _table(run: Run, split: str) -> TableData:
    layout, notes = layouts()["figure"], Notes()
    metrics = (*METRICS, "AUROC_within")
    lines = [
        Line((name, str(frames), score(frames / FPS, 1)), tuple(our_cells(scored, metrics)), "")
        for name, points in tried(run.scores, split).items()
        for frames, scored in points
    ]
    ours = len(lines)
    if not lines:
        note = notes.number(f"no other window was trained; the config trains them with {layout['config']}")
        lines.append(Line(("–", "–", "–"), tuple(our_cells(None, metrics, note)), ""))
    rows = {row.method: row for row in ranked_methods(run.scores, layout["level"], split, STANDARD)}
    lines += [Line((method_name(one), "", ""), tuple(our_cells(rows.get(one), metrics)), CONTROLS) for one in FOOT]
    return TableData(
        name=layout["table"],
        title=f"Dataset paper, Figure 12: {layout['title']}",
        split=split,
        caption=f"Published: {layout['paper']}. {run_caption(rows.values(), run, layout['level'], split)} "
        "In brackets: the 95 % interval over participants.",
        heads=tuple(layout["heads"]),
        columns=(*(Column(COLUMNS[metric], parts=SCORE_PARTS) for metric in metrics), *counts_of()),
        lines=tuple(lines),
        notes=tuple(notes.texts),
        ours=ours,
    )


def window_models(models: Tried) -> list[str]:
    """Names of the models in the figure: all, or those with the highest AVGF1 at any length."""
    best = {name: max(row.value("AVGF1") or 0.0 for _, row in points) for name, points in models.items()}
    chosen = sorted(models, key=lambda name: (-best[name], name))[:_MODELS]
    return [name for name in models if name in chosen]


def draw_window_length(
    scores: Sequence[Row],
    split: str,
    folder: Path,
    name: str = FIGURE,
    styles: Mapping[str, LineStyle] | None = None,
) -> Drawn:
    """Scores of frames against the length of the window.

    Args:
        scores: rows of the scores table.
        split: what is shown.
        folder: where ``<name>.svg`` is written; where no other window was trained the figure says so.
        name: of the figure.
        styles: styles of ``window_models``; None: their own.
    """
    layout = layouts()["figure"]
    every = tried(scores, split)
    models = {model: every[model] for model in window_models(every)}
    styles = line_styles(models) if styles is None else styles
    with plot_style(name):
        figure = new_figure(8.6, 8.2 if models else 1.2)
        if not models:
            figure.text(0.02, 0.5, f"No other window was trained: {layout['config']}", color=MUTED)
            return finish(figure, name, folder, layout["title"], "No other window was trained.")
        *panels, corner = figure.subplots(3, 2, sharex=True).flat
        rows = ranked_methods(scores, layout["level"], split, STANDARD)
        for axes, metric in zip(panels, METRICS, strict=True):
            _draw_controls(axes, metric, rows)
            _draw_models(axes, metric, models, styles)
            _finish_panel(axes, metric)
        _draw_lengths(panels, models)
        shown = where(layout["level"], split).capitalize()
        corner.axis("off")
        corner.legend(*panels[0].get_legend_handles_labels(), loc="upper left", title=shown, alignment="left")
        caption = (
            f"{shown}. {_chosen(len(every), len(models))}Each model was trained once with every length of the window, "
            "train.window among them; the hop is never longer than the window, and nothing else differs. Bars are 95 % "
            "intervals over participants; a ring marks the best length of a model. Grey, without marks: the "
            "content-free control (dashed, its interval is the band) and all-negative (dotted). A length chosen by "
            f"this figure is flattered by the scores that it shows. {AVERAGED_SCORES}"
        )
        return finish(figure, name, folder, layout["title"], caption)


def _chosen(every: int, drawn: int) -> str:
    if drawn == every:
        return ""
    return f"Of {every} models the {drawn} with the highest AVGF1 at any length are drawn; the table has all. "


def _draw_controls(axes: Any, metric: str, rows: Sequence[MethodScores]) -> None:
    control = content_free(rows)
    if control is not None and None not in (ends := _interval(control, metric)):
        axes.axhspan(*ends, color=LINE, alpha=0.5, linewidth=0, zorder=0)
    found = {row.method: row for row in rows}
    for method, style in CONTROL_STYLES.items():
        level = found[method].value(metric) if method in found else None
        if level is not None:
            axes.axhline(level, **style.line(1.2), zorder=1, label=method_name(method))


def _draw_models(axes: Any, metric: str, models: Tried, styles: Mapping[str, LineStyle]) -> None:
    for number, (name, points) in enumerate(models.items()):
        shift = math.exp(_step(models) * (number - (len(models) - 1) / 2))
        known = [(frames / FPS * shift, row) for frames, row in points if row.value(metric) is not None]
        at, values = [x for x, _ in known], [row.value(metric) for _, row in known]
        axes.plot(at, values, **styles[name].line(1.2, 4), label=name)
        for x, row in known:
            if None not in (ends := _interval(row, metric)):
                axes.plot([x, x], ends, color=styles[name].colour, linewidth=1, alpha=0.7)
        if known:
            x, best = max(known, key=lambda point: point[1].value(metric) or 0.0)
            axes.plot(x, best.value(metric), "o", markersize=9, markerfacecolor="none", markeredgecolor=INK)


def _interval(row: MethodScores, metric: str) -> tuple[float | None, float | None]:
    found = row.scores.get(metric, {})
    return found.get("low"), found.get("high")


def _step(models: Tried) -> float:
    """Distance of two models at one length, as a logarithm: wide enough to separate their bars where there is room."""
    logs = _logs(models)
    gaps = [after - before for before, after in pairwise(logs)]
    return min([0.016 * (logs[-1] - logs[0]), *(gap / (2 * len(models)) for gap in gaps)])


def _logs(models: Tried) -> list[float]:
    return sorted({math.log(frames / FPS) for points in models.values() for frames, _ in points})


def _finish_panel(axes: Any, metric: str) -> None:
    axes.set_title(_TITLES[metric])
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(lambda value, _: score(value, 2))


def _draw_lengths(panels: Sequence[Any], models: Tried) -> None:
    """The axes of lengths; of lengths too close together the first is labelled."""
    logs = _logs(models)
    labelled: list[float] = []
    for length in logs:
        if not labelled or length - labelled[-1] >= (logs[-1] - logs[0]) / _TICKS:
            labelled.append(length)
    ticks = [math.exp(length) for length in labelled]
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axes.minorticks_off()
        axes.tick_params(labelbottom=True)
    for axes in panels[-2:]:
        axes.set_xlabel("length of the window, seconds")
