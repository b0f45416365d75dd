"""Figure of the training runs: validation score and losses by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from waver.report.data import Training
from waver.report.figures.style import MUTED, SPLIT_STYLES, Drawn, LineStyle, finish, new_figure, plot_style
from waver.report.formatting import row_name, score
from waver.training.trained_model import TrainedModel

_COLUMNS = 4
_TRAIN, _VAL = SPLIT_STYLES["train"], SPLIT_STYLES["val"]


def draw_curves(trainings: Sequence[Training], select: str, folder: Path) -> Drawn | None:
    """Two panels per model: AP on validation, and the losses; seeds thin, their mean thick.

    Args:
        trainings: the runs' histories.
        select: validation score by which the kept epoch was chosen: AP, AP_paper or AVGF1.
        folder: where the figure is written.
    """
    runs: dict[TrainedModel, list[Training]] = {}
    for training in trainings:
        if training.epochs:
            runs.setdefault(training.model, []).append(training)
    if not runs:
        return None
    columns = min(_COLUMNS, len(runs))
    bands = -(-len(runs) // columns)
    with plot_style("curves"):
        figure = new_figure(2.5 * columns + 0.4, 2.75 * bands + 0.5)
        panels = figure.subplots(2 * bands, columns, squeeze=False, sharey=False, height_ratios=(3, 2) * bands)
        for axes in panels.flat:
            axes.set_visible(False)
        for number, (model, seeds) in enumerate(runs.items()):
            band, column = divmod(number, columns)
            pair = panels[2 * band, column], panels[2 * band + 1, column]
            _model(pair, row_name(model.record), seeds, select)
            if column == 0:
                pair[0].set_ylabel("val AP")
                pair[1].set_ylabel("loss")
        _share_scale(panels[::2])
        _share_scale(panels[1::2])
        _legend(figure)
        caption = (
            "Upper panels: average precision on the validation split by epoch; thin lines are seeds, the thick line "
            "is their mean, a square marks the epoch whose weights were kept. Lower panels: loss on train (blue, "
            "solid) and validation (red, dashed). A growing distance between the two is over-fitting."
        )
        return finish(figure, "training", folder, "Training curves", caption)


def _model(pair: tuple[Any, Any], name: str, seeds: Sequence[Training], select: str) -> None:
    above, below = pair
    for axes in pair:
        axes.set_visible(True)
        axes.grid(axis="y")
    _lines(above, seeds, "val_AP", _VAL)
    _lines(below, seeds, "train_loss", _TRAIN)
    _lines(below, seeds, "val_loss", _VAL)
    for training in seeds:
        kept = max(training.epochs, key=lambda epoch: np.nan_to_num(_number(epoch, f"val_{select}"), nan=-1.0))
        above.plot(kept["epoch"], _number(kept, "val_AP"), **_VAL.mark(4))
    above.set_title(name)
    above.set_xticklabels([])
    above.yaxis.set_major_formatter(lambda value, _: score(value, 2))
    below.set_xlabel("epoch")


def _legend(figure: Any) -> None:
    styles = {"train": _TRAIN, "validation": _VAL}
    handles = [Line2D([], [], **style.line(2), label=name) for name, style in styles.items()]
    handles.append(Line2D([], [], **_VAL.mark(4), label="kept epoch"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))


def _lines(axes: Any, seeds: Sequence[Training], key: str, style: LineStyle) -> None:
    length = max(len(training.epochs) for training in seeds)
    table = np.full((len(seeds), length), np.nan)
    for place, training in enumerate(seeds):
        values = [_number(epoch, key) for epoch in training.epochs]
        table[place, : len(values)] = values
        if len(seeds) > 1:
            axes.plot([e["epoch"] for e in training.epochs], values, **style.line(0.7), alpha=0.35)
    # the mean ends where the first seed stopped: later it would be of fewer seeds
    shared = min(len(training.epochs) for training in seeds)
    epochs = [epoch["epoch"] for epoch in max(seeds, key=lambda t: len(t.epochs)).epochs]
    axes.plot(epochs[:shared], table[:, :shared].mean(axis=0), **style.line(2))


def _number(epoch: dict[str, Any], key: str) -> float:
    value = epoch.get(key)
    return float("nan") if value is None else float(value)


def _share_scale(panels: Any) -> None:
    shown = [axes for axes in panels.flat if axes.get_visible()]
    limits = [axes.get_ylim() for axes in shown]
    low, high = min(pair[0] for pair in limits), max(pair[1] for pair in limits)
    for axes in shown:
        axes.set_ylim(low, high)
        if axes.get_subplotspec().colspan.start > 0:
            axes.tick_params(axis="y", labelleft=False, colors=MUTED)
