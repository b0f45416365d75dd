"""Figure of the ablation of the window: scores against its length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from waver.report.standings import Row, Standing, content_free, splits_of, standings
from waver.report.style import CONTROL, SERIES, WASH, Drawn, finish, look, new_figure
from waver.report.tables import COLUMNS
from waver.report.wording import method_name, score, where
from waver.shapes import FPS
from waver.training.names import split_name, window_of

METRICS = ("AVGF1", "WF1", "AP", "AP_paper")


def tried(rows: Sequence[Standing]) -> dict[str, list[tuple[float, Standing]]]:
    """Model -> (length of the window in seconds, its scores), ascending, of models with two lengths or more."""
    found: dict[tuple[str, str], list[tuple[float, Standing]]] = {}
    for row in rows:
        frames = window_of(row.method)
        if frames is not None:
            found.setdefault((split_name(row.method)[0], row.modalities), []).append((frames / FPS, row))
    return {
        method_name(*model): sorted(points, key=lambda point: point[0])
        for model, points in sorted(found.items())
        if len(points) > 1
    }


def draw_windows(scores: Sequence[Row], folder: Path) -> Drawn | None:
    """Both APs, AVGF1 and WF1 of frames against the window; None where no length of it was tried.

    Args:
        scores: rows of the scores table.
        folder: where the figure is written.
    """
    split = next(iter(splits_of(scores, "frame")), "")
    rows = standings(scores, "frame", split)
    models = tried(rows)
    if not models:
        return None
    with look("windows"):
        figure = new_figure(8.6, 5.6)
        panels = figure.subplots(2, 2, sharex=True)
        for axes, metric in zip(panels.flat, METRICS, strict=True):
            _panel(axes, metric, models, content_free(rows))
        for axes in panels[-1]:
            axes.set_xlabel("length of the window, s")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        caption = (
            f"{where('frame', split).capitalize()}. Each model was trained once more with every length of the window, "
            "the hop no longer than it, and nothing else changed; bars are 95 % intervals over participants. The "
            "dashed line and its band are the content-free control. A length that is chosen by this figure is chosen "
            "on what it shows."
        )
        return finish(figure, "windows", folder, "How long a window should be", caption)


def _panel(axes: Any, metric: str, models: dict[str, list[tuple[float, Standing]]], control: Standing | None) -> None:
    if control is not None and control.value(metric) is not None:
        row = control.scores[metric]
        if row["low"] is not None and row["high"] is not None:
            axes.axhspan(row["low"], row["high"], color=WASH, zorder=0)
        axes.axhline(row["value"], color=CONTROL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for number, (name, points) in enumerate(models.items()):
        # side by side, so that the bars of one length can be told apart
        shift = 1.025 ** (number - (len(models) - 1) / 2)
        known = [(at * shift, row.scores[metric]) for at, row in points if row.value(metric) is not None]
        colour = SERIES[number % len(SERIES)]
        axes.plot(
            [at for at, _ in known], [row["value"] for _, row in known], "o-", color=colour, markersize=4, label=name
        )
        for at, row in known:
            if row["low"] is not None and row["high"] is not None:
                axes.plot([at, at], [row["low"], row["high"]], color=colour, linewidth=1, alpha=0.7)
    axes.set_title(COLUMNS[metric])
    axes.set_xscale("log")
    ticks = sorted({at for points in models.values() for at, _ in points})
    axes.set_xticks(ticks, [f"{at:g}" for at in ticks])
    axes.minorticks_off()
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(lambda value, _: score(value, 2))
