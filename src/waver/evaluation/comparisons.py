"""Is a method better than a reference? Paired over the participants, and corrected for how often one asks.

Two questions, two tests. Whether the score of everything together differs: participants are drawn again
for both at once, and the two-sided p is ``2 min(P(d <= 0), P(d >= 0))``, each share of R resamples as
``(k + 1) / (R + 1)``, at most 1. Whether people, one by one, are served better: Wilcoxon's signed-rank test
over the participants' own scores, zero differences kept by Pratt's rule.

A person's own score is the same metric over their frames, at frame and at participant level, for whoever
has a positive frame. At video level a person has seven videos at most, often of one class, and F1 or a
ranking of them says little; there it is the share of their videos judged right, which stands by the AVGF1
because both are about decisions at .5. Log loss would have no ties, but it compares how probabilities are
calibrated, and a class-balanced model loses by it whatever it decides.

A variant of a model (``lfan.w24``) is also held against the model without it (``lfan``), on the same modalities
but for those that the variant adds.

Holm's correction goes over all methods of one table (level, split, protocol) held against one reference in
one metric. Controls are compared too, but nobody claims anything of them: they are in no family.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import interval
from waver.evaluation.names import CONTROLS, REFERENCE
from waver.evaluation.paired import Paired, common_items
from waver.evaluation.predictions import Predicted
from waver.evaluation.table import METHOD_FIELDS, Table, method_row
from waver.store.arrays import Array
from waver.training.names import TrainedModel

REFERENCES = (REFERENCE, "source_only")
"""Methods that the others are held against by default; the latter stands in tables of adaptation only."""

COMPARED = ("AVGF1", "AVGF1_equal", "AP", "AUROC", "AUROC_within")

COMPARISONS = pa.schema(
    [
        *METHOD_FIELDS,
        pa.field("reference", pa.string(), False, {"meaning": "method it is compared with"}),
        pa.field("reference_modalities", pa.string(), False, {"meaning": "modalities of the reference"}),
        pa.field("metric", pa.string(), False, {"meaning": "AVGF1, AVGF1_equal, AP, AUROC, AUROC_within"}),
        pa.field("difference", pa.float64(), True, {"meaning": "method minus reference, on the items of both"}),
        pa.field("low", pa.float64(), True, {"meaning": "2.5 % of the paired participant bootstrap"}),
        pa.field("high", pa.float64(), True, {"meaning": "97.5 % of the paired participant bootstrap"}),
        pa.field("p_bootstrap", pa.float64(), True, {"meaning": "two-sided p of the bootstrap"}),
        pa.field("p_holm", pa.float64(), True, {"meaning": "p_bootstrap after Holm; null for controls"}),
        pa.field("participants", pa.int32(), False, {"meaning": "participants with items of both"}),
        pa.field("own_score", pa.string(), True, {"meaning": "what Wilcoxon's test compares of each participant"}),
        pa.field("n_participants", pa.int32(), False, {"meaning": "participants in Wilcoxon's test"}),
        pa.field("shift", pa.float64(), True, {"meaning": "Hodges-Lehmann shift of the participants' own scores"}),
        pa.field("p_wilcoxon", pa.float64(), True, {"meaning": "two-sided p of Wilcoxon's signed-rank test"}),
        pa.field("p_wilcoxon_holm", pa.float64(), True, {"meaning": "p_wilcoxon after Holm; null for controls"}),
        pa.field("methods_in_family", pa.int32(), False, {"meaning": "p_bootstrap corrected together; 0 for controls"}),
    ]
)

_EXACT = 50
"""People up to whom Wilcoxon's null distribution is counted out, where nothing ties."""

Row = dict[str, Any]


def comparison_rows(
    table: Table, references: Sequence[str], config: EvaluateConfig, paired: Paired | None = None
) -> Iterator[Row]:
    """Rows of COMPARISONS for every method of a table against every reference that it holds.

    Of several references of one name, the one with the method's modalities is taken, else all of them.

    Args:
        table: methods scored side by side.
        references: names of methods; those not in the table are passed over. Models with variants are added.
        config: resamples and seed, as for the scores.
        paired: values of the table where they are shared with others.
    """
    paired = paired or Paired(table, config)
    for name in (*references, *_varied(table)):
        rows = [
            _row(paired, predicted, reference, metric)
            for predicted in table.methods
            for reference in _references(table, predicted, name)
            for metric in COMPARED
        ]
        _correct(rows)
        yield from rows


def _varied(table: Table) -> list[str]:
    """Fusions of which the table has variants, or heads for whole videos."""
    models = [predicted.name.model for predicted in table.methods]
    return sorted({model.fusion for model in models if model and _varies(model)})


def _varies(model: TrainedModel) -> bool:
    return bool(model.variant) or model.video_head


def _without(table: Table, predicted: Predicted) -> list[Predicted]:
    """The model that a method is a variant or a head of."""
    mine = predicted.name
    if mine.model is None or not _varies(mine.model):
        return []
    wanted = mine._replace(method=mine.model.fusion, modalities=mine.model.base_modalities, model=None)
    plain = [other for other in table.methods if other.name.model and not _varies(other.name.model)]
    return [other for other in plain if other.name._replace(model=None) == wanted]


def _references(table: Table, predicted: Predicted, name: str) -> list[Predicted]:
    mine = predicted.name
    if name in _varied(table):
        return _without(table, predicted) if mine.model and mine.model.fusion == name else []
    if mine.method == name or (mine.method in CONTROLS and name not in CONTROLS):
        return []
    found = [other for other in table.methods if other.name.method == name]
    if name not in CONTROLS:
        found = [other for other in found if other.name.model_set == mine.model_set]
    alike = [other for other in found if other.name.modalities == mine.modalities]
    return alike or found


def _row(paired: Paired, predicted: Predicted, reference: Predicted, metric: str) -> Row:
    item = common_items(predicted, reference)
    gap = paired.values(predicted, item)[metric] - paired.values(reference, item)[metric]
    difference, low, high = interval(gap)
    score, own = _own_gap(paired, predicted, reference, metric)
    row = {
        **method_row(paired.table, predicted),
        "reference": reference.name.method,
        "reference_modalities": reference.name.modalities,
        "metric": metric,
        "difference": difference,
        "low": low,
        "high": high,
        "p_bootstrap": bootstrap_p(gap),
        "p_holm": None,
        "participants": int(np.isin(paired.people, paired.table.truth.participant[item]).sum()),
        "own_score": score,
        "n_participants": len(own),
        "shift": shift(own),
        "p_wilcoxon": wilcoxon_p(own),
        "p_wilcoxon_holm": None,
        "methods_in_family": 0,
    }
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}


def _own_gap(paired: Paired, predicted: Predicted, reference: Predicted, metric: str) -> tuple[str | None, Array]:
    """What is compared of each participant, and the differences of those who have it with both, float64 [n]."""
    item = common_items(predicted, reference)
    if paired.table.level != "video":
        gap = paired.own(predicted, item)[metric] - paired.own(reference, item)[metric]
        return metric, gap[np.isfinite(gap)]
    if metric != "AVGF1":
        return None, np.zeros(0)
    mine, theirs = paired.sample(predicted, item), paired.sample(reference, item)
    right = [((s.probability > 0.5) == (s.label > 0)).astype(np.float64) for s in (mine, theirs)]
    size = np.bincount(mine.participant, minlength=mine.participants)
    total = np.bincount(mine.participant, right[0] - right[1], minlength=mine.participants)
    return "accuracy", total[size > 0] / size[size > 0]


def bootstrap_p(differences: Array) -> float:
    """Two-sided p of a paired bootstrap.

    Args:
        differences: float64 [R + 1], the difference itself first; undefined resamples are left out.

    Returns:
        ``2 min(k + 1) / (R + 1)``, at most 1, k the resamples at or below 0, or at or above; nan where the
        difference is undefined or was not drawn again.
    """
    known = differences[1:][np.isfinite(differences[1:])]
    if not len(known) or not np.isfinite(differences[0]):
        return float("nan")
    least = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    return float(min(1.0, 2 * (least + 1) / (len(known) + 1)))


def wilcoxon_p(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where nobody differs, nan of nobody.

    Zeros by Pratt's rule; exact up to 50 people without zeros and ties, else by the normal approximation.
    """
    if not len(differences):
        return float("nan")
    # sums of counts differ in the last bits: what is equal must tie
    rounded = np.round(differences, 12)
    if not rounded.any():
        return 1.0
    exact = len(rounded) <= _EXACT and np.all(rounded) and len(np.unique(np.abs(rounded))) == len(rounded)
    # left to itself, scipy permutes small samples with ties, a second each
    return float(stats.wilcoxon(rounded, zero_method="pratt", method="exact" if exact else "asymptotic").pvalue)


def shift(differences: Array) -> float:
    """Hodges-Lehmann shift: median of the means of all pairs of differences, each with itself among them."""
    if not len(differences):
        return float("nan")
    first, second = np.triu_indices(len(differences))
    return float(np.median((differences[first] + differences[second]) / 2))


def holm(p: Array) -> Array:
    """Step-down correction of Holm (1979) of p-values float64 [m]; controls the chance of any false claim."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _correct(rows: Sequence[Row]) -> None:
    """Fill in what the families of one reference decide, metric by metric."""
    for plain, corrected in (("p_bootstrap", "p_holm"), ("p_wilcoxon", "p_wilcoxon_holm")):
        families: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row["method"] not in CONTROLS and row[plain] is not None:
                families[row["metric"]].append(row)
        for family in families.values():
            for row, p in zip(family, holm(np.array([row[plain] for row in family])), strict=True):
                row[corrected] = float(p)
                if plain == "p_bootstrap":
                    row["methods_in_family"] = len(family)
