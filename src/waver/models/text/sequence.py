"""A small network over the vectors of the answer's word pieces: attention pooling, and convolutions if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from waver.config.sections import Section
from waver.data.answers import Answer
from waver.models.contracts import Encoding, Labelled
from waver.models.text.beside import Beside
from waver.models.text.descent import Course, Forward, descend, in_parts, loss_of, seeded, start_head
from waver.models.text.inputs import Floats, Labels, check_inputs, class_weight, learnable
from waver.models.text.linear import Scale
from waver.models.text.sentence import needed
from waver.provenance import seed_for

_DEVICE = torch.device("cpu")  # so small that a GPU would wait for its data
_ONE_ROW = torch.zeros(1, 1)
"""Put into each batch, so that one of answers without words has a length."""
_DIGITS = 5  # of a margin; the rest depends on what else was in the batch


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


class SequenceModel:
    """Attention over word vectors; see ``waver.models.contracts.AnswerModel``.

    The epoch is chosen where there is ``val``. In a cross-validation none is kept back for it: with this
    much dropout the loss on other people stays level from the sixth epoch on.
    """

    Config: ClassVar[type[Any]] = SequenceConfig
    encodes: ClassVar[bool] = True
    tunes: ClassVar[bool] = False
    chooses: ClassVar[bool] = False

    def __init__(self, inputs: str, config: SequenceConfig, seed: int, encoder: Path | None) -> None:
        check_inputs("sequence", inputs, ("T", "TQ"))
        self.inputs, self.config = inputs, config
        self.seed = seed_for("sequence", inputs, seed)
        self.beside = Beside(inputs, config.cues)

    def fit(
        self,
        answers: Sequence[Answer],
        label: Labels,
        vectors: Sequence[Encoding] | None,
        val: Labelled | None = None,
    ) -> None:
        """Learn from answers [n], their labels uint8 [n] and encodings [n]; ``val`` chooses the epoch.

        Raises:
            WaverError: a class or the encodings are missing.
        """
        answers, label, vectors = learnable("sequence", answers, label, needed(vectors))
        beside = self.beside.fit(answers)
        self.token_scale = Scale(np.concatenate([vector.tokens for vector in vectors]))
        course = Course(self.config.epochs, self.config.batch, 0.1, self.config.patience)
        target, weight = _tensor(label), _tensor(class_weight(label))
        with seeded(self.seed, _DEVICE):
            self.network = AnswerNetwork(len(vectors[0].sentence), beside.shape[1], self.config)
            start_head(self.network.head, beside, label)
            optimiser = torch.optim.AdamW(
                self.network.parameters(), lr=self.config.rate, weight_decay=self.config.weight_decay
            )
            forward, lengths = self._forward(answers, vectors)
            self.epoch = descend(
                self.network, optimiser, forward, target, weight, lengths, course, self.seed, self._val_loss(val)
            )

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> Floats:
        """Logit margins float64 [n]."""
        if not answers:
            return np.zeros(0)
        self.network.eval()
        forward, lengths = self._forward(answers, needed(vectors))
        margin: Floats = np.round(in_parts(forward, lengths, self.config.batch), _DIGITS)
        return margin

    def _val_loss(self, val: Labelled | None) -> Callable[[], float] | None:
        if val is None or not len(val[0]):
            return None
        answers, label, vectors = val
        return loss_of(*self._forward(answers, needed(vectors)), label, self.config.batch)

    def _forward(self, answers: Sequence[Answer], vectors: Sequence[Encoding]) -> tuple[Forward, list[int]]:
        most = self.config.most_tokens
        tokens = [_tensor(self.token_scale(vector.tokens[:most])) for vector in vectors]
        beside = _tensor(self.beside(answers))
        lengths, width = [len(own) for own in tokens], len(vectors[0].sentence)

        def forward(numbers: Sequence[int]) -> Tensor:
            stream = pad_sequence([*(tokens[i] for i in numbers), _ONE_ROW.expand(1, width)], batch_first=True)[:-1]
            count = torch.tensor([lengths[i] for i in numbers])
            mask = torch.arange(stream.shape[1])[None] < count[:, None]
            margin: Tensor = self.network(stream, mask, beside[list(numbers)])
            return margin

        return forward, lengths


class AnswerNetwork(nn.Module):
    """Projection, residual convolutions, attention pooling, one margin.

    Args:
        dim: D of a word vector.
        beside: E, number of features that join the pooled vector.
        config: sizes and dropout.
    """

    def __init__(self, dim: int, beside: int, config: SequenceConfig) -> None:
        super().__init__()
        self.drop_dims = nn.Dropout1d(config.input_dropout)
        self.project = nn.Linear(dim, config.size)
        self.norms = nn.ModuleList(nn.LayerNorm(config.size) for _ in range(config.layers))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.size, config.size, config.kernel, padding="same") for _ in range(config.layers)
        )
        self.score = nn.Sequential(nn.Linear(config.size, config.size), nn.Tanh(), nn.Linear(config.size, 1))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.size + beside, 1)

    def forward(self, tokens: Tensor, mask: Tensor, beside: Tensor) -> Tensor:
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
        return self.head(torch.cat([self.dropout(pooled), beside], dim=1)).squeeze(1)  # type: ignore[no-any-return]


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32)
