"""Decomposition of a score: contributions of the question, of the length of the answer, and of the person.

Each method is scored together with simpler predictors on the same items, every step with the interval of its
gain over the step before (paired over participants):

* ``chance``: the better of the two constants, chosen on the items scored; AP of it is the prevalence,
  AUROC .5.
* ``question``: the question prior, over chance.
* ``length``: the content-free control, over the question: duration, number of words, for frames also
  the position in the video.
* ``person``: the method, over the control.
* ``within``: the method inside each question: AUROC_within, over the control there, and AVGF1_within,
  over nothing. A control that decides alike for all answers to a question has a low AVGF1 inside the
  question whatever its ranking, and any noise would gain over it.

A predictor that the table lacks has no step, and the next one is compared with the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import interval
from waver.evaluation.control_names import CONTROLS
from waver.evaluation.method_tables import METHOD_FIELDS, Table, method_row
from waver.evaluation.paired_resamples import Paired, Values, common_items
from waver.evaluation.predictions import Predicted
from waver.evaluation.small_groups import people_behind
from waver.io.zarr_store import Array

STEPS = {"question": "question_prior", "length": "content_free"}
"""Steps between chance and the method, and the controls that make them."""

DECOMPOSED = ("AVGF1", "AP", "AUROC")
WITHIN = ("AVGF1_within", "AUROC_within")

DECOMPOSITION = pa.schema(
    [
        *METHOD_FIELDS,
        pa.field("metric", pa.string(), False, {"meaning": "AVGF1, AP, AUROC; AVGF1_within, AUROC_within"}),
        pa.field("step", pa.string(), False, {"meaning": "chance, question, length, person; within"}),
        pa.field("predictor", pa.string(), False, {"meaning": "what predicts at this step"}),
        pa.field("value", pa.float64(), True, {"meaning": "score of the predictor"}),
        pa.field("low", pa.float64(), True, {"meaning": "2.5 % of the participant bootstrap"}),
        pa.field("high", pa.float64(), True, {"meaning": "97.5 % of the participant bootstrap"}),
        pa.field("over", pa.string(), True, {"meaning": "predictor of the step before"}),
        pa.field("gain", pa.float64(), True, {"meaning": "value minus that of the step before"}),
        pa.field("gain_low", pa.float64(), True, {"meaning": "2.5 % of the paired participant bootstrap"}),
        pa.field("gain_high", pa.float64(), True, {"meaning": "97.5 % of the paired participant bootstrap"}),
        pa.field("n", pa.int64(), False, {"meaning": "frames or videos scored with all predictors"}),
        pa.field("participants", pa.int32(), False, {"meaning": "participants scored"}),
    ]
)

Row = dict[str, Any]


class _Step(NamedTuple):
    name: str
    predictor: str
    values: Values


def decomposition_rows(table: Table, config: EvaluateConfig, paired: Paired | None = None) -> Iterator[Row]:
    """Rows of DECOMPOSITION for every method of a table that is not a control.

    Args:
        table: methods scored side by side, controls among them.
        config: resamples, seed and least size of a group, as for the scores.
        paired: values of the table where they are shared with others.
    """
    paired = paired or Paired(table, config)
    for predicted in table.methods:
        if predicted.name.method not in CONTROLS:
            yield from _method_rows(paired, predicted, config.least_group)


def _method_rows(paired: Paired, predicted: Predicted, least: int) -> Iterator[Row]:
    controls = [other for other in paired.table.methods if not other.name.modalities]  # a model may have such a name
    named = {other.name.method: other for other in controls if other.name.method in STEPS.values()}
    controls_of = {step: named[control] for step, control in STEPS.items() if control in named}
    item = common_items(predicted, *controls_of.values())
    later = [_Step(step, other.name.method, paired.values(other, item)) for step, other in controls_of.items()]
    person = _Step("person", predicted.name.method, paired.values(predicted, item))
    head = _head(paired, predicted, item)
    behind = people_behind(paired, predicted, item, (*DECOMPOSED, *WITHIN))
    shown = {metric for metric, people in behind.items() if len(people) >= least}
    for metric in DECOMPOSED:
        steps = [_chance(paired, predicted, item, metric), *later, person]
        yield _row(head, metric, steps[0], None, metric in shown)
        yield from (_row(head, metric, after, before, metric in shown) for before, after in pairwise(steps))
    control = next((step for step in later if step.name == "length"), None)
    for metric in WITHIN:
        before = control if metric == "AUROC_within" else None
        yield _row(head, metric, person._replace(name="within"), before, metric in shown)


def _chance(paired: Paired, predicted: Predicted, item: Array, metric: str) -> _Step:
    """The better of the two constants; all-negative where they are equal."""
    found = []
    for name, probability in (("all_negative", 0.0), ("all_positive", 1.0)):
        known = next((other for other in paired.table.methods if other.name.method == name), None)
        if known is None or not np.isin(item, known.item).all():
            constant = np.full(len(predicted.item), probability)
            known = replace(predicted, name=predicted.name._replace(method=name), probability=constant)
        found.append(_Step("chance", name, paired.values(known, item)))
    negative, positive = found
    return positive if positive.values[metric][0] > negative.values[metric][0] else negative


def _head(paired: Paired, predicted: Predicted, item: Array) -> Row:
    table = paired.table
    return {
        **method_row(table, predicted),
        "n": len(item),
        "participants": int(np.isin(paired.people, table.truth.participant[item]).sum()),
    }


def _row(head: Row, metric: str, step: _Step, before: _Step | None, shown: bool) -> Row:
    """A row of DECOMPOSITION; its numbers are null where too few people made them."""
    values = step.values[metric]
    value, low, high = interval(values)
    gain, gain_low, gain_high = interval(values - before.values[metric]) if before else (math.nan,) * 3
    numbers = {"value": value, "low": low, "high": high, "gain": gain, "gain_low": gain_low, "gain_high": gain_high}
    row = {**head, "metric": metric, "step": step.name, "predictor": step.predictor}
    row["over"] = before.predictor if before else None
    return row | {name: number if shown and math.isfinite(number) else None for name, number in numbers.items()}
