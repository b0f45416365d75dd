"""The content-free control on the frames that methods of personalisation are scored on, participant by participant."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from waver.errors import WaverError
from waver.evaluation import metrics
from waver.evaluation.control_names import CROSS_VALIDATED, REFERENCE, STANDARD
from waver.evaluation.labels import frame_truth
from waver.evaluation.predictions import read_predictions
from waver.report.data import Material

log = logging.getLogger(__name__)

_SCORES = {
    "AVGF1": metrics.avgf1,
    "F1": metrics.f1,
    "WF1": metrics.wf1,
    "AP_paper": metrics.average_precision_paper,
}


def control_of_people(material: Material, protocol: str, split: str) -> dict[str, dict[str, float]]:
    """Participant -> metric -> score; empty where the control or the packs are not at hand.

    Args:
        material: inputs of the report.
        protocol: how a participant's frames were split; T_te is that of the first method, as it is the same for all.
        split: test, val, or cv for participants of train and val.
    """
    adapted = [
        (path, about) for path, about in zip(material.inputs.adapted, material.adapted, strict=True)
        if about["protocol"] == protocol and "not_applicable" not in about
    ]  # fmt: skip
    wanted = CROSS_VALIDATED if split == "cv" else STANDARD
    control = [path for path, about in material.predictions.items() if _is_control(about, wanted)]
    if not adapted or not control:
        return {}
    names = ("method", "modalities", "network", "seed")
    first = [path for path, about in adapted if all(about.get(name) == adapted[0][1].get(name) for name in names)]
    try:
        return _scores(material, [*control, *first], ["train", "val"] if split == "cv" else [split])
    except WaverError as problem:
        log.warning("single participants lack the content-free control: %s", problem)
        return {}


def _is_control(about: dict[str, object], protocol: str) -> bool:
    return (about.get("method"), about.get("level"), about.get("protocol")) == (REFERENCE, "frame", protocol)


def _scores(material: Material, paths: list[Path], splits: list[str]) -> dict[str, dict[str, float]]:
    truth = frame_truth(material.inputs.pack_indexes, material.inputs.packs, splits)
    read = read_predictions(paths, {"frame": truth})
    control = next(one for one in read if one.name.method == REFERENCE)
    scored = next(one for one in read if one.name.method != REFERENCE).item
    item, places, _ = np.intersect1d(control.item, scored, assume_unique=True, return_indices=True)
    label, probability = truth.label[item], control.probability[places]
    found = {}
    for number in np.unique(truth.participant[item]):
        own = truth.participant[item] == number
        if own.sum() == (truth.participant[scored] == number).sum() and len(np.unique(label[own])) == 2:
            of = {name: score(probability[own], label[own]) for name, score in _SCORES.items()}
            found[str(truth.people[number])] = of
    return found
