"""What every fusion's config says about its streams; no heavy library is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from waver.config.sections import Section
from waver.modalities import default_channels


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


class AsFormerSettings(Section):
    """Encoder and decoders with attention in windows over a stream; a frame sees both sides."""

    decoders: int = Field(3, ge=0, description="decoders; the stream has (1 + decoders) * classes channels")
    layers: int = Field(10, ge=1, description="blocks of encoder and decoder, of dilation and window 1, 2, 4, ...")
    width: int = Field(64, ge=1, description="channels inside encoder and decoder")
    reduction: int = Field(2, ge=1, description="queries, keys and values have width / reduction channels")
    classes: int = Field(32, ge=1, description="outputs of encoder and decoder; a decoder takes their softmax")
    decay: float = Field(3.0, ge=0, description="the attention of decoder 0, 1, 2, ... counts exp(-decay * decoder)")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of each block")


class SsmSettings(Section):
    """Selective state space over a stream; it sees the whole window, on both sides unless causal."""

    width: int = Field(128, ge=1, description="channels between the blocks, and of the stream")
    expansion: int = Field(2, ge=1, description="channels inside a block, as a multiple of width")
    states: int = Field(16, ge=1, description="values that a channel's state has")
    rank: int = Field(8, ge=1, description="numbers from which the step lengths of all channels are made")
    kernel: int = Field(4, ge=1, description="taps of the convolution before the states")
    layers: int = Field(2, ge=1, description="blocks of each direction")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of each block's output")
    causal: bool = Field(False, description="forward only; otherwise forward and backward, summed")


class XlSettings(Section):
    """Transformer-XL over a stream; a frame sees its past only."""

    width: int = Field(128, ge=2, multiple_of=2, description="channels of a layer, and of the stream")
    heads: int = Field(4, ge=1, description="attention heads")
    layers: int = Field(3, ge=1, description="layers; each sees further back")
    hidden: int = Field(512, ge=1, description="hidden units of a layer's feed-forward part")
    segment: int = Field(96, ge=1, description="frames that attend to one another")
    memory: int = Field(96, ge=1, description="frames before the segment that each layer remembers")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of inputs, attention and feed-forward parts")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")
        return self


class TemporalSettings(Section):
    """Temporal context of the streams, the same keys in every fusion; the defaults are the papers'.

    A fusion's config is this section and the fusion's own keys. Channels are those of the modalities' records, as in
    CAN, MT and JMT; ``CHANNELS`` are those in which a fusion differs.
    """

    CHANNELS: ClassVar[Mapping[str, tuple[int, ...]]] = {}

    channels: dict[str, tuple[int, ...]] = Field(
        {}, validate_default=True, description="tcn: modality -> channels of its blocks"
    )
    kernel: int = Field(5, ge=2, description="tcn: taps of a convolution")
    dropout: float = Field(0.2, ge=0, lt=1, description="tcn: dropout after each convolution")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of whole input dimensions; against learning few videos by heart"
    )
    causal: bool = Field(True, description="tcn: a frame sees its past only, as in the papers")
    temporal: Literal["tcn", "bigru", "mstcn", "asformer", "ssm", "xl", "none"] = Field(
        "tcn", description="temporal context of each modality; none: the frame alone"
    )
    bigru: BiGruSettings = BiGruSettings()
    mstcn: MsTcnSettings = MsTcnSettings()
    asformer: AsFormerSettings = AsFormerSettings()
    ssm: SsmSettings = SsmSettings()
    xl: XlSettings = XlSettings()

    @field_validator("channels", mode="before")
    @classmethod
    def _over_defaults(cls, given: object) -> object:
        return over_defaults({**default_channels(), **cls.CHANNELS}, given)
