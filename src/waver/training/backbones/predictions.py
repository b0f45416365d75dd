"""What a backbone that was trained on frames with and without A/H says of frames itself, without their context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.assets.manifest import installed
from waver.errors import WaverError
from waver.io.predictions import frames_of, prediction_table
from waver.io.tables import write_arrow
from waver.models.backbones.checkpoint import linear_classes, read_trained, weights_file
from waver.training.corpus import VideoSample, read_corpus

Floats = npt.NDArray[np.float32]


def predict_frames(indexes: Sequence[Path], packs: Path, model: Path, output: Path, record: Mapping[str, Any]) -> None:
    """Predict the frames of val and test (rule ``train_backbone_frames``; both papers' tables, "without context").

    The packs hold the backbone's features, so that its last layer alone is left to compute: the result is that of the
    whole network on the middle crops.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        model: ``asset.json`` of the backbone, which the packs' features are of.
        output: PREDICTIONS table to write, at frame level.
        record: metadata of the table: method, modalities, seed, model_set, config, code.

    Raises:
        WaverError: the backbone was not trained on frames, or the features are of another size.
    """
    path = weights_file(installed(model))
    trained = read_trained(path)
    if trained is None or trained.task != "ah":
        raise WaverError(f"{path} was not trained on frames with and without A/H; add ah to backbone.stages")
    weight, bias = (values.numpy() for values in linear_classes(path))
    videos = read_corpus(indexes, packs, "V", ["val", "test"])
    sizes = {video.features["visual"].shape[1] for video in videos} - {0, weight.shape[1]}
    if sizes:
        raise WaverError(
            f"{path} makes features of {weight.shape[1]} values, and the packs in {packs} hold {sizes.pop()}; "
            "delete their indexes and run again"
        )
    margins = [frame_margins(video, weight[1] - weight[0], float(bias[1] - bias[0])) for video in videos]
    items = [(video.video, video.participant, video.split) for video in videos]
    lengths = [video.frames for video in videos]
    table = prediction_table(items, np.concatenate([np.zeros(0), *margins]), lengths, frames_of(lengths))
    write_arrow(output, table, {**record, "level": "frame", "protocol": "standard"})


def frame_margins(video: VideoSample, direction: Floats, offset: float) -> npt.NDArray[np.float64]:
    """Logit of A/H minus logit of none of each frame, float64 [T].

    A frame without a face has that of the nearest one with a face; without any face it is 0, which is what training
    on as many frames with A/H as without expects of a frame that nothing is known of.

    Args:
        video: with ``visual`` features [T, D], as stored.
        direction: float32 [D], the classes' weights of A/H minus those of none.
        offset: the same of their biases.
    """
    seen = np.flatnonzero(video.valid["visual"])
    if not len(seen):
        return np.zeros(video.frames)
    known = video.features["visual"][seen].astype(np.float64) @ direction.astype(np.float64) + offset
    return known[nearest(seen, video.frames)]


def nearest(places: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Of each of 0 to ``count`` - 1, the nearest of the ascending ``places``, int64 [count]; of two the earlier."""
    after = np.minimum(np.searchsorted(places, np.arange(count)), len(places) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(places[before] - np.arange(count)) <= np.abs(places[after] - np.arange(count))
    result: npt.NDArray[np.int64] = np.where(closer, before, after)
    return result
