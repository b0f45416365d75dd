"""EB-CaP: caches of sampled and of observed features (authors' release, MasoumehSharafi/EB-CaP)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.vision_language.base import Fitted, Frames, Prompts, Sees, Start
from waver.config.sections import Section

_LEAST_PROBABILITY = 1e-12


class EbCap:
    """Features are sampled towards each class from a frame, and observed ones kept where they add variety.

    The release's temporal transformer and text adapter, which are trained on the source, are not part of it here: a
    frame is CLIP's own embedding, and a class its sentence.
    """

    class Config(Section):
        """The release's values."""

        prompts: Prompts = Field("template", description="sentences of the classes")
        chains: int = Field(3, ge=1, description="features sampled for each class")
        chain_steps: int = Field(20, ge=1, description="most steps of a chain")
        step_size: float = Field(1e-2, gt=0, description="step of a chain")
        noise: float = Field(0.1, ge=0, description="noise of a chain, over the root of its step")
        capacity: int = Field(5, ge=0, description="features of each class in the positive cache")
        neg_capacity: int = Field(4, ge=0, description="features of each class in the negative cache")
        sampled: float = Field(1.0, ge=0, description="weight of the sampled features")
        positive: float = Field(1.0, ge=0, description="weight of the positive cache")
        negative: float = Field(1.0, ge=0, description="weight of the negative cache")
        below: float = Field(1.0, ge=0, description="certain: as many deviations below the video's mean entropy")
        above: float = Field(1.0, ge=0, description="rejected: as many deviations above it")
        warm_up: int = Field(5, ge=0, description="frames of a video with fixed thresholds")
        fixed: tuple[float, float] = Field((0.5, 0.8), description="these thresholds, nats")

    batch = 64
    sees = Sees()

    def __init__(self, config: Config) -> None:
        self.config = config

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> EnergyCaches:
        """A stream with empty caches."""
        return EnergyCaches(start.weights(self.config.prompts), start.scale, self.config)


class EnergyCaches:
    """Caches of one participant; entropies of one video."""

    def __init__(self, weights: Tensor, scale: float, config: EbCap.Config) -> None:
        self._weights, self._scale, self._config, self.steps = weights, scale, config, 0
        classes = weights.shape[1]
        self.positive = VariedCache(classes, config.capacity, certain=True)
        self.negative = VariedCache(classes, config.neg_capacity, certain=False)
        self._entropies: list[float] = []
        self._video = -1

    @property
    def chosen(self) -> int:
        """Features in both caches."""
        return sum(len(own) for cache in (self.positive, self.negative) for own in cache.items)

    @torch.no_grad()
    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2]; a frame is predicted before the caches may take it."""
        if frames.video != self._video:
            self._video, self._entropies = frames.video, []
        features = frames.feature
        noise = torch.stack([self._noise(seed, features.shape[1]) for seed in frames.seeds])
        samples = sample_towards(features, self._weights.T, noise, self._config.step_size, self._config.noise)
        base = self._scale * features @ self._weights
        base = base + self._config.sampled * self._scale * torch.einsum("bd,bcmd->bcm", features, samples).mean(dim=2)
        return torch.cat([self._one(z[None], logits[None]) for z, logits in zip(features, base, strict=True)])

    def _noise(self, seed: int, width: int) -> Tensor:
        shape = (self._config.chain_steps, self._weights.shape[1], self._config.chains, width)
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    def _one(self, feature: Tensor, logits: Tensor) -> Tensor:
        config = self._config
        logits = logits + config.positive * self._scale * self.positive.likeness(feature)
        logits = logits - config.negative * self._scale * self.negative.likeness(feature)
        nats = float(bounded_entropy(logits))
        certain, rejected = thresholds(self._entropies, config)
        self._entropies.append(nats)
        if nats < certain:
            self.positive.offer(int(logits.argmax()), feature, nats)
        elif nats < rejected:
            self.negative.offer(int(logits.argmin()), feature, nats)
        return logits


def sample_towards(features: Tensor, classes: Tensor, noise: Tensor, step: float, strength: float) -> Tensor:
    """Langevin chains from each feature towards each class; a chain ends when it is of its class.

    The energy of x for class c is -x e_c / |x|.

    Args:
        features: float32 [B, D], of length 1.
        classes: float32 [C, D], of length 1.
        noise: standard normal, float32 [B, K, C, M, D], of at most K steps of M chains.
        step: of a chain.
        strength: of the noise, over the root of the step.

    Returns:
        float32 [B, C, M, D], of length 1.
    """
    count, steps, kinds, chains, width = noise.shape
    wanted = torch.arange(kinds)[None, :, None]
    points = features[:, None, None].expand(count, kinds, chains, width).clone()
    active = torch.ones(count, kinds, chains, dtype=torch.bool)
    for number in range(steps):
        towards = classes[None, :, None]
        gradient = (points * towards).sum(dim=-1, keepdim=True) * points - towards  # at length 1
        moved = points - 0.5 * step * gradient + math.sqrt(step) * strength * noise[:, number]
        points = torch.where(active[..., None], functional.normalize(moved, dim=-1), points)
        active &= (points @ classes.T).argmax(dim=-1) != wanted
        if not bool(active.any()):
            break
    return points


def bounded_entropy(logits: Tensor) -> Tensor:
    """Entropies [B] of logits [B, C], nats, of probabilities of at least 1e-12: saturated frames are equally certain.

    So does the release; with CLIP's scale of 100 it decides which of them the caches take.
    """
    probability = logits.softmax(dim=1).clamp_min(_LEAST_PROBABILITY)
    return -(probability * probability.log()).sum(dim=1)


def thresholds(entropies: list[float], config: EbCap.Config) -> tuple[float, float]:
    """Below which entropy a frame is certain, and from which on it is rejected, given those of the video so far."""
    if len(entropies) < config.warm_up:
        return config.fixed
    seen = torch.tensor(entropies, dtype=torch.float64)
    mean, deviation = float(seen.mean()), float(seen.std(unbiased=False)) if len(seen) > 1 else 0.0
    certain, rejected = max(0.0, mean - config.below * deviation), mean + config.above * deviation
    return certain, rejected if certain < rejected else certain + 1e-6


class VariedCache:
    """Features of each class, taken in only where their variance grows.

    Attributes:
        items: class -> (feature [1, D], entropy).
    """

    def __init__(self, classes: int, capacity: int, certain: bool) -> None:
        """``certain``: a full class gives up its least certain feature for a more certain one; else the reverse."""
        self._capacity, self._sign = capacity, 1 if certain else -1
        self.items: list[list[tuple[Tensor, float]]] = [[] for _ in range(classes)]

    def likeness(self, feature: Tensor) -> Tensor:
        """Mean cosine with the features of each class, 0 where there are none, float32 [1, C]."""
        found = [
            (feature @ torch.cat([f for f, _ in own]).T).mean() if own else feature.new_zeros(()) for own in self.items
        ]
        return torch.stack(found)[None]

    def offer(self, label: int, feature: Tensor, nats: float) -> None:
        """Take a feature in, if it may."""
        own = self.items[label]
        if self._capacity == 0:
            return
        if len(own) < self._capacity:
            if not own or spread([*own, (feature, nats)]) > spread(own):
                own.append((feature, nats))
            return
        worst = max(range(len(own)), key=lambda number: self._sign * own[number][1])
        trial = [*own[:worst], (feature, nats), *own[worst + 1 :]]
        if self._sign * nats < self._sign * own[worst][1] and spread(trial) > spread(own):
            self.items[label] = trial


def spread(items: list[tuple[Tensor, float]]) -> float:
    """Mean variance of the features' values; 0 for one feature."""
    return (
        float(torch.cat([feature for feature, _ in items]).var(dim=0, unbiased=False).mean()) if len(items) > 1 else 0.0
    )
