"""A pretrained text encoder, trained on with the question as the first segment and the answer as the second."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import yaml
from pydantic import Field
from torch import Tensor, nn

from waver.config.sections import Section
from waver.data import answers as answers_module
from waver.data.answers import Answer
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.models.contracts import Encoding, Labelled
from waver.models.lora import LoraSettings, adapt, merge
from waver.models.text.backbone import load_backbone, load_tokenizer, most_tokens, padded, pooling
from waver.models.text.beside import Beside
from waver.models.text.descent import Course, Forward, descend, in_parts, loss_of, seeded, start_head
from waver.models.text.inputs import Floats, Labels, check_inputs, class_weight, learnable
from waver.provenance import seed_for

QUESTIONS = Path(answers_module.__file__).with_name("questions.yaml")
"""A rule that runs this method has this file's sha256 among its params: code versions do not see it."""

_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")
_DIGITS = 4  # of a margin; the rest depends on what else was in the batch


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


class TunedEncoder:
    """Fine-tuned transformer; see ``waver.models.contracts.AnswerModel``."""

    Config: ClassVar[type[Any]] = TunedEncoderConfig
    encodes: ClassVar[bool] = False
    tunes: ClassVar[bool] = True
    chooses: ClassVar[bool] = True

    def __init__(self, inputs: str, config: TunedEncoderConfig, seed: int, encoder: Path | None) -> None:
        check_inputs("encoder", inputs, ("T", "TQ"))
        if encoder is None:
            raise WaverError("encoder tunes a text encoder and was given none; give its folder")
        self.inputs, self.config, self.folder = inputs, config, encoder
        self.seed = seed_for("encoder", inputs, seed)
        self.beside = Beside(inputs, config.cues)
        self.device = torch_device()

    def fit(
        self,
        answers: Sequence[Answer],
        label: Labels,
        vectors: Sequence[Encoding] | None = None,
        val: Labelled | None = None,
    ) -> None:
        """Tune on answers [n] with labels uint8 [n]; ``val`` chooses the epoch.

        Raises:
            WaverError: a class is missing, the folder holds no encoder, or no layer has a name of ``lora.targets``.
        """
        answers, label, _ = learnable("encoder", answers, label)
        beside = self.beside.fit(answers)
        self.tokenizer = load_tokenizer(self.folder)
        course = Course(self.config.epochs, self.config.batch, self.config.warm_up, self.config.patience)
        with seeded(self.seed, self.device):
            backbone = load_backbone(self.folder, self.device)
            self.network = PooledEncoder(backbone, pooling(self.folder), beside.shape[1], self.config.dropout)
            start_head(self.network.head, beside, label)
            if self.config.lora.rank:
                adapt(backbone, self.config.lora, lambda name: _layers_above(name, backbone) < self.config.layers)
            self.network.to(self.device)
            optimiser = torch.optim.AdamW(rated_parameters(self.network, self.config))
            forward, lengths = self._forward(answers)
            target, weight = self._tensor(label), self._tensor(class_weight(label))
            self.epoch = descend(
                self.network, optimiser, forward, target, weight, lengths, course, self.seed, self._val_loss(val)
            )
        merge(self.network)

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None = None) -> Floats:
        """Logit margins float64 [n]."""
        if not answers:
            return np.zeros(0)
        self.network.eval()
        forward, lengths = self._forward(answers)
        margin: Floats = np.round(in_parts(forward, lengths, self.config.batch), _DIGITS)
        return margin

    def _val_loss(self, val: Labelled | None) -> Callable[[], float] | None:
        if val is None or not len(val[0]):
            return None
        answers, label, _ = val
        return loss_of(*self._forward(answers), label, self.config.batch)

    def _tokens(self, answers: Sequence[Answer]) -> tuple[list[list[int]], list[list[int]] | None]:
        """Token ids of each answer, after its question if that is known, and the segment of each token."""
        texts = [answer.text for answer in answers]
        asked = [prompts()[answer.question] if answer.question else "" for answer in answers]
        segments = (asked, texts) if self.inputs == "TQ" else (texts,)
        most = most_tokens(self.network.backbone, self.config.most_tokens)
        # of a pair the answer is cut, not the question
        cut = "only_second" if self.inputs == "TQ" else "longest_first"
        tokens = self.tokenizer(*segments, truncation=cut, max_length=most, padding=False)
        return tokens["input_ids"], tokens.get("token_type_ids")

    def _forward(self, answers: Sequence[Answer]) -> tuple[Forward, list[int]]:
        ids, kinds = self._tokens(answers)
        beside = self._tensor(self.beside(answers))
        device = self.device

        def forward(numbers: Sequence[int]) -> Tensor:
            tokens, mask = padded([ids[i] for i in numbers], self.tokenizer.pad_token_id or 0, device)
            segments = {} if kinds is None else {"token_type_ids": padded([kinds[i] for i in numbers], 0, device)[0]}
            with autocast(device, self.config.precision):
                margin: Tensor = self.network(tokens, mask, segments, beside[list(numbers)])
            return margin.float()

        return forward, [len(own) for own in ids]

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=torch.float32, device=self.device)


class PooledEncoder(nn.Module):
    """A transformer, one vector pooled over its last layer, and a linear head.

    Args:
        backbone: transformers model.
        how: mean over all tokens, or the first token.
        beside: E, number of features that join the pooled vector.
        dropout: of the pooled vector.
    """

    def __init__(self, backbone: Any, how: Literal["mean", "first"], beside: int, dropout: float) -> None:
        super().__init__()
        self.backbone, self.how = backbone, how
        self.norm = nn.LayerNorm(int(backbone.config.hidden_size))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(int(backbone.config.hidden_size) + beside, 1)

    def forward(self, tokens: Tensor, mask: Tensor, segments: dict[str, Tensor], beside: Tensor) -> Tensor:
        """Margins [B] of token ids and mask int64 [B, T] and features [B, E]."""
        states = self.backbone(input_ids=tokens, attention_mask=mask, **segments).last_hidden_state
        there = mask[..., None].to(states.dtype)
        pooled = states[:, 0] if self.how == "first" else (states * there).sum(1) / there.sum(1)
        known = torch.cat([self.dropout(self.norm(pooled)), beside.to(states.dtype)], dim=1)
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


@cache
def prompts() -> dict[int, str]:
    """Short prompt of each question, 1 to 7."""
    table = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    return {int(number): str(entry["prompt"]) for number, entry in table.items()}
