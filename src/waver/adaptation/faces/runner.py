"""The loop over target participants for methods that adapt a network of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from waver.adaptation.base import Needs, SourceView
from waver.adaptation.faces.network import FaceNetwork, load_backbone, load_clip_tower
from waver.adaptation.faces.pictures import PictureReader, face_view, read_face_targets, read_source_pictures
from waver.adaptation.networks import adapt_network, not_applicable
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import build_adapter
from waver.config.sections import AdaptedFaces, VisionLanguageConfig
from waver.device import threads


class FaceFiles(NamedTuple):
    """Files of the faces and their labels.

    Attributes:
        targets: index tables of the packs whose participants are the targets.
        packs: folder of the packs.
        faces: index tables of the faces of the targets.
        model: ``asset.json`` of the trained backbone, or of CLIP.
        source_packs: index tables of all packs, for methods that need source frames.
        source_faces: of all faces, for the same.
    """

    targets: Sequence[Path]
    packs: Path
    faces: Sequence[Path]
    model: Path
    source_packs: Sequence[Path] = ()
    source_faces: Sequence[Path] = ()


class Backbone(NamedTuple):
    """The visual backbone of the run: its name in the registry, and its options."""

    name: str
    options: Mapping[str, Any]


def adapt_faces(
    files: FaceFiles,
    backbone: Backbone,
    row: AdaptedFaces,
    words: VisionLanguageConfig,
    method: str,
    protocol: str,
    guard: Guard,
    seed: int,
    targets: str,
    predictions: Path,
    record: Mapping[str, Any],
    only: Sequence[str] | None = None,
) -> None:
    """Adapt a network of faces to each target participant alone, see ``networks.adapt_network``.

    Args:
        files: what is read.
        backbone: of the run; it counts where the row adapts it.
        row: network, scope and the options of the methods.
        words: the classes of CLIP.
        method: name in ADAPTATIONS of a method for faces.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        seed: of the method; the split does not depend on it.
        targets: split whose participants are adapted to.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions, with ``network``; method, modalities, level, protocol, seed and guard are
            set here.
        only: participants who are adapted to; None: all of the split.

    Raises:
        WaverError: the network cannot be read, has no layers for ``lora``, or values are not finite.
    """
    torch.set_num_threads(threads())
    network = _network(files.model, backbone, row, words)
    adapter = build_adapter(method, row.options.get(method, {}))
    prepare = network.encoder.prepare

    def source() -> SourceView | None:
        of_all = (files.source_packs, files.packs, files.source_faces)
        return read_source_pictures(*of_all, prepare, row.source_pictures) if adapter.needs.source else None

    adapt_network(
        adapter,
        network,
        out_of_scope(adapter.needs, network),
        partial(read_face_targets, files.targets, files.packs, targets),
        source,
        partial(face_view, pictures=PictureReader(files.faces, prepare, network.encoder.side)),
        protocol,
        guard,
        predictions,
        {**record, "method": method, "modalities": "V", "seed": seed},
        only,
    )


def _network(model: Path, backbone: Backbone, row: AdaptedFaces, words: VisionLanguageConfig) -> FaceNetwork:
    if row.network == "clip":
        return load_clip_tower(model, words, row.scope, row.rank, row.layers)
    return load_backbone(model, backbone.name, backbone.options, row.scope, row.rank, row.layers)


def out_of_scope(needs: Needs, network: FaceNetwork) -> str:
    """Why a method can do nothing to a network, or within its scope; empty where it can."""
    if reason := not_applicable(needs, network):
        return reason
    if (needs.norms or needs.batch_norm) and network.scope != "full":
        return f"the scope {network.scope} leaves the normalisation layers as they are"
    if needs.body and not any(parameter.requires_grad for parameter in network.body()):
        return "the scope leaves nothing but the last layer, which the method keeps"
    return ""
