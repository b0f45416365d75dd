"""First stage of the visual backbone: basic emotions of pictures of faces (2026 paper, training details)."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from math import prod
from pathlib import Path

import cv2
import numpy as np

from waver.config.backbone import EmotionsStage
from waver.datasets.emotions.pictures import PICTURES, Picture
from waver.datasets.emotions.readers import read_emotions
from waver.datasets.exclusions import exclusion_row
from waver.device import threads
from waver.errors import is_machine_trouble
from waver.features.faces.crops import Pixels, small_face
from waver.io.picture_head import stated_sides
from waver.io.tables import SET_ASIDE, write_table
from waver.models.backbones.base import FaceSize
from waver.provenance import digest
from waver.training.backbones.emotion_faces import ALIGNED_SIDE, FaceOf, FaceSource, face_of
from waver.training.backbones.image_cache import PARTS, LabelledImages, kept_pixels
from waver.training.backbones.stage import Row, Stage, Start, train_stage
from waver.training.backbones.tasks import TASKS
from waver.training.trainer import LOG_EVERY_S

log = logging.getLogger(__name__)

_BLOCK = 1024
"""Pictures handed to the decoding threads at once."""
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_MOST_BYTES, _MOST_PIXELS = 64 << 20, 50_000_000
"""Of a picture: a few are decoded at once, and each takes ten bytes a pixel."""


def train_emotions(
    config: EmotionsStage, start: Start, outputs: Mapping[str, Path], faces: FaceSource | None = None
) -> None:
    """Fit a backbone to basic emotions (rule ``train_emotions``).

    Args:
        config: data sets and recipe.
        start: network, weights and seed.
        outputs: files to write: ``record`` (the weights lie beside it), ``history`` (JSON lines), ``pictures``
            (table PICTURES) and ``set_aside`` (SET_ASIDE).
        faces: finds the faces that a data set does not give; None: such pictures are used as they are.

    Raises:
        WaverError: a data set is not as its layout says, the initial weights do not fit, or a class, a part or
            a defined score is missing.
    """
    cv2.setNumThreads(1)
    pictures, rows = read_emotions(config.sets)
    # a picture that was mended or copied anew is another one
    about = [(*vars(picture).values(), _size_and_time(picture.path)) for picture in pictures]
    stage = Stage(TASKS["emotions"], config, start, digest([about, faces.key if faces else None]), outputs)

    def read() -> tuple[dict[str, LabelledImages], list[Row]]:
        return _decoded(pictures, stage, faces)

    rows += train_stage(stage, read)
    table = [{"path": one.path, "emotion": one.emotion, "part": one.part} for one in pictures]
    write_table(outputs["pictures"], table, PICTURES)
    write_table(outputs["set_aside"], rows, SET_ASIDE)


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _decoded(
    pictures: Sequence[Picture], stage: Stage, faces: FaceSource | None
) -> tuple[dict[str, LabelledImages], list[Row]]:
    def decode(pixels: Pixels) -> dict[int, str]:
        reasons: list[str] = []
        sources: Counter[str] = Counter()
        face = faces.load() if faces else None
        begun = logged = time.perf_counter()
        with ThreadPoolExecutor(threads()) as workers:
            for first in range(0, len(pictures), _BLOCK):
                block = pictures[first : first + _BLOCK]
                places = pixels[first : first + _BLOCK]
                for reason, source in workers.map(_decode_one, block, places, repeat(stage.size), repeat(face)):
                    reasons.append(reason)
                    sources[source] += not reason
                if time.perf_counter() - logged > LOG_EVERY_S:
                    logged = time.perf_counter()
                    left_min = (logged - begun) / len(reasons) * (len(pictures) - len(reasons)) / 60
                    log.info("%d of %d pictures decoded, %.1f min left", len(reasons), len(pictures), left_min)
        log.info("faces: %s", ", ".join(f"{count} {source}" for source, count in sources.items() if count))
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


def _decode_one(picture: Picture, place: Pixels, size: FaceSize, face: FaceOf | None) -> tuple[str, str]:
    """Put a picture into its place; why it cannot be, or nothing, and where its face is from."""
    try:
        data = _content(picture.path)
    except OSError as error:
        if is_machine_trouble(error):
            raise
        return f"cannot be opened ({error.strerror})", ""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if _is_small(data) else None
    except cv2.error:
        decoded = None
    if decoded is None:
        return "is no picture that can be decoded", ""
    pixels = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    shown, source = face(pixels, picture) if face else face_of(pixels, picture, None, ALIGNED_SIDE)
    place[:] = small_face(shown, size)
    return "", source


def _content(path: str) -> bytes:
    """Bytes of a picture; none of a pipe, a device, or what is too large to be one."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        return b""
    return Path(path).read_bytes()


def _is_small(data: bytes) -> bool:
    """Whether a picture says that it has no more pixels than may be."""
    sides = stated_sides(data, _FORMATS)
    return sides is not None and prod(sides) <= _MOST_PIXELS


def _unusable(path: str, reason: str) -> Row:
    return {**exclusion_row(path, reason, "copy it again, or take it out of the list", path=path), "stage": "train"}
