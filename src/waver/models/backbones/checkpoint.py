"""Files of backbones that Waver trained: the network with its classes, and what the classes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from waver.assets.manifest import Installed
from waver.errors import WaverError
from waver.models.backbones.base import Classified

Task = Literal["emotions", "ah"]
FORMAT = 1
_TRAINING_ALONE = frozenset({"dropout"})
"""Options that change nothing that the network computes afterwards."""


@dataclass(frozen=True)
class Trained:
    """What a file says of its network.

    Attributes:
        backbone: name in the registry.
        task: ``emotions`` (basic emotions) or ``ah`` (frames with or without A/H).
        classes: names of the classes, in the order of the output.
    """

    backbone: str
    task: Task
    classes: tuple[str, ...]


def archive(about: Trained, options: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Content of a file; equal networks give equal contents.

    Args:
        about: what the network is.
        options: its whole config.
        state: parameters and buffers of the ``Classified`` network.
    """
    known = {"backbone": about.backbone, "task": about.task, "classes": list(about.classes)}
    return {"format": FORMAT, **known, "options": dict(options), "state_dict": dict(state)}


def read_trained(path: str | Path) -> Trained | None:
    """What a file says of its network; None for weights of another origin."""
    content = _content(path)
    return None if content is None else Trained(content["backbone"], content["task"], tuple(content["classes"]))


def check_options(path: str | Path, name: str, config: Any) -> None:
    """Refuse a file of ours whose network computes something else than the one that it goes into.

    Weights of another origin do not say what they were trained with, and pass.

    Args:
        path: file of weights.
        name: of the backbone in the registry.
        config: of the network that the weights go into.

    Raises:
        WaverError: an option has another value than in training.
    """
    content = _content(path)
    if content is None or content["backbone"] != name:
        return
    # a file says nothing of options younger than itself: it is as if they had their defaults
    was, now = {**type(config)().model_dump(), **content["options"]}, config.model_dump()
    whole = any(key.startswith("backbone.reduction.") for key in content["state_dict"])
    # a file without the layer that makes the size fits any, and the layer is new
    apart = _TRAINING_ALONE if whole else _TRAINING_ALONE | {"size"}
    keys = [key for key in was if key not in apart and was[key] != now.get(key)]
    if keys:
        trained, given = (", ".join(f"{key}: {of.get(key)}" for key in keys) for of in (was, now))
        raise WaverError(
            f"{path} is {name} trained with {{{trained}}}, and the config has {{{given}}}; put {{{trained}}} into "
            "features.visual.options, or train it anew (backbone.stages) from weights of another origin"
        )


def _content(path: str | Path) -> dict[str, Any] | None:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # bytes that are no archive fail in many ways; who loads the weights tells it
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT or "task" not in content:
        return None
    return content


def load_head(network: Classified, path: str | Path) -> None:
    """Load the classes' layer of a file of ours; the body comes by ``pretrained.load_backbone_weights``."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    head = {name.removeprefix("head."): value for name, value in state.items() if name.startswith("head.")}
    network.head.load_state_dict(head)


def linear_classes(path: str | Path) -> tuple[Tensor, Tensor]:
    """Weights float32 [C, D] and biases [C] of the classes' layer of a file of ours."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    # dropout is the first part of the head
    return state["head.1.weight"].float(), state["head.1.bias"].float()


def weights_file(record: Installed) -> Path:
    """The one file of a record.

    Raises:
        WaverError: there are several, or none.
    """
    if len(record.files) != 1:
        raise WaverError(
            f"{record.title} holds {len(record.files)} files; give the one with the weights in "
            "models.paths.expression_backbone"
        )
    return record.file()
