"""Reliability curves: of the items given a probability near p, how many show A/H; before and after temperature.

The temperature of an item is never fitted on the people that it is applied to. In a cross-validation, that of a fold
comes from the out-of-fold margins of the other folds; for val and test it comes from the out-of-fold
margins of the train split's participants. A method without cross-validation has none. It is a number for
the fitted models of all folds together: it corrects a bias of the method, not of one model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from waver.config.sections import EvaluateConfig
from waver.evaluation import calibration
from waver.evaluation.bootstrap import Sample, interval
from waver.evaluation.control_names import CROSS_VALIDATED, STANDARD
from waver.evaluation.disclosure import disclosed
from waver.evaluation.labels import Truth
from waver.evaluation.method_tables import METHOD_FIELDS, Table, method_row
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.predictions import Predicted
from waver.io.zarr_store import Array

CALIBRATION = pa.schema(
    [
        *METHOD_FIELDS,
        pa.field("tempered", pa.bool_(), False, {"meaning": "the curve after temperature scaling"}),
        pa.field("bin", pa.int16(), False, {"meaning": "equal-mass bin, from 0"}),
        pa.field("low", pa.float64(), False, {"meaning": "lowest probability in the bin"}),
        pa.field("high", pa.float64(), False, {"meaning": "highest probability in the bin"}),
        pa.field("predicted", pa.float64(), False, {"meaning": "mean probability in the bin"}),
        pa.field("observed", pa.float64(), False, {"meaning": "share of A/H in the bin"}),
        pa.field("observed_low", pa.float64(), True, {"meaning": "2.5 % of the participant bootstrap"}),
        pa.field("observed_high", pa.float64(), True, {"meaning": "97.5 % of the participant bootstrap"}),
        pa.field("n", pa.int64(), False, {"meaning": "frames or videos in the bin"}),
        pa.field("temperature", pa.float64(), True, {"meaning": "fitted elsewhere; of folds the mean"}),
        pa.field("ECE", pa.float64(), False, {"meaning": "expected calibration error, 15 equal-mass bins"}),
        pa.field("ECE_tempered", pa.float64(), True, {"meaning": "the same after temperature scaling"}),
        pa.field("Brier", pa.float64(), False, {"meaning": "mean squared difference to the label"}),
        pa.field("Brier_tempered", pa.float64(), True, {"meaning": "the same after temperature scaling"}),
        pa.field("log_loss", pa.float64(), False, {"meaning": "mean negative log likelihood, nats"}),
        pa.field("log_loss_tempered", pa.float64(), True, {"meaning": "the same after temperature scaling"}),
    ]
)

Row = dict[str, Any]
Key = tuple[str, str, str, str]
"""Level, method, modalities, model set."""


def out_of_fold(tables: Iterable[Table]) -> dict[Key, Predicted]:
    """The methods' cross-validated predictions, for ``calibration_rows``."""
    validated = [table for table in tables if table.split == CROSS_VALIDATED and table.level != "participant"]
    return {_key(table, predicted): predicted for table in validated for predicted in table.methods}


def _key(table: Table, predicted: Predicted) -> Key:
    return table.level, predicted.name.method, predicted.name.modalities, predicted.name.model_set


def calibration_rows(
    table: Table, validated: Mapping[Key, Predicted], config: EvaluateConfig, paired: Paired | None = None
) -> Iterator[Row]:
    """Rows of CALIBRATION for every method of a table; none at participant level, whose items are frames.

    Bins, and methods, that rest on fewer than ``config.least_group`` people have no rows.

    Args:
        table: methods scored side by side.
        validated: see ``out_of_fold``; numbers of items are of the same truth as the table's.
        config: resamples, seed and least size of a group, as for the scores.
        paired: values of the table where they are shared with others.
    """
    if table.level == "participant":
        return
    paired = paired or Paired(table, config)
    for predicted in table.methods:
        known = validated.get(_key(table, predicted)) if table.protocol == STANDARD else None
        temperature = temperatures(table, predicted, known)
        yield from _method_rows(paired, predicted, temperature, config.least_group)


def temperatures(table: Table, predicted: Predicted, validated: Predicted | None) -> Array:
    """Temperature of each item of a method, float64 [n]; nan where there is nobody to fit it on.

    Args:
        table: the table with the method.
        predicted: the method there.
        validated: its cross-validated predictions, if it has any.
    """
    found = np.full(len(predicted.item), np.nan)
    if table.split == CROSS_VALIDATED:
        for fold in np.unique(predicted.fold[predicted.fold >= 0]):
            others = (predicted.fold >= 0) & (predicted.fold != fold)
            found[predicted.fold == fold] = _fitted(table.truth, predicted.take(others))
    elif validated is not None:
        train = (table.truth.split[validated.item] == "train") & (validated.fold >= 0)
        found[:] = _fitted(table.truth, validated.take(train))
    return found


def _fitted(truth: Truth, predicted: Predicted) -> float:
    return calibration.temperature(calibration.margin_of(predicted.probability), truth.label[predicted.item])


def _method_rows(paired: Paired, predicted: Predicted, temperature: Array, least: int) -> Iterator[Row]:
    sample = paired.sample(predicted, predicted.item)
    known = bool(len(temperature)) and bool(np.isfinite(temperature).all())
    scaled = calibration.tempered(calibration.margin_of(predicted.probability), temperature)
    head = {
        **method_row(paired.table, predicted),
        "temperature": float(np.unique(temperature).mean()) if known else None,
    }
    for name, score in (("ECE", calibration.ece), ("Brier", calibration.brier), ("log_loss", calibration.log_loss)):
        head[name] = score(sample.probability, sample.label)
        head[f"{name}_tempered"] = score(scaled, sample.label) if known else None
    if len(np.unique(sample.participant)) < least:
        return
    yield from ({**head, "tempered": False, **row} for row in curve(sample, sample.probability, paired.weights, least))
    if known:
        yield from ({**head, "tempered": True, **row} for row in curve(sample, scaled, paired.weights, least))


def curve(sample: Sample, probability: Array, weights: Array, least: int = 1) -> Iterator[Row]:
    """Bins of a reliability curve, the share observed with its interval over participants.

    Args:
        sample: labels and participants of the items.
        probability: float64 [n], which may be another than the sample's own.
        weights: float64 [R + 1, S], as ``bootstrap.resamples`` makes them.
        least: bins with items of fewer people, and bins that would tell of these, are left out.
    """
    bins = calibration.bin_of(probability, calibration.mass_edges(probability))
    shown = disclosed({int(number): sample.participant[bins == number].tolist() for number in np.unique(bins)}, least)
    for number in sorted(shown):
        inside = bins == number
        who, size = sample.participant[inside], sample.participants
        drawn = weights @ np.bincount(who, minlength=size)
        positive = weights @ np.bincount(who, sample.label[inside], minlength=size)
        share = np.divide(positive, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        observed, low, high = (value if math.isfinite(value) else None for value in interval(share))
        yield {
            "bin": int(number),
            "low": float(probability[inside].min()),
            "high": float(probability[inside].max()),
            "predicted": float(probability[inside].mean()),
            "observed": observed,
            "observed_low": low,
            "observed_high": high,
            "n": int(inside.sum()),
        }
