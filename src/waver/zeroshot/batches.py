"""A model asked about items in batches, which are halved for good where the memory does not suffice."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from waver.errors import ExcludedItem, is_machine_trouble
from waver.zeroshot.answers import parse_answer
from waver.zeroshot.families.base import Family, Item, Likelihood, Prompt, Scored
from waver.zeroshot.questions import Question, by_answers
from waver.zeroshot.records import AnswerMode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """How answers are read.

    Attributes:
        mode: scores, or what the model writes.
        likelihood: what counts of an answer's probability.
        most_tokens: of what it writes.
        scored: what is written is scored too, for answers that are none.
    """

    mode: AnswerMode = "score"
    likelihood: Likelihood = "first_token"
    most_tokens: int = 10
    scored: bool = False


@dataclass(frozen=True)
class Answered:
    """One answer.

    Attributes:
        scored: None where the model wrote and its answer is not scored.
        parsed: what it wrote: 1 A/H, 0 none; None where neither, or nothing was written.
        text: what it wrote; it may quote people.
        tokens: of the prompt.
        seconds: wall time of the batch, shared out.
        batch: items of the batch.
    """

    scored: Scored | None
    parsed: int | None
    text: str
    tokens: int
    seconds: float = 0.0
    batch: int = 1


class Batches:
    """A model, and how many items it is given at once.

    Attributes:
        size: items of a batch, after halving.
    """

    def __init__(self, family: Family, questions: Sequence[Question], reading: Reading, size: int) -> None:
        """Of a loaded model; ``size``: items to begin with."""
        self._family, self._questions, self._reading = family, questions, reading
        self.size = size

    def ask(self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]]) -> list[list[Answered] | ExcludedItem]:
        """All questions about items, of each its answers, or why it has none.

        Raises:
            Exception: whatever is wrong with one item alone, memory included.
        """
        found: list[list[Answered] | ExcludedItem] = []
        while len(found) < len(items):
            part = slice(len(found), len(found) + self.size)
            found += self._tried(items[part], prompts[part])
        return found

    def _tried(self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]]) -> list[list[Answered] | ExcludedItem]:
        try:
            return [*self._answered(items, prompts)]
        except ExcludedItem as problem:
            if len(items) == 1:
                return [problem]
            return [one for pair in zip(items, prompts, strict=True) for one in self._tried(pair[:1], pair[1:])]
        except Exception as problem:
            if not is_machine_trouble(problem) or isinstance(problem, OSError) or len(items) == 1:
                raise
        # outside the handler, which would keep the tensors of the failed pass alive
        self.size = max(1, len(items) // 2)
        log.warning("the memory does not suffice for %d items at once; %d from here on", len(items), self.size)
        _free()
        return []

    def _answered(self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]]) -> list[list[Answered]]:
        started = time.perf_counter()
        rows: list[dict[int, Answered]] = [{} for _ in items]
        for numbers in by_answers(self._questions):
            chosen = [[own[number] for number in numbers] for own in prompts]
            for row, answers in zip(rows, self._of_kind(items, chosen, self._questions[numbers[0]]), strict=True):
                row.update(zip(numbers, answers, strict=True))
        spent = (time.perf_counter() - started) / (len(items) * len(self._questions))
        return [[replace(row[number], seconds=spent, batch=len(items)) for number in sorted(row)] for row in rows]

    def _of_kind(
        self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]], question: Question
    ) -> list[list[Answered]]:
        """Questions that ask for the same answers."""
        how, family = self._reading, self._family
        scores: list[list[Scored]] | None = None
        if how.mode == "score" or how.scored:
            scores = family.score(items, prompts, question.answers, how.likelihood)
        if how.mode == "score" and scores is not None:
            return [[Answered(one, None, "", one.tokens) for one in row] for row in scores]
        only = question.answers if how.mode == "constrained" else None
        found = []
        for number, row in enumerate(family.generate(items, prompts, how.most_tokens, only)):
            own = scores[number] if scores else [None] * len(row)
            read = [(parse_answer(one.text, question.answers), one.text, one.tokens) for one in row]
            found.append([Answered(score, *one) for score, one in zip(own, read, strict=True)])
        return found


def _free() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
