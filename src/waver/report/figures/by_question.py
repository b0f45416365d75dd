"""Figure of the prevalence of A/H by question and by length of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waver.datasets.questions import Questions
from waver.evaluation.prevalence import Prevalence, Share
from waver.report.figures.style import BLUE, INK, MUTED, ORANGE, Drawn, finish, new_figure, plot_style
from waver.report.formatting import percent

_BELOW = "The word below a question is what the question is designed to elicit. "


def draw_prevalence(found: Prevalence, folder: Path, questions: Questions) -> Drawn:
    """Share of answers with A/H by question, and by length."""
    kinds = [questions.response(share.question) for share in found.by_question]
    with plot_style("asked"):
        figure = new_figure(10.2, 3.3)
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1), sharey=True)
        names = [f"Q{share.question}\n{kind}" for share, kind in zip(found.by_question, kinds, strict=True)]
        _bars(left, found.by_question, names, BLUE)
        left.set_title("by question")
        left.set_ylabel("answers with A/H")
        _bars(right, found.by_length, [f"{share.middle:.0f}" for share in found.by_length], ORANGE)
        right.set_title("by length of the answer")
        right.set_xlabel(f"{found.unit} (median of a fifth of the answers)")
        caption = (
            f"Share with A/H among the {found.answers:,} labelled answers of train and validation; the thin line is "
            f"the 95 % interval over participants. {_BELOW if any(kinds) else ''}"
            "Questions and fifths with A/H of few people, and those from which that would follow, are left out. The "
            "figure uses labels, questions and lengths alone, no content of any answer."
        )
        return finish(figure, "asked", folder, "A/H by question and by length", caption)


def _bars(axes: Any, shares: Sequence[Share], names: Sequence[str], colour: str) -> None:
    places = range(len(shares))
    axes.bar(places, [share.value for share in shares], color=colour, width=0.62, alpha=0.85)
    for place, share in zip(places, shares, strict=True):
        axes.plot([place, place], [share.low, share.high], color=INK, linewidth=1)
        axes.annotate(percent(share.value), (place, share.high), (0, 3), textcoords="offset points", ha="center")
    axes.set_xticks(places, names)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.grid(axis="y")
    axes.tick_params(axis="x", colors=MUTED)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))
