"""Scores of the methods of one table under the resamples that they share, each computed once."""

from __future__ import annotations

from functools import reduce

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation import bootstrap
from waver.evaluation.bootstrap import Sample, resamples
from waver.evaluation.groups import EVERYONE
from waver.evaluation.predictions import Method, Predicted, restrict
from waver.evaluation.table import Table, sample_of, scored_people
from waver.store.arrays import Array

Values = dict[str, Array]
"""Score -> float64 [R + 1], the value itself first."""


class Paired:
    """The people of a table drawn again and again, for all methods alike, so that values can be subtracted row by row.

    Attributes:
        table: the methods and their truth.
        people: int64 [S], numbers of the participants scored.
        weights: float64 [R + 1, S], see ``bootstrap.resamples``.
    """

    def __init__(
        self, table: Table, config: EvaluateConfig, group: str = EVERYONE, people: Array | None = None
    ) -> None:
        self.table = table
        self.people = scored_people(table) if people is None else people
        draw = (config.seed, table.level, table.split, table.protocol, group)
        self.weights = resamples(len(self.people), config.bootstrap, "bootstrap", *draw)
        self._values: dict[tuple[Method, int, int], Values] = {}
        self._own: dict[tuple[Method, int, int], Values] = {}

    def sample(self, predicted: Predicted, item: Array) -> Sample:
        """A method's predictions of some items of the truth (numbers, ascending)."""
        return sample_of(self.table.truth, restrict(predicted, item), self.people)

    def values(self, predicted: Predicted, item: Array) -> Values:
        """Scores of some items of a method in every resample; at participant level, means over people."""
        key = _key(predicted, item)
        if key not in self._values:
            score = bootstrap.mean_scores if self.table.level == "participant" else bootstrap.scores
            self._values[key] = score(self.sample(predicted, item), self.weights)
        return self._values[key]

    def own(self, predicted: Predicted, item: Array) -> Values:
        """Each participant's own scores, float64 [S]; nan where a person has none, or no positive item."""
        key = _key(predicted, item)
        if key not in self._own:
            self._own[key] = bootstrap.participant_scores(self.sample(predicted, item))
        return self._own[key]


def _key(predicted: Predicted, item: Array) -> tuple[Method, int, int]:
    return predicted.name, len(item), hash(item.tobytes())


def common_items(*methods: Predicted) -> Array:
    """Numbers of the items that all of some methods judged, ascending."""
    items = [predicted.item for predicted in methods]
    return reduce(lambda a, b: a if np.array_equal(a, b) else np.intersect1d(a, b, assume_unique=True), items)
