"""Figures of the answers and of the A/H segments in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.datasets.questions import Questions
from waver.evaluation.disclosure import disclosed
from waver.evaluation.prevalence import told_questions
from waver.report.data_set.facts import Span, segments_per_video
from waver.report.data_set.groups import TOO_FEW, Group
from waver.report.figures.lengths import length_histogram
from waver.report.figures.style import BLUE, MUTED, ORANGE, PAPER, Drawn, finish, new_figure, plot_style

_MOST_SEGMENTS = 6
"""Numbers of segments with a bar of their own; the last bar has those with as many or more."""

Row = Mapping[str, Any]


def draw_answers(
    answers: Sequence[Row], of_people: Sequence[Group], questions: Questions, least: int, folder: Path
) -> Drawn:
    """Videos of a participant, videos and A/H videos of a question, lengths of videos.

    Args:
        answers: rows of ANSWERS.
        of_people: participants by the number of their videos.
        questions: of the data set.
        least: ``evaluate.least_group``.
        folder: of the figures.
    """
    with plot_style("answers"):
        figure = new_figure(10.2, 3.1)
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1.7, 1.4))
        _of_people(left, of_people)
        _by_question(middle, answers, questions, least)
        lengths = [(row["participant"], row["duration_s"]) for row in answers if row["duration_s"] is not None]
        length_histogram(right, lengths, least, "Length of a video, s", "videos")
        caption = (
            "Left: participants by the number of their videos, percent. Middle: videos of each question, and those "
            "of train and val with A/H; look for questions after which nearly everybody, or hardly anybody, shows A/H. "
            f"Right: lengths of all videos, with their median. What fewer than {least} people are behind is not drawn, "
            "nor what would tell it."
        )
        return finish(figure, "answers", folder, "Answers and questions", caption)


def draw_segments(spans: Sequence[Span], least: int, folder: Path) -> Drawn | None:
    """Segments of a video, and their lengths; None where fewer than ``least`` people show any."""
    if len({span.participant for span in spans}) < least:
        return None
    with plot_style("segments"):
        figure = new_figure(10.2, 2.9)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
        _per_video(left, spans, least)
        lengths = [(span.participant, span.seconds) for span in spans]
        length_histogram(right, lengths, least, "Length of an A/H segment, s", "segments")
        caption = (
            "Left: videos with A/H by the number of their segments. Right: lengths of segments, with their median. "
            "How much shorter they are than the videos is what a model that marks whole videos gets wrong. "
            f"What fewer than {least} people are behind is not drawn."
        )
        return finish(figure, "segments", folder, "Segments of A/H", caption)


def _of_people(axes: Any, groups: Sequence[Group]) -> None:
    places = range(len(groups))
    axes.bar(places, [group.share or 0 for group in groups], color=BLUE, width=0.62, alpha=0.85)
    for place, group in enumerate(groups):
        text = group.text.partition(" (")[0] if group.share is not None else group.text.replace(" ", "\n")
        axes.annotate(text, (place, group.share or 0), (0, 3), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(places, [group.name for group in groups])
    axes.set_xlabel("videos of a participant")
    axes.set_ylabel("participants, %")
    axes.set_ylim(0, max([group.share or 0 for group in groups] + [1]) * 1.25)
    axes.grid(axis="y")
    axes.set_title("Videos of a participant")


def _by_question(axes: Any, answers: Sequence[Row], questions: Questions, least: int) -> None:
    known = sorted({row["question"] for row in answers if row["question"] is not None})
    learned = [row for row in answers if row["split"] != "test"]
    people = {one: [row["participant"] for row in answers if row["question"] == one] for one in known}
    answered = disclosed(people, least)
    told_ah = told_questions(learned, least)
    highest = 1
    for place, question in enumerate(known):
        rows = [row for row in answers if row["question"] == question]
        with_ah = [row for row in learned if row["question"] == question and row["label"] == 1]
        for bar, part, shown, style in ((-0.2, rows, answered, _plain(PAPER)), (0.2, with_ah, told_ah, _plain(ORANGE))):
            text = f"{len(part):,}" if question in shown else TOO_FEW.replace(" ", "\n")
            height = len(part) if question in shown else 0
            highest = max(highest, height)
            axes.bar(place + bar, height, width=0.38, **style)
            axes.annotate(text, (place + bar, height), (0, 3), textcoords="offset points", ha="center", fontsize=7.5)
    axes.bar(0, 0, label="videos", **_plain(PAPER))
    axes.bar(0, 0, label="with A/H", **_plain(ORANGE))
    axes.set_xticks(range(len(known)), [f"Q{one}\n{questions.response(one)}" for one in known], fontsize=7.5)
    axes.set_ylim(0, highest * 1.35)
    axes.grid(axis="y")
    axes.legend(ncols=2, loc="upper left", handlelength=1.2, bbox_to_anchor=(-0.02, 1.03))
    axes.set_title("Videos by question")


def _plain(colour: str) -> dict[str, Any]:
    return {"facecolor": colour, "edgecolor": MUTED, "linewidth": 0.8}


def _per_video(axes: Any, spans: Sequence[Span], least: int) -> None:
    owners: dict[int, list[str]] = {}
    for number, people in segments_per_video(spans).items():
        owners.setdefault(min(number, _MOST_SEGMENTS), []).extend(people)
    shown = disclosed(owners, least)
    highest = 1
    for place, (number, people) in enumerate(sorted(owners.items())):
        height = len(people) if number in shown else 0
        highest = max(highest, height)
        axes.bar(place, height, color=ORANGE, width=0.62, alpha=0.85)
        text = f"{height:,}" if height else TOO_FEW.replace(" ", "\n")
        axes.annotate(text, (place, height), (0, 3), textcoords="offset points", ha="center", fontsize=8)
    names = [f"{number} or more" if number == _MOST_SEGMENTS else str(number) for number in sorted(owners)]
    axes.set_xticks(range(len(owners)), names)
    axes.set_xlabel("A/H segments in the video")
    axes.set_ylabel("videos")
    axes.set_ylim(0, highest * 1.25)
    axes.grid(axis="y")
    axes.set_title("Segments of a video")
