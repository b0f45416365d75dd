"""What the predictions of a language model say about how they were made, beside what every method says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from waver.config.section import Section

AnswerMode = Literal["score", "generate", "constrained"]
Weights = Literal["tiny random", "packaged", "real"]
"""Where the weights come from: drawn at random in a small network, of an installed package, or the model's own."""

RANDOM: Weights = "tiny random"
"""Answers of such weights mean nothing; predictions made with them have this as their set of models."""
VIDEO = "video"
CUE_FEATURES = ("faces", "visual", "audio", "speech", "cues")
"""Features whose stores cues are found in; those that a run lacks are left out."""
CUE_SLOTS = frozenset({"cues", "timeline"})
"""Slots of a prompt that tell them in words."""
TUNED = "_tuned"
"""End of the name of a model that was fine-tuned here."""
_TUNED = re.compile(rf"(.+{TUNED})(\d+)")


class PromptedModel(NamedTuple):
    """A model as paths call it, ``video_llava`` or, fine-tuned with seed 0, ``video_llava_tuned0``.

    Attributes:
        method: name of its line in the tables, common to all seeds: ``video_llava_tuned``.
        base: name in ZERO_SHOT_MODELS.
        seed: of the fine-tuning; None without.
    """

    method: str
    base: str
    seed: int | None = None

    @classmethod
    def of(cls, name: str) -> PromptedModel:
        """The model of such a name."""
        tuned = _TUNED.fullmatch(name)
        return cls(tuned[1], tuned[1].removesuffix(TUNED), int(tuned[2])) if tuned else cls(name, name)

    @staticmethod
    def tuned(base: str, seed: int) -> str:
        """Name of a fine-tuned model in paths."""
        return f"{base}{TUNED}{seed}"


def window_of(granularity: str) -> int | None:
    """Frames of a window, of ``w8``, as paths and names call it; None of ``video``."""
    return None if granularity == VIDEO else int(granularity.removeprefix("w"))


class Condition(NamedTuple):
    """A model, a prompt, a granularity and a calibration: one line of the tables.

    Attributes:
        model: name in ZERO_SHOT_MODELS; of a fine-tuned model ``<name>_tuned``.
        prompt: its id.
        window: frames of a window; None: whole videos.
        calibration: ``none`` or ``contextual``.
    """

    model: str
    prompt: str
    window: int | None = None
    calibration: str = "none"

    @property
    def method(self) -> str:
        """Name as ``method`` in the metadata of predictions.

        ``video_llava.td1.video``, ``video_llava.td1.w8``, ``video_llava.td1.w8.contextual``.
        """
        granularity = VIDEO if self.window is None else f"w{self.window}"
        calibrated = () if self.calibration == "none" else (self.calibration,)
        return ".".join((self.model, self.prompt, granularity, *calibrated))

    @classmethod
    def of(cls, method: str) -> Condition | None:
        """The condition of such a name; None of the name of any other method."""
        model, *rest = method.split(".")
        if len(rest) not in (2, 3) or not re.fullmatch(r"video|w[1-9]\d*", rest[1]):
            return None
        window = None if rest[1] == VIDEO else int(rest[1][1:])
        return cls(model, rest[0], window, *rest[2:])

    @property
    def level(self) -> str:
        """Level of its predictions: frame or video."""
        return VIDEO if self.window is None else "frame"

    @property
    def granularity(self) -> str:
        """``whole videos``, ``windows of 8 frames``."""
        return "whole videos" if self.window is None else f"windows of {self.window} frames"


class ZeroShotRecord(Section):
    """The key ``zeroshot`` in the schema metadata of a predictions file; no text of anybody.

    The other keys are those of ``waver.io.tables.PREDICTIONS``, with ``method`` that of the ``Condition``,
    ``modalities`` what the model was given (V frames, A sound, T a transcript in the prompt) and ``protocol`` standard.

    Attributes:
        model: name in ZERO_SHOT_MODELS; of a fine-tuned model ``<name>_tuned``.
        revision: commit, file sum or name of its weights.
        weights: where they come from.
        family: how it is asked, as ``video_llava``.
        adapter: sha256 of fine-tuned weights; empty without.
        prompt_set, prompt, label: the set, the id and the label of the prompt.
        prompt_sha256: of its text with empty slots.
        window: frames of a window; None: whole videos.
        stride: frames from window to window; None of whole videos.
        transcript: style of the transcript; empty where the prompt has none.
        scope: what of it is quoted: ``video`` or ``window``; empty as above.
        answers: how the answer is read.
        calibration: ``none`` or ``contextual``.
        policy: what an unparsable answer counts as; empty for scores.
        calls: calls of the model in this file.
        unparsable: share of its written answers that are neither of the two, in one order or both; None for scores.
        order_disagreement: share of its answers that are another one in the other order of a prompt's options; None
            where there are none.
        label_mass: median probability of the two answers' first tokens; None where it is not known.
        seconds_per_call: wall time of asking, without loading, over the calls.
        tokens_per_call: mean tokens of the prompt, those of frames included.
        quantisation, dtype: of the weights.
    """

    model: str
    revision: str = ""
    weights: Weights
    family: str
    adapter: str = ""
    prompt_set: str
    prompt: str
    label: str
    prompt_sha256: str
    window: int | None = None
    stride: int | None = None
    transcript: str = ""
    scope: str = ""
    answers: AnswerMode = "score"
    calibration: str = "none"
    policy: str = ""
    calls: int
    unparsable: float | None = None
    order_disagreement: float | None = None
    label_mass: float | None = None
    seconds_per_call: float | None = None
    tokens_per_call: float | None = None
    quantisation: str = "none"
    dtype: str = "float32"

    @property
    def condition(self) -> Condition:
        """The line of the tables that the file belongs to."""
        return Condition(self.model, self.prompt, self.window, self.calibration)


def zero_shot_record(metadata: Mapping[str, Any]) -> ZeroShotRecord | None:
    """The record in the ``waver`` metadata of a predictions file; None of every other method."""
    found = metadata.get("zeroshot")
    return None if found is None else ZeroShotRecord(**found)
