"""What both stages of the visual backbone's training have in common (2026 paper, training details).

What is trained becomes a record like that of an installed model, whose key is the content of the weights: features
are made anew exactly when the weights change.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from waver.assets.manifest import Installed, installed
from waver.config.backbone import FramesStage, ImageRecipe
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.io.lock import exclusive
from waver.models.backbones.base import Classified, FaceSize
from waver.models.backbones.checkpoint import Trained, archive, check_options, weights_file
from waver.models.backbones.pretrained import load_backbone_weights
from waver.provenance import digest, file_sha256, seed_for
from waver.records import load, method_config
from waver.registry import BACKBONES
from waver.training.backbones.image_cache import PARTS, LabelledImages, forget_pixels
from waver.training.backbones.tasks import ImageTask
from waver.training.backbones.training import ImageTraining
from waver.training.checkpoint import save_archive, write_history
from waver.training.trainer import Job, train

log = logging.getLogger(__name__)

_MODEL, _DONE, _STATE, _PIXELS, _LOCK = "model.pt", "trained.json", "training.state", "pixels.npy", "training.lock"
Row = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """What a stage begins with.

    Attributes:
        backbone: name in the registry.
        options: keys of its own config.
        initial: ``asset.json`` of the weights to begin with; None: at random.
        seed: decides everything drawn.
        memory_bytes: most that pictures may take in memory; beyond that they are mapped from a file.
        code: fingerprint of the code.
    """

    backbone: str
    options: Mapping[str, Any]
    initial: Path | None
    seed: int
    memory_bytes: int
    code: str


@dataclass(frozen=True)
class Stage:
    """One training: what decides it, and where it goes.

    Attributes:
        task: what is learned.
        config: recipe.
        start: network, weights and seed.
        data: fingerprint of the pictures and their labels.
        outputs: files to write: ``record`` (the weights lie beside it) and ``history`` (JSON lines).
    """

    task: ImageTask
    config: ImageRecipe
    start: Start
    data: str
    outputs: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        return Path(self.outputs["record"]).parent

    @property
    def size(self) -> FaceSize:
        """To which pictures are brought for the network."""
        size: FaceSize = load(BACKBONES, self.start.backbone).INPUT
        return size

    @property
    def pixels(self) -> Path:
        """Where decoded pictures are kept if they are too many for the memory."""
        return self.folder / _PIXELS

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that decides the weights."""
        start, recipe = self.start, self.config.model_dump(exclude={"sets"})
        initial = installed(start.initial).key if start.initial else None
        network = [start.backbone, start.options, initial, start.seed, start.code, torch.__version__]
        return digest([self.data, self.task.name, recipe, *network])

    @property
    def pixels_key(self) -> str:
        """Fingerprint of what the decoded pictures are made from; another recipe finds them as they are."""
        every = self.config.every if isinstance(self.config, FramesStage) else 1
        return digest([self.data, every, self.start.code])


def train_stage(stage: Stage, read: Callable[[], tuple[dict[str, LabelledImages], list[Row]]]) -> list[Row]:
    """Train unless it is done, and write record and history.

    Args:
        stage: the training.
        read: decodes the pictures of train and val; called only where something is to be trained.

    Returns:
        Rows of SET_ASIDE: pictures that could not be decoded.

    Raises:
        WaverError: the initial weights do not fit, or a class, a part or a defined score is missing.
    """
    with exclusive(stage.folder / _LOCK):
        done = _finished(stage)
        if done is None:
            parts, rows = read()
            _check(parts, stage.task)
            done = _fitted(stage, parts) | {"set_aside": rows}
            with atomic_write(stage.folder / _DONE) as file:
                file.write_text(json.dumps(done))
            (stage.folder / _STATE).unlink(missing_ok=True)
            forget_pixels(stage.pixels)
        else:
            log.info("%s is made of the same pictures, weights and recipe: it is kept", stage.folder / _MODEL)
        write_history(Path(stage.outputs["history"]), done["history"])
        with atomic_write(stage.outputs["record"]) as file:
            file.write_text(_record(stage, done["sha256"]).model_dump_json(indent=2) + "\n")
    return list(done["set_aside"])


def _finished(stage: Stage) -> dict[str, Any] | None:
    """What an earlier job of the same key left, if its weights are still what they were."""
    try:
        done: dict[str, Any] = json.loads((stage.folder / _DONE).read_text())
        same = done["made_from"] == stage.key and done["sha256"] == file_sha256(stage.folder / _MODEL)
    except (OSError, ValueError, KeyError):
        return None
    return done if same else None


def _fitted(stage: Stage, parts: dict[str, LabelledImages]) -> dict[str, Any]:
    network, new = initial_network(stage.task, stage.start)
    log.info("%d parameters, %d of them new", *(sum(p.numel() for p in each) for each in (network.parameters(), new)))
    history = Path(stage.outputs["history"])
    job = Job(stage.config, stage.start.seed, stage.key, history, stage.folder / _STATE)
    progress = train(ImageTraining(network, new, parts, stage.task, job.config, job.seed), job)
    about = Trained(stage.start.backbone, stage.task.name, stage.task.classes)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_archive(stage.folder / _MODEL, archive(about, network.backbone.config.model_dump(), state))
    sha256 = file_sha256(stage.folder / _MODEL)
    return {"made_from": stage.key, "sha256": sha256, "epoch": progress.best_epoch, "history": progress.history}


def initial_network(task: ImageTask, start: Start) -> tuple[Classified, list[nn.Parameter]]:
    """The network before its first epoch, and its parameters that begin at random.

    Raises:
        WaverError: the weights are not the backbone's, or were trained with other options.
    """
    torch.manual_seed(seed_for("backbone", task.name, start.seed, "weights"))
    backbone = load(BACKBONES, start.backbone)(method_config(BACKBONES, start.backbone, start.options))
    network = Classified(backbone, len(task.classes))
    if start.initial is None:
        log.warning("no weights are given for %s: all of it begins at random", start.backbone)
        return network, list(network.head_parameters())
    path = weights_file(installed(start.initial))
    check_options(path, start.backbone, backbone.config)
    left = load_backbone_weights(backbone, path)
    random = [parameter for name, parameter in backbone.named_parameters() if name.startswith(left)]
    return network, [*network.head.parameters(), *random]


def _record(stage: Stage, sha256: str) -> Installed:
    what = {"emotions": "basic emotions", "ah": "frames with and without A/H"}[stage.task.name]
    return Installed(
        name=f"trained.{stage.task.name}.{stage.start.backbone}",
        role="expression_backbone",
        set="trained",
        title=f"{stage.start.backbone}, trained here on {what}",
        licence="as its training data and initial weights",
        folder=str(stage.folder),
        files={_MODEL: sha256},
    )


def _check(parts: Mapping[str, LabelledImages], task: ImageTask) -> None:
    for part in PARTS:
        counts = np.bincount(parts[part].label, minlength=len(task.classes))
        log.info("%s: %s", part, ", ".join(f"{n} {name}" for n, name in zip(counts, task.classes, strict=True)))
        if len(parts[part]) < 2:
            raise WaverError(f"backbone.{task.name}: {part} has {len(parts[part])} pictures with a label; see the log")
        if part == "train" and (counts == 0).any():
            missing = task.classes[int(np.flatnonzero(counts == 0)[0])]
            raise WaverError(
                f"backbone.{task.name}: train has no picture of {missing}; see the log for what was left out"
            )
