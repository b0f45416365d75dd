"""Second stage of the visual backbone: frames with and without A/H (2026 paper, training details)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waver.config.backbone import FramesStage
from waver.training.backbones.face_frames import FaceTables, contents, face_videos, read_frames
from waver.training.backbones.image_cache import LabelledImages
from waver.training.backbones.stage import Row, Stage, Start, train_stage
from waver.training.backbones.tasks import TASKS


def train_backbone(tables: FaceTables, config: FramesStage, start: Start, outputs: Mapping[str, Path]) -> None:
    """Fit a backbone to frames with and without A/H (rule ``train_backbone``); nothing of test is read.

    Args:
        tables: faces and labels of all shards.
        config: recipe.
        start: network, weights and seed.
        outputs: files to write: ``record`` (the weights lie beside it) and ``history`` (JSON lines).

    Raises:
        WaverError: the initial weights do not fit, or train or val has no frame with A/H.
    """
    videos = face_videos(tables)
    stage = Stage(TASKS["ah"], config, start, contents(videos), outputs)

    def read() -> tuple[dict[str, LabelledImages], list[Row]]:
        return read_frames(videos, config.every, stage.size, stage.pixels, stage.pixels_key, start.memory_bytes), []

    train_stage(stage, read)
