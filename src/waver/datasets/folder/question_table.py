"""``questions.csv`` of a folder of recordings: how the questions are asked, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.csv_table import MEND_LINE, read_optional
from waver.datasets.folder.listing import MOST_QUESTIONS, Recording, language_of, number
from waver.datasets.questions import Question, Questions
from waver.errors import ExcludedItem

QUESTIONS_FILE = "questions.csv"
AFFECT = ("positive", "negative")


def read_questions(root: Path, recordings: Sequence[Recording], exclusions: list[Row]) -> Questions:
    """The questions that were asked, or that the file lists; without the file their number alone is known.

    Args:
        root: folder of the recordings.
        recordings: what the listing lists.
        exclusions: gets a row for each line that cannot be used.

    Raises:
        WaverError: the file cannot be read or has other columns.
    """
    known: dict[int, Question] = {}
    path = root / QUESTIONS_FILE
    for line in read_optional(path, ("question", "text"), ("language", "kind", "affect"), exclusions):
        try:
            if line.problem:
                raise ExcludedItem(line.problem, MEND_LINE)
            question = number(line, "question", 1, MOST_QUESTIONS)
            if question is None:
                raise ExcludedItem("no question is given", "give its number")
            affect = tuple(line["affect"].lower().split())
            if set(affect) - set(AFFECT):
                raise ExcludedItem(f"its affect is none of {', '.join(AFFECT)}", "give one, both or nothing")
            before = known.get(question, Question())
            language = language_of(line) or "en"
            if language in dict(before.text):
                raise ExcludedItem("its question has a text in this language already", "keep one of the lines")
            texts = {**dict(before.text), language: line["text"]}
            known[question] = Question(tuple(texts.items()), line["kind"] or before.kind, affect or before.affect)
        except ExcludedItem as problem:
            reason = f"{line.where}: {problem.reason}"
            exclusions.append(exclusion_row(line.where, reason, problem.remedy, path=QUESTIONS_FILE))
    numbers = [*known, *(one.question for one in recordings if one.question is not None), 1]
    return Questions(max(numbers), tuple(sorted(known.items())))
