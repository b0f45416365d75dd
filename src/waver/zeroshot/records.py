"""What the predictions of a language model say about how they were made, beside what every method says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from waver.config.section import Section

AnswerMode = Literal["score", "generate", "constrained"]
Weights = Literal["tiny random", "packaged", "real"]
"""Where the weights come from: drawn at random in a small network, of an installed package, or the model's own."""

VIDEO = "video"
"""Granularity of one call for a whole video."""


class Condition(NamedTuple):
    """A model, a prompt and a granularity: one line of the tables.

    Attributes:
        model: name in the config.
        prompt: its id.
        granularity: ``video``, or the frames of a window.
    """

    model: str
    prompt: str
    granularity: str

    @property
    def method(self) -> str:
        """Name as ``method`` in the metadata of predictions: ``video_llava.td1.video``, ``video_llava.td1.w8``."""
        window = self.granularity if self.granularity == VIDEO else f"w{self.granularity}"
        return f"{self.model}.{self.prompt}.{window}"

    @property
    def level(self) -> str:
        """Level of its predictions: frame or video."""
        return VIDEO if self.granularity == VIDEO else "frame"


class ZeroShotRecord(Section):
    """The key ``zeroshot`` in the schema metadata of a predictions file; no text of anybody.

    The other keys are those of ``waver.io.tables.PREDICTIONS``, with ``method`` that of the ``Condition``,
    ``modalities`` what the model was given (V frames, A sound, T a transcript in the prompt) and ``protocol`` standard.

    Attributes:
        model: name in the config.
        revision: commit, file sum or name of its weights.
        weights: where they come from.
        family: how it is asked, as ``video_llava``.
        adapter: sha256 of fine-tuned weights; empty without.
        prompt_set, prompt, label: the set, the id and the label of the prompt.
        prompt_sha256: of its text with empty slots.
        granularity: ``video``, or the frames of a window.
        stride: frames from window to window; None at video level.
        transcript: style of the transcript; empty where the prompt has none.
        scope: what of it is quoted: ``video`` or ``window``; empty as above.
        answers: how the answer is read.
        calibration: ``none`` or ``contextual``.
        policy: what an unparsable answer counts as; empty for scores.
        calls: calls of the model in this file.
        unparsable: share of its generated answers that are neither of the two; None for scores.
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
    granularity: str
    stride: int | None = None
    transcript: str = ""
    scope: str = ""
    answers: AnswerMode = "score"
    calibration: str = "none"
    policy: str = ""
    calls: int
    unparsable: float | None = None
    label_mass: float | None = None
    seconds_per_call: float | None = None
    tokens_per_call: float | None = None
    quantisation: str = "none"
    dtype: str = "float32"

    @property
    def condition(self) -> Condition:
        """The line of the tables that the file belongs to."""
        return Condition(self.model, self.prompt, self.granularity)


def zero_shot_record(metadata: Mapping[str, Any]) -> ZeroShotRecord | None:
    """The record in the ``waver`` metadata of a predictions file; None of every other method."""
    found = metadata.get("zeroshot")
    return None if found is None else ZeroShotRecord(**found)
