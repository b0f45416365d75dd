"""Answers of language models as labels: one parser, and what an answer that is neither of the two counts as."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import model_validator

from waver.config.section import Section
from waver.errors import WaverError

Policy = Literal["as_released", "negative", "positive", "majority", "score", "drop"]
MOST_UNPARSABLE = 0.2
"""A job whose answers are unparsable more often than this fails, unless they are decided by their probability."""

_BETWEEN = r"[\s'\-‐‑‒–—]*"  # between the parts of a word
_MARKS = str.maketrans(dict.fromkeys("_*`~#|", " ") | dict.fromkeys("’‘ʼ", "'"))
_NOT = r"\b(?:not|\w+n't)(?: an?)?\s+"
_DENIED = r"\b(?:not|never|neither|nor|hardly|without|\w+n't)\s+(?:\w+\s+){0,3}"
"""A negation some words before an answer: "does not seem ambivalent", "neither ambivalent nor ..."."""


class Answers(Section):
    """The two answers that a prompt asks for.

    Attributes:
        positive, negative: as the prompt writes them.
        also_positive, also_negative: other words that count as these, such as ``yes`` and ``no``; only for prompts that
            ask for them.
    """

    positive: str
    negative: str
    also_positive: tuple[str, ...] = ()
    also_negative: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _are_distinct(self) -> Answers:
        for words, label in ((self.positives, 1), (self.negatives, 0)):
            for word in words:
                if parse_answer(word, self) != label:
                    raise ValueError(f"the answer {word!r} cannot be told from the other one")
        return self

    @property
    def positives(self) -> tuple[str, ...]:
        """All words for A/H."""
        return (self.positive, *self.also_positive)

    @property
    def negatives(self) -> tuple[str, ...]:
        """All words for none."""
        return (self.negative, *self.also_negative)


def parse_answer(text: str, answers: Answers) -> int | None:
    """1 A/H, 0 none; None where the text holds neither answer, or both.

    Negative answers are looked for first, because "ambivalent" is part of "non-ambivalent"; "not ambivalent" is
    negative too, and "not non-ambivalent" or "does not seem ambivalent" neither.

    Args:
        text: the newly generated text alone, without the prompt.
        answers: what the prompt asked for.
    """
    said = _plain(text)
    positive, negative = _expressions(answers.positives), _expressions(answers.negatives)
    if re.search(_NOT + negative, said):
        return None
    rest, negatives = re.subn(rf"{_NOT}{positive}|{negative}", " ", said)
    if re.search(_DENIED + positive, rest):
        return None
    positives = len(re.findall(positive, rest))
    return None if bool(negatives) == bool(positives) else int(bool(positives))


@cache
def _expressions(words: tuple[str, ...]) -> str:
    """Matches any of some answers as whole words, whatever stands between their parts."""
    patterns = [_BETWEEN.join(parts) for parts in (re.findall(r"\w+", _plain(word)) for word in words) if parts]
    return rf"(?<!\w)(?:{'|'.join(patterns) or '(?!)'})(?!\w)"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(_MARKS)


def decided(
    parsed: Sequence[int | None],
    policy: Policy,
    margins: Sequence[float] | None = None,
    as_released: int = 1,
    usual: Sequence[int | None] | None = None,
) -> list[int | None]:
    """Labels of n answers, those that could not be parsed by a policy; None: left out and counted.

    Args:
        parsed: results of ``parse_answer``.
        policy: of unparsable answers: ``score`` takes the sign of the margin, ``majority`` the label of ``usual``,
            ``drop`` leaves them out.
        margins: [n], logit of A/H minus logit of none; the policy ``score`` needs them.
        as_released: what the released program of the model makes of them: 1 for Video-LLaVA, 0 for AffectGPT.
        usual: of each answer what ``majorities`` says; the policy ``majority`` needs them.

    Raises:
        WaverError: the policy is ``score`` and there are no margins.
    """
    if policy == "score" and margins is None:
        raise WaverError("zeroshot.unparsable is score, and generated answers have none; set another policy")
    constant = {"as_released": as_released, "negative": 0, "positive": 1, "drop": None}.get(policy)
    others: Sequence[int | None] = [constant] * len(parsed)
    if policy == "score" and margins is not None:
        others = [int(margin > 0) for margin in margins]
    if policy == "majority" and usual is not None:
        others = usual
    return [label if label is not None else other for label, other in zip(parsed, others, strict=True)]


def majorities(parsed: Sequence[int | None], splits: Sequence[str], participants: Sequence[str]) -> list[int | None]:
    """Of n answers the label of most answers about other people of train and val; None where there are none.

    Nobody's own answers count for them, and nobody of test for anybody.

    Args:
        parsed: results of ``parse_answer``.
        splits: of each answer.
        participants: whom each answer is about.
    """
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for label, split, person in zip(parsed, splits, participants, strict=True):
        if label is not None and split in ("train", "val"):
            counts[person][label] += 1
    everybody = sum(counts.values(), Counter[int]())
    found = {}
    for person in set(participants):
        others = {label: everybody[label] - counts[person][label] for label in (0, 1)}
        found[person] = int(others[1] > others[0]) if any(others.values()) else None
    return [found[person] for person in participants]


def check_parsable(unparsable: int, answers: int, policy: Policy, differing: int = 0) -> None:
    """Refuse answers most of which say nothing.

    Args:
        unparsable: answers that count as neither of the two.
        answers: how many there are.
        policy: what an unparsable answer counts as.
        differing: of the unparsable ones those that are one of the two in each order of a prompt's options, and not the
            same one.

    Raises:
        WaverError: more than ``MOST_UNPARSABLE`` are unparsable, and the policy does not decide them by their score.
    """
    if policy != "score" and answers and unparsable / answers > MOST_UNPARSABLE:
        apart = f", or differ with the order of a prompt's options ({differing} of them)" if differing else ""
        raise WaverError(
            f"{unparsable} of {answers} answers are neither of the two that were asked for{apart}; set "
            "zeroshot.unparsable to score, or ask with another prompt"
        )
