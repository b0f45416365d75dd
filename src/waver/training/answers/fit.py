"""Train and cross-validate one video-level model of what was said, and write its predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.assets.manifest import installed
from waver.datasets.answers import Answer, read_answers
from waver.datasets.folds import Folding, folds_of
from waver.errors import WaverError
from waver.features.answer_encodings import read_encodings
from waver.io.predictions import answer_table
from waver.io.tables import WEIGHTS, write_arrow, write_table
from waver.models.base import AnswerModel
from waver.records import load, method_config
from waver.registry import ANSWER_MODELS
from waver.training.answers.training import fit_model
from waver.training.cross_validation import folds

log = logging.getLogger(__name__)

Margins = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and the encodings that it may need."""

    model: AnswerModel
    vectors: Mapping[str, Any]

    def margin(self, predicted: Sequence[Answer]) -> Margins:
        """Margins float64 [n] of n answers."""
        return np.asarray(self.model.margin(predicted, _of(predicted, self.vectors)), np.float64)

    def weights(self, fold: int | None) -> list[dict[str, Any]]:
        """WEIGHTS rows, of a model that can be read."""
        return [{"feature": name, "weight": weight, "fold": fold} for name, weight in self.model.explain().items()]


Fit = Callable[[Sequence[Answer], Sequence[Answer]], Fitted]


def train_answers(
    answers: Sequence[Path],
    encodings: Sequence[Path],
    encoder: Path,
    name: str,
    inputs: str,
    seed: int,
    folds: int,
    folding: Folding,
    options: Mapping[str, Any],
    outputs: Mapping[str, Path],
    record: Mapping[str, Any],
) -> None:
    """Fit on train and predict val and test; then once a fold of train and val, and predict who was held out.

    Labels of test are never handed to a model; its answers only after the last fit on train.

    Args:
        answers: ANSWERS tables of all shards.
        encodings: indexes of the cached encodings of all shards, read where the model wants them.
        encoder: ``asset.json`` of the encoder of sentences, for models that tune it.
        name: model, by its name in the registry.
        inputs: T, TQ or Q.
        seed: handed to the model.
        folds: folds of the cross-validation; below 2 none, and the table of folds is empty.
        folding: who is held out together.
        options: keys of the model's own config.
        outputs: ``predictions`` (val, test), ``folds`` (out of fold) and ``weights`` to write.
        record: ``model_set``, ``code`` and ``config``, copied into the predictions' metadata.

    Raises:
        WaverError: train has no labelled answer, or of one class only.
    """
    everyone = read_answers(answers)
    method, config = load(ANSWER_MODELS, name), method_config(ANSWER_MODELS, name, options)
    vectors = read_encodings(encodings[0].with_name("stores"), encodings) if method.encodes else {}
    folder = Path(installed(encoder).folder) if method.tunes else None

    def fitted(learn: Sequence[Answer], choose: Sequence[Answer]) -> Fitted:
        model = method(inputs, config, seed, folder)
        fit_model(model, *_labelled(learn, vectors), _labelled(choose, vectors))
        return Fitted(model, vectors)

    def fitted_to_all(learn: Sequence[Answer], choose: Sequence[Answer]) -> Fitted:
        return fitted(list(dict.fromkeys([*learn, *choose])), [])  # of two folds both are the same half

    split = {part: [answer for answer in everyone if answer.split == part] for part in ("train", "val", "test")}
    _check(split["train"])
    predicted = [*split["val"], *split["test"]]
    first = fitted(split["train"], split["val"])
    about = {"method": name, "modalities": inputs, "level": "video", "seed": seed, **record}
    about["parameters"] = first.model.parameter_count()
    write_arrow(
        outputs["predictions"], answer_table(predicted, first.margin(predicted)), {**about, "protocol": "standard"}
    )
    # a model that chooses no epoch learns from the folds that others choose with
    fit = fitted if method.chooses else fitted_to_all
    known = [*split["train"], *split["val"]]
    fold_of = folds_of([answer.participant for answer in known], folds, folding) if folds > 1 else {}
    table, weights = cross_validate(known, fold_of, folds, fit)
    write_arrow(outputs["folds"], table, {**about, "protocol": "cv"})
    write_table(outputs["weights"], [*first.weights(None), *weights], WEIGHTS, about)


def cross_validate(
    answers: Sequence[Answer], fold_of: dict[str, int], count: int, fit: Fit
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Predictions of models that never saw the person, in the order of the folds, and the models' weights.

    Args:
        answers: of train and val.
        fold_of: participant -> fold; empty: nothing is done.
        count: folds.
        fit: answers to learn from, answers to choose the epoch with -> a fitted model.
    """
    tables, weights = [answer_table([], np.zeros(0), [])], []
    for fold in folds(fold_of, count):
        log.info("%s", fold)
        train, choose, held_out = fold.split(answers)
        fitted = fit(train, choose)
        tables.append(answer_table(held_out, fitted.margin(held_out), [fold.number] * len(held_out)))
        weights += fitted.weights(fold.number)
    return pa.concat_tables(tables), weights


def _check(train: Sequence[Answer]) -> None:
    known = {answer.label for answer in train if answer.label >= 0}
    if len(known) < 2:
        raise WaverError("the train split needs labelled answers of both classes; check its split file")


def _labelled(answers: Sequence[Answer], vectors: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    known = [answer for answer in answers if answer.label >= 0]
    return known, np.array([answer.label for answer in known], np.uint8), _of(known, vectors)


def _of(answers: Sequence[Answer], vectors: Mapping[str, Any]) -> list[Any] | None:
    return [vectors[answer.video] for answer in answers] if vectors else None
