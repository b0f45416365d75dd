"""Is a method better than a reference? Paired over the participants, corrected for the number of comparisons.

Two questions, two tests. Whether the score of all items together differs: participants are resampled for both at once,
and the two-sided p is ``2 min(P(d <= 0), P(d >= 0))``, each share of R resamples as ``(k + 1) / (R + 1)``, at most 1;
the more methods are compared, the more resamples are drawn. Whether single people are predicted better: Wilcoxon's
signed-rank test over the participants' own scores, zero differences kept by Pratt's rule. A person's own score is the
same metric over their frames, at frame and at participant level, for everybody with a positive frame. At video level a
person has seven videos at most, often of one class, and F1 or a ranking of them says little; there it is the share of
correctly classified videos, in the row of the AVGF1 because both are about decisions at .5. Log loss would have no
ties, but it compares how probabilities are calibrated, and a class-balanced model loses by it whatever it decides.

A variant of a model (``lfan.w24``) is also compared with the model without it (``lfan``), on the same modalities but
for those that the variant adds. Holm's correction goes over all methods of one table (level, split, protocol) compared
with one reference in one metric. Controls are compared too, but no claim is made about them: they are in no family.
Each row also has the least corrected p that its number of people, methods and resamples allows: where that is above the
level, no difference can be found, and the absence of one means nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import interval
from waver.evaluation.control_names import CONTROLS, REFERENCE
from waver.evaluation.method_tables import METHOD_FIELDS, Table, method_row
from waver.evaluation.paired_resamples import Key, Paired, Values, common_items, key_of
from waver.evaluation.predictions import Predicted
from waver.evaluation.significance import (
    LEVEL,
    Tails,
    holm,
    least_bootstrap_p,
    least_wilcoxon_p,
    resamples_needed,
    shift,
    wilcoxon_p,
)
from waver.evaluation.small_groups import people_behind, without_few
from waver.io.zarr_store import Array
from waver.registry import ADAPTATIONS, UNADAPTED
from waver.training.trained_model import TrainedModel

REFERENCES = (REFERENCE, *UNADAPTED)
"""Methods that the others are compared with by default; all but the first are in tables of adaptation only."""

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
        pa.field("p_holm", pa.float64(), True, {"meaning": "p_bootstrap after Holm, least_p_holm or more"}),
        pa.field("participants", pa.int32(), False, {"meaning": "participants with items of both"}),
        pa.field("own_score", pa.string(), True, {"meaning": "what Wilcoxon's test compares of each participant"}),
        pa.field("n_participants", pa.int32(), False, {"meaning": "participants in Wilcoxon's test"}),
        pa.field("improved", pa.int32(), True, {"meaning": "of these, those whose own score is higher than with it"}),
        pa.field("shift", pa.float64(), True, {"meaning": "Hodges-Lehmann shift of the participants' own scores"}),
        pa.field("p_wilcoxon", pa.float64(), True, {"meaning": "two-sided p of Wilcoxon's signed-rank test"}),
        pa.field("p_wilcoxon_holm", pa.float64(), True, {"meaning": "p_wilcoxon after Holm; null for controls"}),
        pa.field("methods_in_family", pa.int32(), False, {"meaning": "p_bootstrap corrected together; 0 for controls"}),
        pa.field("methods_in_wilcoxon_family", pa.int32(), False, {"meaning": "p_wilcoxon corrected together, or 0"}),
        pa.field("resamples", pa.int32(), False, {"meaning": "resamples of p_bootstrap, the undefined left out"}),
        pa.field("least_p_holm", pa.float64(), True, {"meaning": "least p_holm that people and resamples allow"}),
        pa.field("least_p_wilcoxon_holm", pa.float64(), True, {"meaning": "least p_wilcoxon_holm that people allow"}),
    ]
)

_SMALL = 2 * LEVEL
"""By few resamples, a p that belongs below LEVEL may lie so far above it."""

Row = dict[str, Any]


@dataclass
class _Pair:
    """A method compared with a reference in one metric.

    Attributes:
        item: items of both.
        drawn: resamples so far, undefined ones included.
        needed: resamples that its family needs; 0 where it is in none.
        tails: counts of the resampled differences.
        behind: people whose items the difference is made of.
        row: of COMPARISONS.
    """

    predicted: Predicted
    reference: Predicted
    metric: str
    item: Array
    drawn: int
    needed: int = 0
    tails: Tails = field(default_factory=Tails)
    behind: int = 0
    row: Row = field(default_factory=dict)

    @property
    def sides(self) -> tuple[Predicted, Predicted]:
        return self.predicted, self.reference


def comparison_rows(
    table: Table, references: Sequence[str], config: EvaluateConfig, paired: Paired | None = None
) -> Iterator[Row]:
    """Rows of COMPARISONS for every method of a table against every reference that it holds.

    Of several references of one name, the one with the method's modalities is taken, else all of them. What was adapted
    is compared with the same network as it was, and with no other.

    Args:
        table: methods scored side by side.
        references: names of methods; those not in the table are ignored. Models with variants are references too.
        config: resamples, seed and least size of a group, as for the scores.
        paired: values of the table where others share them.
    """
    paired = paired or Paired(table, config)
    held = [_pairs(paired, name) for name in (*references, *_varied(table))]
    for family in (family for pairs in held for family in _families(pairs, "p_bootstrap")):
        for pair in family:
            pair.needed = resamples_needed(len(family), pair.drawn)
            pair.row["methods_in_family"] = len(family)
    _draw_further(paired, [pair for pairs in held for pair in pairs])
    for pairs in held:
        _correct(pairs)
        yield from (without_few(pair.row, pair.behind, config.least_group) for pair in pairs)


def _pairs(paired: Paired, name: str) -> list[_Pair]:
    """Every method against the references of a name, in every metric, with the result of the first resamples."""
    found = [
        _Pair(predicted, reference, metric, common_items(predicted, reference), len(paired.weights) - 1)
        for predicted in paired.table.methods
        for reference in _references(paired.table, predicted, name)
        for metric in COMPARED
    ]
    for pair in found:
        _compare(paired, pair)
    return found


def _varied(table: Table) -> list[str]:
    """Fusions of which the table has variants, or video-level heads."""
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
    if name in UNADAPTED and mine.method in ADAPTATIONS and ADAPTATIONS[mine.method].baseline != name:
        return []
    found = [other for other in table.methods if other.name.method == name]
    if name not in CONTROLS:
        found = [other for other in found if other.name.model_set == mine.model_set]
        found = [other for other in found if other.name.network == mine.network]
    alike = [other for other in found if other.name.modalities == mine.modalities]
    return alike or found


def _compare(paired: Paired, pair: _Pair) -> None:
    """Fill in the columns that do not depend on other comparisons."""
    mine, theirs = (paired.values(side, pair.item)[pair.metric] for side in pair.sides)
    difference, low, high = interval(mine - theirs)
    if math.isfinite(difference):
        pair.tails = Tails.of((mine - theirs)[1:])
    score, own = _own_gap(paired, pair)
    sides = [people_behind(paired, side, pair.item, [pair.metric])[pair.metric] for side in pair.sides]
    pair.behind = min(map(len, sides))
    row = {
        **method_row(paired.table, pair.predicted),
        "reference": pair.reference.name.method,
        "reference_modalities": pair.reference.name.modalities,
        "metric": pair.metric,
        "difference": difference,
        "low": low,
        "high": high,
        "p_bootstrap": pair.tails.p,
        "p_holm": None,
        "participants": int(np.isin(paired.people, paired.table.truth.participant[pair.item]).sum()),
        "own_score": score,
        "n_participants": len(own),
        "improved": int((own > 0).sum()),
        "shift": shift(own),
        "p_wilcoxon": wilcoxon_p(own),
        "p_wilcoxon_holm": None,
        "methods_in_family": 0,
        "methods_in_wilcoxon_family": 0,
        "resamples": pair.tails.known,
        "least_p_holm": None,
        "least_p_wilcoxon_holm": None,
    }
    pair.row = {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}


def _own_gap(paired: Paired, pair: _Pair) -> tuple[str | None, Array]:
    """What is compared of each participant, and the differences of those who have it with both, float64 [n]."""
    if paired.table.level != "video":
        own = [paired.own(side, pair.item)[pair.metric] for side in pair.sides]
        gap = own[0] - own[1]
        return pair.metric, gap[np.isfinite(gap)]
    if pair.metric != "AVGF1":
        return None, np.zeros(0)
    mine, theirs = (paired.sample(side, pair.item) for side in pair.sides)
    right = [((s.probability > 0.5) == (s.label > 0)).astype(np.float64) for s in (mine, theirs)]
    size = np.bincount(mine.participant, minlength=mine.participants)
    total = np.bincount(mine.participant, right[0] - right[1], minlength=mine.participants)
    return "accuracy", total[size > 0] / size[size > 0]


def _families(pairs: Sequence[_Pair], column: str) -> list[list[_Pair]]:
    """The comparisons of one reference that have a p in a column, metric by metric."""
    families: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.predicted.name.method not in CONTROLS and pair.row[column] is not None:
            families[pair.metric].append(pair)
    return list(families.values())


def _draw_further(paired: Paired, pairs: Sequence[_Pair]) -> None:
    """Draw more resamples, as many as the families need, for the differences whose p is small by the first ones.

    No correction brings the others below LEVEL. The second step does not raise the chance of a false claim: the p of
    all resamples decides, and that is a valid p by itself.
    """
    further = paired.further_weights()
    waiting = [pair for pair in pairs if pair.tails.p < _SMALL]
    while waiting := [pair for pair in waiting if pair.drawn < pair.needed]:
        values = _further_values(paired, waiting, next(further))
        for pair in waiting:
            mine, theirs = (values[key_of(side, pair.item)][pair.metric] for side in pair.sides)
            gap = (mine - theirs)[: pair.needed - pair.drawn]
            pair.tails, pair.drawn = pair.tails + Tails.of(gap), pair.drawn + len(gap)
            pair.row |= {"p_bootstrap": pair.tails.p, "resamples": pair.tails.known}


def _further_values(paired: Paired, pairs: Sequence[_Pair], weights: Array) -> dict[Key, Values]:
    """The scores that some comparisons need in further resamples, each computed once."""
    sides = {key_of(side, pair.item): (side, pair.item) for pair in pairs for side in pair.sides}
    wanted: dict[Key, set[str]] = defaultdict(set)
    for pair in pairs:
        for side in pair.sides:
            wanted[key_of(side, pair.item)].add(pair.metric)
    return {key: paired.further_values(*side, weights, wanted[key]) for key, side in sides.items()}


def _correct(pairs: Sequence[_Pair]) -> None:
    """Fill in the columns that depend on the families of one reference: corrected p, and the least possible p."""
    for family in _families(pairs, "p_bootstrap"):
        # a difference that needed no more resamples might have had them
        least = [least_bootstrap_p(p.tails.known * p.needed / p.drawn, people_of(p.row)) for p in family]
        _fill(family, "p_bootstrap", "p_holm", least)
    for family in _families(pairs, "p_wilcoxon"):
        least = [least_wilcoxon_p(pair.row["n_participants"]) for pair in family]
        for pair in family:
            pair.row["methods_in_wilcoxon_family"] = len(family)
        _fill(family, "p_wilcoxon", "p_wilcoxon_holm", least)


def _fill(family: Sequence[_Pair], plain: str, corrected: str, least: Sequence[float]) -> None:
    bounds = holm(np.array(least))
    found = np.maximum(holm(np.array([pair.row[plain] for pair in family])), bounds)
    for pair, p, bound in zip(family, found, bounds, strict=True):
        pair.row |= {corrected: float(p), f"least_{corrected}": float(bound)}


def people_of(row: Row) -> int:
    """Participants whose scores a difference is made of: at participant level, those who have a score."""
    return int(row["n_participants"] if row["level"] == "participant" else row["participants"])
