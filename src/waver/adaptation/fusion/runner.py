"""The loop over target participants for methods that adapt a trained fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from waver.adaptation.fusion.network import load_fusion
from waver.adaptation.fusion.windows import Layout, fusion_view
from waver.adaptation.networks import adapt_network, not_applicable
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import build_adapter, read_targets
from waver.adaptation.source_model import Source
from waver.errors import WaverError
from waver.training.frames.checkpoint import Checkpoint
from waver.training.frames.windows import in_steps


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
    only: Sequence[str] | None = None,
) -> None:
    """Adapt a trained fusion to each target participant of the indexes alone, see ``networks.adapt_network``.

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
        only: participants who are adapted to; None: all of the split.

    Raises:
        WaverError: the fusion cannot be read or adapted, or has other modalities, or values are not finite.
    """
    checkpoint, network = load_fusion(model)
    if checkpoint.modalities != modalities:
        raise WaverError(f"{model} was trained on {checkpoint.modalities}, not on {modalities}; train it again")
    adapter = build_adapter(method, options)
    adapt_network(
        adapter,
        network,
        not_applicable(adapter.needs, network),
        partial(read_targets, indexes, packs, [Source(network, modalities, checkpoint.normalisation)], (targets,)),
        lambda: None,
        partial(fusion_view, layout=layout_of(checkpoint, protocol)),
        protocol,
        guard,
        predictions,
        {**record, "method": method, "modalities": modalities, "seed": seed},
        only,
    )


def layout_of(checkpoint: Checkpoint, protocol: str) -> Layout:
    """Windows of the length and stride of the fusion's training; see ``waver.adaptation.fusion.windows``."""
    return Layout(in_steps(checkpoint).window_steps, checkpoint.stride, protocol == "frame_random")
