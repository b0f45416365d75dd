"""Video-level models as files, and how one is built from its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from waver.assets.manifest import installed
from waver.errors import WaverError
from waver.models.asked import Asked
from waver.models.registry import VIDEO_ASSETS, VIDEO_INPUTS, VIDEO_LOADERS, VIDEO_MODELS, load, method_config
from waver.models.weights import load_weights
from waver.training.archive import load_archive, save_archive
from waver.training.corpus import Normalisation

FORMAT = 1


@dataclass(frozen=True)
class VideoCheckpoint:
    """A trained video-level model and all that is needed to apply it to new videos.

    Attributes:
        model: name in the registry.
        modalities: letters.
        options: the method's whole config.
        normalisation: of features, learnt from its training videos; None of a model of pixels alone.
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
) -> nn.Module:
    """A network as it is before it learns.

    Args:
        name: in the registry.
        options: keys of its own config.
        sizes: of its streams, where it takes features; of the question alone, where faces are seen beside it.
        weights: role -> ``asset.json``, of what it is built on and of what it begins with, its own name; without
            that it begins at random.

    Raises:
        WaverError: an option is wrong, or the weights are not the network's.
    """
    method, config = load(VIDEO_MODELS, name), method_config(VIDEO_MODELS, name, options)
    model: nn.Module
    if VIDEO_INPUTS[name] == "features":
        model = method(dict(sizes or {}), config)
    elif name in VIDEO_ASSETS:
        model = method(config, Path(installed(weights[VIDEO_ASSETS[name]]).folder))
    else:
        model = method(config)
    if name in weights:
        file = installed(weights[name]).file()
        if name in VIDEO_LOADERS:
            load(VIDEO_LOADERS, name)(model, file)
        else:
            load_weights(model, file, name)
    if VIDEO_INPUTS[name] == "faces" and sizes:
        return Asked(model, sizes["question"])
    return model


def save_video_checkpoint(path: Path, checkpoint: VideoCheckpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    parts = {name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}
    learnt = None if checkpoint.normalisation is None else checkpoint.normalisation.state()
    save_archive(path, {**parts, "normalisation": learnt, "format": FORMAT})


def load_video_checkpoint(path: Path) -> VideoCheckpoint:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        WaverError: the file is not a checkpoint of this version.
    """
    parts = load_archive(path)
    if parts is None or parts.pop("format", None) != FORMAT or "step_frames" not in parts:
        raise WaverError(f"{path} is not a video-level model of this version; train it again")
    learnt = parts["normalisation"]
    return VideoCheckpoint(**{**parts, "normalisation": None if learnt is None else Normalisation.from_state(learnt)})


def build_video_model(checkpoint: VideoCheckpoint, weights: Mapping[str, Path]) -> nn.Module:
    """The trained network on the CPU, in evaluation mode; ``weights`` as in training.

    A model that learnt needs of these only what it is built on.
    """
    learnt = checkpoint.normalisation
    own = {role: path for role, path in weights.items() if role != checkpoint.model or not checkpoint.state}
    sizes = None if learnt is None else learnt.sizes
    model = new_video_model(checkpoint.model, checkpoint.options, sizes, own)
    if checkpoint.state:
        model.load_state_dict(checkpoint.state)
    return model.eval()
