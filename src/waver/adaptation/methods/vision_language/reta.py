"""ReTA: reliable test-time adaptation (Liang et al., ACM MM 2025, arXiv 2507.09500)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from waver.adaptation.methods.vision_language.dpe import ADAMW, average, moved
from waver.adaptation.vision_language.base import Fitted, Sees, Start
from waver.adaptation.vision_language.confidence import certain_views, marginal_entropy
from waver.adaptation.vision_language.people import (
    PeopleCache,
    PeopleStream,
    alignment,
    prediction_entropy,
    prototype_votes,
)
from waver.config.sections import Section

_RANK = 1e-6
"""Of the largest singular value: a direction of a smaller one is none."""


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
        return self.begin_people(start, 1)

    def begin_people(self, start: Start, people: int) -> PromptSets:
        """A stream of several people, each with the classes' sentences and an empty cache."""
        texts = prompt_sets(start.sentences("ensemble"), self.config.sets)
        return PromptSets(texts, start.scale, self.config, people)


class PromptSets(PeopleStream):
    """Averaged prototypes of sets of prompts, and cached features.

    Attributes:
        texts: float32 [P, D, R, C]; running means, not normalised.
        averaged: int64 [P], how many were averaged on.
    """

    def __init__(self, texts: Tensor, scale: float, config: Reta.Config, people: int = 1) -> None:
        super().__init__(people)
        self.texts, self._scale, self._config = texts.repeat(people, 1, 1, 1), scale, config
        width, _, classes = texts.shape
        self._cache = PeopleCache(people, classes, config.capacity, width)
        self.averaged = torch.zeros(people, dtype=torch.int64)

    def cached(self) -> Tensor:
        """Features in the cache of each person, int64 [P]."""
        return self._cache.sizes()

    def next_frames(self, views: Tensor) -> Tensor:
        """Logits float32 [n, C], each after the step that its frame causes."""
        config, plain = self._config, views[:, :1]
        own = self.texts[: len(views)]
        residual = torch.zeros_like(own, requires_grad=True)
        texts = moved(own, residual)
        base = (self._scale * plain @ texts[:, :, -1])[:, 0]
        label = base.argmax(dim=1)
        doubt = self._cached(plain[:, 0], base.detach(), own, texts[:, :, -1].detach(), label)
        cached, present = self._cache.prototypes(len(views))
        cached = functional.normalize(cached, dim=1)
        votes = prototype_votes(views, cached, present, config.alpha, config.beta)
        proto = texts[:, :, -1] if config.ratio >= 0.5 else texts.mean(dim=2)
        loss = marginal_entropy((base + votes[:, 0])[:, None]) + config.align * alignment(cached, proto, present)
        refined = self._certain(refined_logits(views, texts, label, self._scale))
        agreed = -refined.log_softmax(dim=2).gather(2, label[:, None, None].expand(-1, refined.shape[1], 1))
        loss = loss + config.refine * torch.where(doubt == 0, agreed.mean(dim=(1, 2)), 0.0)
        # its arithmetic is of each number alone, and the loss a sum over people: they do not meet
        optimiser = torch.optim.AdamW([residual], config.lr, **ADAMW)  # type: ignore[arg-type]
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        self.steps[: len(views)] += 1
        with torch.no_grad():
            return self._mixed(views, moved(own, residual), votes)

    def _cached(self, plain: Tensor, logits: Tensor, texts: Tensor, last: Tensor, label: Tensor) -> Tensor:
        """Put frames into the cache; returns by how much the entropy of each was raised, float32 [n]."""
        doubt = self._config.ratio * disagreement(plain, texts, last, label).log()
        self._cache.insert(label, plain, prediction_entropy(logits) * (1 + doubt), logits.softmax(dim=1))
        return doubt

    def _certain(self, logits: Tensor) -> Tensor:
        """Logits [n, v, C] of the certain ones of the views [n, V, C]."""
        kept = certain_views(logits.detach(), self._config.share)[..., None]
        return logits.gather(1, kept.expand(-1, -1, logits.shape[2]))

    def _mixed(self, views: Tensor, texts: Tensor, votes: Tensor) -> Tensor:
        config = self._config
        plain = (self._scale * views[:, :1] @ texts[:, :, -1] + votes[:, :1])[:, 0]
        others = self._certain(self._scale * views @ texts.mean(dim=2) + votes).softmax(dim=2).mean(dim=1)
        average(self.texts, self.averaged, texts, prediction_entropy(plain) < config.confident)
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


def disagreement(plain: Tensor, texts: Tensor, last: Tensor, label: Tensor) -> Tensor:
    """How far sets of prompts disagree about the frame of each person: 1 if all say its label; float32 [n].

    Args:
        plain: float32 [n, D].
        texts: float32 [n, D, R, C].
        last: float32 [n, D, C], in whose principal directions the frame is seen.
        label: int64 [n], that was predicted.
    """
    seen = within(plain.double(), last.double()).to(plain.dtype)
    said = torch.einsum("bd,bdrc->brc", seen, texts).argmax(dim=2)
    counts = functional.one_hot(said, texts.shape[3]).sum(dim=1)
    most, common = counts.max(dim=1)
    return said.shape[1] / most * torch.where(common == label, 1.0, 2.0)


def within(points: Tensor, columns: Tensor) -> Tensor:
    """Points float64 [n, D] projected on what the columns float64 [n, D, C] span, cut at their rank."""
    # of the small product: its eigenvalues are the squares of the singular values
    squares, turn = torch.linalg.eigh(columns.transpose(1, 2) @ columns)
    weight = torch.where(squares > squares[:, -1:] * _RANK**2, 1 / squares, 0.0)
    basis = columns @ turn
    found: Tensor = (points[:, None] @ basis * weight[:, None]) @ basis.transpose(1, 2)
    return found[:, 0]


def refined_logits(views: Tensor, texts: Tensor, label: Tensor, scale: float) -> Tensor:
    """Logits float32 [n, V, C] of views float32 [n, V, D], with prompts as a Gaussian around each class.

    Args:
        views: of length 1.
        texts: float32 [n, D, R, C].
        label: int64 [n], class that the others are compared with.
        scale: factor of the cosines.
    """
    return scale * views @ texts.mean(dim=2) + scale**2 / 2 * spread_from(views, texts, label)


def spread_from(views: Tensor, texts: Tensor, label: Tensor) -> Tensor:
    """Variance of each class's cosine minus the label's, float32 [n, V, C]; 0 for the label itself."""
    centred = texts - texts.mean(dim=2, keepdim=True)
    shared = torch.einsum("ndri,ndrk->ndik", centred, centred) / (texts.shape[2] + 1)
    quadratic = torch.einsum("nvd,ndik->nvik", views.square(), shared)
    own = torch.diagonal(quadratic, dim1=2, dim2=3)
    shared_with_label = quadratic[torch.arange(len(label)), :, label]
    return own.gather(2, label[:, None, None].expand(-1, own.shape[1], 1)) + own - 2 * shared_with_label
