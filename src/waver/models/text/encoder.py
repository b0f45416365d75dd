"""A pretrained text encoder, trained on with the question as the first segment and the answer as the second."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from waver.config.sections import Section
from waver.datasets.answers import Answer
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.models.base import Encoding
from waver.models.lora import LoraSettings, adapt, merge
from waver.models.text.inputs import Labels
from waver.models.text.network import Forward, NeuralAnswerModel, start_head
from waver.models.text.pretrained_encoder import load_backbone, load_tokenizer, most_tokens, padded, pooling
from waver.models.text.side_features import SideFeatures

_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")


class TunedEncoderConfig(Section):
    """What is tuned, and how."""

    layers: int = Field(6, ge=1, description="topmost layers that are tuned; those below and the embeddings stay")
    lora: LoraSettings = LoraSettings()
    most_tokens: int = Field(256, ge=16, description="tokens of question and answer; of a longer answer the end is cut")
    epochs: int = Field(4, ge=1, description="passes over the answers")
    patience: int = Field(2, ge=1, description="epochs without a lower validation loss before training ends")
    batch: int = Field(16, ge=1, description="answers of a step")
    rate: float = Field(5e-5, gt=0, description="highest learning rate of the topmost layer")
    rate_decay: float = Field(0.9, gt=0, le=1, description="factor of the rate from a layer to the one below")
    head_rate: float = Field(1e-3, gt=0, description="highest learning rate of the head")
    weight_decay: float = Field(0.01, ge=0, description="weight decay; none for biases and norms")
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of the pooled vector")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of matrix products")
    cues: bool = Field(False, description="the cue counts of the annotators' codebook as an extra channel")


class TunedEncoder(NeuralAnswerModel):
    """Fine-tuned transformer."""

    Config: ClassVar[type[Any]] = TunedEncoderConfig
    name: ClassVar[str] = "encoder"
    tunes: ClassVar[bool] = True
    chooses: ClassVar[bool] = True
    digits: ClassVar[int] = 4
    network: PooledEncoder
    config: TunedEncoderConfig

    def __init__(self, inputs: str, config: TunedEncoderConfig, seed: int, encoder: Path | None) -> None:
        super().__init__(inputs, config, seed, encoder)
        self.device, self.warm_up = torch_device(), config.warm_up
        self.side = SideFeatures(inputs, config.cues)

    def build(self, answers: Sequence[Answer], label: Labels, vectors: Sequence[Encoding]) -> None:
        """Read the encoder, and draw the head and, with LoRA, the low-rank factors.

        Raises:
            WaverError: the folder holds no encoder, or no layer has a name of ``lora.targets``.
        """
        assert self.encoder is not None
        side = self.side.fit(answers)
        self.tokenizer = load_tokenizer(self.encoder)
        backbone = load_backbone(self.encoder, self.device, "sentence_encoder")
        self.network = PooledEncoder(backbone, pooling(self.encoder), side.shape[1], self.config.dropout)
        start_head(self.network.head, side, label)
        if self.config.lora.rank:
            adapt(backbone, self.config.lora, lambda name: _layers_above(name, backbone) < self.config.layers)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups by layer."""
        return rated_parameters(self.network, self.config)

    def finish(self) -> None:
        """Merge the low-rank factors into the weights."""
        merge(self.network)

    def _tokens(self, answers: Sequence[Answer]) -> tuple[list[list[int]], list[list[int]] | None]:
        """Token ids of each answer, after its question if that is known, and the segment of each token.

        Raises:
            WaverError: a question leaves no room for the answer.
        """
        texts = [answer.text for answer in answers]
        questions = [answer.questions.text(answer.question) for answer in answers]
        segments = (questions, texts) if self.inputs == "TQ" else (texts,)
        most = most_tokens(self.network.backbone, self.config.most_tokens)
        # of a pair the answer is cut, not the question
        cut = "only_second" if self.inputs == "TQ" else "longest_first"
        longest = max(map(len, self.tokenizer(sorted(set(questions)))["input_ids"])) if self.inputs == "TQ" else 0
        if self.inputs == "TQ" and longest + 2 > most:  # one token of the answer, and its end
            raise WaverError(
                f"a question has {longest} tokens, and the model reads {most} of question and answer; raise "
                "answers.options.encoder.most_tokens or give the model the answers alone (inputs: T)"
            )
        tokens = self.tokenizer(*segments, truncation=cut, max_length=most, padding=False)
        return tokens["input_ids"], tokens.get("token_type_ids")

    def forward(
        self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None
    ) -> tuple[Forward, list[int]]:
        """Margins by question and answer, and the number of tokens of both."""
        ids, kinds = self._tokens(answers)
        device = self.device
        side = torch.as_tensor(np.ascontiguousarray(self.side(answers)), dtype=torch.float32, device=device)

        def forward(numbers: Sequence[int]) -> Tensor:
            tokens, mask = padded([ids[i] for i in numbers], self.tokenizer.pad_token_id or 0, device)
            segments = {} if kinds is None else {"token_type_ids": padded([kinds[i] for i in numbers], 0, device)[0]}
            with autocast(device, self.config.precision):
                margin: Tensor = self.network(tokens, mask, segments, side[list(numbers)])
            return margin.float()

        return forward, [len(own) for own in ids]


class PooledEncoder(nn.Module):
    """A transformer, one vector pooled over its last layer, and a linear head.

    Args:
        backbone: transformers model.
        how: mean over all tokens, or the first token.
        side: E, number of features that join the pooled vector.
        dropout: of the pooled vector.
    """

    def __init__(self, backbone: Any, how: Literal["mean", "first"], side: int, dropout: float) -> None:
        super().__init__()
        self.backbone, self.how = backbone, how
        self.norm = nn.LayerNorm(int(backbone.config.hidden_size))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(int(backbone.config.hidden_size) + side, 1)

    def forward(self, tokens: Tensor, mask: Tensor, segments: dict[str, Tensor], side: Tensor) -> Tensor:
        """Margins [B] of token ids and mask int64 [B, T] and features [B, E]."""
        states = self.backbone(input_ids=tokens, attention_mask=mask, **segments).last_hidden_state
        there = mask[..., None].to(states.dtype)
        pooled = states[:, 0] if self.how == "first" else (states * there).sum(1) / there.sum(1)
        known = torch.cat([self.dropout(self.norm(pooled)), side.to(states.dtype)], dim=1)
        return self.head(known).squeeze(1)  # type: ignore[no-any-return]


def _layers_above(name: str, backbone: Any) -> float:
    """How many layers lie above that of a parameter or part; infinitely many where it belongs to no layer."""
    layer = _LAYER.search(name)
    return int(backbone.config.num_hidden_layers) - 1 - int(layer[1]) if layer else math.inf


def rated_parameters(network: PooledEncoder, config: TunedEncoderConfig) -> list[dict[str, Any]]:
    """Parameter groups with the learning rate of their layer; what is not tuned loses its gradient."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        above = _layers_above(name, network.backbone)
        if not name.startswith("backbone."):
            rate = config.head_rate
        elif above < config.layers and parameter.requires_grad:
            rate = config.rate * config.rate_decay**above
        else:
            parameter.requires_grad_(False)
            continue
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": own, "lr": rate, "weight_decay": decay} for (rate, decay), own in groups.items()]
