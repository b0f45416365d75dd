"""A hidden Markov filter that learns a person's offset and prevalence while frames arrive; this project's own method.

The logit margin of a frame of class y is taken as ``mean + gap * y + offset + noise``, with an offset that is the
person's own, and y as a two-state Markov chain with the person's own prevalence of A/H. How far people differ in both,
how far the classes lie apart within a person, how long a state lasts and how many neighbouring frames count as one is
estimated on the source (``Population``); nothing is set by hand. Offsets and prevalences on a grid are hypotheses, each
with a forward filter of its own. A frame's probability is the mean of theirs, weighted by how well each explains the
frames so far: few frames move little, and a prevalence that is far from a half stays there.

Above which probability a frame counts as A/H is found on source people, met in the same way: as many of their frames
are to be above it as are A/H. Where margins say little, no probability is above a half.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from scipy.stats import beta
from torch import Tensor

from waver.adaptation.base import Frames, Labels, Needs, Network, SourceView, predict
from waver.adaptation.methods.tta.norms import StreamConfig
from waver.shapes import FPS

Floats = npt.NDArray[np.float64]

_OFFSETS, _REACH = 41, 4.0
"""Offsets on the grid, from minus to plus so many standard deviations."""
_PREVALENCES = 15
_LEAST_SHARE = 0.005
_ALIKE_S = 20.0
"""Frames further apart are not held to be alike."""
_MET, _MET_FRAMES = 32, 2000
"""Source people on whom the threshold is found, and the first frames of each."""
_SLOWEST = 1e-4
"""Least rate at which a state is forgotten, per frame: once in seven minutes."""
_TINY, _SURE = 1e-12, 1e-9


class Population(NamedTuple):
    """What the margins of people are like.

    Attributes:
        mean: margin without A/H of a person whose offset is 0.
        gap: from there to the margin with A/H.
        deviation: of a person's margins about the mean of their class.
        offsets: standard deviation of people's offsets.
        prevalence: parameters of the Beta distribution of people's shares of A/H.
        change: rate at which a state is forgotten, per frame: the labels' autocorrelation is ``(1 - change) ** lag``.
        alike: neighbouring frames that count as one, the noise's integrated autocorrelation time; at least 1.
    """

    mean: float
    gap: float
    deviation: float
    offsets: float
    prevalence: tuple[float, float]
    change: float
    alike: float


def population_of(margin: Floats, label: Labels, participant: npt.NDArray[np.int32]) -> Population:
    """Estimate from labelled frames of several people, by moments.

    Args:
        margin: float64 [N], logit of A/H minus logit of none; frames of a person together, in the order of time.
        label: uint8 [N].
        participant: int32 [N], number of the frame's participant.
    """
    number = np.unique(participant, return_inverse=True)[1]
    count = np.bincount(number).astype(np.float64)
    positive = label.astype(np.float64)
    share, own = (np.bincount(number, values) / count for values in (positive, margin))
    apart, noise = positive - share[number], margin - own[number]
    gap = float(noise @ apart / max(float(apart @ apart), _TINY))
    base, noise = own - gap * share, noise - gap * apart
    alike = integrated_autocorrelation(noise)
    deviation = max(float(noise.std()), _TINY)
    # what the mean over few frames varies by is no difference of people
    between = float(base.var(ddof=1)) - deviation**2 * float((alike / count).mean()) if len(base) > 1 else 0.0
    switches = np.count_nonzero((np.diff(label) != 0) & (np.diff(number) == 0))
    change = switches / max(float((2 * share * (1 - share) * count).sum()), _TINY)
    return Population(
        float(base.mean()), gap, deviation, math.sqrt(max(between, 0.0)), beta_of(share),
        float(np.clip(change, _SLOWEST, 1.0)), alike,
    )  # fmt: skip


def integrated_autocorrelation(noise: Floats) -> float:
    """Sum of the autocorrelation of values [N] over all lags, up to its first zero and 20 s; at least 1."""
    size = 1 << (2 * len(noise) - 1).bit_length()
    product = np.fft.irfft(np.abs(np.fft.rfft(noise, size)) ** 2, size)
    lags = min(round(_ALIKE_S * FPS), len(noise))
    correlation = product[:lags] / max(float(product[0]), _TINY)
    below = np.flatnonzero(correlation <= 0)
    return float(max(1.0, 2 * correlation[: below[0] if len(below) else lags].sum() - 1))


def beta_of(share: Floats) -> tuple[float, float]:
    """Parameters of the Beta distribution with the mean and variance of shares [S]."""
    mean = float(np.clip(share.mean(), _LEAST_SHARE, 1 - _LEAST_SHARE))
    most = mean * (1 - mean)
    variance = float(np.clip(share.var(ddof=1) if len(share) > 1 else 0.0, 1e-4 * most, 0.95 * most))
    return mean * (most / variance - 1), (1 - mean) * (most / variance - 1)


class PersonHmm:
    """The filter over the margins of the source model; nothing is trained."""

    class Config(StreamConfig):
        """Parts that can be left out, to see what each does."""

        offset: bool = Field(True, description="a person's margins may lie higher or lower than the source's")
        prevalence: bool = Field(True, description="a person's share of A/H may differ from the source's mean")
        filter: bool = Field(True, description="a state lasts; without it each frame stands alone")

    needs: ClassVar[Needs] = Needs(source=True, stream=True)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.batch = config.batch
        self._known: tuple[Network, SourceView, Population, float] | None = None

    def begin(self, model: Network, source: SourceView | None, seed: int) -> PersonStream:
        """A stream that knows the population and nothing of the person."""
        assert source is not None
        if self._known is None or self._known[0] is not model or self._known[1] is not source:
            margin = margins(model, torch.from_numpy(source.features))
            people = population_of(margin, source.labels, source.participant)
            self._known = model, source, people, threshold_of(people, self.config, margin, source)
        return PersonStream(model, PersonFilter(self._known[2], self.config), self._known[3])


def margins(model: Network, frames: Frames) -> Floats:
    """Logit of A/H minus logit of none, float64 [N]."""
    logits = predict(model, frames).double().numpy()
    found: Floats = logits[:, 1] - logits[:, 0]
    return found


def threshold_of(people: Population, config: PersonHmm.Config, margin: Floats, source: SourceView) -> float:
    """Probability above which as many frames of source people are as are A/H.

    Args:
        people: estimated on the same people.
        config: of the filter.
        margin: float64 [N], of the source frames.
        source: the frames.
    """
    everybody = np.unique(source.participant)
    met = everybody[np.linspace(0, len(everybody) - 1, min(_MET, len(everybody))).round().astype(int)]
    rows = [np.flatnonzero(source.participant == person)[:_MET_FRAMES] for person in met]
    found = np.concatenate([PersonFilter(people, config).probabilities(margin[own]) for own in rows])
    positive = source.labels[np.concatenate(rows)].mean()
    return float(np.clip(np.quantile(found, 1 - positive), _TINY, 1 - _SURE))


class PersonStream:
    """The filter of one person over the margins of a network."""

    def __init__(self, model: Network, person: PersonFilter, threshold: float) -> None:
        self._model, self._person, self._threshold, self.steps = model, person, threshold, 0

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the next B frames, each frame's by those before it and itself alone."""
        found = self._person.probabilities(margins(self._model, frames))
        none, some = np.log1p(-found) - math.log1p(-self._threshold), np.log(found) - math.log(self._threshold)
        return torch.from_numpy(np.stack([none, some], axis=1).astype(np.float32))


class PersonFilter:
    """Hypotheses of one person's offset and prevalence, and what each makes of the frames so far."""

    def __init__(self, population: Population, config: PersonHmm.Config) -> None:
        self._population = population
        offset, weight = np.zeros(1), np.zeros(1)
        if config.offset:
            deviations = np.linspace(-_REACH, _REACH, _OFFSETS)
            offset, weight = deviations * population.offsets, -0.5 * deviations**2
        first, second = population.prevalence
        share = np.array([first / (first + second)])
        if config.prevalence:
            share = beta.ppf((np.arange(_PREVALENCES) + 0.5) / _PREVALENCES, first, second)
        self._offset = np.repeat(offset, len(share))
        self._share = np.tile(np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE), len(offset))
        self._weight = _normalised(np.repeat(weight, len(share)))
        self._change = population.change if config.filter else 1.0
        self._state = self._share.copy()

    def probabilities(self, margin: Floats) -> Floats:
        """Probability of A/H in each of the next frames, float64 [B], of margins float64 [B]."""
        return np.array([self._next(one) for one in margin])

    def _next(self, margin: float) -> float:
        """Probability of A/H in the next frame."""
        people = self._population
        ahead = self._state + self._change * (self._share - self._state)
        none = (margin - people.mean - self._offset) / people.deviation
        some = none - people.gap / people.deviation
        log_none, log_some = -0.5 * none**2 / people.alike, -0.5 * some**2 / people.alike
        top = np.maximum(log_none, log_some)
        joint_some = ahead * np.exp(log_some - top)
        total = joint_some + (1 - ahead) * np.exp(log_none - top)
        self._state = joint_some / total
        self._weight = _normalised(self._weight + top + np.log(total))
        return float(np.clip(np.exp(self._weight) @ self._state, _TINY, 1 - _SURE))


def _normalised(log_weight: Floats) -> Floats:
    found: Floats = log_weight - np.logaddexp.reduce(log_weight)
    return found
