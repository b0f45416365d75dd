"""What every fusion's config says about its streams; no heavy library is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from waver.config.sections import Section


def over_defaults(defaults: Mapping[str, object], given: object) -> object:
    """``given`` laid over the defaults, for options that change one modality and leave the others as they are."""
    return {**defaults, **given} if isinstance(given, Mapping) else given


class BiGruSettings(Section):
    """Bidirectional GRU over a stream; it sees the whole window on both sides."""

    hidden: int = Field(128, ge=1, description="hidden units of each direction; the stream has twice as many channels")
    layers: int = Field(2, ge=1, description="layers")
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout between layers")


class MsTcnSettings(Section):
    """Multi-stage TCN over a stream; a frame sees both sides."""

    stages: int = Field(4, ge=1, description="stages; the stream has stages * classes channels")
    layers: int = Field(10, ge=1, description="layers of a stage, of dilation 1, 2, 4, ...")
    width: int = Field(64, ge=1, description="channels inside a stage")
    classes: int = Field(32, ge=1, description="outputs of a stage; their softmax is the input of the next")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of each layer")


class TemporalSettings(Section):
    """Temporal context of the streams, the same keys in every fusion; the defaults are the papers'.

    A fusion's config is this section and the fusion's own keys. ``CHANNELS`` are those of CAN, MT and JMT; a
    fusion with others sets its own.
    """

    CHANNELS: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "visual": (256, 256, 128, 128, 128),
        "audio": (128, 128, 64, 64),
        "text": (256, 256, 128, 128),
        "question": (16, 16),
    }

    channels: dict[str, tuple[int, ...]] = Field(
        {}, validate_default=True, description="tcn: modality -> channels of its blocks"
    )
    kernel: int = Field(5, ge=2, description="tcn: taps of a convolution")
    dropout: float = Field(0.2, ge=0, lt=1, description="tcn: dropout after each convolution")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of whole input dimensions; against learning few videos by heart"
    )
    causal: bool = Field(True, description="tcn: a frame sees its past only, as in the papers")
    temporal: Literal["tcn", "bigru", "mstcn", "none"] = Field(
        "tcn", description="temporal context of each modality; none: the frame alone"
    )
    bigru: BiGruSettings = BiGruSettings()
    mstcn: MsTcnSettings = MsTcnSettings()

    @field_validator("channels", mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        return over_defaults(cls.CHANNELS, given)
