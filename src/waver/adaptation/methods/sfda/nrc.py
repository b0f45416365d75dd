"""NRC: neighbourhood reciprocity clustering (Yang et al., NeurIPS 2021, arXiv 2110.04202)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Needs, Network, SourceView, TargetView, represented
from waver.adaptation.methods.sfda.marginal import SourceFreeConfig, entropy, log_prior, marginal_wanted
from waver.adaptation.sgd import Schedule, descend
from waver.shapes import FPS


class Nrc:
    """A frame learns the predictions of its neighbours, more from those that have it as a neighbour too.

    All of the network is adapted. The frame itself is excluded from its neighbours by its index: frames that
    follow each other may be equal, and the first of equals need not be the frame.
    """

    class Config(SourceFreeConfig):
        """Schedule and numbers of neighbours of the dataset paper (appendix E.3); affinity of the authors' release."""

        neighbours: int = Field(3, ge=1, description="nearest neighbours of a frame")
        expanded: int = Field(2, ge=1, description="nearest neighbours of each neighbour")
        reciprocal: float = Field(
            1.0, ge=0, description="weight of a reciprocal neighbour (in the release it is overwritten by affinity)"
        )
        affinity: float = Field(
            0.1, ge=0, description="weight of a neighbour that is not reciprocal, and of expanded ones"
        )
        self_regularisation: bool = Field(
            False, description="also learn the frame's own stored prediction (in the paper, not in the release)"
        )
        time_gap_s: float = Field(
            0.0, ge=0, description="frames of a video nearer than this are no neighbours, seconds"
        )

    needs: ClassVar[Needs] = Needs()

    def __init__(self, config: Config) -> None:
        self.config = config

    def adapt(self, model: Network, target: TargetView, source: SourceView | None, seed: int) -> Network:
        """Copy of the network with all of it adapted."""
        config = self.config
        adapted = copy.deepcopy(model)
        prior = marginal_wanted(config, adapted, target)
        features, logits = represented(adapted, target)
        stored = logits.softmax(dim=1)
        bank = Bank(
            functional.normalize(features, dim=1),
            torch.tensor(target.video),
            torch.tensor(target.frame),
            config.time_gap_s * FPS,
        )
        generator = torch.Generator().manual_seed(seed)

        def loss(batch: Tensor) -> Tensor:
            rows = target.rows(batch)
            features = adapted.represent(target.frames(batch))
            probabilities = adapted.judge(features).softmax(dim=1)
            bank.points[rows] = functional.normalize(features.detach(), dim=1)
            stored[rows] = probabilities.detach()
            wanted = bank.wanted(rows, stored, config)
            if config.self_regularisation:
                wanted = wanted + stored[rows]
            value = -(wanted * probabilities).sum(dim=1).mean()
            return value if prior is None else value + diversity_loss(probabilities, prior)

        schedule = Schedule(config.lr, config.epochs, config.batch, config.weight_decay)

        def batches() -> list[Tensor]:
            return target.batches(config.batch, generator)

        for _ in descend(adapted, adapted.parameters(), schedule, batches, loss):
            pass
        return adapted


def diversity_loss(probabilities: Tensor, prior: Tensor) -> Tensor:
    """Negative entropy of the mean prediction; for another prior than the uniform, its divergence from it less ln K.

    Args:
        probabilities: float32 [B, K].
        prior: float32 [K].
    """
    mean = probabilities.mean(dim=0)
    return -entropy(mean) - (mean * log_prior(prior)).sum()


@dataclass(frozen=True)
class Bank:
    """Features of all frames of a participant, as they were when last seen.

    Attributes:
        points: float32 [N, D], unit length; changed in place.
        video: int32 [N].
        frame: int32 [N], on the 24 fps clock.
        gap: frames of one video nearer than this are no neighbours; 0: the frame alone is none.
    """

    points: Tensor
    video: Tensor
    frame: Tensor
    gap: float

    def nearest(self, rows: Tensor, count: int) -> Tensor:
        """The most similar other frames, int64 [R, K]; fewer than ``count`` where there are no more frames."""
        similarity = self.points[rows] @ self.points.T
        if self.gap:
            near = (self.video[rows, None] == self.video) & ((self.frame[rows, None] - self.frame).abs() < self.gap)
            similarity.masked_fill_(near, -2.0)
        similarity[torch.arange(len(rows)), rows] = -3.0
        return similarity.topk(min(count, len(self.points) - 1), dim=1).indices

    def wanted(self, rows: Tensor, stored: Tensor, config: Nrc.Config) -> Tensor:
        """What a frame is to predict: its neighbours' stored predictions, weighted and added, float32 [B, K].

        The negative product with the frame's own prediction is the sum of the paper's losses of near and of
        expanded neighbours (its equations 4 and 6).

        Args:
            rows: int64 [B].
            stored: float32 [N, K], stored predictions.
            config: numbers and weights of neighbours.
        """
        near = self.nearest(rows, config.neighbours)
        far = self.nearest(near.flatten(), config.expanded).view(*near.shape, -1)
        reciprocal = (far == rows[:, None, None]).any(dim=2)
        weight = torch.where(reciprocal, config.reciprocal, config.affinity)
        wanted: Tensor = (weight[..., None] * stored[near]).sum(dim=1) + config.affinity * stored[far].sum(dim=(1, 2))
        return wanted
