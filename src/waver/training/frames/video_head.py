"""Video-level predictions of a fusion that has a head for whole videos beside its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from waver.device import torch_device
from waver.errors import WaverError
from waver.io.predictions import answer_table
from waver.io.tables import write_arrow
from waver.models.base import FusionModel
from waver.training.corpus import VideoSample, read_corpus, thinned
from waver.training.frames.checkpoint import Checkpoint, build_model, load_checkpoint
from waver.training.frames.windows import Window, collate


def predict_video_head(
    indexes: Sequence[Path], packs: Path, model: Path, output: Path, record: Mapping[str, Any]
) -> None:
    """Write what the head says of the videos of val and test.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        model: ``model.pt`` of a fusion that ``has_video_head`` (``waver.models.fusion.conflict.model``).
        output: PREDICTIONS table to write, at video level.
        record: metadata of the table: method, modalities, seed, model_set, config, code.

    Raises:
        WaverError: the model was trained without such a head.
    """
    checkpoint = load_checkpoint(model)
    network = build_model(checkpoint).to(torch_device())
    if not network.has_video_head:
        raise WaverError(f"{model} has no head for whole videos; train it with video_head: true")
    videos = read_corpus(indexes, packs, checkpoint.modalities, ["val", "test"])
    margin = np.array([video_head_margin(network, video, checkpoint) for video in videos], np.float64)
    write_arrow(output, answer_table(videos, margin), {**record, "level": "video", "protocol": "standard"})


@torch.inference_mode()
def video_head_margin(network: FusionModel, video: VideoSample, checkpoint: Checkpoint) -> float:
    """Logit of A/H anywhere in a video as read, from all of it in one pass."""
    seen = checkpoint.normalisation.apply(thinned(video, checkpoint.stride))
    batch = collate([seen], [Window(0, 0, seen.frames)]).to(next(network.parameters()).device)
    return float(network.video_margin(batch.streams, batch.mask))
