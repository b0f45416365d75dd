"""Transformer over modalities and their discrepancies, after MDT-AH (github.com/Luo-Eleven/MDT-AH, 11th ABAW).

It builds on ConflictAwareAH (arXiv 2603.15818). Each modality becomes one vector. Nine tokens, the three
vectors, their absolute differences and their projected products, attend to one another; a head on the text
alone is trained beside, and both probabilities are blended.

Here the encoders are those of the packs, frozen. The original's LoRA adapters and unfrozen top layers of
whole encoders are not built. Its CutMix leaves the text whole while it mixes the label; here a stretch of
every stream is exchanged, so that the label says what is there.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from waver.config.sections import Section
from waver.errors import WaverError
from waver.models.base import VideoModel
from waver.models.video.window_pooling import pool_windows, window_mask

TokenKind = Literal["own", "difference", "product"]
Streams = dict[str, Tensor]


class DiscrepancyConfig(Section):
    """Sizes, tokens, heads and loss; the defaults are the original's."""

    size: int = Field(768, ge=1, description="D of every token")
    heads: int = Field(8, ge=1, description="attention heads; they divide size")
    layers: int = Field(2, ge=0, description="transformer layers over the tokens; 0: none")
    feedforward: int = Field(1536, ge=1, description="hidden units of a transformer layer")
    hidden: int = Field(512, ge=1, description="hidden units of both heads")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of transformer and heads")
    input_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of whole input dimensions of a video")
    tokens: tuple[TokenKind, ...] = Field(
        ("own", "difference", "product"), min_length=1, description="kinds of tokens; of one modality own alone is left"
    )
    film: bool = Field(True, description="the text scales and shifts the vectors of face and voice")
    blend: float = Field(0.6, ge=0, le=1, description="weight of the text head's probability; 0: it is not asked")
    text_weight: float = Field(0.5, ge=0, le=1, description="share of the text head in the loss")
    focal: float = Field(2.0, ge=0, description="exponent of the focal loss; 0: cross entropy")
    cutmix: float = Field(0.5, ge=0, le=1, description="probability that a step exchanges stretches between videos")
    window_steps: int = Field(12, ge=1, description="steps of a window of face and voice; the text is read whole")
    windows: int = Field(3, ge=1, description="windows of a video in training, at random places; averaged")
    test_windows: int = Field(5, ge=1, description="windows at test, evenly spread")

    @field_validator("tokens")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a kind twice")
        return value

    @model_validator(mode="after")
    def _heads_divide(self) -> DiscrepancyConfig:
        if self.layers and self.size % self.heads:
            raise ValueError(f"heads {self.heads} do not divide size {self.size}")
        if (self.text_weight == 0 and self.blend > 0) or (self.text_weight == 1 and self.blend < 1):
            raise ValueError(
                "text_weight and blend must leave out the same head: one that learns nothing tells nothing"
            )
        return self


class AttentionPool(nn.Module):
    """One learned query weighs the steps of each window."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, 1, bias=False)

    def forward(self, hidden: Tensor, seen: Tensor) -> Tensor:
        """Vector [B, D] of hidden [B, S, D], mean over the windows of seen bool [B, W, S]; 0 where none sees a step."""
        return pool_windows(hidden, self.query(hidden).squeeze(-1), seen)


class Discrepancy(VideoModel):
    """The transformer; it takes any of face, voice, text and cues, with the question or without.

    Tokens of pairs exist where both modalities do, the text head and FiLM where there is text. The question is
    one token more, and is added to the vector that the text head sees.

    Args:
        dims: name of each stream -> its size.
        config: sizes, tokens, heads and loss.

    Raises:
        WaverError: there is no stream but the question, or no token is left.
    """

    Config: ClassVar[type[Any]] = DiscrepancyConfig
    inputs: ClassVar[str] = "features"
    config: DiscrepancyConfig

    def __init__(self, dims: dict[str, int], config: DiscrepancyConfig) -> None:
        super().__init__()
        self.config, size = config, config.size
        self.names = [name for name in dims if name != "question"]
        self.pairs = list(combinations(self.names, 2))
        count = self._count(dims)
        self.project = nn.ModuleDict({name: nn.Linear(dims[name], size) for name in self.names})
        self.pool = nn.ModuleDict({name: AttentionPool(size) for name in self.names})
        led = [name for name in self.names if name != "text"] if config.film and "text" in self.names else []
        self.film = nn.ModuleDict({name: nn.Linear(size, 2 * size) for name in led})
        products = self.pairs if "product" in config.tokens else []
        self.product = nn.ModuleDict({"_".join(pair): nn.Linear(size, size) for pair in products})
        self.context = nn.Linear(dims["question"], size) if "question" in dims else None
        self.input_dropout = nn.Dropout1d(config.input_dropout)
        self.transformer = _transformer(config) if config.layers else nn.Identity()
        self.head = _head(count * size, config)
        has_text_head = "text" in self.names and (config.blend > 0 or config.text_weight > 0)
        self.text_head = _head(size, config) if has_text_head else None

    def _count(self, dims: dict[str, int]) -> int:
        if not self.names:
            raise WaverError("discrepancy needs V, A, T or C; correct videos.runs")
        kinds = self.config.tokens
        pairs = len(self.pairs) * sum(kind in kinds for kind in ("difference", "product"))
        count = len(self.names) * ("own" in kinds) + pairs
        if not count:
            raise WaverError(f"discrepancy has no token {' or '.join(kinds)} of one modality; add own to its tokens")
        return count + ("question" in dims)

    def forward(self, streams: Streams, mask: Streams) -> Tensor:
        """Logits float32 [B, 2]: logarithms of the blended probabilities of none and of A/H."""
        full, text = self.margins(streams, mask)
        if text is None or self.config.blend == 0:
            return torch.stack([logsigmoid(-full), logsigmoid(full)], dim=1)
        share = torch.log(torch.tensor([1 - self.config.blend, self.config.blend], device=full.device))[:, None]
        both = torch.stack([full.float(), text.float()])
        return torch.stack([torch.logsumexp(share + logsigmoid(sign * both), dim=0) for sign in (-1, 1)], dim=1)

    def loss(self, inputs: tuple[Any, ...], label: Tensor) -> Tensor:
        """Focal loss of the tokens' head and cross entropy of the text head; arguments as in ``VideoModel.loss``."""
        streams, mask = inputs
        if self.training and len(label) > 1 and torch.rand(()) < self.config.cutmix:
            streams, mask, label = cut_and_mix(streams, mask, label)
        full, text = self.margins(streams, mask)
        loss = focal_loss(full.float(), label, self.config.focal)
        if text is None:
            return loss
        own = binary_cross_entropy_with_logits(text.float(), label)
        return (1 - self.config.text_weight) * loss + self.config.text_weight * own

    def margins(self, streams: Streams, mask: Streams) -> tuple[Tensor, Tensor | None]:
        """Margins [B] of the head on all tokens, and of the text head where there is one."""
        vector = self._vectors(streams, mask)
        context = None if self.context is None else self.context(streams["question"]).mean(1)
        text = None
        if self.text_head is not None:
            said = vector["text"] if context is None else vector["text"] + context
            text = self.text_head(said).squeeze(1)
        for name, layer in self.film.items():
            scale, shift = layer(vector["text"]).chunk(2, dim=-1)
            vector[name] = scale * vector[name] + shift
        tokens = self._tokens(vector) + ([] if context is None else [context])
        return self.head(self.transformer(torch.stack(tokens, dim=1)).flatten(1)).squeeze(1), text

    def _vectors(self, streams: Streams, mask: Streams) -> Streams:
        """Vector [B, D] of each modality."""
        length = _lengths([mask[name] for name in self.names])
        count = self.config.windows if self.training else self.config.test_windows
        steps = streams[self.names[0]].shape[1]
        windows = window_mask(length, steps, self.config.window_steps, count, random=self.training)
        whole = torch.ones_like(windows[:, :1])
        vectors = {}
        for name in self.names:
            seen = (whole if name == "text" else windows) & mask[name][:, None]
            # a dropped dimension is missing from the whole video
            stream = self.input_dropout(streams[name].transpose(1, 2)).transpose(1, 2)
            vectors[name] = self.pool[name](self.project[name](stream), seen)
        return vectors

    def _tokens(self, vector: Streams) -> list[Tensor]:
        made: list[Tensor] = []
        for kind in ("own", "difference", "product"):
            if kind not in self.config.tokens:
                continue
            if kind == "own":
                made += [vector[name] for name in self.names]
            elif kind == "difference":
                made += [(vector[a] - vector[b]).abs() for a, b in self.pairs]
            else:
                made += [self.product[f"{a}_{b}"](vector[a] * vector[b]) for a, b in self.pairs]
        return made


def focal_loss(margin: Tensor, label: Tensor, exponent: float) -> Tensor:
    """Mean focal loss of margins [B] (Lin et al., ICCV 2017) unbalanced; label float [B], may be soft."""
    positive = torch.sigmoid(-margin) ** exponent * logsigmoid(margin)
    negative = torch.sigmoid(margin) ** exponent * logsigmoid(-margin)
    return -(label * positive + (1 - label) * negative).mean()


def cut_and_mix(streams: Streams, mask: Streams, label: Tensor) -> tuple[Streams, Streams, Tensor]:
    """Put a stretch of another video's steps into each video; its share of the video mixes the labels.

    The stretch is at most half of the shorter of the two, and padding is no part of it. The context of one step
    stays with its video.
    """
    share = float(torch.distributions.Beta(1.0, 1.0).sample())
    share = min(share, 1 - share)
    other = torch.randperm(len(label), device=label.device)
    place = float(torch.rand(()))
    lengths = _lengths([seen for name, seen in mask.items() if name != "question"])
    both = torch.minimum(lengths, lengths[other])
    width = (share * both).round()
    start = (place * (both - width + 1)).floor()
    cut_streams, cut_mask = dict(streams), dict(mask)
    for name, stream in streams.items():
        if name == "question":
            continue
        step = torch.arange(stream.shape[1], device=stream.device)
        inside = (step >= start[:, None]) & (step < (start + width)[:, None])
        cut_streams[name] = torch.where(inside[..., None], stream[other], stream)
        cut_mask[name] = torch.where(inside, mask[name][other], mask[name])
    mixed = width / lengths
    return cut_streams, cut_mask, (1 - mixed) * label + mixed * label[other]


def _lengths(masks: list[Tensor]) -> Tensor:
    """Steps [B] up to the last one in which any modality is there; at least 1."""
    any_there = torch.stack(masks).any(0)
    number = torch.arange(1, any_there.shape[1] + 1, device=any_there.device)
    return (any_there * number).amax(1).clamp(min=1)


def _transformer(config: DiscrepancyConfig) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        config.size, config.heads, config.feedforward, config.dropout, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)


def _head(size: int, config: DiscrepancyConfig) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, config.hidden),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.hidden, 1),
    )
