"""Oracle: fine-tuning on the target participant's own labels, the upper bound."""

from __future__ import annotations

import copy
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import LabelledTargetView, Needs, Network, SourceView
from waver.adaptation.sgd import Schedule, descend
from waver.config.sections import Section
from waver.evaluation.metrics import avgf1, f1


class Oracle:
    """Cross-entropy on labelled T_tr over all of the network; the epoch that does best on T_va is kept.

    The network as it was counts as epoch 0: where no epoch beats it on T_va, it stays.
    """

    class Config(Section):
        """Epochs, batch and decay as in the papers' adaptation; the rate is the source model's for B and H."""

        lr: float = Field(1e-2, gt=0, description="learning rate, falls to a tenth by a cosine")
        epochs: int = Field(10, ge=1, description="epochs")
        batch: int = Field(128, ge=2, description="frames per step")
        weight_decay: float = Field(5e-4, ge=0, description="weight decay")
        class_weight: bool = Field(True, description="weight the classes by inverse frequency in T_tr")
        select: Literal["AVGF1", "F1"] = Field("AVGF1", description="score on T_va that chooses the epoch")

    needs: ClassVar[Needs] = Needs(target_labels=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: LabelledTargetView, source: SourceView | None, seed: int) -> Network:
        """Fine-tuned copy of the network."""
        config = self.config
        adapted = copy.deepcopy(model)
        labels = torch.tensor(target.labels).long()
        weight = class_weights(labels) if config.class_weight else None
        generator = torch.Generator().manual_seed(seed)

        def loss(rows: Tensor) -> Tensor:
            return functional.cross_entropy(adapted(target.frames(rows)), labels[target.rows(rows)], weight)

        schedule = Schedule(config.lr, config.epochs, config.batch, config.weight_decay, nesterov=False, decay="cosine")
        best, state = self._score(adapted, target), copy.deepcopy(adapted.state_dict())

        def batches() -> list[Tensor]:
            return target.batches(config.batch, generator)

        for _ in descend(adapted, adapted.parameters(), schedule, batches, loss):
            score = self._score(adapted, target)
            if score > best:
                best, state = score, copy.deepcopy(adapted.state_dict())
        adapted.load_state_dict(state)
        return adapted

    def _score(self, model: Network, target: LabelledTargetView) -> float:
        probability = target.predict_val(model).softmax(dim=1)[:, 1].numpy()
        return (avgf1 if self.config.select == "AVGF1" else f1)(probability, target.val_labels)


def class_weights(labels: Tensor) -> Tensor:
    """Inverse class frequencies, float32 [2], that weight a frame by 1 on average; an absent class gets 0."""
    counts = torch.bincount(labels, minlength=2).float()
    weight = torch.where(counts > 0, 1 / counts.clamp(min=1), 0.0)
    return weight * counts.sum() / (weight * counts).sum()
