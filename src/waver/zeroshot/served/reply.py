"""What a server answers to a question, read from OpenAI's chat protocol; whatever else it sends is refused."""

from __future__ import annotations

import email.utils
import json
import math
import time
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from waver.errors import ExcludedItem, WaverError

MOST_BYTES = 4 << 20
"""Of an answer; one of a few words with the probabilities of its tokens takes some kilobytes."""
_PIECE = 1 << 16
_ROUNDING = 1e-3
"""Servers that compute in half precision tell logarithms of probabilities slightly above 0."""
_MOST_TOKENS = 2**31


class Refusal(WaverError):
    """An answer that may be about the question, and not about the server."""


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Attributes:
        text: of the answer.
        alternatives: tokens that could have begun its first word, and their log-probabilities, greatest first; empty
            where the server does not tell.
        tokens: of the question, where the server counts them, else 0.
        seconds: until it was there, attempts before included.
    """

    text: str
    alternatives: tuple[tuple[str, float], ...]
    tokens: int
    seconds: float


def read_whole(answer: HTTPResponse, until_s: float) -> bytes:
    """The content of an answer, up to ``MOST_BYTES`` of it.

    Args:
        answer: whose status and headers were read.
        until_s: on the clock ``time.monotonic``; a server may send a little now and then for ever.

    Raises:
        TimeoutError: it is not there in time.
    """
    pieces, size = [], 0
    while size < MOST_BYTES and (piece := answer.read1(_PIECE)):
        if time.monotonic() > until_s:
            raise TimeoutError("the answer does not end")
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def seconds_to_wait(header: str | None) -> float:
    """Of a Retry-After header, in seconds or as a date; 0 where it is missing or none of these."""
    try:
        wanted_s = float(header or 0)
    except ValueError:
        try:
            wanted_s = email.utils.parsedate_to_datetime(str(header)).timestamp() - time.time()
        except ValueError:
            return 0.0
    return wanted_s if wanted_s > 0 else 0.0


def read_reply(content: bytes, name: str, seconds: float) -> Reply:
    """The reply in the content of an answer.

    Args:
        content: JSON.
        name: of the server, for messages, which quote nothing of the answer.
        seconds: until it was there.

    Raises:
        ExcludedItem: the server's filter refuses the question.
        Refusal: it is in another form.
    """
    try:
        record = json.loads(content)
        choice = record["choices"][0]
        text = choice["message"]["content"] or ""
        tokens = (choice.get("logprobs") or {}).get("content") or []
        if choice.get("finish_reason") == "content_filter":
            raise ExcludedItem("the content filter of the model's server refuses it", "ask a server without one")
        # a line break or a quotation mark may come before the first word
        first = next((token for token in tokens if any(map(str.isalpha, token["token"]))), None)
        pairs = [(str(one["token"]), _logarithm(one["logprob"])) for one in (first or {}).get("top_logprobs") or []]
        possible = sorted((pair for pair in pairs if pair[1] > -math.inf), key=lambda pair: -pair[1])
        return Reply(_written(text), tuple(possible), tokens_of(record, "prompt_tokens"), seconds)
    # a number too large for Python, and brackets in brackets without end
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Refusal(f"{name} answers in a form that is not OpenAI's chat protocol; correct base_url") from error


def _written(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("the answer is no text")
    return text.encode("utf-8", "replace").decode()  # half a character of a cut answer


def _logarithm(value: Any) -> float:
    """Of a probability."""
    number = float(value)
    if not number <= _ROUNDING:
        raise ValueError("no probability has this logarithm")
    return min(number, 0.0)


def tokens_of(record: dict[str, Any], kind: str) -> int:
    """Of the question, as a server counts them under a name; 0 where it does not.

    Raises:
        ValueError: no question has so many, or so few.
    """
    used = int((record.get("usage") or {}).get(kind) or 0)
    if not 0 <= used < _MOST_TOKENS:
        raise ValueError("no question has so many tokens")
    return used
