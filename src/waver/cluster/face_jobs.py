"""What adapting networks of faces costs: pictures learned and predicted, and memory of a GPU, by arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from waver.cluster.model_jobs import Part
from waver.cluster.workload import Workload
from waver.config.adaptation import AdaptedFaces
from waver.config.model import Config
from waver.records import method_config
from waver.registry import ADAPTATIONS

_TRAIN, _TEST = 0.7, 0.2
"""Shares of a participant's frames in T_tr and T_te."""
_COPIES = 4
"""Of all parameters: the network as it was, the adapted one, its gradients and momentum."""


def face_parts(config: Config, work: Workload, rates: Mapping[str, Any]) -> Iterator[Part]:
    """The jobs of ``adapt_faces``, by network.

    Args:
        config: of the run.
        work: how much there is to do.
        rates: the table, see the head of ``rates.yaml``.
    """
    adapt, frames = config.adapt, work.frames(*config.adapt.target_splits)
    each = len(adapt.protocols) * len(adapt.seeds)
    for row in adapt.faces:
        jobs = each * len(row.scored) * config.dataset.shards
        if row.network == "clip":
            yield Part("clip", jobs, {}, missing="never measured")
            continue
        pictures = [_pictures(name, _options(config, row, name)) for name in row.scored]
        amount = {
            "job": jobs,
            "trained_picture": each * frames * sum(learned for learned, _ in pictures),
            "evaluated_picture": each * frames * sum(predicted for _, predicted in pictures),
        }
        visual = config.features.visual
        yield Part(visual.backbone, jobs, amount, bool(visual.options), note=_memory(config, row, rates))


def _options(config: Config, row: AdaptedFaces, method: str) -> Any:
    return method_config(ADAPTATIONS, method, row.options_of(method, config.adapt.options))


def _pictures(method: str, own: Any) -> tuple[float, float]:
    """Pictures learned from and predicted, for each frame of a participant."""
    record, epochs = ADAPTATIONS[method], getattr(own, "epochs", 0)
    if epochs:
        learned = epochs * _TRAIN * (2 if record.source else 1)
        # the scored frames after each epoch; labels, banks and confident frames look at T_tr once an epoch at most
        return learned, epochs * (_TEST + _TRAIN) + _TEST
    steps = getattr(own, "views", 1) * max(getattr(own, "steps", 1), 1) if hasattr(own, "lr") else 0
    return steps * _TEST, 2 * _TEST


def _memory(config: Config, row: AdaptedFaces, rates: Mapping[str, Any]) -> str:
    """What the largest step holds on the device; empty where it was never measured."""
    known = rates["picture_memory"].get(config.features.visual.backbone)
    if known is None or row.scope == "head":
        return ""
    most = 0
    for name in row.scored:
        own = _options(config, row, name)
        if hasattr(own, "lr"):
            # memo learns from all versions of a batch at once, cotta from one
            versions = own.views if name == "memo" else 1
            most = max(most, own.batch * versions * (2 if ADAPTATIONS[name].source else 1))
    gigabytes = (_COPIES * known["parameters_mb"] + most * known["picture_mb"]) / 1000
    return f"scope {row.scope} holds about {gigabytes:.1f} GB on the device: {most} pictures a step, by arithmetic"
