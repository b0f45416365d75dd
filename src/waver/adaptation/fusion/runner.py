"""The loop over target participants for methods that adapt a trained fusion."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from waver.adaptation.base import Needs
from waver.adaptation.fusion.network import FusionNetwork, load_fusion
from waver.adaptation.fusion.windows import Layout, fusion_view
from waver.adaptation.methods.tta.norms import has_batch_norm
from waver.adaptation.participants import Person, Result, adapt_each
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import adapt_one, build_adapter, read_targets
from waver.adaptation.source_model import Source
from waver.errors import WaverError
from waver.training.frames.checkpoint import Checkpoint
from waver.training.frames.windows import in_steps

log = logging.getLogger(__name__)


def adapt_fusion(
    indexes: Sequence[Path],
    packs: Path,
    model: Path,
    modalities: str,
    method: str,
    protocol: str,
    guard: Guard,
    seed: int,
    targets: str,
    options: Mapping[str, Any],
    predictions: Path,
    record: Mapping[str, Any],
) -> None:
    """Adapt a trained fusion to each target participant of the indexes alone, and predict that participant's T_te.

    Population, split, predictions and ``<predictions>.diagnostics.jsonl`` are those of
    ``waver.adaptation.runner.adapt_targets``; before adaptation means the fusion as it was trained. Where the method
    can do nothing to it, there are no predictions, and their metadata says why (``not_applicable``).

    Args:
        indexes: index tables of the packs whose participants of the split ``targets`` are the targets.
        packs: folder of the packs.
        model: ``model.pt`` of the fusion.
        modalities: letters of its input.
        method: name in ADAPTATIONS of a method for fusions.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        seed: of the method; the split does not depend on it.
        targets: split whose participants are adapted to.
        options: of the method.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions, with the name of the fusion under ``network``; method, modalities, level,
            protocol, seed and guard are set here.

    Raises:
        WaverError: the fusion cannot be read or adapted, or has other modalities, or values are not finite.
    """
    checkpoint, network = load_fusion(model)
    if checkpoint.modalities != modalities:
        raise WaverError(f"{model} was trained on {checkpoint.modalities}, not on {modalities}; train it again")
    adapter = build_adapter(method, options)
    own = {"method": method, "modalities": modalities, "seed": seed}
    reason = not_applicable(adapter.needs, network)
    if reason:
        log.warning("%s does nothing to %s: %s", method, checkpoint.fusion, reason)
        own["not_applicable"] = reason
    view_of = partial(fusion_view, layout=layout_of(checkpoint, protocol))

    def adapt(people: Sequence[Person]) -> Iterator[Result]:
        for target, split, own_seed in people:
            yield adapt_one(adapter, network, target, split, None, own_seed, view_of)

    source = Source(network, modalities, checkpoint.normalisation)
    found = [] if reason else read_targets(indexes, packs, [source], (targets,))
    adapt_each(found, adapt, protocol, guard, predictions, {**record, **own})


def layout_of(checkpoint: Checkpoint, protocol: str) -> Layout:
    """Windows of the length and stride of the fusion's training; see ``waver.adaptation.fusion.windows``."""
    return Layout(in_steps(checkpoint).window_steps, checkpoint.stride, protocol == "frame_random")


def not_applicable(needs: Needs, network: FusionNetwork) -> str:
    """Why a method can do nothing to a network; empty where it can."""
    return "the network has no batch norm" if needs.batch_norm and not has_batch_norm(network) else ""
