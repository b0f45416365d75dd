"""ReTA: reliable test-time adaptation (Liang et al., ACM MM 2025, arXiv 2507.09500)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.methods.vision_language.dpe import ADAMW, alignment, moved, running_mean
from waver.adaptation.vision_language.base import Fitted, Frames, Sees, Start
from waver.adaptation.vision_language.confidence import (
    Cache,
    affinity_logits,
    certain_views,
    marginal_entropy,
    unit_entropy,
)
from waver.config.sections import Section

_COMPONENTS = 64


class Reta:
    """The cache trusts frames on which sets of prompts agree, and prompts vary as a Gaussian around each class.

    The release keeps 64 singular vectors of the classes' prompts, of which all beyond their rank are arbitrary; here
    they are cut at the rank. It divides entropies by log2 of the number of sets, here by that of classes as in DPE:
    with three sets its threshold of .1 is ``confident: 0.158``.
    """

    class Config(Section):
        """The release's values for ImageNet.

        UCF101: alpha 9, beta 8, mix .22, ratio .1, lr 4e-4, align .3, refine .02; EuroSAT: 3, 8, .99, .1, 2.5e-5, .1,
        .0311.
        """

        sets: int = Field(3, ge=1, description="cumulative sets of each class's sentences")
        share: float = Field(0.1, gt=0, le=1, description="share of the views that count")
        capacity: int = Field(3, ge=1, description="cached features of each class")
        alpha: float = Field(6.0, ge=0, description="weight of the cached features")
        beta: float = Field(5.0, gt=0, description="their sharpness")
        ratio: float = Field(1.0, ge=0, description="how much disagreement raises the entropy")
        lr: float = Field(6e-4, ge=0, description="rate of the residual of the texts")
        align: float = Field(0.5, ge=0, description="weight of the alignment of both kinds of prototypes")
        refine: float = Field(0.05, ge=0, description="weight of the refined logits where all prompts agree")
        mix: float = Field(0.5, ge=0, le=1, description="share of the plain frame in the prediction")
        confident: float = Field(0.1, ge=0, description="entropy below which the texts are averaged on, nats")

    batch = 1
    sees = Sees(views=True)

    def __init__(self, config: Config) -> None:
        self.config = config

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> PromptSets:
        """A stream that begins with the classes' sentences and an empty cache."""
        return PromptSets(prompt_sets(start.sentences("ensemble"), self.config.sets), start.scale, self.config)


class PromptSets:
    """Averaged prototypes of sets of prompts, and cached features.

    Attributes:
        texts: float32 [D, R, C]; running means, not normalised.
        averaged: how many were averaged on.
    """

    def __init__(self, texts: Tensor, scale: float, config: Reta.Config) -> None:
        self.texts, self._scale, self._config = texts, scale, config
        self._cache = Cache(config.capacity)
        self.averaged = self.steps = 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2], each after the step that its frame causes."""
        return torch.cat([self._one(views) for views in frames.views])

    def _one(self, views: Tensor) -> Tensor:
        config, classes, plain = self._config, self.texts.shape[2], views[:1]
        residual = torch.zeros_like(self.texts, requires_grad=True)
        texts = moved(self.texts, residual)
        base = self._scale * plain @ texts[:, -1]
        label = int(base.argmax())
        doubt = self._cached(plain, base.detach(), texts[:, -1].detach(), label)
        cached, labels = self._cache.prototypes()
        cached = functional.normalize(cached, dim=0)
        values = functional.one_hot(torch.tensor(labels), classes).float()
        votes = affinity_logits(views, cached, values, config.alpha, config.beta)
        proto = texts[:, -1] if config.ratio >= 0.5 else texts.mean(dim=1)
        loss = marginal_entropy(base + votes[:1]) + config.align * alignment(cached, proto[:, labels])
        if doubt == 0:
            refined = refined_logits(views, texts, label, self._scale)
            chosen = refined[certain_views(refined.detach(), config.share)]
            loss = loss + config.refine * functional.cross_entropy(chosen, torch.full((len(chosen),), label))
        optimiser = torch.optim.AdamW([residual], config.lr, **ADAMW)  # type: ignore[arg-type]
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        self.steps += 1
        with torch.no_grad():
            return self._mixed(views, moved(self.texts, residual), votes)

    def _cached(self, plain: Tensor, logits: Tensor, last: Tensor, label: int) -> float:
        """Put a frame into the cache; returns by how much its entropy was raised."""
        doubt = self._config.ratio * math.log(disagreement(plain, self.texts, last, label))
        key = unit_entropy(float(entropy(logits)), logits.shape[1]) * (1 + doubt)
        self._cache.insert(label, plain, key, logits.softmax(dim=1))
        return doubt

    def _mixed(self, views: Tensor, texts: Tensor, votes: Tensor) -> Tensor:
        config = self._config
        plain = self._scale * views[:1] @ texts[:, -1] + votes[:1]
        means = self._scale * views @ texts.mean(dim=1) + votes
        others = means[certain_views(means, config.share)].softmax(dim=1).mean(dim=0, keepdim=True)
        if unit_entropy(float(entropy(plain)), texts.shape[2]) < config.confident:
            self.averaged += 1
            self.texts = running_mean(self.texts, texts, self.averaged)
        mixed = config.mix * plain.softmax(dim=1) + (1 - config.mix) * others
        return mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()


def prompt_sets(sentences: Tensor, count: int) -> Tensor:
    """Cumulative means of each class's sentences, the least typical first.

    Args:
        sentences: float32 [C, P, D], of length 1.
        count: sets R; the last holds all sentences.

    Returns:
        float32 [D, R, C], of length 1.
    """
    found = []
    for own in sentences:
        likeness = own @ own.T
        order = likeness.fill_diagonal_(0).sum(dim=1).argsort(stable=True)
        ends = [len(own) // count * number for number in range(1, count)] + [len(own)]
        found.append(torch.stack([functional.normalize(own[order[:end]].mean(dim=0), dim=0) for end in ends], dim=1))
    return torch.stack(found, dim=2)


def disagreement(plain: Tensor, texts: Tensor, last: Tensor, label: int) -> float:
    """How far sets of prompts disagree about a frame: 1 if all say its label.

    Args:
        plain: float32 [1, D].
        texts: float32 [D, R, C].
        last: float32 [D, C], of which the principal directions are taken.
        label: that was predicted.
    """
    _, sizes, directions = torch.linalg.svd(last.T, full_matrices=False)
    rank = int((sizes > sizes[0] * 1e-6).sum())
    basis = directions[: min(_COMPONENTS, rank)]
    said = torch.einsum("d,drc->rc", (plain @ basis.T @ basis)[0], texts).argmax(dim=1)
    counts = torch.bincount(said, minlength=texts.shape[2])
    common = int(counts.argmax())
    return len(said) / int(counts[common]) * (1.0 if common == label else 2.0)


def refined_logits(views: Tensor, texts: Tensor, label: int, scale: float) -> Tensor:
    """Logits float32 [V, C] of views float32 [V, D], with prompts as a Gaussian around each class.

    Args:
        views: of length 1.
        texts: float32 [D, R, C].
        label: class that the others are compared with.
        scale: factor of the cosines.
    """
    means = texts.mean(dim=1)
    return scale * views @ means + scale**2 / 2 * spread_from(views, texts, label)


def spread_from(views: Tensor, texts: Tensor, label: int) -> Tensor:
    """Variance of each class's cosine minus the label's, float32 [V, C]; 0 for the label itself."""
    centred = texts - texts.mean(dim=1, keepdim=True)
    shared = torch.einsum("dri,drk->dik", centred, centred) / (texts.shape[1] + 1)
    quadratic = torch.einsum("vd,dik->vik", views.square(), shared)
    own = torch.diagonal(quadratic, dim1=1, dim2=2)
    return own[:, label, None] + own - 2 * quadratic[:, label]
