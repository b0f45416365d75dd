"""What is asked of a model, what it answers, and what every family of models offers.

A family is one file with one class and its frozen config; a record in ``waver.registry`` names it. Several questions
about one item are asked together, so that a family reads what they share (the video above all) once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from waver.config.section import Section
from waver.zeroshot.answers import Answers

Pictures = npt.NDArray[np.uint8]
"""[F, H, W, 3] RGB, upright: F frames of one item, in the order of time."""
Likelihood = Literal["first_token", "full"]
"""Of an answer: of its first token where the answers differ in it, else, or with ``full``, of all its tokens."""
Dtype = Literal["auto", "float32", "float16", "bfloat16"]
"""Of the weights; ``auto``: float16 on a GPU, float32 on a CPU."""


@dataclass(frozen=True)
class Capabilities:
    """What a family takes beside a prompt.

    Attributes:
        video: frames of a video.
        audio: the sound.
        most_frames: that fit into its context; None: no limit of its own.
    """

    video: bool = False
    audio: bool = False
    most_frames: int | None = None


@dataclass(frozen=True)
class Item:
    """A video, or a window of one.

    Attributes:
        frames: of a family that takes video.
        times_s: float64 [F], of the frames, seconds from the start of the video.
        sound: float32 [S], 16 kHz mono, of a family that takes audio.
    """

    frames: Pictures | None = None
    times_s: npt.NDArray[np.float64] | None = None
    sound: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Prompt:
    """One question about an item, rendered.

    Attributes:
        text: of the user, with the transcript in it where the prompt has one; without the wrapper of a family.
        question: the same without the transcript, of families that take it apart.
        transcript: what is said; empty where the prompt has none.
    """

    text: str
    question: str
    transcript: str = ""


class Scored(NamedTuple):
    """How probable a model holds the answers.

    Attributes:
        negative: natural logarithm of the probability of the answer without A/H.
        positive: of that with A/H.
        tokens: of the prompt, those of the pictures among them.
        has_probabilities: they are the model's; else they stand for an answer of which the text alone is known.
    """

    negative: float
    positive: float
    tokens: int
    has_probabilities: bool = True

    @property
    def margin(self) -> float:
        """Logit of A/H minus logit of none."""
        return self.positive - self.negative

    @property
    def mass(self) -> float | None:
        """Probability of both answers together; where it is low, the model would say something else.

        None where it is not known.
        """
        return float(np.exp(self.negative) + np.exp(self.positive)) if self.has_probabilities else None


class Written(NamedTuple):
    """What a model wrote.

    Attributes:
        text: new text alone.
        tokens: of the prompt.
    """

    text: str
    tokens: int


class Family(Protocol):
    """A loaded model.

    Attributes:
        Config: its own options.
        capabilities: what it takes.
    """

    Config: ClassVar[type[Section]]

    @property
    def capabilities(self) -> Capabilities: ...

    @classmethod
    def load(cls, folder: Path, config: Any, dtype: Dtype) -> Self:
        """Read a model from the folder in which it is installed.

        Raises:
            WaverError: the folder holds no such model.
        """
        ...

    def score(
        self, items: Sequence[Item], prompts: Sequence[Sequence[Prompt]], answers: Answers, likelihood: Likelihood
    ) -> list[list[Scored]]:
        """Ask for both answers' probabilities.

        Args:
            items: B of them, with equally many frames.
            prompts: P of each item.
            answers: the two answers.
            likelihood: what counts of them.

        Returns:
            Of each item, of each prompt.

        Raises:
            WaverError: a prompt does not fit into the model.
        """
        ...

    def generate(
        self,
        items: Sequence[Item],
        prompts: Sequence[Sequence[Prompt]],
        most_tokens: int,
        only: Answers | None = None,
    ) -> list[list[Written]]:
        """Let the model write, greedily; ``only``: one of two answers, by the more probable next token each time."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What predictions say of the model: architecture, dtype, device, parameters."""
        ...
