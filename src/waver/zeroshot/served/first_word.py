"""Two answers scored by the probabilities that a server tells of the first word."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstWord:
    """Log-probabilities of the answers' beginnings.

    Attributes:
        positive: of A/H; the greatest value it may have where it is not among the tokens that were told.
        negative: of none, in the same way.
        bounded: one of the two is such a bound.
    """

    positive: float
    negative: float
    bounded: bool


def first_word(alternatives: Sequence[tuple[str, float]], positive: str, negative: str) -> FirstWord | None:
    """Compare two answers by the tokens that may begin them.

    A token counts for the answer that it begins, whatever its case and the spaces around it, unless it begins both.

    Args:
        alternatives: tokens and their log-probabilities.
        positive: answer that means A/H.
        negative: the other.

    Returns:
        None where no token begins either.
    """
    begins = {
        answer: [value for token, value in alternatives if _begins(token, answer) and not _begins(token, other)]
        for answer, other in ((positive, negative), (negative, positive))
    }
    if not any(begins.values()):
        return None
    bound = min(value for _, value in alternatives)
    found = {answer: _log_sum(values) if values else bound for answer, values in begins.items()}
    return FirstWord(found[positive], found[negative], not all(begins.values()))


def _begins(token: str, answer: str) -> bool:
    own = token.strip().casefold()
    return bool(own) and answer.casefold().startswith(own)


def _log_sum(values: Iterable[float]) -> float:
    """Logarithm of the sum of the exponentials."""
    own = list(values)
    top = max(own)
    return top + math.log(sum(math.exp(value - top) for value in own))
