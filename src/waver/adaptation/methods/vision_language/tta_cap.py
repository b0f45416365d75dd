"""TTA-CaP: caches of source prototypes and of the stream (Sharafi et al. 2026, arXiv 2603.21309)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.methods.vision_language.prototypes import medoids
from waver.adaptation.vision_language.base import Fitted, Frames, Prompts, Sees, SourceFrames, Start
from waver.adaptation.vision_language.confidence import Cache
from waver.config.sections import Section

_NONE = -1e9


class TtaCap:
    """A frame is mixed with prototypes of source participants like this one, and with the video's certain frames.

    The release takes statistics of all frames of the participant, scored ones among them (``statistics: all``); here
    they are of T_tr. Its temporal transformer, trained on the source, is not part of it: a frame is CLIP's embedding,
    in the prototypes and in the stream alike.
    """

    class Config(Section):
        """The release's values."""

        prompts: Prompts = Field("template", description="sentences of the classes")
        statistics: Literal["train", "all"] = Field(
            "train", description="frames whose statistics choose the source participants; all: scored ones too"
        )
        nearest: int = Field(3, ge=1, description="source participants whose prototypes are used")
        shrink: float = Field(0.05, ge=0, le=1, description="share of 1 in each variance")
        frames: int = Field(1000, ge=1, description="most frames of a source participant and class that are clustered")
        bootstraps: int = Field(6, ge=0, description="samples by which a clustering's stability is judged")
        history: int = Field(3, ge=1, description="predictions whose majority a frame must share")
        top: int = Field(5, ge=1, description="likest prototypes or cached features that are averaged")
        capacity: int = Field(5, ge=0, description="features of each class in the positive cache")
        neg_capacity: int = Field(4, ge=0, description="features of each class in the negative cache")
        sharpness: float = Field(10.0, gt=0, description="of the weights of cached features")
        certain: float = Field(0.5, ge=0, description="entropy below which a frame is certain, nats")
        ambiguous: float = Field(
            0.8, ge=0, description="entropy below which it is ambiguous; above ln 2, for two classes, always"
        )
        margin: float = Field(0.05, ge=0, description="by which the likest class of prototypes must lead")
        source: float = Field(1.0, ge=0, description="weight of the source prototypes")
        positive: float = Field(1.0, ge=0, description="weight of the positive cache")
        negative: float = Field(1.0, ge=0, description="weight of the negative cache")

    batch = 64

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sees = Sees(known=config.statistics, reset="video")

    def fit(self, start: Start, source: SourceFrames, seed: int) -> Fitted:
        """Statistics of each source participant, and prototypes of each of their classes.

        Returns:
            ``mean``, ``variance`` float32 [S, D]; ``prototype`` float32 [P, D] with ``owner``, ``label`` int64 [P].
        """
        feature = functional.normalize(source.raw, dim=-1)
        means, variances, prototypes, owners, labels = [], [], [], [], []
        for owner in sorted(set(source.participant.tolist())):
            own = source.participant == owner
            mean, variance = statistics(feature[own], self.config.shrink)
            means.append(mean)
            variances.append(variance)
            for label in (0, 1):
                rows = feature[own & (source.labels == label)]
                if len(rows):
                    found = medoids(rows, self.config.frames, self.config.bootstraps, seed + 2 * owner + label)
                    prototypes.append(found)
                    owners += [owner] * len(found)
                    labels += [label] * len(found)
        parts = {"mean": torch.stack(means), "variance": torch.stack(variances), "prototype": torch.cat(prototypes)}
        return {**parts, "owner": torch.tensor(owners), "label": torch.tensor(labels)}

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> CachedStream:
        """A stream with prototypes for this participant and empty caches."""
        static = personal_prototypes(fitted, functional.normalize(known, dim=-1), self.config)
        return CachedStream(start.weights(self.config.prompts), start.scale, static, self.config)


def statistics(feature: Tensor, shrink: float) -> tuple[Tensor, Tensor]:
    """Mean and shrunk variance [D] of features [N, D]."""
    return feature.mean(dim=0), (1 - shrink) * feature.var(dim=0, unbiased=False) + shrink


def frechet(mean: Tensor, variance: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """Distance [S] of a diagonal Gaussian [D] from others [S, D]."""
    cross = (variance * variances).clamp_min(1e-12).sqrt()
    return ((mean - means) ** 2).sum(dim=1) + (variance + variances - 2 * cross).sum(dim=1)


def personal_prototypes(fitted: Fitted, known: Tensor, config: TtaCap.Config) -> list[Tensor]:
    """Prototypes [P_c, D] of each class, of the source participants nearest to a person.

    A participant without frames of a class gives none for it; a class that none of the nearest has is taken from the
    next nearest participant who has it.
    """
    mean, variance = statistics(known, config.shrink)
    order = frechet(mean, variance, fitted["mean"], fitted["variance"]).argsort(stable=True).tolist()
    found = []
    for label in (0, 1):
        of_class = fitted["label"] == label
        own = [fitted["prototype"][of_class & (fitted["owner"] == owner)] for owner in order]
        near = [one for one in own[: config.nearest] if len(one)] or [one for one in own if len(one)][:1]
        found.append(torch.cat(near) if near else known[:0])
    return found


class CachedStream:
    """Caches of one video."""

    def __init__(self, weights: Tensor, scale: float, static: Sequence[Tensor], config: TtaCap.Config) -> None:
        self._weights, self._scale, self._static, self._config, self.steps = weights, scale, static, config, 0
        self.positive, self.negative = Cache(config.capacity), Cache(config.neg_capacity)
        self._history: list[int] = []

    @property
    def chosen(self) -> int:
        """Features in both caches."""
        return sum(len(own) for cache in (self.positive, self.negative) for own in cache.items.values())

    @torch.no_grad()
    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2]; a frame is predicted before the caches may take it."""
        return torch.cat([self._one(feature[None]) for feature in frames.feature])

    def _one(self, feature: Tensor) -> Tensor:
        config = self._config
        logits = self._scale * feature @ self._weights
        label, nats = int(logits.argmax()), float(entropy(logits))
        self._history = [*self._history, label][-config.history :]
        mixed = feature + config.source * likest_mean(feature, self._static[label], config.top)
        mixed = mixed + config.positive * self._retrieved(self.positive, feature, label)
        mixed = mixed - config.negative * self._retrieved(self.negative, feature, label)
        if majority(self._history) == label and self._prototypes_agree(feature, label):
            if nats < config.certain:
                self.positive.insert(label, feature, nats, logits.softmax(dim=1))
            elif nats < config.ambiguous:
                self.negative.insert(int(logits.argmin()), feature, nats, logits.softmax(dim=1))
        return self._scale * functional.normalize(mixed, dim=-1) @ self._weights

    def _retrieved(self, cache: Cache, feature: Tensor, label: int) -> Tensor:
        """Mean of the likest cached features of a class, weighted by likeness; zeros where there are none."""
        keys = [item[0] for item in cache.items.get(label, [])]
        if not keys:
            return torch.zeros_like(feature)
        whole = torch.cat(keys)
        near = (feature @ whole.T)[0].topk(min(self._config.top, len(whole)))
        weights = (self._config.sharpness * near.values).softmax(dim=0)
        return functional.normalize(weights @ whole[near.indices], dim=0)[None]

    def _prototypes_agree(self, feature: Tensor, label: int) -> bool:
        scores = [class_likeness(feature, own, self._config.top) for own in self._static]
        others = max(score for number, score in enumerate(scores) if number != label)
        return scores[label] - others > self._config.margin


def majority(labels: Sequence[int]) -> int:
    """The most frequent label; of several the most recent."""
    counts = Counter(labels)
    most = max(counts.values())
    return next(label for label in reversed(labels) if counts[label] == most)


def likest_mean(feature: Tensor, prototypes: Tensor, top: int) -> Tensor:
    """Direction [1, D] of the mean of the likest prototypes; zeros where there are none."""
    if not len(prototypes):
        return torch.zeros_like(feature)
    near = (feature @ prototypes.T)[0].topk(min(top, len(prototypes))).indices
    return functional.normalize(prototypes[near].mean(dim=0), dim=0)[None]


def class_likeness(feature: Tensor, prototypes: Tensor, top: int) -> float:
    """Mean cosine with the likest prototypes of a class."""
    if not len(prototypes):
        return _NONE
    return float((feature @ prototypes.T)[0].topk(min(top, len(prototypes))).values.mean())
