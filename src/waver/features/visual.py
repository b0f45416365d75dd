"""Frozen visual features of aligned faces, and the expression that the backbone sees in them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.assets.manifest import installed
from waver.config.sections import VisualConfig
from waver.device import threads, torch_device
from waver.models.backbones.mini_xception import INPUT_SIDE, MiniXception, load_mini_xception
from waver.store.arrays import StoreWriter, open_store
from waver.store.shards import Row, run_shard, store_path
from waver.store.tables import FEATURE_INDEX, read_table

_BACKBONES = {"mini_xception": load_mini_xception}
_CROP = (20 / 256, 40 / 256, 216 / 256)
"""Left, top and side of the part of an aligned face that FER2013's pictures show, as shares of its
side: from above the eyebrows to the chin, ear to ear."""


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

    A store holds ``feature`` float32 [T, D], ``expression`` float32 [T, 7] (class probabilities, order
    of ``mini_xception.EXPRESSIONS``) and ``valid`` bool [T] (of the faces). Videos that the faces set
    aside do not appear.

    Args:
        faces_index: the shard's index of faces (FEATURE_INDEX).
        faces_stores: folder of the face stores.
        model: ``asset.json`` of the installed backbone.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: backbone and batch.
        code: fingerprint of the code.

    Raises:
        WaverError: the weights do not fit the backbone, a GPU was asked for and there is none, or every
            video failed unexpectedly.
    """
    cv2.setNumThreads(threads())
    torch.set_num_threads(threads())
    record = installed(model)
    device = torch_device()
    # depthwise convolutions run 2.5 times as fast on a CPU with the channels last
    network = _BACKBONES[config.backbone](record).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows = [{**row, "checksum": row["key"]} for row in read_table(faces_index, FEATURE_INDEX) if row["status"] == "ok"]
    compute = partial(_visual_of, faces_stores=faces_stores, network=network, device=device, batch=config.batch)
    made_from = {"thing": "visual", "config": config.model_dump(), "code": code, "model": record.key}
    run_shard(rows, stores, index, made_from, compute)


def _visual_of(
    row: Row, writer: StoreWriter, faces_stores: Path, network: MiniXception, device: torch.device, batch: int
) -> tuple[int, str]:
    faces = open_store(store_path(faces_stores, row))
    images, valid = faces["image"], np.asarray(faces["valid"][:])
    features, expressions = [], []
    with torch.inference_mode():
        for start in range(0, len(valid), batch):
            grey = network_input(np.asarray(images[start : start + batch]))
            feature, expression = network(grey.to(device, memory_format=torch.channels_last))
            features.append(feature.float().cpu().numpy())
            expressions.append(expression.float().cpu().numpy())
    writer.put("feature", np.concatenate(features))
    writer.put("expression", np.concatenate(expressions))
    writer.put("valid", valid)
    return len(valid), f"backbone=mini_xception on {device.type}; {row['note']}"


def network_input(faces: npt.NDArray[np.uint8]) -> Tensor:
    """Aligned faces uint8 [B, S, S, 3] RGB as float32 [B, 1, 64, 64] grey, -1 black to 1 white."""
    side = faces.shape[1]
    left, top, crop = (round(share * side) for share in _CROP)
    grey = np.empty((len(faces), INPUT_SIDE, INPUT_SIDE), np.float32)
    for number, face in enumerate(faces):
        part = cv2.cvtColor(face[top : top + crop, left : left + crop], cv2.COLOR_RGB2GRAY)
        grey[number] = cv2.resize(part, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(grey / 127.5 - 1)[:, None]
