"""The loop over target participants for methods that adapt a network of faces."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from waver.adaptation.base import Needs
from waver.adaptation.faces.network import FaceNetwork, load_backbone, load_clip_tower
from waver.adaptation.faces.pictures import PictureReader, face_view, read_face_targets, read_source_pictures
from waver.adaptation.methods.tta.norms import has_batch_norm
from waver.adaptation.participants import Person, Result, adapt_each
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import adapt_one, build_adapter
from waver.config.sections import AdaptedFaces, VisionLanguageConfig
from waver.device import threads

log = logging.getLogger(__name__)


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
) -> None:
    """Adapt a network of faces to each target participant alone, and predict that participant's T_te.

    Population, split, predictions and ``<predictions>.diagnostics.jsonl`` are those of
    ``waver.adaptation.runner.adapt_targets``; before adaptation means the network as it was. Where the method can do
    nothing within the scope, there are no predictions, and their metadata says why (``not_applicable``).

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

    Raises:
        WaverError: the network cannot be read, has no layers for ``lora``, or values are not finite.
    """
    torch.set_num_threads(threads())
    network = _network(files.model, backbone, row, words)
    adapter = build_adapter(method, row.options.get(method, {}))
    own = {"method": method, "modalities": "V", "seed": seed}
    reason = not_applicable(adapter.needs, network)
    if reason:
        log.warning("%s does nothing to %s: %s", method, record["network"], reason)
        own["not_applicable"] = reason
    prepare, source = network.encoder.prepare, None
    if adapter.needs.source and not reason:
        source = read_source_pictures(files.source_packs, files.packs, files.source_faces, prepare, row.source_pictures)
    view_of = partial(face_view, pictures=PictureReader(files.faces, prepare, network.encoder.side))

    def adapt(people: Sequence[Person]) -> Iterator[Result]:
        for target, split, own_seed in people:
            yield adapt_one(adapter, network, target, split, source, own_seed, view_of)

    found = [] if reason else read_face_targets(files.targets, files.packs, targets)
    adapt_each(found, adapt, protocol, guard, predictions, {**record, **own})


def _network(model: Path, backbone: Backbone, row: AdaptedFaces, words: VisionLanguageConfig) -> FaceNetwork:
    if row.network == "clip":
        return load_clip_tower(model, words, row.scope, row.rank, row.layers)
    return load_backbone(model, backbone.name, backbone.options, row.scope, row.rank, row.layers)


def not_applicable(needs: Needs, network: FaceNetwork) -> str:
    """Why a method can do nothing to a network; empty where it can."""
    if needs.batch_norm and not has_batch_norm(network):
        return "the network has no batch norm"
    if (needs.norms or needs.batch_norm) and network.scope != "full":
        return f"the scope {network.scope} leaves the normalisation layers as they are"
    if needs.body and not any(parameter.requires_grad for parameter in network.body()):
        return "the scope leaves nothing but the last layer, which the method keeps"
    return ""
