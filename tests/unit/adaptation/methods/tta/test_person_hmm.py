"""The hidden Markov filter of a person: its estimates, its recursion, and what it repairs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from shifted import Crowd, states, target_of
from waver.adaptation.base import SourceView
from waver.adaptation.methods.tta.person_hmm import (
    PersonFilter,
    PersonHmm,
    PersonStream,
    Population,
    beta_of,
    integrated_autocorrelation,
    population_of,
)
from waver.adaptation.participants import split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.source_model import fit_source
from waver.evaluation.metrics import avgf1


def test_a_population_is_recovered_from_its_frames() -> None:
    rng = np.random.default_rng(0)
    share, offset = rng.beta(2, 5, 300), rng.normal(0, 1.5, 300)
    label = np.concatenate([states(rng, 960, p) for p in share])
    person = np.repeat(np.arange(300, dtype=np.int32), 960)
    noise = rng.normal(0, 0.8, len(label))
    found = population_of(-1.0 + 3.0 * label + offset[person] + noise, label, person)
    assert (found.mean, found.gap, found.deviation) == pytest.approx((-1.0, 3.0, 0.8), abs=0.2)
    assert found.offsets == pytest.approx(1.5, rel=0.1)
    first, second = found.prevalence
    assert first / (first + second) == pytest.approx(2 / 7, abs=0.03)
    assert found.alike == pytest.approx(1.0, abs=0.1)
    assert found.change == pytest.approx(1 / 24, rel=0.1)  # labels are drawn anew each second


def test_frames_that_are_alike_count_as_few() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=20_000)
    assert integrated_autocorrelation(drawn) == pytest.approx(1.0, abs=0.1)
    assert integrated_autocorrelation(np.repeat(drawn[:2000], 10)) == pytest.approx(10.0, rel=0.15)


def test_beta_has_the_mean_and_variance_of_the_shares() -> None:
    first, second = beta_of(np.array([0.1, 0.2, 0.6]))
    both = first + second
    assert first / both == pytest.approx(0.3)
    assert first * second / (both**2 * (both + 1)) == pytest.approx(np.var([0.1, 0.2, 0.6], ddof=1))
    assert all(math.isfinite(x) and x > 0 for x in (*beta_of(np.zeros(4)), *beta_of(np.array([0.0, 1.0]))))


class Given(torch.nn.Module):
    """A model whose margin is the only feature."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(features), features], dim=1)


def test_one_hypothesis_is_the_forward_recursion_of_a_hidden_markov_model() -> None:
    people = Population(-1.0, 2.0, 0.7, 0.0, (1.0, 3.0), 0.3, 1.0)
    margin = np.array([0.5, -1.5, 0.9, 1.4, -0.2, 0.1])
    found = PersonFilter(people, PersonHmm.Config(offset=False, prevalence=False)).probabilities(margin)
    expected = [_by_all_paths(people, margin[: n + 1]) for n in range(len(margin))]
    assert found.tolist() == pytest.approx(expected)
    logits = PersonStream(Given(), PersonFilter(people, PersonHmm.Config(offset=False, prevalence=False)), expected[3])
    stream = logits.predict(torch.tensor(margin[:, None], dtype=torch.float32))
    assert (stream[:, 1] > stream[:, 0]).tolist() == [value > expected[3] + 1e-6 for value in expected]


@pytest.mark.slow
def test_where_margins_say_little_as_many_frames_are_called_as_there_are() -> None:
    rng = np.random.default_rng(3)
    label = np.concatenate([states(rng, 1200, 0.2) for _ in range(12)])
    person = np.repeat(np.arange(12, dtype=np.int32), 1200)
    margin = 0.3 * label + rng.normal(size=len(label))
    view = SourceView(margin[:, None].astype(np.float32), label, person)
    stream = PersonHmm(PersonHmm.Config(filter=False)).begin(Given(), view, 0)
    new = states(rng, 1200, 0.2)
    logits = stream.predict(torch.tensor((0.3 * new + rng.normal(size=1200))[:, None], dtype=torch.float32))
    assert 0.05 < (logits[:, 1] > logits[:, 0]).float().mean() < 0.4


def _by_all_paths(people: Population, margin: np.ndarray) -> float:
    """Probability that the last state is A/H, summed over all sequences of states."""
    share = people.prevalence[0] / sum(people.prevalence)
    start, total = np.array([1 - share, share]), np.zeros(2)
    step = (1 - people.change) * np.eye(2) + people.change * start
    for path in itertools.product((0, 1), repeat=len(margin)):
        seen = [
            math.exp(-0.5 * ((x - people.mean - people.gap * y) / people.deviation) ** 2)
            for x, y in zip(margin, path, strict=True)
        ]
        moves = [step[before, after] for before, after in itertools.pairwise(path)]
        total[path[-1]] += start[path[0]] * math.prod(seen) * math.prod(moves)
    return float(total[1] / total.sum())


@pytest.mark.slow
def test_people_who_differ_in_offset_and_prevalence_are_recovered() -> None:
    """Better than without adaptation and than adaptation towards equal classes, for nearly every person."""
    crowd = Crowd(5)

    def person(frames: int, prior: float) -> tuple[np.ndarray, np.ndarray]:
        label = states(crowd.rng, frames, prior)
        return crowd.features(label, crowd.offset()), label

    drawn = [person(240, crowd.rng.uniform(0.05, 0.6)) for _ in range(20)]
    features, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    features = (features - mean) / deviation
    model, _ = fit_source((features[:3840], labels[:3840]), (features[3840:], labels[3840:]), 0, 8)
    source = SourceView(features, labels, np.repeat(np.arange(20, dtype=np.int32), 240))
    targets = [
        target_of(((x - mean) / deviation).astype(np.float32), y, f"8210{n}")
        for n, (x, y) in enumerate(person(1200, prior) for prior in (0.1, 0.2, 0.3, 0.5) * 2)
    ]
    found: dict[str, np.ndarray] = {}
    for method, options in (("source_only", {}), ("tent", {}), ("person_hmm", {}), ("person_hmm", {"offset": False})):
        adapter = build_adapter(method, options)
        own = []
        for target in targets:
            split = split_population(target, "block", 1.0)
            result = adapt_one(adapter, model, target, split, source if adapter.needs.source else None, 0)
            probability = 1 / (1 + np.exp(result.logits[:, 0] - result.logits[:, 1]))
            own.append(avgf1(probability, target.labels[result.test]))
        found[method + str(options or "")] = np.array(own)
    best = found["person_hmm"]
    assert best.mean() > 0.9
    for other in ("source_only", "tent", "person_hmm{'offset': False}"):
        gain = best - found[other]
        assert gain.mean() > 0.1
        assert (gain > 0).sum() >= 7
