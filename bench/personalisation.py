"""Every method of personalisation over features on made people of known shift, and the differences person by person.

Usage: PYTHONPATH=src:tests python bench/personalisation.py [PEOPLE]

People share the class means; each adds an offset of twice the classes' distance, a small rotation, and a share of A/H
between .05 and .6; a label lasts at least a second. The source is twenty people. The split is ``block``, so that no
second of a recording is both adapted on and scored. Printed for each method: mean AVGF1 and AP over the people, and
the mean difference of its AVGF1 to that of person_hmm with a 95 % interval (bootstrap over people).
"""

from __future__ import annotations

import sys

import numpy as np

from shifted import Crowd, states, target_of
from waver.adaptation.base import SourceView
from waver.adaptation.participants import split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.source_model import fit_source
from waver.evaluation.metrics import average_precision, avgf1
from waver.records import VisionLanguageRecord
from waver.registry import ADAPTATIONS

OWN = "person_hmm"
METHODS = [name for name, record in ADAPTATIONS.items() if not isinstance(record, VisionLanguageRecord)]
WITHOUT = [(OWN, {part: False}) for part in ("offset", "prevalence", "filter")]
SOURCE, FRAMES = 20, 240
SEED = 11


def main(people: int) -> None:
    """Print the table."""
    crowd = Crowd(SEED)

    def person(frames: int) -> tuple[np.ndarray, np.ndarray]:
        label = states(crowd.rng, frames, crowd.rng.uniform(0.05, 0.6))
        return crowd.features(label, crowd.offset()), label

    features, labels = (np.concatenate(part) for part in zip(*(person(FRAMES) for _ in range(SOURCE)), strict=True))
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    features = (features - mean) / deviation
    last = (SOURCE - 4) * FRAMES
    model, _ = fit_source((features[:last], labels[:last]), (features[last:], labels[last:]), 0, 8)
    source = SourceView(features, labels, np.repeat(np.arange(SOURCE, dtype=np.int32), FRAMES))
    targets = [
        target_of(((drawn - mean) / deviation).astype(np.float32), label, f"{83000 + number}")
        for number, (drawn, label) in enumerate(person(1500) for _ in range(people))
    ]
    found = {}
    for method, options in [*((name, {}) for name in METHODS), *WITHOUT]:
        adapter = build_adapter(method, options)
        scores = []
        for target in targets:
            split = split_population(target, "block", 1.0)
            result = adapt_one(adapter, model, target, split, source if adapter.needs.source else None, 0)
            probability = 1 / (1 + np.exp(result.logits[:, 0] - result.logits[:, 1]))
            truth = target.labels[result.test]
            scores.append((avgf1(probability, truth), average_precision(probability, truth)))
        found[method, *options] = np.array(scores)
    show(found)


def show(found: dict[tuple[str, ...], np.ndarray]) -> None:
    """Print a line a method, best first."""
    own = found[OWN,][:, 0]
    draw = np.random.default_rng(0).integers(0, len(own), (2000, len(own)))
    for name, scores in sorted(found.items(), key=lambda item: -item[1][:, 0].mean()):
        gap = own - scores[:, 0]
        low, high = np.percentile(gap[draw].mean(axis=1), (2.5, 97.5))
        text = " without ".join(name)
        print(
            f"{text:26} AVGF1 {scores[:, 0].mean():.3f}  AP {scores[:, 1].mean():.3f}  "
            f"{OWN} minus it {gap.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
