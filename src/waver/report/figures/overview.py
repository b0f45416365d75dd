"""Figure of the data set: participants, A/H by question, lengths of the clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.evaluation.prevalence import told_questions
from waver.report.data import Material, Row
from waver.report.figures.lengths import length_histogram
from waver.report.figures.style import SPLIT_STYLES, Drawn, finish, new_figure, plot_style
from waver.report.formatting import count, span

SPLITS = tuple(SPLIT_STYLES)


def draw_overview(material: Material, folder: Path) -> Drawn | None:
    """Participants per split, A/H share per question and split, clip lengths; None without a video."""
    rows = material.used
    if not rows:
        return None
    least = material.config.evaluate.least_group
    with plot_style("overview"):
        figure = new_figure(10.2, 2.9)
        people, questions, lengths = figure.subplots(1, 3, width_ratios=(1.0, 1.7, 1.5))
        _participants(people, rows)
        hidden = _questions(questions, rows, least)
        seconds = [(row["participant"], row["duration_s"]) for row in rows]
        median = float(np.median([value for _, value in seconds]))
        length_histogram(lengths, seconds, least, f"Clip length, median {span(median)}", "videos")
        lengths.set_xlabel("seconds")
        caption = (
            "Left: participants of each split; nobody is in two splits. Middle: share of frames with A/H by question. "
            "Where it differs, the question alone predicts A/H; therefore the content-free control knows the question. "
            "Right: lengths of the clips."
        )
        if hidden:
            caption += f" Points are not shown where fewer than {least} participants answered, or showed A/H."
        return finish(figure, "overview", folder, "Participants, questions and lengths", caption)


def _participants(axes: Any, rows: Sequence[Row]) -> None:
    people = {split: len({row["participant"] for row in rows if row["split"] == split}) for split in SPLITS[::-1]}
    people = {split: number for split, number in people.items() if number}
    counts = list(people.values())
    axes.barh(list(people), counts, color=[SPLIT_STYLES[split].colour for split in people], height=0.56)
    for place, number in enumerate(counts):
        axes.annotate(count(number), (number, place), (5, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, max(counts) * 1.22)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title("Participants")


def _questions(axes: Any, rows: Sequence[Row], least: int) -> int:
    """Draw the shares and return how many points are hidden."""
    known = sorted({row["question"] for row in rows if row["question"] is not None})
    hidden = 0
    for number, split in enumerate(SPLITS):
        points = []
        labelled = [row | {"label": row["positive_frames"] > 0} for row in rows if row["labelled"]]
        shown = told_questions([row for row in labelled if row["split"] == split], least)
        for place, question in enumerate(known):
            part = [r for r in rows if r["split"] == split and r["question"] == question and r["labelled"]]
            if question not in shown:
                hidden += bool(part)
                continue
            points.append((place + 0.16 * (number - 1), _positive_share(part)))
        if points:
            x, y = zip(*points, strict=True)
            style = SPLIT_STYLES[split]
            axes.vlines(x, 0, y, color=style.colour, linewidth=1.2, alpha=0.55)
            axes.plot(x, y, **style.mark(5), label=split)
    axes.set_xticks(range(len(known)), [f"Q{question}" for question in known])
    axes.set_ylim(0, None)
    axes.grid(axis="y")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_title("Frames with A/H, by question")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(ncols=3, loc="upper left", handletextpad=0.1, columnspacing=0.9, bbox_to_anchor=(-0.02, 1.03))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
    return hidden


def _positive_share(rows: Sequence[Row]) -> float:
    return float(sum(row["positive_frames"] for row in rows) / max(1, sum(row["frames"] for row in rows)))
