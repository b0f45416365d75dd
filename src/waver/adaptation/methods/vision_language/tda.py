"""TDA: training-free dynamic adapter (Karmanov et al., CVPR 2024, arXiv 2403.18293)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.vision_language.base import Fitted, Frames, Prompts, Sees, Start
from waver.adaptation.vision_language.confidence import Cache, affinity_logits, summary, unit_entropy
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
        return TwoCaches(start.weights(self.config.prompts), start.scale, self.config)


class TwoCaches:
    """Features that vote for a class and against one."""

    def __init__(self, weights: Tensor, scale: float, config: Tda.Config) -> None:
        self._weights, self._scale, self._config, self.steps = weights, scale, config, 0
        self.positive, self.negative = Cache(config.capacity), Cache(config.neg_capacity)

    @torch.no_grad()
    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2]; a frame is in the caches when it is predicted."""
        return torch.cat([self._one(views) for views in frames.views])

    def _one(self, views: Tensor) -> Tensor:
        config, classes = self._config, self._weights.shape[1]
        seen = summary(views, self._weights, self._scale, config.share)
        self.positive.insert(seen.label, seen.feature, seen.entropy, seen.probability)
        low, high = config.neg_entropy
        if low < unit_entropy(seen.entropy, classes) < high:
            self.negative.insert(seen.label, seen.feature, seen.entropy, seen.probability)
        return seen.logits + self._votes_for(seen.feature, classes) - self._votes_against(seen.feature)

    def _votes_for(self, feature: Tensor, classes: int) -> Tensor:
        items = [(item[0], label) for label, bucket in sorted(self.positive.items.items()) for item in bucket]
        if not items:
            return torch.zeros(1, classes)
        values = functional.one_hot(torch.tensor([label for _, label in items]), classes).float()
        keys = torch.cat([key for key, _ in items]).T
        return affinity_logits(feature, keys, values, self._config.alpha, self._config.beta)

    def _votes_against(self, feature: Tensor) -> Tensor:
        items = [item for _, bucket in sorted(self.negative.items.items()) for item in bucket]
        if not items:
            return torch.zeros(1, self._weights.shape[1])
        config = self._config
        probability = torch.cat([item[2] for item in items])
        low, high = config.neg_mask[0], 0.5 if config.neg_mask_binary else config.neg_mask[1]
        values = ((probability > low) & (probability < high)).float()
        keys = torch.cat([item[0] for item in items]).T
        return affinity_logits(feature, keys, values, config.neg_alpha, config.neg_beta)
