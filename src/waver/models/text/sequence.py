"""A small network over the vectors of the answer's word pieces: attention pooling, and convolutions if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.models.base import Encoding
from waver.models.text.inputs import Labels
from waver.models.text.logistic_regression import Scale
from waver.models.text.network import Forward, NeuralAnswerModel, start_head
from waver.models.text.sentence import needed
from waver.models.text.side_features import SideFeatures

_ONE_ROW = torch.zeros(1, 1)
"""Put into each batch, so that one of answers without words has a length."""


class SequenceConfig(Section):
    """Sizes and training."""

    size: int = Field(32, ge=1, description="channels")
    kernel: int = Field(5, ge=1, description="word pieces that a convolution sees; an odd number")
    layers: int = Field(0, ge=0, description="convolutions before the pooling; word vectors know their neighbours")
    input_dropout: float = Field(0.5, ge=0, lt=1, description="dropout of whole input dimensions of an answer")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of the channels and of the pooled vector")
    most_tokens: int = Field(512, ge=1, description="word pieces of an answer that are read")
    epochs: int = Field(10, ge=1, description="passes over the answers")
    patience: int = Field(4, ge=1, description="epochs without a lower validation loss before training ends")
    batch: int = Field(32, ge=1, description="answers of a step")
    rate: float = Field(1e-3, gt=0, description="highest learning rate")
    weight_decay: float = Field(0.05, ge=0, description="weight decay")
    cues: bool = Field(False, description="the cue counts of the annotators' codebook as an extra channel")


class SequenceModel(NeuralAnswerModel):
    """Attention over word vectors.

    The epoch is chosen where there is ``val``. In a cross-validation none is kept back for it: with this
    much dropout the loss on other people stays level from the sixth epoch on.
    """

    Config: ClassVar[type[Any]] = SequenceConfig
    name: ClassVar[str] = "sequence"
    encodes: ClassVar[bool] = True
    digits: ClassVar[int] = 5
    config: SequenceConfig

    def __init__(self, inputs: str, config: SequenceConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        self.device, self.warm_up = torch.device("cpu"), 0.1  # so small that a GPU would wait for its data
        self.side = SideFeatures(inputs, config.cues)

    def build(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding]) -> None:
        """Scale the vectors, and draw the network."""
        side = self.side.fit(answers)
        self.token_scale = Scale(np.concatenate([vector.tokens for vector in vectors]))
        network = AnswerNetwork(len(vectors[0].sentence), side.shape[1], self.config)
        start_head(network.head, side, label)
        self.network = network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group."""
        rates = {"lr": self.config.rate, "weight_decay": self.config.weight_decay}
        return [{"params": list(self.network.parameters()), **rates}]

    def forward(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> tuple[Forward, list[int]]:
        """Margins by the vectors of the words, and the number of these."""
        vectors = needed(vectors)
        most = self.config.most_tokens
        tokens = [_tensor(self.token_scale(vector.tokens[:most])) for vector in vectors]
        side = _tensor(self.side(answers))
        lengths, width = [len(own) for own in tokens], len(vectors[0].sentence)

        def forward(numbers: Sequence[int]) -> Tensor:
            stream = pad_sequence([*(tokens[i] for i in numbers), _ONE_ROW.expand(1, width)], batch_first=True)[:-1]
            count = torch.tensor([lengths[i] for i in numbers])
            mask = torch.arange(stream.shape[1])[None] < count[:, None]
            margin: Tensor = self.network(stream, mask, side[list(numbers)])
            return margin

        return forward, lengths


class AnswerNetwork(nn.Module):
    """Projection, residual convolutions, attention pooling, one margin.

    Args:
        dim: D of a word vector.
        side: E, number of features that join the pooled vector.
        config: sizes and dropout.
    """

    def __init__(self, dim: int, side: int, config: SequenceConfig) -> None:
        super().__init__()
        self.drop_dims = nn.Dropout1d(config.input_dropout)
        self.project = nn.Linear(dim, config.size)
        self.norms = nn.ModuleList(nn.LayerNorm(config.size) for _ in range(config.layers))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.size, config.size, config.kernel, padding="same") for _ in range(config.layers)
        )
        self.score = nn.Sequential(nn.Linear(config.size, config.size), nn.Tanh(), nn.Linear(config.size, 1))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.size + side, 1)

    def forward(self, tokens: Tensor, mask: Tensor, side: Tensor) -> Tensor:
        """Margins [B] of word vectors [B, W, D], mask bool [B, W] and features [B, E].

        An answer without words is known by its features alone.
        """
        there = mask[..., None].to(tokens.dtype)
        # a dropped dimension is missing from the whole answer
        hidden = self.drop_dims(tokens.transpose(1, 2)).transpose(1, 2)
        hidden = nn.functional.gelu(self.project(hidden)) * there
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            seen = convolution((norm(hidden) * there).transpose(1, 2)).transpose(1, 2)
            hidden = (hidden + self.dropout(nn.functional.gelu(seen))) * there
        weight = self.score(hidden).masked_fill(~mask[..., None], -1e4).softmax(dim=1) * there
        pooled = (weight * hidden).sum(dim=1)
        return self.head(torch.cat([self.dropout(pooled), side], dim=1)).squeeze(1)  # type: ignore[no-any-return]


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)
