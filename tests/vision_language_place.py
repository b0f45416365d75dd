"""A data set of faces with a tiny CLIP: stores and packs, as the jobs leave them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthetic import write_packs
from tiny_clip import write_clip
from waver.adaptation.vision_language.targets import FrameStores
from waver.config.sections import VisionLanguageConfig
from waver.features.embeddings import extract_embeddings, extract_views
from waver.io.shard_job import run_shard
from waver.io.tables import PACK_INDEX, VIDEOS, read_tables, write_table

SIDE = 32
SENTENCES = (("a calm face", "at rest", "sure of it"), ("a torn face", "looks away", "unsure"))
SMALL = VisionLanguageConfig(template="a {} face", words=("calm", "torn"), prompts=SENTENCES, views=4)
PEOPLE = {"train": 1, "test": 2}


@dataclass(frozen=True)
class Place:
    """Files of one data set."""

    folder: Path
    packs: list[Path]
    model: Path
    stores: FrameStores

    @property
    def pack_folder(self) -> Path:
        return self.folder / "align/packs"


def clip_record(folder: Path) -> Path:
    """Record of a tiny CLIP, as models_install writes it."""
    write_clip(folder / "clip", side=SIDE, width=64)
    record = {"name": "path.clip", "role": "clip", "set": "path", "title": "clip", "licence": "", "files": {}}
    (folder / "asset.json").write_text(json.dumps({**record, "folder": str(folder / "clip")}))
    return folder / "asset.json"


def write_videos(path: Path, rows: list[dict]) -> Path:
    """A VIDEOS table of these ids and splits, all else made up."""
    plain = {field.name: {"bool": False, "string": ""}.get(str(field.type), 1) for field in VIDEOS}
    write_table(
        path, [{**plain, **{name: row[name] for name in ("video", "participant", "split")}} for row in rows], VIDEOS
    )
    return path


def make_place(folder: Path, frames: int = 40) -> Place:
    """A participant of train and two of test, of two videos each, in two shards; one video has no face."""
    packs, _ = write_packs(folder / "align", PEOPLE, questions=2, frames=frames)
    model = clip_record(folder)
    rows = read_tables(packs, PACK_INDEX)
    without = max(row["video"] for row in rows)

    def faces(row, writer):
        draw = np.random.default_rng(int(row["participant"]) * 10 + row["question"])
        # a face of each state, and noise
        shown = draw.integers(0, 256, (2, SIDE, SIDE, 3))[np.arange(row["frames"]) // 24 % 2]
        noise = draw.integers(-40, 40, (row["frames"], SIDE, SIDE, 3))
        writer.images("image", row["frames"], SIDE, 95)[:] = (shown + noise).clip(0, 255).astype(np.uint8)
        writer.put("valid", np.ones(row["frames"], bool))
        return row["frames"], ""

    given = [{**row, "checksum": row["video"]} for row in rows if row["video"] != without]
    index = folder / "faces/000.parquet"
    run_shard(given, folder / "faces/stores", index, {}, faces)
    found = [folder / feature / "000.parquet" for feature in ("embeddings", "views")]
    stores = [path.with_name("stores") for path in found]
    extract_embeddings(index, folder / "faces/stores", model, stores[0], found[0], 64, "")
    videos = write_videos(folder / "videos.parquet", rows)
    extract_views(index, folder / "faces/stores", videos, "test", model, stores[1], found[1], SMALL, "")
    return Place(folder, packs, model, FrameStores([found[0]], [found[1]], [index]))
