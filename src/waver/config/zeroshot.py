"""The section of models that are asked."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from waver.config.section import Section


class PromptFramesConfig(Section):
    """The frames that a model is shown of a video, or of a window."""

    number: int = Field(8, ge=1, description="frames of an item; a shorter one repeats some")
    sampling: Literal["linspace", "arange"] = Field(
        "linspace",
        description="linspace: from the first to the last, as released; arange: at the start of equal parts, as in "
        "Video-LLaVA's description",
    )
    picture: Literal["full", "face"] = Field(
        "full", description="full: the whole picture, as in the papers; face: the aligned face of the face stores"
    )


class PromptTranscriptConfig(Section):
    """The transcript in a prompt."""

    style: Literal["clean", "verbatim", "timed"] = Field(
        "clean",
        description="clean: the data set's; verbatim: as recognised with hesitations (features.speech.verbatim); "
        "timed: with pauses, by the times of the words",
    )
    scope: Literal["video", "window"] = Field(
        "video", description="of a window: the transcript of the whole video, or what is said in the window"
    )
    context_s: float = Field(2, ge=0, description="scope window: seconds before and after it that belong to it")


class FinetuneConfig(Section):
    """Models whose language model learns the answers to one prompt by LoRA (2026 paper: transcript + def 1).

    The papers give no recipe; this one is Waver's.
    """

    models: tuple[str, ...] = Field(
        (), description="models, by their names in the registry; each is asked as <name>_tuned<seed> about whole videos"
    )
    prompt: str = Field("td1", description="prompt of the set that is learned, and asked afterwards")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="seeds; tables show the mean of them")
    rank: int = Field(16, ge=1, description="rank of the change of a layer")
    alpha: float = Field(32, gt=0, description="the change is multiplied by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="share of a layer's input that the change does not see")
    targets: tuple[str, ...] = Field(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        min_length=1,
        description="names of the linear layers that change; those of the language model alone",
    )
    epochs: int = Field(4, ge=1, description="most epochs; in each both classes are drawn equally often")
    patience: int = Field(2, ge=1, description="epochs without a better loss on val before it ends")
    lr: float = Field(1e-4, gt=0, description="highest learning rate of AdamW")
    warmup: float = Field(
        0.03, ge=0, lt=1, description="share of the steps in which the rate rises; then half a cosine"
    )
    weight_decay: float = Field(0.0, ge=0, description="of AdamW")
    clip: float = Field(1.0, ge=0, description="maximum norm of the gradient; 0: no limit")
    batch: int = Field(16, ge=1, description="videos of a step")
    at_once: int = Field(2, ge=1, description="videos of a forward pass; it changes memory and time alone")
    checkpointing: bool = Field(
        True, description="compute activations twice instead of keeping them; it changes memory and time alone"
    )


class ZeroShotConfig(Section):
    """Models that are asked whether a video, or each window of it, shows A/H (2025 and 2026 papers, zero-shot)."""

    models: tuple[str, ...] = Field((), description="models, by their names in the registry")
    prompt_set: str = Field(
        "released", description="released (the public code's text), bah2025, paper2026 (as printed), or a YAML file"
    )
    prompts: tuple[str, ...] = Field(
        ("s", "d1", "d2", "ts", "td1", "td2"),
        min_length=1,
        description="prompts of the set; a model that reads alone is asked those that quote what was said or tell cues",
    )
    video: bool = Field(True, description="ask about whole videos")
    windows: tuple[int, ...] = Field(
        (),
        description="ask about windows of so many frames of the 24 fps clock (8, 24, 48, 80, 120, 192 in the papers)",
    )
    stride: int = Field(
        0,
        ge=0,
        description="frames from a window to the next; 0: its length. Where windows overlap, frames average them",
    )
    spread: bool = Field(
        False, description="score the answer about a whole video as that of each of its frames too, beside windows"
    )
    splits: tuple[Literal["train", "val", "test"], ...] = Field(
        ("val", "test"),
        min_length=1,
        description="whom to ask about; with train and train.folds, scores in cross-validation are made too",
    )
    frames: PromptFramesConfig = PromptFramesConfig()
    transcript: PromptTranscriptConfig = PromptTranscriptConfig()
    decoding: Literal["score", "generate", "constrained"] = Field(
        "score",
        description="score: the probabilities of both answers; generate: let the model write, and read its answer; "
        "constrained: let it write one of the answers",
    )
    likelihood: Literal["first_token", "full"] = Field(
        "first_token",
        description="probability of an answer: of its first token, where the answers differ in it (one pass a prompt), "
        "or of all its tokens",
    )
    most_tokens: int = Field(10, ge=1, description="generate: length of an answer, tokens (10 as released)")
    unparsable: Literal["as_released", "negative", "positive", "majority", "score", "drop"] = Field(
        "score",
        description="generate: what an answer counts as that is neither; as_released: as in the model's own code; "
        "majority: as most about other people of train and val; score: by the probabilities; drop: it is left out. "
        "More than a fifth of them end the job, unless by score",
    )
    calibration: tuple[Literal["none", "contextual"], ...] = Field(
        ("none",),
        min_length=1,
        description="contextual: minus the score of the same prompt about nothing (grey pictures, no transcript)",
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="of the weights; auto: float16 on a GPU, float32 on a CPU"
    )
    quantisation: Literal["none", "int8", "nf4"] = Field(
        "none",
        description="of the linear layers of the language model, in models of this process: int8 about half of the "
        "memory of 16 bits, nf4 a quarter; towers, projections and the layer before the probabilities stay",
    )
    batch: int = Field(4, ge=1, description="items a pass; halved where the memory does not suffice, and recorded")
    keep_answers: bool = Field(
        False, description="keep what models write, which may quote people, in a private file beside the predictions"
    )
    options: dict[str, dict[str, Any]] = Field(
        {}, description="model name -> keys of its own config that differ from its defaults"
    )
    finetune: FinetuneConfig = FinetuneConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.models and not (self.video or self.windows):
            raise ValueError("models are asked about nothing: set video, or give windows")
        if any(window < 1 for window in self.windows):
            raise ValueError("windows are lengths in frames, 1 or more")
        if self.stride > min(self.windows, default=self.stride):
            raise ValueError("stride is longer than a window, which would leave frames without an answer")
        if self.unparsable == "majority" and self.decoding == "generate" and self.splits == ("test",):
            raise ValueError("unparsable majority counts the answers of train and val; add val to splits")
        if "contextual" in self.calibration and self.decoding != "score":
            raise ValueError("calibration contextual needs scores; set decoding to score")
        return self

    def windows_about(self, inputs: str) -> tuple[int, ...]:
        """Lengths of the windows that a model with these inputs is asked about; a whole text has none."""
        if inputs == "text" and self.transcript.scope == "video":
            return ()
        return tuple(dict.fromkeys(self.windows))
