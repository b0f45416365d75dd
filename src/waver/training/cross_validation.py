"""Cross-validation over participants of train and val: every one of them predicted by a model that never saw them.

The epoch is chosen on a further fold, so that no choice is made on the people predicted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from waver.datasets.folds import parts_of
from waver.io.predictions import answer_table
from waver.io.tables import PREDICTIONS, read_arrow, read_metadata, write_arrow
from waver.provenance import digest
from waver.training.checkpoint import join_histories
from waver.training.trainer import Job, Recipe

log = logging.getLogger(__name__)


class OfParticipant(Protocol):
    """A video, or the answer in it."""

    @property
    def participant(self) -> str: ...


Item = TypeVar("Item", bound=OfParticipant)


@dataclass(frozen=True)
class Fold:
    """One fold of several: who its model is trained on, who chooses the epoch, and who is held out and predicted."""

    number: int
    count: int
    train: frozenset[str]
    choose: frozenset[str]
    held_out: frozenset[str]

    def __str__(self) -> str:
        people = f"{len(self.train)} people trained on, {len(self.held_out)} held out"
        return f"fold {self.number + 1} of {self.count}: {people}"

    def split(self, items: Iterable[Item]) -> tuple[list[Item], list[Item], list[Item]]:
        """Items of those trained on, of those who choose and of those held out."""
        known = list(items)
        train, choose, held_out = (
            [item for item in known if item.participant in people]
            for people in (self.train, self.choose, self.held_out)
        )
        return train, choose, held_out


def folds(fold_of: Mapping[str, int], count: int) -> Iterator[Fold]:
    """The folds in their order; none where there are no participants.

    Args:
        fold_of: participant -> fold that holds them out.
        count: folds.
    """
    for number in range(count if fold_of else 0):
        yield Fold(number, count, *map(frozenset, parts_of(dict(fold_of), number, count)))


@dataclass(frozen=True)
class CrossValidation(Generic[Recipe]):
    """One training a fold, whose predictions and histories are kept until all folds are done.

    A killed job goes on in the fold and epoch where it was. The caller holds a lock for the folder.

    Attributes:
        config: the recipe.
        seed: of every fold.
        made_from: what the trainings are made from beside the folds.
        fold_of: participant -> fold that holds them out; empty: nothing is trained.
        count: folds.
        folder: of the files.
    """

    config: Recipe
    seed: int
    made_from: str
    fold_of: Mapping[str, int]
    count: int
    folder: Path

    def predictions(self, predict: Callable[[Fold, Job[Recipe]], pa.Table]) -> pa.Table:
        """PREDICTIONS rows of all folds, in their order.

        Args:
            predict: trains on a fold, and predicts who is held out; called for folds that are not done yet.
        """
        for fold in folds(self.fold_of, self.count):
            job, part = self._job(fold.number), self._parts("parquet")[fold.number]
            if part.exists() and read_metadata(part).get("key") == job.key:
                continue
            log.info("%s", fold)
            write_arrow(part, predict(fold, job), {"key": job.key})
            job.state.unlink(missing_ok=True)
        tables = [read_arrow(part, PREDICTIONS) for part in self._parts("parquet")]
        return pa.concat_tables([answer_table([], np.zeros(0)), *tables])

    def write_history(self, output: Path) -> None:
        """The histories of the folds as one, each line with its ``fold``."""
        join_histories(self._parts("jsonl"), output)

    def remove_parts(self) -> None:
        """Delete what was kept, once all is written."""
        for part in (*self._parts("parquet"), *self._parts("jsonl")):
            part.unlink()

    def _parts(self, kind: str) -> Sequence[Path]:
        return [self.folder / f"fold{number}.{kind}.part" for number in range(self.count if self.fold_of else 0)]

    def _job(self, number: int) -> Job[Any]:
        key, history = digest([self.made_from, self.fold_of, number]), self._parts("jsonl")[number]
        return Job(self.config, self.seed, key, history, self.folder / f"fold{number}.resume")
