"""First stage of the visual backbone: basic emotions of pictures of faces (2026 paper, training details)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from waver.config.backbone import EmotionsStage
from waver.datasets.emotions.readers import PICTURES, Picture, read_emotions
from waver.datasets.exclusions import exclusion_row
from waver.device import threads
from waver.errors import is_machine_trouble
from waver.features.faces.crops import Pixels, small_face
from waver.io.tables import SET_ASIDE, write_table
from waver.models.backbones.base import FaceSize
from waver.provenance import digest
from waver.training.backbones.image_cache import PARTS, LabelledImages, kept_pixels
from waver.training.backbones.stage import Row, Stage, Start, train_stage
from waver.training.backbones.tasks import TASKS
from waver.training.trainer import LOG_EVERY_S

log = logging.getLogger(__name__)

_BLOCK = 1024
"""Pictures handed to the decoding threads at once."""


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
    rows_of = [(picture.path, picture.emotion, picture.part) for picture in pictures]
    # a picture that was mended or copied anew is another one
    data = digest([rows_of, [_size_and_time(path) for path, *_ in rows_of]])
    stage = Stage(TASKS["emotions"], config, start, data, outputs)

    def read() -> tuple[dict[str, LabelledImages], list[Row]]:
        return _decoded(pictures, stage)

    rows += train_stage(stage, read)
    table = [{"path": path, "emotion": emotion, "part": part} for path, emotion, part in rows_of]
    write_table(outputs["pictures"], table, PICTURES)
    write_table(outputs["set_aside"], rows, SET_ASIDE)


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _decoded(pictures: Sequence[Picture], stage: Stage) -> tuple[dict[str, LabelledImages], list[Row]]:
    def decode(pixels: Pixels) -> dict[int, str]:
        reasons: list[str] = []
        begun = logged = time.perf_counter()
        with ThreadPoolExecutor(threads()) as workers:
            for first in range(0, len(pictures), _BLOCK):
                block = pictures[first : first + _BLOCK]
                paths = (picture.path for picture in block)
                reasons += workers.map(_decode_one, paths, pixels[first : first + _BLOCK], repeat(stage.size))
                if time.perf_counter() - logged > LOG_EVERY_S:
                    logged = time.perf_counter()
                    left_min = (logged - begun) / len(reasons) * (len(pictures) - len(reasons)) / 60
                    log.info("%d of %d pictures decoded, %.1f min left", len(reasons), len(pictures), left_min)
        return {row: reason for row, reason in enumerate(reasons) if reason}

    key, memory = stage.pixels_key, stage.start.memory_bytes
    pixels, unusable = kept_pixels(stage.pixels, len(pictures), stage.size.side, key, memory, decode)
    rows = [_unusable(pictures[row].path, reason) for row, reason in unusable.items()]
    if rows:
        log.warning("%d pictures are excluded, the first of them: %s %s", len(rows), rows[0]["item"], rows[0]["reason"])
    parts = {}
    for part in PARTS:
        own = [row for row, picture in enumerate(pictures) if picture.part == part and row not in unusable]
        label = np.array([pictures[row].emotion for row in own], np.int64)
        parts[part] = LabelledImages(pixels, np.array(own, np.int64), label)
    return parts, rows


def _decode_one(path: str, place: Pixels, size: FaceSize) -> str:
    """Put a picture into its place; why it cannot be, or nothing."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        if is_machine_trouble(error):
            raise
        return f"cannot be opened ({error.strerror})"
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error:  # more pixels than OPENCV_IO_MAX_IMAGE_PIXELS
        picture = None
    if picture is None:
        return "is no picture that can be decoded"
    place[:] = small_face(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), size)
    return ""


def _unusable(path: str, reason: str) -> Row:
    return {**exclusion_row(path, reason, "copy it again, or take it out of the list", path=path), "stage": "train"}
