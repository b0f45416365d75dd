"""Frozen visual features of aligned faces, and the expression that the backbone recognises.

The input of ``mini_xception`` is a grey face of 64 pixels; that of every backbone of ``waver.registry`` is the
centre crop of a face in colour, in the size of the backbone: 112 of 124 pixels for the papers' (2026 paper, training
details). The statistics of normalisation layers are frozen too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from waver.assets.manifest import Installed, installed
from waver.config.sections import VisualConfig
from waver.device import autocast, threads, torch_device
from waver.errors import WaverError
from waver.features.faces.crops import central_input, small_face
from waver.io.shard_job import Row, run_shard, store_path
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import StoreWriter, open_store
from waver.models.backbones.base import Classified, FaceSize
from waver.models.backbones.checkpoint import check_options, load_head, read_trained, weights_file
from waver.models.backbones.mini_xception import EXPRESSIONS, INPUT_SIDE, load_mini_xception
from waver.models.backbones.pretrained import load_backbone_weights
from waver.models.freeze import freeze
from waver.records import load, method_config
from waver.registry import BACKBONES

_CROP = (20 / 256, 40 / 256, 216 / 256)
"""Left, top and side of the part of an aligned face that FER2013's pictures show, as shares of its
side: from above the eyebrows to the chin, ear to ear."""

Pixels = npt.NDArray[np.uint8]
Outputs = tuple[Tensor, Tensor | None]
"""Features float32 [B, D], and class probabilities float32 [B, K] of a network with emotion classes."""


@dataclass(frozen=True)
class FrozenBackbone:
    """A frozen network with its preprocessing: aligned faces in, features and expressions out.

    Attributes:
        name: of the backbone.
        expressions: names of its emotion classes; empty where it has none.
        device: where it runs.
        prepare: faces uint8 [B, S, S, 3] -> input of the network.
        forward: the network.
        precision: of its arithmetic, fp32 or bf16.
    """

    name: str
    expressions: tuple[str, ...]
    device: torch.device
    prepare: Callable[[Pixels], Tensor]
    forward: Callable[[Tensor], Outputs]
    precision: str = "fp32"

    def __call__(self, faces: Pixels) -> Outputs:
        """Features and expressions of aligned faces uint8 [B, S, S, 3], RGB."""
        batch = self.prepare(faces).to(self.device, memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(self.device, self.precision):
            feature, expression = self.forward(batch)
        return feature.float().cpu(), None if expression is None else expression.float().cpu()


def extract_visual(
    faces_index: Path,
    faces_stores: Path,
    model: Path,
    stores: Path,
    index: Path,
    config: VisualConfig,
    code: str,
) -> None:
    """Make the visual stores of one shard (rule ``features_visual``).

    A store holds ``feature`` float32 [T, D] and ``valid`` bool [T] (of the faces); for a backbone with emotion
    classes also ``expression`` float32 [T, K], their probabilities, named in the attribute ``expressions``. Videos
    that were excluded by the faces do not appear.

    Args:
        faces_index: the shard's index of faces (FEATURE_INDEX).
        faces_stores: folder of the face stores.
        model: ``asset.json`` of the installed or trained backbone.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: backbone and batch.
        code: fingerprint of the code.

    Raises:
        WaverError: the weights do not fit the backbone, a GPU is requested and none is available, or every
            video failed unexpectedly.
    """
    cv2.setNumThreads(threads())
    torch.set_num_threads(threads())
    record = installed(model)
    network = load_frozen_backbone(config, record)
    rows = [{**row, "checksum": row["key"]} for row in read_table(faces_index, FEATURE_INDEX) if row["status"] == "ok"]
    compute = partial(_visual_of, faces_stores=faces_stores, network=network, batch=config.batch)
    made_from = {"feature": "visual", "config": config.model_dump(), "code": code, "model": record.key}
    run_shard(rows, stores, index, made_from, compute)


def _visual_of(
    row: Row, writer: StoreWriter, faces_stores: Path, network: FrozenBackbone, batch: int
) -> tuple[int, str]:
    faces = open_store(store_path(faces_stores, row))
    images, valid = faces["image"], np.asarray(faces["valid"][:])
    made: dict[str, npt.NDArray[np.float32]] = {}
    for start in range(0, len(valid), batch):
        outputs = network(np.asarray(images[start : start + batch]))
        for name, values in zip(("feature", "expression"), outputs, strict=True):
            if values is None:
                continue
            if name not in made:
                made[name] = np.empty((len(valid), values.shape[1]), np.float32)
            made[name][start : start + batch] = values.numpy()
    for name, whole in made.items():
        writer.put(name, whole)
    if network.expressions:
        writer.attributes.update(expressions=list(network.expressions))
    writer.put("valid", valid)
    return len(valid), f"backbone={network.name} on {network.device.type}; {row['note']}"


def load_frozen_backbone(config: VisualConfig, record: Installed) -> FrozenBackbone:
    """The backbone that the config names, with its weights.

    Raises:
        WaverError: the weights are not those of this backbone.
    """
    device = torch_device()
    if config.backbone == "mini_xception":
        known = _placed(load_mini_xception(record), device)
        return FrozenBackbone(config.backbone, EXPRESSIONS, device, network_input, known, config.precision)
    path = weights_file(record)
    backbone = _weighted(config, path)
    prepare = partial(colour_input, size=backbone.INPUT)
    trained = read_trained(path)
    if trained is None or trained.task != "emotions":
        _placed(freeze(backbone), device)
        return FrozenBackbone(
            config.backbone, (), device, prepare, lambda batch: (backbone(batch), None), config.precision
        )
    network = Classified(backbone, len(trained.classes))
    load_head(network, path)
    _placed(freeze(network), device)

    def forward(batch: Tensor) -> Outputs:
        feature = backbone(batch)
        return feature, network.head(feature).float().softmax(1)

    return FrozenBackbone(config.backbone, trained.classes, device, prepare, forward, config.precision)


def _weighted(config: VisualConfig, path: Path) -> Any:
    """The registered backbone with the weights of a file.

    Raises:
        WaverError: they are not those of this backbone, were trained with other options, or lack the layer before the
            feature.
    """
    name = config.backbone
    backbone = load(BACKBONES, name)(method_config(BACKBONES, name, config.options))
    check_options(path, name, backbone.config)
    left = load_backbone_weights(backbone, path)
    if left not in ((), ("reduction.",)):
        parts = ", ".join(part.rstrip(".") for part in left)
        raise WaverError(f"{path} holds {name} without {parts}; train it (backbone.stages), or give all of its weights")
    if left:
        size = next(backbone.reduction.parameters()).shape[0]
        raise WaverError(
            f"{path} holds {name} without the layer from {size} to {backbone.config.size} values; train it "
            f"(backbone.stages), or use the {size} values: features.visual.options {{size: {size}}}"
        )
    return backbone


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    # convolutions run fastest with the channels last; depthwise ones on a CPU 2.5 times as fast
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def colour_input(faces: Pixels, size: FaceSize) -> Tensor:
    """Aligned faces uint8 [B, S, S, 3] RGB as float32 [B, 3, crop, crop], -1 black to 1 white."""
    return central_input(torch.from_numpy(np.stack([small_face(face, size) for face in faces])), size)


def network_input(faces: Pixels) -> Tensor:
    """Aligned faces uint8 [B, S, S, 3] RGB as float32 [B, 1, 64, 64] grey, -1 black to 1 white."""
    side = faces.shape[1]
    left, top, crop = (round(share * side) for share in _CROP)
    grey = np.empty((len(faces), INPUT_SIDE, INPUT_SIDE), np.float32)
    for number, face in enumerate(faces):
        part = cv2.cvtColor(face[top : top + crop, left : left + crop], cv2.COLOR_RGB2GRAY)
        grey[number] = cv2.resize(part, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(grey / 127.5 - 1)[:, None]
