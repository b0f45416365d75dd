"""TDA: training-free dynamic adapter (Karmanov et al., CVPR 2024, arXiv 2403.18293)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.vision_language.base import Fitted, Prompts, Sees, Start
from waver.adaptation.vision_language.people import PeopleCache, PeopleStream, summary
from waver.config.sections import Section


class Tda:
    """Certain frames vote for their class, uncertain ones against the classes that they do not show.

    The negative cache does nothing for two classes: both classes of a frame that it admits are plausible, so that both
    logits lose the same. ``neg_mask_binary`` lets it vote against the less plausible one.
    """

    class Config(Section):
        """The release's values for ImageNet; other data sets there: alpha 3 or 4, beta 8."""

        prompts: Prompts = Field("template", description="sentences of the classes")
        views: bool = Field(False, description="look at the certain views of a frame, not at the frame alone")
        share: float = Field(0.1, gt=0, le=1, description="share of the views that count")
        capacity: int = Field(3, ge=0, description="features of each class that vote for it")
        alpha: float = Field(2.0, ge=0, description="weight of the votes for a class (ImageNet 2, UCF101 3, EuroSAT 4)")
        beta: float = Field(5.0, gt=0, description="their sharpness (ImageNet 5, UCF101 and EuroSAT 8)")
        neg_capacity: int = Field(2, ge=0, description="features of each class that vote against")
        neg_alpha: float = Field(0.117, ge=0, description="weight of the votes against")
        neg_beta: float = Field(1.0, gt=0, description="their sharpness")
        neg_entropy: tuple[float, float] = Field((0.2, 0.5), description="entropies of those admitted, nats")
        neg_mask: tuple[float, float] = Field((0.03, 1.0), description="probabilities of the classes voted against")
        neg_mask_binary: bool = Field(False, description="vote only against classes less probable than one half")

    batch = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sees = Sees(views=config.views)

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> TwoCaches:
        """A stream with empty caches."""
        return self.begin_people(start, 1)

    def begin_people(self, start: Start, people: int) -> TwoCaches:
        """A stream of several people, each with empty caches."""
        return TwoCaches(start.weights(self.config.prompts), start.scale, self.config, people)


class TwoCaches(PeopleStream):
    """Features that vote for a class and against one."""

    def __init__(self, weights: Tensor, scale: float, config: Tda.Config, people: int = 1) -> None:
        super().__init__(people)
        self._weights, self._scale, self._config = weights, scale, config
        width, classes = weights.shape
        self.positive = PeopleCache(people, classes, config.capacity, width)
        self.negative = PeopleCache(people, classes, config.neg_capacity, width)

    def cached(self) -> Tensor:
        """Features in the caches of each person, int64 [P]."""
        return self.positive.sizes() + self.negative.sizes()

    @torch.no_grad()
    def next_frames(self, views: Tensor) -> Tensor:
        """Logits float32 [n, C]; a frame is in the caches when it is predicted."""
        config = self._config
        seen = summary(views, self._weights, self._scale, config.share)
        self.positive.insert(seen.label, seen.feature, seen.nats, seen.probability)
        low, high = config.neg_entropy
        uncertain = (seen.nats > low) & (seen.nats < high)
        self.negative.insert(seen.label, seen.feature, seen.nats, seen.probability, uncertain)
        votes = self.positive.votes(seen.feature, config.alpha, config.beta).sum(dim=2)
        return seen.logits + votes - self._votes_against(seen.feature)

    def _votes_against(self, feature: Tensor) -> Tensor:
        config = self._config
        probability = self.negative.probability[: len(feature)]
        low, high = config.neg_mask[0], 0.5 if config.neg_mask_binary else config.neg_mask[1]
        shown = ((probability > low) & (probability < high)).to(feature.dtype)
        votes = self.negative.votes(feature, config.neg_alpha, config.neg_beta)
        return torch.einsum("nck,nckj->nj", votes, shown)
