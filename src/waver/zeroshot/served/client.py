"""Questions with pictures to a server that speaks OpenAI's chat protocol: vLLM, SGLang, llama.cpp and others.

What is sent is a recording of a person. So the server runs on this computer, or on a host that the config names twice,
as its address and among those that are allowed; no proxy and no redirection takes a request elsewhere. Nothing of a
request or of an answer is logged or told in an error.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult

import cv2
import numpy as np
import numpy.typing as npt

from waver.errors import ExcludedItem, WaverError
from waver.workflow.environment import allow_host, is_here
from waver.zeroshot.served.reply import Refusal, Reply, read_reply, read_whole, seconds_to_wait
from waver.zeroshot.served.settings import ServerSettings, authorisation, checked_place, remedy
from waver.zeroshot.served.typed_decision import PATH as DECISIONS
from waver.zeroshot.served.typed_decision import UNKNOWN, Decision, decision_body, read_decision

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later."""
_REJECTED = frozenset({400, 422, 501})
"""Answers to a request with a field that a server does not know."""
_CHAT = "/chat/completions"
_LONGEST_WAIT_S = 60.0
_REFUSED = 2
"""So often a question is refused before it is left out."""
_ALTERNATIVES = 20
"""Most tokens whose probabilities servers tell by default."""
_PROBABILITIES: dict[str, Any] = {"logprobs": True, "top_logprobs": _ALTERNATIVES}
_UNTHINKING: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}
"""Models that think would do so before they answer; vLLM, SGLang and llama.cpp pass it to the model's template."""
_NOTHING: dict[str, Any] = {}
_QUALITY = 95
_PROBE, _GREY = "Answer with one word: yes.", 128


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        text: after the pictures.
        pictures: RGB uint8 [H, W, 3] each, in order of time.
        system: instruction before; empty: none.
        choices: the answer is one of these, on servers that can be told so (vLLM); empty: it is free.
        most_tokens: of the answer.
    """

    text: str
    pictures: Sequence[npt.NDArray[np.uint8]] = ()
    system: str = ""
    choices: Sequence[str] = ()
    most_tokens: int = 10


class ChatClient:
    """A server's model.

    Raises:
        WaverError: the address is none, or it is another computer's and not allowed; the key is not in the environment.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._place: SplitResult = checked_place(settings)
        self._headers = {"Content-Type": "application/json", **authorisation(settings.api_key_env)}
        scored = [_PROBABILITIES | _UNTHINKING, _PROBABILITIES] if settings.logprobs == "auto" else []
        self._extras: list[Mapping[str, Any]] = [*scored, _UNTHINKING, _NOTHING]
        self._has_answered = False
        self._decides = settings.decisions
        self._lock = threading.Lock()

    def ask_all(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions, several asked at once.

        Raises:
            ExcludedItem: the server refuses a question, and answers another one that says nothing of anybody.
            WaverError: the server does not answer, fails or stays busy, so that a retry may succeed; or it refuses
                everything, or answers in another form.
        """
        with ThreadPoolExecutor(self._settings.max_concurrency) as pool:
            return list(pool.map(self.ask, questions))

    def ask(self, question: Question) -> Reply:
        """The reply to one question; errors as ``ask_all``."""
        return self._insisting(lambda: self._reply(question), question)

    def decide_all(self, states: Sequence[str], options: Sequence[str]) -> list[Decision | None]:
        """Typed decisions between two options about several states, see ``waver.zeroshot.served.typed_decision``.

        None where the server makes none, which its answer to the first one decides.

        Raises:
            ExcludedItem, WaverError: as ``ask_all``.
        """
        first = [self.decide(state, options) for state in states[:1]]
        with ThreadPoolExecutor(self._settings.max_concurrency) as pool:
            return [*first, *pool.map(lambda state: self.decide(state, options), states[1:])]

    def decide(self, state: str, options: Sequence[str]) -> Decision | None:
        """One of them."""
        if not self._decides:
            return None
        return self._insisting(lambda: self._decided(state, options), Question(state))

    def _insisting(self, ask: Callable[[], Answer], question: Question) -> Answer:
        """An answer, asked for again where it is refused.

        A proxy may refuse it while the server is away. So a question is refused when that happens twice, and after each
        time the server answers another one; and a server that has answered before is waited for.
        """
        attempts = refusals = 0
        while True:
            try:
                answer = ask()
            except Refusal as trouble:
                if self._works(question):
                    refusals += 1
                elif attempts >= self._settings.retries or not self._has_answered:
                    raise
                if refusals == _REFUSED:
                    log.warning("%s, and answers another question", trouble)
                    raise ExcludedItem(
                        "the model's server does not answer this question, and answers another one",
                        "see its log: the prompt may be too long for the model, or its content filter refuses it",
                    ) from None
            else:
                self._has_answered = True
                return answer
            self._wait(attempts)
            attempts += 1

    def _wait(self, attempt: int, wanted_s: float = 0.0) -> None:
        """Between two attempts, twice as long each time."""
        time.sleep(min(max(self._settings.backoff_s * 2**attempt, wanted_s), _LONGEST_WAIT_S))

    def _works(self, question: Question) -> bool:
        """Whether the server answers a question of the same form that says nothing of anybody, asked once."""
        grey = [np.full_like(picture, _GREY) for picture in question.pictures]
        status, content = 0, b""
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, content, _ = self._post_once(self._body(Question(_PROBE, grey), self._extras[-1]))
        try:
            return status == 200 and bool(read_reply(content, self._name, 0))
        except WaverError:
            return False

    def _reply(self, question: Question) -> Reply:
        began = time.monotonic()
        status, content, used = 0, b"", self._extras[-1]
        for used in list(self._extras):
            status, content = self._post(self._body(question, used))
            if status not in _REJECTED:
                break
        if status == 200:
            self._settle(used)
        self._check(status)
        return read_reply(content, self._name, time.monotonic() - began)

    def _decided(self, state: str, options: Sequence[str]) -> Decision | None:
        status, content = self._post(decision_body(self._settings.model, state, options), DECISIONS)
        if status in UNKNOWN and not self._has_answered:
            log.warning("%s makes no typed decisions (status %d): it is asked by chat", self._name, status)
            self._decides = False
            return None
        self._check(status)
        return read_decision(content, options, self._name)

    def _check(self, status: int) -> None:
        if status != 200:
            of_item = 400 <= status < 500 and status not in _RETRIED
            kind = Refusal if of_item else WaverError
            raise kind(f"{self._name} answers with status {status}{remedy(status, self._settings)}")

    @property
    def place(self) -> str:
        """Protocol, host and port of the server."""
        return f"{self._place.scheme}://{self._place.netloc}"

    @property
    def _name(self) -> str:
        return f"the server {self.place}"

    def _settle(self, used: Mapping[str, Any]) -> None:
        """Ask with those fields from here on that the first answer was given to."""
        with self._lock:
            if len(self._extras) > 1 and "logprobs" not in used and self._settings.logprobs == "auto":
                log.warning("%s tells no probabilities of tokens: its written answers are used", self._name)
            self._extras = self._extras if len(self._extras) == 1 else [used]

    def _body(self, question: Question, extra: Mapping[str, Any]) -> bytes:
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in question.pictures
        ]
        content: Any = [*parts, {"type": "text", "text": question.text}] if parts else question.text
        messages = [{"role": "system", "content": question.system}] if question.system else []
        body = {
            "model": self._settings.model,
            "messages": [*messages, {"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": question.most_tokens,
            "stream": False,
            **({"structured_outputs": {"choice": list(question.choices)}} if question.choices else {}),
            **extra,
        }
        return json.dumps(body).encode()

    def _post(self, body: bytes, path: str = _CHAT) -> tuple[int, bytes]:
        """Status and content of the answer, after as many attempts as it takes and is allowed."""
        for attempt in range(self._settings.retries + 1):
            last = attempt == self._settings.retries
            try:
                status, content, wanted_s = self._post_once(body, path)
            except (OSError, http.client.HTTPException) as error:
                if last:
                    kind = type(error).__name__
                    raise WaverError(
                        f"{self._name} does not answer after {attempt + 1} attempts ({kind}); start it, or correct "
                        "base_url or timeout_s"
                    ) from error
                wanted_s = 0.0
            else:
                if status not in _RETRIED or last:
                    return status, content
            self._wait(attempt, wanted_s)
        raise AssertionError("the last attempt returns or raises")

    def _post_once(self, body: bytes, path: str = _CHAT) -> tuple[int, bytes, float]:
        host = str(self._place.hostname)
        if not is_here(host):
            allow_host(host)
        kind = http.client.HTTPSConnection if self._place.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, self._place.port, timeout=self._settings.timeout_s)
        try:
            until_s = time.monotonic() + self._settings.timeout_s
            connection.request("POST", self._place.path.rstrip("/") + path, body, self._headers)
            answer = connection.getresponse()
            return answer.status, read_whole(answer, until_s), seconds_to_wait(answer.getheader("Retry-After"))
        finally:
            connection.close()


def _data_url(picture: npt.NDArray[np.uint8]) -> str:
    colours = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
