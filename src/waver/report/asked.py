"""How much A/H there is by question and by length of the answer: what can be known without looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.evaluation.bootstrap import interval, resamples
from waver.report.inputs import Material, Row
from waver.report.style import BLUE, INK, MUTED, ORANGE, Drawn, finish, look, new_figure
from waver.report.wording import percent

INTENT = {1: "neutral", 2: "positive", 3: "negative", 4: "ambivalent", 5: "willing", 6: "resistant", 7: "hesitant"}
"""What each question was made to bring out (dataset paper, Table 2)."""

PARTS = 5
"""Parts of equal size into which answers are divided by their length."""

_RESAMPLES = 1000


@dataclass(frozen=True)
class Share:
    """Share of answers with A/H among some answers.

    Attributes:
        question: question asked; 0 for a part by length.
        middle: median number of words, or seconds where no words are known.
        value, low, high: the share and its 95 % interval over participants.
    """

    question: int
    middle: float
    value: float
    low: float
    high: float
    people: int


@dataclass(frozen=True)
class Asked:
    """Shares over the labelled answers of train and val; test is not looked at.

    Attributes:
        by_question: questions answered by enough people.
        by_length: from the shortest answers to the longest.
        unit: of the length, words or seconds.
        people, answers: numbers of those looked at.
    """

    by_question: tuple[Share, ...]
    by_length: tuple[Share, ...]
    unit: str
    people: int
    answers: int


def asked(material: Material) -> Asked | None:
    """The shares; None where no question is known to have been answered by enough people."""
    rows = [row for row in material.answers if row["split"] != "test" and row["label"] is not None]
    known = [row for row in rows if row["question"] is not None]
    unit = "words" if any(row["words"] for row in rows) else "seconds"
    rows = [row for row in rows if unit == "words" or row["duration_s"] is not None]
    questions = sorted({row["question"] for row in known})
    by_question = [_share([row for row in known if row["question"] == one], one, unit) for one in questions]
    by_question = [share for share in by_question if share.people >= material.least_group]
    if not by_question:
        return None
    order = sorted(range(len(rows)), key=lambda k: (_length(rows[k], unit), k))
    by_length = [_share([rows[k] for k in part], 0, unit) for part in np.array_split(order, PARTS) if len(part)]
    by_length = [share for share in by_length if share.people >= material.least_group]
    people = len({row["participant"] for row in known})
    return Asked(tuple(by_question), tuple(by_length), unit, people, len(known))


def _length(row: Row, unit: str) -> float:
    return float(row["words"] if unit == "words" else row["duration_s"] or 0.0)


def _share(rows: Sequence[Row], question: int, unit: str) -> Share:
    people, who = np.unique([row["participant"] for row in rows], return_inverse=True)
    weights = resamples(len(people), _RESAMPLES, "asked", question, len(rows))
    labels = np.array([row["label"] for row in rows], np.float64)
    drawn, positive = weights @ np.bincount(who), weights @ np.bincount(who, labels)
    value, low, high = interval(positive / drawn)
    middle = float(np.median([_length(row, unit) for row in rows]))
    return Share(question, middle, value, low, high, len(people))


def draw_asked(found: Asked, folder: Path) -> Drawn:
    """Share of answers with A/H by question, and by length."""
    with look("asked"):
        figure = new_figure(10.2, 3.3)
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1), sharey=True)
        names = [f"Q{share.question}\n{INTENT.get(share.question, '')}" for share in found.by_question]
        _bars(left, found.by_question, names, BLUE)
        left.set_title("by the question that was asked")
        left.set_ylabel("answers with A/H")
        _bars(right, found.by_length, [f"{share.middle:.0f}" for share in found.by_length], ORANGE)
        right.set_title("by the length of the answer")
        right.set_xlabel(f"{found.unit} (median of a fifth of the answers)")
        caption = (
            f"Share of the {found.answers:,} labelled answers of train and validation with A/H; the thin line is the "
            "95 % interval over participants. Below a question stands what it was made to bring out. No answer was "
            "looked at, listened to or read to draw this."
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
