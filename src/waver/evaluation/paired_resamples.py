"""Scores of the methods of one table under shared resamples, each computed once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.evaluation import bootstrap
from waver.evaluation.bootstrap import Sample, drawn, resamples
from waver.evaluation.groups import EVERYONE
from waver.evaluation.method_tables import Table, sample_of, scored_people
from waver.evaluation.predictions import Method, Predicted, restrict
from waver.evaluation.segments import SEGMENT_METRICS, scores_segments, segment_counts, segment_scores
from waver.io.zarr_store import Array
from waver.provenance import seed_for

Values = dict[str, Array]
"""Score -> float64 [R + 1], the value itself first."""
Key = tuple[Method, int, int]


FURTHER = 1000
"""Resamples per block; a block always has this size, so that its values do not depend on how many are needed."""


class Paired:
    """The people of a table resampled, for all methods alike, so that values can be subtracted row by row.

    Attributes:
        table: the methods and their truth.
        people: int64 [S], numbers of the participants scored.
        weights: float64 [R + 1, S], see ``bootstrap.resamples``.
        has_segments: whole videos are predicted frame by frame, so that segments are scored, too.
    """

    def __init__(
        self, table: Table, config: EvaluateConfig, group: str = EVERYONE, people: Array | None = None
    ) -> None:
        self.table = table
        self.people = scored_people(table) if people is None else people
        self._draw = ("bootstrap", config.seed, table.level, table.split, table.protocol, group)
        self.weights = resamples(len(self.people), config.bootstrap, *self._draw)
        self.has_segments = any(scores_segments(table.truth, predicted) for predicted in table.methods)
        self._values: dict[Key, Values] = {}
        self._own: dict[Key, Values] = {}
        self._counts: dict[Key, Array] = {}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Scores of the table; at participant level each has its ``_sd`` too."""
        return (*bootstrap.METRICS, *(SEGMENT_METRICS if self.has_segments else ()))

    def sample(self, predicted: Predicted, item: Array) -> Sample:
        """A method's predictions of some items of the truth (numbers, ascending)."""
        return sample_of(self.table.truth, restrict(predicted, item), self.people)

    def values(self, predicted: Predicted, item: Array) -> Values:
        """Scores of some items of a method in every resample; at participant level, means over people."""
        key = key_of(predicted, item)
        if key not in self._values:
            if self.table.level == "participant":
                self._values[key] = bootstrap.means(self.own(predicted, item), self.weights)
            else:
                self._values[key] = bootstrap.scores(self.sample(predicted, item), self.weights)
                if self.has_segments:
                    counts = self.segment_counts(predicted, item)
                    self._values[key] |= segment_scores(self.weights @ counts)
        return self._values[key]

    def own(self, predicted: Predicted, item: Array) -> Values:
        """Each participant's own scores, float64 [S]; nan where a person has none, or no positive item."""
        key = key_of(predicted, item)
        if key not in self._own:
            sample = self.sample(predicted, item)
            self._own[key] = bootstrap.participant_scores(sample)
            if self.has_segments:
                known = np.where(sample.has_positive, 0.0, np.nan)
                segments = segment_scores(self.segment_counts(predicted, item))
                self._own[key] |= {name: values + known for name, values in segments.items()}
        return self._own[key]

    def segment_counts(self, predicted: Predicted, item: Array) -> Array:
        """Each participant's counts of segments, of some items of a method; float64 [S, COLUMNS]."""
        key = key_of(predicted, item)
        if key not in self._counts:
            self._counts[key] = segment_counts(self.table.truth, restrict(predicted, item), self.people)
        return self._counts[key]

    def further_weights(self) -> Iterator[Array]:
        """Weights of the resamples after those of ``weights``, without end, float64 [FURTHER, S] at a time."""
        rng, people = np.random.default_rng(seed_for(*self._draw)), len(self.people)
        drawn(rng, people, len(self.weights) - 1)
        while True:
            yield drawn(rng, people, FURTHER)

    def further_values(self, predicted: Predicted, item: Array, weights: Array, wanted: Collection[str]) -> Values:
        """Wanted scores of some items of a method in the resamples of ``weights`` [n, S], float64 [n]; not kept."""
        if self.table.level == "participant":
            own = self.own(predicted, item)
            return bootstrap.means({name: own[name] for name in wanted}, weights)
        return bootstrap.scores(self.sample(predicted, item), weights, wanted)


def key_of(predicted: Predicted, item: Array) -> Key:
    """Key of the scores of some items of a method within the table."""
    return predicted.name, len(item), hash(item.tobytes())


def common_items(*methods: Predicted) -> Array:
    """Numbers of the items that all of some methods predict, ascending."""
    items = [predicted.item for predicted in methods]
    return reduce(lambda a, b: a if np.array_equal(a, b) else np.intersect1d(a, b, assume_unique=True), items)
