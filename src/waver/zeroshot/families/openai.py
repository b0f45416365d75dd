"""A model behind a server that speaks OpenAI's chat protocol, on this computer or on a host that the config allows.

A server tells the probabilities of the tokens that may begin its answer. Where it tells none, the answer that it writes
counts, with a probability that says no more than that. What is sent, and where to: ``waver.zeroshot.served.client``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import cv2
from pydantic import Field

from waver.config.section import Section
from waver.errors import WaverError
from waver.zeroshot.answers import Answers, parse_answer
from waver.zeroshot.families.base import Capabilities, Dtype, Item, Likelihood, Pictures, Prompt, Scored, Written
from waver.zeroshot.served.client import ChatClient, Question
from waver.zeroshot.served.first_word import first_word
from waver.zeroshot.served.reply import Reply
from waver.zeroshot.served.settings import ServerSettings

_WRITTEN, _NOT_WRITTEN = math.log(0.999), math.log(0.001)
"""Of an answer that was written, and of the other one, where nothing is known but that."""


class OpenAiConfig(ServerSettings):
    """The server, and what it is shown."""

    picture_side: int = Field(512, ge=16, description="longer side of a picture that is sent, pixels")
    system: str = Field("", description="what the system's turn says; empty: there is none")


class OpenAi:
    """A model that a server offers."""

    Config: ClassVar[type[Section]] = OpenAiConfig
    capabilities = Capabilities(video=True)

    def __init__(self, config: OpenAiConfig) -> None:
        """Of a server that may be asked, see ``ChatClient``.

        Raises:
            WaverError: it may not, or it is to decide about pictures.
        """
        if config.decisions and self.capabilities.video:
            raise WaverError("typed decisions are made about words alone; set decisions to false, or ask openai_text")
        self._config, self._client = config, ChatClient(config)
        self._counts: Counter[str] = Counter()

    @classmethod
    def load(cls, folder: Path, config: OpenAiConfig, dtype: Dtype) -> Self:
        """The server of a config; there is no folder.

        Raises:
            WaverError: recordings may not be sent there, or its address or key is missing.
        """
        return cls(config)

    def score(
        self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]], answers: Answers, likelihood: Likelihood
    ) -> list[list[Scored]]:
        """Both answers' probabilities by their first word, see ``Family.score``."""
        decided = self._decisions(prompts, answers)
        if decided is not None:
            return decided
        return [[self._scored(reply, answers) for reply in own] for own in self._replies(items, prompts, ())]

    def _decisions(self, prompts: Sequence[Sequence[Prompt]], answers: Answers) -> list[list[Scored]] | None:
        """Scores by typed decisions; None where the server is asked by chat. Letters are asked by chat always."""
        options = (answers.positive, answers.negative)
        if not self._config.decisions or min(map(len, options)) == 1:
            return None
        found = self._client.decide_all([prompt.text for own in prompts for prompt in own], options)
        scores = [Scored(one.second, one.first, one.tokens, one.has_mass) for one in found if one is not None]
        if len(scores) < len(found):
            return None
        self._counts["typed_decisions"] += len(scores)
        each = iter(scores)
        return [[next(each) for _ in own] for own in prompts]

    def generate(
        self,
        items: Sequence[Item],
        prompts: Sequence[Sequence[Prompt]],
        most_tokens: int,
        only: Answers | None = None,
    ) -> list[list[Written]]:
        """Written answers, see ``Family.generate``; ``only`` needs a server that knows ``structured_outputs``."""
        choices = (only.negative, only.positive) if only else ()
        replies = self._replies(items, prompts, choices, most_tokens)
        return [[Written(reply.text, reply.tokens) for reply in own] for own in replies]

    def describe(self) -> Mapping[str, Any]:
        """The model's name on the server, and how many answers had a bound, or nothing but a text, to go by."""
        return {
            "architecture": self._config.model,
            "server": self._client.place,
            "quantisation": "as served",
            **self._counts,
        }

    def _replies(
        self,
        items: Sequence[Item],
        prompts: Sequence[Sequence[Prompt]],
        choices: Sequence[str],
        most_tokens: int | None = None,
    ) -> list[list[Reply]]:
        pictures = [() if item.frames is None else _small(item.frames, self._config.picture_side) for item in items]
        questions = [
            Question(prompt.text, shown, self._config.system, choices, most_tokens or self._config.max_tokens)
            for shown, own in zip(pictures, prompts, strict=True)
            for prompt in own
        ]
        replies = iter(self._client.ask_all(questions))
        return [[next(replies) for _ in own] for own in prompts]

    def _scored(self, reply: Reply, answers: Answers) -> Scored:
        found = first_word(reply.alternatives, answers.positive, answers.negative)
        if found is not None:
            self._counts["bounded_answers"] += found.bounded
            return Scored(found.negative, found.positive, reply.tokens)
        self._counts["written_answers"] += 1
        label = parse_answer(reply.text, answers)
        if label is None:  # neither answer: as improbable as the other
            return Scored(_NOT_WRITTEN, _NOT_WRITTEN, reply.tokens, has_probabilities=False)
        pair = (_NOT_WRITTEN, _WRITTEN) if label else (_WRITTEN, _NOT_WRITTEN)
        return Scored(*pair, reply.tokens, has_probabilities=False)


class OpenAiText(OpenAi):
    """A model of a server that is sent words alone, whatever is known of the recording."""

    capabilities = Capabilities()


def _small(pictures: Pictures, side: int) -> list[Pictures]:
    """Pictures whose longer side is at most ``side`` pixels."""
    height, width = pictures.shape[1:3]
    scale = min(side / max(height, width), 1)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pictures]
