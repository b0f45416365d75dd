"""What MT and JMT are made of: encoders, attention across modalities over time, and the mixing of its results.

Waligora et al., "Joint multimodal transformer for emotion recognition in the wild" (CVPRW 2024, arXiv
2403.10488), in the sizes of the dataset paper's release. Attention looks over the whole sequence, past and
future, and no positions are given to it: the order of frames is known from the temporal module alone.

``variant: corrected`` (the default) takes any modalities. ``variant: released`` computes what the release
computes, with the defects that were found in it:

* Only the visual and the audio stream are used. Any other has its temporal module, which reaches nothing.
* The attention that should mix the streams of one frame runs over all frames of all sequences of the batch,
  one stream at a time. Streams do not mix, and the logits of a video depend on its neighbours in the batch.
* Only the last stream is kept, so that the encoders and attentions of the others never learn. They are there,
  for the parameter counts and for released weights, and are not computed: no output changes by that.
* Padding is not masked; with ``padding: repeat`` there is none, as in the release.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from waver.errors import WaverError
from waver.models.temporal.norm import MaskedBatchNorm
from waver.models.temporal.settings import TemporalSettings

JOINT = "joint"
"""Name of the stream made of all modalities."""
FRAMES_AT_ONCE = 32_768
"""Attention on a GPU fails for more than 65,535 sequences, and a frame's streams are one (pytorch issue 142228)."""


class CrossModalConfig(TemporalSettings):
    """Sizes of MT and JMT; the defaults are those of the release."""

    size: int = Field(128, ge=1, description="channels to which every modality is mapped")
    heads: int = Field(1, ge=1, description="attention heads")
    hidden: int = Field(128, ge=1, description="hidden units of an encoder's feed-forward part")
    layers: int = Field(1, ge=1, description="layers of an encoder")
    readout: Literal["last", "mean", "concat"] = Field(
        "last",
        description="what is kept of the streams of a frame: the last one or their mean, after they attended to one "
        "another, or a linear layer over all of them side by side",
    )
    wide: int = Field(1024, ge=1, description="outputs of the linear layer of readout: concat")
    variant: Literal["corrected", "released"] = Field(
        "corrected", description="released: with the defects of the published code, for comparison"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size % self.heads:
            raise ValueError(f"size {self.size} cannot be divided among {self.heads} heads")
        if self.variant == "released" and self.readout != "last":
            raise ValueError("variant: released keeps the last stream; set readout to last")
        return self


class Attention(nn.Module):
    """Attention of one sequence to another; ``mask`` says which frames of the other there are.

    Args:
        size: C of both and of the result.
        heads: attention heads.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.output = nn.Linear(size, size)
        # as the release: one Xavier matrix for query, key and value, no bias at the start
        bound = (6 / (4 * size)) ** 0.5
        for linear in (self.query, self.key_value):
            nn.init.uniform_(linear.weight, -bound, bound)
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Float32 [B, T, C] and [B, T', C], bool [B, T'] -> [B, T, C]."""
        query = self._split(self.query(x))
        key, value = (self._split(part) for part in self.key_value(source).chunk(2, dim=-1))
        keep = None if mask is None else mask[:, None, None, :]
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=keep)
        return self.output(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        """[B, T, C] -> [B, heads, T, C / heads]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward part, each followed by the residual sum and its LayerNorm; no dropout."""

    def __init__(self, size: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.forward_part = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, size))
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Float32 [B, T, C] and bool [B, T] -> [B, T, C]."""
        x = self.norms[0](x + self.attention(x, x, mask))
        return self.norms[1](x + self.forward_part(x))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Encoder layers, one after the other."""

    def __init__(self, config: CrossModalConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(config.size, config.heads, config.hidden) for _ in range(config.layers)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Float32 [B, T, C] and bool [B, T] -> [B, T, C]."""
        for layer in self.layers:
            x = layer(x, mask)
        return x


def stream_pairs(names: list[str], joint: bool) -> list[tuple[str, str]]:
    """(who asks, who answers) of every attention, in the order in which their results are stacked.

    M modalities give M (M - 1) pairs, and with ``joint`` 2 M more.
    """
    pairs = list(permutations(names, 2))
    if joint and pairs:
        pairs += [pair for name in names for pair in ((JOINT, name), (name, JOINT))]
    return pairs


class CrossModal(nn.Module):
    """Attention between the modalities of a sequence, mixed frame by frame.

    One modality alone passes its encoder and nothing else.

    Args:
        sizes: C of each modality's stream, in order.
        config: sizes and variant.
        joint: with a stream made of all modalities together (JMT), or without (MT).

    Attributes:
        size: channels of the result.
    """

    def __init__(self, sizes: Mapping[str, int], config: CrossModalConfig, joint: bool) -> None:
        super().__init__()
        names, size = list(sizes), config.size
        self.config, self.pairs = config, stream_pairs(names, joint)
        self.has_joint = joint and bool(self.pairs)
        self.widen = nn.ModuleDict({name: nn.Linear(c, size) for name, c in sizes.items() if c != size})
        self.encoders = nn.ModuleDict({name: Encoder(config) for name in names})
        self.size = size
        # the released MT has the layer for the joint stream too, without ever calling it
        if self.has_joint or config.variant == "released":
            self.join = nn.Linear(len(names) * size, size)
        if self.has_joint:
            self.encoders[JOINT] = Encoder(config)
        if not self.pairs:
            return
        self.cross = nn.ModuleDict({f"{a}_{b}": Attention(size, config.heads) for a, b in self.pairs})
        if config.readout == "concat":
            self.side_by_side = nn.Linear(len(self.pairs) * size, config.wide)
            self.size = config.wide
        else:
            self.mixer = Encoder(config)
            self.last_attention = Attention(size, config.heads)

    def forward(self, streams: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """Streams float32 [B, T, C_m] and bool [B, T] -> [B, T, ``size``]; None: no frame is padding."""
        if self.config.variant == "released":
            return self._mix_released(self._cross(streams, self.pairs[-1:], None).squeeze(2))
        if not self.pairs:
            return next(iter(self._encoded(streams, list(streams), mask).values()))
        crossed = self._cross(streams, self.pairs, mask)
        if self.config.readout == "concat":
            return self.side_by_side(crossed.flatten(2))  # type: ignore[no-any-return]
        return self.mix(crossed)

    def _encoded(self, streams: Mapping[str, Tensor], wanted: list[str], mask: Tensor | None) -> dict[str, Tensor]:
        mapped = {name: self.widen[name](x) if name in self.widen else x for name, x in streams.items()}
        if JOINT in wanted:
            mapped[JOINT] = self.join(torch.cat(list(mapped.values()), dim=-1))
        return {name: self.encoders[name](mapped[name], mask) for name in wanted}

    def _cross(self, streams: Mapping[str, Tensor], pairs: list[tuple[str, str]], mask: Tensor | None) -> Tensor:
        """Results of the attentions, float32 [B, T, S, C]."""
        encoded = self._encoded(streams, list(dict.fromkeys(name for pair in pairs for name in pair)), mask)
        return torch.stack([self.cross[f"{a}_{b}"](encoded[a], encoded[b], mask) for a, b in pairs], dim=2)

    def mix(self, crossed: Tensor) -> Tensor:
        """The S streams of a frame attend to one another: [B, T, S, C] -> [B, T, C]."""
        frames = [self._mix_frames(part) for part in torch.split(crossed.flatten(0, 1), FRAMES_AT_ONCE)]
        return torch.cat(frames).unflatten(0, crossed.shape[:2])  # type: ignore[no-any-return, no-untyped-call]

    def _mix_frames(self, streams: Tensor) -> Tensor:
        """[N, S, C] -> [N, C]."""
        mixed = self.mixer(streams)
        asking = mixed[:, -1:] if self.config.readout == "last" else mixed
        return self.last_attention(asking, mixed).mean(dim=1)  # type: ignore[no-any-return]

    def _mix_released(self, last: Tensor) -> Tensor:
        """The last stream's frames, of all sequences together, attend to one another: [B, T, C] -> [B, T, C]."""
        mixed = self.mixer(last.flatten(0, 1)[None])
        return self.last_attention(mixed, mixed)[0].unflatten(0, last.shape[:2])  # type: ignore[no-any-return]


def used_modalities(dims: Mapping[str, int], config: CrossModalConfig, method: str) -> list[str]:
    """The modalities that the variant works with.

    Raises:
        WaverError: the released variant lacks one of its two.
    """
    if config.variant == "corrected":
        return list(dims)
    missing = [name for name in ("visual", "audio") if name not in dims]
    if missing:
        raise WaverError(
            f"the released {method} needs visual and audio, and {missing[0]} is not among its modalities; "
            f"set train.options.{method}.variant to corrected"
        )
    return ["visual", "audio"]


class FrameHead(nn.Module):
    """Linear layer, batch normalisation, LeakyReLU, and the two logits of a frame.

    Args:
        size: C of the input.
        hidden: channels in between.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, hidden)
        self.norm = MaskedBatchNorm(hidden)
        self.classifier = nn.Linear(hidden, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, T, C] and bool [B, T] -> [B, T, 2]."""
        return self.classifier(nn.functional.leaky_relu(self.norm(self.hidden(x), mask), 0.01))  # type: ignore[no-any-return]
