"""Two answers weighed by a server's typed decision: a probability of each option, and no text (``/v1/systemone``).

vLLM, SGLang and ``transformers serve`` take the same request: a state, and questions about it. The server writes the
options below the state, each with a letter, and reads the probabilities of the letters. So both orders are asked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waver.zeroshot.served.reply import Refusal, tokens_of

PATH = "/systemone"
UNKNOWN = frozenset({400, 404, 405, 422, 501})
"""Answers of a server that makes no such decisions, or not with its model."""
_LEAST = 1e-9
"""Probability of an option that is told as impossible."""
_ROUNDING = 0.02


@dataclass(frozen=True)
class Decision:
    """How probable a server holds two options.

    Attributes:
        first, second: mean log-probabilities of both orders; with ``mass`` where that is known.
        has_mass: the server tells how much probability its letters have together.
        tokens: of the question, both orders, where the server counts them, else 0.
    """

    first: float
    second: float
    has_mass: bool
    tokens: int


def decision_body(model: str, state: str, options: Sequence[str]) -> bytes:
    """A request for a decision between two options.

    Args:
        model: name on the server.
        state: what the decision is about, with its question.
        options: first and second.
    """
    orders = {"one": options, "other": options[::-1]}
    questions = {
        name: {"type": "choice", "instructions": "Which answer fits?", "criteria": dict.fromkeys(own)}
        for name, own in orders.items()
    }
    return json.dumps({"model": model, "state": state, "questions": questions}).encode()


def read_decision(content: bytes, options: Sequence[str], name: str) -> Decision:
    """The decision in the content of an answer.

    Args:
        content: JSON.
        options: first and second.
        name: of the server, for messages, which quote nothing of the answer.

    Raises:
        Refusal: it is in another form.
    """
    try:
        record = json.loads(content)
        answers = [record["answers"][order] for order in ("one", "other")]
        values = [[_checked(own["probabilities"][option]) for option in options] for own in answers]
        if any(abs(sum(own) - 1) > _ROUNDING for own in values):
            raise ValueError("the probabilities of the options are not 1 together")
        masses = [_mass(record, order) for order in ("one", "other")]
        known = [mass for mass in masses if mass is not None]
        weights = known if len(known) == len(values) else [1.0] * len(values)
        first, second = (
            sum(math.log(max(own[place] * weight, _LEAST)) for own, weight in zip(values, weights, strict=True)) / 2
            for place in (0, 1)
        )
        return Decision(first, second, weights is known, tokens_of(record, "input_tokens"))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Refusal(f"{name} answers in a form that is no typed decision; set decisions to false") from error


def _mass(record: Mapping[str, Any], order: str) -> float | None:
    """Probability of the letters together, where vLLM or SGLang tells it."""
    mass = (record.get("diagnostics") or {}).get(order, {}).get("label_mass")
    mass = record["answers"][order].get("x_label_mass") if mass is None else mass
    return None if mass is None else _checked(mass)


def _checked(value: Any) -> float:
    """A probability."""
    number = float(value)
    if not 0 <= number <= 1 + _ROUNDING:
        raise ValueError("this is no probability")
    return min(number, 1.0)
