"""The questions of a data set: how many there are, how they are asked, and what they ask for.

The number of questions is the data set's. It decides the width of the one-hot that models and controls get, so it
has to be known wherever rows are: tables of answers, of videos and indexes of packs carry the record of the questions
in their schema metadata. A table without a record is of BAH with its seven questions; its tables carry none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from waver.io.tables import read_metadata, read_table

BAH_QUESTIONS = Path(__file__).parent / "bah/questions.yaml"
"""Number of a question of BAH -> what it is to elicit, and how it is asked."""

_RECORD = "questions"
"""Key of the record in the tables' metadata."""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        text: language (ISO 639-1) and how it is asked in it.
        kind: the response that it is to elicit, one word; empty where nobody says.
        affect: what the words of an answer should hold at some time, of ``positive`` and ``negative``; empty where
            nothing is known.
    """

    text: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    affect: tuple[str, ...] = ()


@dataclass(frozen=True)
class Questions:
    """The questions of a data set, numbered from 1.

    Attributes:
        count: the highest number; columns of the one-hot. At least 1, where no question is known a column of zeros.
        known: number and question, of those of which more than the number is known.
    """

    count: int
    known: tuple[tuple[int, Question], ...] = ()

    def question(self, number: int | None) -> Question:
        """What is known of a question, by its number."""
        return dict(self.known).get(number or 0, Question())

    def response(self, number: int | None) -> str:
        """The response that a question is to elicit, as the report may name it: one of BAH's kinds, else empty."""
        kind = self.question(number).kind
        return kind if kind in {one.kind for _, one in bah_questions().known} else ""

    def text(self, number: int | None, language: str | None = None) -> str:
        """How a question is asked: in the language, else in English, else as it is; empty where nobody says."""
        texts = dict(self.question(number).text)
        return next((texts[code] for code in (language, "en") if code in texts), next(iter(texts.values()), ""))

    def record(self) -> dict[str, Any]:
        """Schema metadata of this data set's tables; empty for BAH."""
        if self == bah_questions():
            return {}
        known = {
            str(number): {"text": dict(one.text), "kind": one.kind, "affect": list(one.affect)}
            for number, one in self.known
        }
        return {_RECORD: {"count": self.count, "known": known}}


@cache
def bah_questions() -> Questions:
    """The seven of BAH (dataset paper, Table 2)."""
    table = yaml.safe_load(BAH_QUESTIONS.read_text(encoding="utf-8"))
    return Questions(len(table), _known(table))


def questions_of(path: str | Path) -> Questions:
    """Questions of the data set that an ANSWERS, VIDEOS or PACK_INDEX table belongs to."""
    record = read_metadata(path).get(_RECORD)
    return bah_questions() if record is None else Questions(int(record["count"]), _known(record["known"]))


def rows_with_questions(paths: Sequence[str | Path], schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of several tables, in order, each with the ``questions`` of its data set.

    Args:
        paths: ANSWERS, VIDEOS or PACK_INDEX tables.
        schema: theirs.
    """
    return [row | {_RECORD: questions} for path in paths for questions in [questions_of(path)]
            for row in read_table(path, schema)]  # fmt: skip


def _known(table: Mapping[Any, Mapping[str, Any]]) -> tuple[tuple[int, Question], ...]:
    return tuple(
        (int(number), Question(tuple(one["text"].items()), one["kind"], tuple(one["affect"])))
        for number, one in sorted(table.items(), key=lambda item: int(item[0]))
    )
