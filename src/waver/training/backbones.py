"""Train the visual backbone: on basic emotions, then on frames of the data set (2026 paper, training details).

What is trained becomes a record like that of an installed model, whose key is the content of the weights: features
are made anew exactly when the weights change.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from waver.assets.manifest import Installed, installed
from waver.config.backbone import EmotionsStage, FramesStage, ImageRecipe
from waver.data.aside import aside
from waver.data.emotions import PICTURES, Picture, read_emotions
from waver.device import threads
from waver.errors import WaverError, is_machine_trouble
from waver.features.face_pixels import Pixels, small_face
from waver.models.backbones.classified import Classified
from waver.models.backbones.pretrained import load_backbone_weights
from waver.models.backbones.trained import Trained, archive, weights_file
from waver.models.registry import BACKBONES, load, method_config
from waver.provenance import digest, file_sha256, seed_for
from waver.store.lock import exclusive
from waver.store.tables import SET_ASIDE, write_table
from waver.training.archive import save_archive
from waver.training.face_frames import PARTS, FaceTables, contents, face_videos, read_frames
from waver.training.image_tasks import TASKS, ImageTask
from waver.training.images import ImageJob, fit_images
from waver.training.pixels import SAY_EVERY_S, LabelledImages, forget_pixels, kept_pixels

log = logging.getLogger(__name__)

_MODEL, _DONE, _STATE, _PIXELS, _LOCK = "model.pt", "trained.json", "training.state", "pixels.npy", "training.lock"
_BLOCK = 1024
"""Pictures handed to the decoding threads at once."""
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
class _Stage:
    """One training: what decides it, and where it goes."""

    task: ImageTask
    config: ImageRecipe
    start: Start
    data: str
    outputs: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        return Path(self.outputs["record"]).parent

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
        return digest([self.data, getattr(self.config, "every", 1), self.start.code])


def train_emotions(config: EmotionsStage, start: Start, outputs: Mapping[str, Path]) -> None:
    """Fit a backbone to basic emotions (rule ``train_emotions``).

    Args:
        config: data sets and recipe.
        start: network, weights and seed.
        outputs: files to write: ``record`` (the weights lie beside it), ``history`` (JSON lines), ``pictures``
            (table PICTURES) and ``set_aside`` (SET_ASIDE).

    Raises:
        WaverError: a data set is not as its layout says, the initial weights do not fit, or a class, a part or
            a defined score is missing.
    """
    cv2.setNumThreads(1)
    pictures, rows = read_emotions(config.sets)
    said = [(picture.path, picture.emotion, picture.part) for picture in pictures]
    # a picture that was mended or copied anew is another one
    stage = _Stage(
        TASKS["emotions"], config, start, digest([said, [_size_and_time(path) for path, *_ in said]]), outputs
    )

    def read() -> tuple[dict[str, LabelledImages], list[Row]]:
        return _decoded(pictures, stage)

    rows += _train(stage, read)
    table = [{"path": path, "emotion": emotion, "part": part} for path, emotion, part in said]
    write_table(outputs["pictures"], table, PICTURES)
    write_table(outputs["set_aside"], rows, SET_ASIDE)


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


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
    stage = _Stage(TASKS["ah"], config, start, contents(videos), outputs)

    def read() -> tuple[dict[str, LabelledImages], list[Row]]:
        return read_frames(videos, config.every, stage.folder / _PIXELS, stage.pixels_key, start.memory_bytes), []

    _train(stage, read)


def _train(stage: _Stage, read: Callable[[], tuple[dict[str, LabelledImages], list[Row]]]) -> list[Row]:
    """Train unless it is done, write record and history; rows of what could not be decoded."""
    with exclusive(stage.folder / _LOCK):
        done = _finished(stage)
        if done is None:
            parts, rows = read()
            _check(parts, stage.task)
            done = _fitted(stage, parts) | {"set_aside": rows}
            (stage.folder / _DONE).write_text(json.dumps(done))
            (stage.folder / _STATE).unlink(missing_ok=True)
            forget_pixels(stage.folder / _PIXELS)
        else:
            log.info("%s is made of the same pictures, weights and recipe: it is kept", stage.folder / _MODEL)
        history = "".join(json.dumps(record) + "\n" for record in done["history"])
        Path(stage.outputs["history"]).write_text(history)
        Path(stage.outputs["record"]).write_text(_record(stage, done["sha256"]).model_dump_json(indent=2) + "\n")
    return list(done["set_aside"])


def _finished(stage: _Stage) -> dict[str, Any] | None:
    """What an earlier job of the same key left, if its weights are still what they were."""
    try:
        done: dict[str, Any] = json.loads((stage.folder / _DONE).read_text())
        same = done["made_from"] == stage.key and done["sha256"] == file_sha256(stage.folder / _MODEL)
    except (OSError, ValueError, KeyError):
        return None
    return done if same else None


def _fitted(stage: _Stage, parts: dict[str, LabelledImages]) -> dict[str, Any]:
    network, new = initial_network(stage.task, stage.start)
    log.info("%d parameters, %d of them new", *(sum(p.numel() for p in each) for each in (network.parameters(), new)))
    history = Path(stage.outputs["history"])
    job = ImageJob(stage.config, stage.start.seed, stage.key, history, stage.folder / _STATE)
    progress = fit_images(network, new, parts, stage.task, job)
    about = Trained(stage.start.backbone, stage.task.name, stage.task.classes)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_archive(stage.folder / _MODEL, archive(about, network.backbone.config.model_dump(), state))
    sha256 = file_sha256(stage.folder / _MODEL)
    return {"made_from": stage.key, "sha256": sha256, "epoch": progress.best_epoch, "history": progress.history}


def initial_network(task: ImageTask, start: Start) -> tuple[Classified, list[nn.Parameter]]:
    """The network before its first epoch, and its parameters that begin at random.

    Raises:
        WaverError: the weights are not the backbone's.
    """
    torch.manual_seed(seed_for("backbone", task.name, start.seed, "weights"))
    backbone = load(BACKBONES, start.backbone)(method_config(BACKBONES, start.backbone, start.options))
    network = Classified(backbone, len(task.classes))
    if start.initial is None:
        log.warning("no weights are given for %s: all of it begins at random", start.backbone)
        return network, list(network.head_parameters())
    left = load_backbone_weights(backbone, weights_file(installed(start.initial)))
    random = [parameter for name, parameter in backbone.named_parameters() if name.startswith(left)]
    return network, [*network.head.parameters(), *random]


def _record(stage: _Stage, sha256: str) -> Installed:
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


# pictures of emotions -------------------------------------------------------------------------------
def _decoded(pictures: Sequence[Picture], stage: _Stage) -> tuple[dict[str, LabelledImages], list[Row]]:
    def decode(pixels: Pixels) -> dict[int, str]:
        reasons: list[str] = []
        begun = said = time.perf_counter()
        with ThreadPoolExecutor(threads()) as workers:
            for first in range(0, len(pictures), _BLOCK):
                block = pictures[first : first + _BLOCK]
                reasons += workers.map(_decode_one, (picture.path for picture in block), pixels[first : first + _BLOCK])
                if time.perf_counter() - said > SAY_EVERY_S:
                    said = time.perf_counter()
                    left_min = (said - begun) / len(reasons) * (len(pictures) - len(reasons)) / 60
                    log.info("%d of %d pictures decoded, %.1f min left", len(reasons), len(pictures), left_min)
        return {row: reason for row, reason in enumerate(reasons) if reason}

    file, key, memory = stage.folder / _PIXELS, stage.pixels_key, stage.start.memory_bytes
    pixels, unusable = kept_pixels(file, len(pictures), key, memory, decode)
    rows = [_unusable(pictures[row].path, reason) for row, reason in unusable.items()]
    if rows:
        log.warning(
            "%d pictures are set aside, the first of them: %s %s", len(rows), rows[0]["item"], rows[0]["reason"]
        )
    parts = {}
    for part in PARTS:
        own = [row for row, picture in enumerate(pictures) if picture.part == part and row not in unusable]
        label = np.array([pictures[row].emotion for row in own], np.int64)
        parts[part] = LabelledImages(pixels, np.array(own, np.int64), label)
    return parts, rows


def _decode_one(path: str, place: Pixels) -> str:
    """Put a picture into its place; why it cannot be, or nothing."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        if is_machine_trouble(error):
            raise
        return f"cannot be opened ({error.strerror})"
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        return "is no picture that can be decoded"
    place[:] = small_face(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8))
    return ""


def _unusable(path: str, reason: str) -> Row:
    return {**aside(path, reason, "copy it again, or take it out of the list", path=path), "stage": "train"}
