"""Settings of the conflict model: sizes, ablations, augmentation, weights of its loss; imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from waver.config.sections import Section
from waver.modalities import default_channels
from waver.models.temporal.settings import over_defaults

PARTS: tuple[Literal["difference", "product", "affect"], ...] = ("difference", "product", "affect")
"""What two modalities may be compared by."""

_CHANNELS = dict.fromkeys(("visual", "audio", "text", "cues"), (128, 128, 128, 128))
"""Where they differ from those of the modalities' records."""
ORDER = ("visual", "audio", "text")
ANCHORS = ("text", "visual", "audio")


def _own(**options: object) -> dict[str, Any]:
    return {"options": {"conflict": options}}


ABLATIONS: dict[str, dict[str, Any]] = {
    "no_pairs": _own(pairs=False),
    "no_within": _own(within=False),
    "difference_only": _own(pair_parts=("difference",)),
    "no_affect_pairs": _own(pair_parts=("difference", "product")),
    "input_norm": _own(input_norm=True),
    "no_affect_loss": _own(affect_share=0.0),
    "affect_first": _own(affect_epochs=10),
    "no_gates": _own(gates=False),
    "no_prior": _own(prior=False),
    "stop_gradient": _own(stop_gradient=True),
    "no_stop_gradient": _own(stop_gradient=False),
    "anchor_visual": _own(anchor="visual"),
    "anchor_audio": _own(anchor="audio"),
    "no_augmentation": _own(input_dropout=0.0, noise=0.0, gap=0.0, absence=0.0),
    "no_durations": {"decoding": "none"},
    "cue_loss": {"cue_share": 0.2},
    "no_cue_loss": {"cue_share": 0.0},
    "certainty": {"certainty": True},
    "no_certainty": {"certainty": False},
}
"""Ablations by name: the keys of the training section, the model's own options in it, that differ."""


class ConflictConfig(Section):
    """Sizes, ablations, augmentation and weights of the loss."""

    channels: dict[str, tuple[int, ...]] = Field(
        {}, validate_default=True, description="modality -> channels of its encoder's blocks"
    )
    size: int = Field(128, ge=4, description="size of anchor, evidence and context")
    shared: int = Field(64, ge=1, description="size of the space in which modalities are compared")
    kernel: int = Field(5, ge=2, description="taps of a convolution")
    heads: int = Field(4, ge=1, description="attention heads over time")
    layers: int = Field(2, ge=0, description="transformer layers over time")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout; half as much again in the input and in heads")
    causal: bool = Field(False, description="a step sees its past only")
    input_norm: bool = Field(
        False,
        description="normalise each step over its input dimensions, as first proposed; it hides how strong a cue is",
    )
    pool: int = Field(4, ge=1, description="frames averaged into one step; the logit of a step is that of its frames")
    anchor: Literal["text", "visual", "audio"] = Field(
        "text", description="modality that gates and evidence are centred on; where missing: text, visual, audio"
    )
    pairs: bool = Field(True, description="look for conflict between modalities")
    pair_parts: tuple[Literal["difference", "product", "affect"], ...] = Field(
        PARTS, min_length=1, description="what two modalities are compared by"
    )
    within: bool = Field(True, description="look for conflict of a modality with itself over time")
    gates: bool = Field(True, description="weigh evidence by gates; otherwise it is summed")
    prior: bool = Field(
        True,
        description="gates of pairs start from what the annotators of the training videos found inconsistent, where "
        "they name any; otherwise half open",
    )
    pair_shares: dict[str, float] = Field(
        {},
        description="pair of modalities (audio+text) -> share of the inconsistencies that lie between them, for prior; "
        "empty: counted in the training segments",
    )
    stop_gradient: bool = Field(
        False, description="the affect tracks learn nothing from A/H; for training with targets of affect"
    )
    strict: bool = Field(False, description="nor does anything else of level 1; for training with targets of affect")
    video_head: bool = Field(False, description="add the head of whole videos, which needs the model's own loss")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of whole input dimensions of a window, against learning by heart"
    )
    noise: float = Field(0.0, ge=0, description="standard deviation of noise on the z-scored input in training")
    gap: float = Field(0.0, ge=0, lt=1, description="share of a window that each stream misses in training")
    absence: float = Field(
        0.0, ge=0, lt=1, description="probability that a modality other than the anchor is missing in training"
    )
    affect_epochs: int = Field(
        0, ge=0, description="first epochs in which affect alone is learned, where anything is known of it"
    )
    f1_share: float = Field(0.5, ge=0, description="own loss: factor of 1 - soft macro F1")
    affect_share: float = Field(0.2, ge=0, description="own loss: factor of affect against its targets")
    smooth_share: float = Field(0.15, ge=0, description="own loss: factor of jumps between steps")
    conflict_share: float = Field(0.05, ge=0, description="own loss: factor of agreement outside A/H")
    video_share: float = Field(1.0, ge=0, description="own loss: factor of the head of whole videos")
    anchor_share: float = Field(0.3, ge=0, description="own loss: factor of the head of the anchor alone")

    @field_validator("channels", mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        return over_defaults({**default_channels(), **_CHANNELS}, given)

    @property
    def counts_pairs(self) -> bool:
        """Whether the cues of the training segments decide where gates start."""
        return self.prior and self.pairs and not self.pair_shares

    @field_validator("pair_shares")
    @classmethod
    def _are_shares(cls, given: dict[str, float]) -> dict[str, float]:
        for pair, share in given.items():
            if pair != "+".join(sorted(pair.split("+"))) or "+" not in pair or not 0 <= share <= 1:
                raise ValueError(f"pair_shares: {pair}: {share} is no pair such as audio+text with a share from 0 to 1")
        return given

    @model_validator(mode="after")
    def _heads_fit(self) -> ConflictConfig:
        if self.size % self.heads:
            raise ValueError(f"size {self.size} is no multiple of heads {self.heads}")
        return self
