"""What CLIP's image tower makes of faces: once, for all methods that do not change the tower.

``embeddings`` are features before the projection, of all frames; ``views`` are embeddings of several views of each
frame, of the participants who are adapted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from waver.assets.manifest import installed
from waver.config.sections import VisionLanguageConfig
from waver.device import threads, torch_device
from waver.io.shard_job import Compute, Row, run_shard, store_path
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table
from waver.io.zarr_store import StoreWriter, open_store
from waver.models.vision_language.encoder import VisionLanguageEncoder, load_vision_language
from waver.models.vision_language.views import views_of
from waver.provenance import seed_for


def extract_embeddings(
    faces_index: Path, faces_stores: Path, model: Path, stores: Path, index: Path, batch: int, code: str
) -> None:
    """Make the stores of embeddings of one shard (rule ``features_embeddings``).

    A store holds ``pre`` float32 [T, Du], features before the projection, and ``valid`` bool [T] (of the faces).

    Args:
        faces_index: the shard's index of faces (FEATURE_INDEX).
        faces_stores: folder of the face stores.
        model: ``asset.json`` of the installed CLIP.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        batch: pictures of a forward pass.
        code: fingerprint of the code.

    Raises:
        WaverError: the model is no CLIP checkpoint, a GPU is requested and none is available, or every video failed
            unexpectedly.
    """

    def compute(encoder: VisionLanguageEncoder) -> Compute:
        return partial(_embeddings_of, faces_stores=faces_stores, encoder=encoder, batch=batch)

    _extract("embeddings", _rows(faces_index), model, stores, index, {"code": code}, compute)


def extract_views(
    faces_index: Path,
    faces_stores: Path,
    videos: Path,
    split: str,
    model: Path,
    stores: Path,
    index: Path,
    config: VisionLanguageConfig,
    code: str,
) -> None:
    """Make the stores of views of one shard (rule ``features_views``).

    A store holds ``views`` float16 [T, V, D], embeddings of length 1 of V views of each frame, see
    ``waver.models.vision_language.views``; the crops of a frame depend on the video's id and the frame's number alone.

    Args:
        faces_index: the shard's index of faces (FEATURE_INDEX).
        faces_stores: folder of the face stores.
        videos: the shard's VIDEOS table.
        split: whose participants are adapted to; other videos have no views.
        model: ``asset.json`` of the installed CLIP.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: views and batch.
        code: fingerprint of the code.

    Raises:
        WaverError: as ``extract_embeddings``.
    """
    chosen = {row["video"] for row in read_table(videos, VIDEOS) if row["split"] == split}
    rows = [row for row in _rows(faces_index) if row["video"] in chosen]

    def compute(encoder: VisionLanguageEncoder) -> Compute:
        return partial(_views_of, faces_stores=faces_stores, encoder=encoder, config=config)

    made_from = {"code": code, "views": config.views, "least_area": config.least_area}
    _extract("views", rows, model, stores, index, made_from, compute)


def _rows(faces_index: Path) -> list[Row]:
    return [{**row, "checksum": row["key"]} for row in read_table(faces_index, FEATURE_INDEX) if row["status"] == "ok"]


def _extract(
    feature: str,
    rows: Sequence[Row],
    model: Path,
    stores: Path,
    index: Path,
    made_from: dict[str, Any],
    compute: Callable[[VisionLanguageEncoder], Compute],
) -> None:
    torch.set_num_threads(threads())
    record = installed(model)
    encoder = load_vision_language(Path(record.folder), torch_device())
    run_shard(rows, stores, index, {"feature": feature, "model": record.key, **made_from}, compute(encoder))


@torch.inference_mode()
def _embeddings_of(
    row: Row, writer: StoreWriter, faces_stores: Path, encoder: VisionLanguageEncoder, batch: int
) -> tuple[int, str]:
    faces = open_store(store_path(faces_stores, row))
    valid = np.asarray(faces["valid"][:])
    found = [
        encoder.see(encoder.resized(torch.from_numpy(np.asarray(faces["image"][start : start + batch])))).pre.cpu()
        for start in range(0, len(valid), batch)
    ]
    writer.put("pre", torch.cat([torch.zeros(0, encoder.image_width), *found]).numpy())
    writer.put("valid", valid)
    return len(valid), f"CLIP on {encoder.device.type}; {row['note']}"


@torch.inference_mode()
def _views_of(
    row: Row, writer: StoreWriter, faces_stores: Path, encoder: VisionLanguageEncoder, config: VisionLanguageConfig
) -> tuple[int, str]:
    images = open_store(store_path(faces_stores, row))["image"]
    frames, at_once = int(images.shape[0]), max(1, config.batch // config.views)
    found = []
    for start in range(0, frames, at_once):
        pictures = torch.from_numpy(np.asarray(images[start : start + at_once]))
        seeds = [view_seed(row["video"], start + number) for number in range(len(pictures))]
        views = views_of(encoder, pictures, seeds, config.views, config.least_area)
        found.append(_embedded(encoder, views, config.batch))
    empty = torch.zeros(0, config.views, encoder.width, dtype=torch.float16)
    writer.put("views", torch.cat([empty, *found]).numpy())
    return frames, f"{config.views} views by CLIP on {encoder.device.type}; {row['note']}"


def _embedded(encoder: VisionLanguageEncoder, views: Tensor, batch: int) -> Tensor:
    """Embeddings float16 [B, V, D] of length 1."""
    parts = torch.split(views.flatten(0, 1), batch)
    found = torch.cat([encoder.see(part).pre @ encoder.image_projection for part in parts])
    return functional.normalize(found, dim=-1).half().cpu().reshape(*views.shape[:2], -1)


def view_seed(video: str, frame: int) -> int:
    """Seed of the crops of a frame on the 24 fps clock."""
    return seed_for("views", video, frame)
