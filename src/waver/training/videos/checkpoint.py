"""Video-level models as files, and how one is built from its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from waver.assets.manifest import installed
from waver.models.base import VideoModel
from waver.models.weights import load_weights
from waver.models.with_question import WithQuestion
from waver.records import imported, load, method_config
from waver.registry import VIDEO_MODELS
from waver.training.checkpoint import load_model, save_model
from waver.training.corpus import Normalisation

FORMAT = 1


@dataclass(frozen=True)
class VideoCheckpoint:
    """A trained video-level model and all that is needed to apply it to new videos.

    Attributes:
        model: name in the registry.
        modalities: letters.
        options: the method's whole config.
        normalisation: of features, fitted to its training videos; None of a model of pixels alone.
        state: the network's parameters and buffers; empty of a model that is applied as it is.
        step_frames: frames averaged to one step.
        record: what made it: seed, epoch, scores, config, code, model_set.
    """

    model: str
    modalities: str
    options: dict[str, Any]
    normalisation: Normalisation | None
    state: dict[str, Tensor]
    step_frames: int
    record: dict[str, Any] = field(default_factory=dict)


def new_video_model(
    name: str, options: Mapping[str, Any], sizes: Mapping[str, int] | None, weights: Mapping[str, Path]
) -> VideoModel:
    """A network as it is before it learns.

    Args:
        name: in the registry.
        options: keys of its own config.
        sizes: of its streams, where it takes features; of the question alone, where faces are seen with it.
        weights: role -> ``asset.json``, of what it is built on and of what it begins with, its own name; without
            that it begins at random.

    Raises:
        WaverError: an option is wrong, or the weights are not the network's.
    """
    method, config = load(VIDEO_MODELS, name), method_config(VIDEO_MODELS, name, options)
    record = VIDEO_MODELS[name]
    model: VideoModel
    if record.inputs == "features":
        model = method(dict(sizes or {}), config)
    elif record.asset:
        model = method(config, Path(installed(weights[record.asset]).folder))
    else:
        model = method(config)
    if name in weights:
        file = installed(weights[name]).file()
        if record.loader:
            imported(record.loader)(model, file)
        else:
            load_weights(model, file, name)
    if record.inputs == "faces" and sizes:
        return WithQuestion(model, sizes["question"])
    return model


def save_video_checkpoint(path: Path, checkpoint: VideoCheckpoint) -> None:
    """Write a checkpoint, atomically."""
    save_model(path, checkpoint, FORMAT)


def load_video_checkpoint(path: Path) -> VideoCheckpoint:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        WaverError: the file is not a checkpoint of this version.
    """
    restore = {"normalisation": Normalisation.from_state}
    return load_model(path, VideoCheckpoint, FORMAT, "video-level model", **restore)


def build_video_model(checkpoint: VideoCheckpoint, weights: Mapping[str, Path]) -> VideoModel:
    """The trained network on the CPU, in evaluation mode; ``weights`` as in training.

    A trained model needs of these only what it is built on.
    """
    normalisation = checkpoint.normalisation
    own = {role: path for role, path in weights.items() if role != checkpoint.model or not checkpoint.state}
    sizes = None if normalisation is None else normalisation.sizes
    model = new_video_model(checkpoint.model, checkpoint.options, sizes, own)
    if checkpoint.state:
        model.load_state_dict(checkpoint.state)
    return model.eval()
