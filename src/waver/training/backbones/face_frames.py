"""Faces of the videos' frames with their labels, to train an image backbone with."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from waver.datasets.bah.frame_labels import fill
from waver.features.faces.crops import Pixels, small_face
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, SEGMENTS, VIDEOS, read_tables
from waver.io.zarr_store import open_store, read_store
from waver.models.backbones.base import FaceSize
from waver.provenance import digest
from waver.training.backbones.image_cache import PARTS, LabelledImages, kept_pixels
from waver.training.backbones.tasks import Ints
from waver.training.trainer import LOG_EVERY_S

log = logging.getLogger(__name__)

_BLOCK = 240
"""Frames decoded at once."""


@dataclass(frozen=True)
class FaceTables:
    """Tables of faces and labels, one a shard.

    Attributes:
        faces: indexes of the faces (FEATURE_INDEX); their stores lie in ``stores`` beside them.
        videos: tables of the videos (VIDEOS).
        segments: tables of the A/H segments (SEGMENTS).
        tolerance: frames by which annotation and video may differ.
    """

    faces: Sequence[Path]
    videos: Sequence[Path]
    segments: Sequence[Path]
    tolerance: int


@dataclass(frozen=True)
class FaceVideo:
    """One video with faces and labels.

    Attributes:
        video: its id.
        part: train or val.
        store: its face store.
        key: of the store.
        annotated: number of annotated source frames.
        segments: first and after-last source frame of each A/H segment.
    """

    video: str
    part: str
    store: Path
    key: str
    annotated: int
    segments: tuple[tuple[int, int], ...]

    def frames(self, every: int) -> tuple[Ints, Ints]:
        """Clock frames with a face, every n-th frame of the video, and the label of each."""
        arrays = read_store(self.store, "valid", "source_frame")
        kept = np.flatnonzero(arrays["valid"][::every]) * every
        # frames past the end of the annotation carry on with its last label
        source = np.minimum(arrays["source_frame"][kept], self.annotated - 1)
        return kept, fill(self.segments, self.annotated)[source].astype(np.int64)


def face_videos(tables: FaceTables) -> list[FaceVideo]:
    """Videos of train and val with faces and frame labels; nothing of test is read.

    What cannot be used is said in the log: ``align`` lists it among what is excluded.
    """
    segments: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in read_tables(tables.segments, SEGMENTS):
        segments[row["video"]].append((max(row["start_frame"], 0), max(row["end_frame"], 0)))
    with_faces = {row["video"]: row for row in read_tables(tables.faces, FEATURE_INDEX) if row["status"] == "ok"}
    stores = tables.faces[0].with_name("stores")
    found = []
    for video in read_tables(tables.videos, VIDEOS):
        if video["split"] not in PARTS:
            continue
        obstacle = _obstacle(video, with_faces, tables.tolerance)
        if obstacle:
            log.warning("%s is left out: %s", video["video"], obstacle)
            continue
        own = tuple(segments[video["video"]])
        row = with_faces[video["video"]]
        annotated = int(video["annotated_frames"])
        found.append(FaceVideo(row["video"], video["split"], store_path(stores, row), row["key"], annotated, own))
    return found


def _obstacle(video: dict[str, Any], with_faces: dict[str, Any], tolerance: int) -> str:
    annotated, recorded = video["annotated_frames"], video["source_frames"]
    if video["video"] not in with_faces:
        return "it has no faces"
    if annotated is None:
        return "its frames are not annotated"
    if annotated < 1 or abs(annotated - recorded) > tolerance:
        return f"its annotation has {annotated} frames and the video {recorded}"
    return ""


def contents(videos: Sequence[FaceVideo]) -> str:
    """Fingerprint of the faces and labels of the videos, in any order."""
    return digest(sorted((v.video, v.part, v.key, v.annotated, v.segments) for v in videos))


def read_frames(
    videos: Sequence[FaceVideo], every: int, size: FaceSize, file: Path, key: str, memory_bytes: int
) -> dict[str, LabelledImages]:
    """Faces and labels of train and val, decoded once.

    Args:
        videos: see ``face_videos``.
        every: every n-th frame of each.
        size: to which each face is brought.
        file, key, memory_bytes: see ``waver.training.backbones.image_cache.kept_pixels``.
    """
    frames = [video.frames(every) for video in videos]
    starts = np.cumsum([0, *(len(rows) for rows, _ in frames)])

    def decode(pixels: Pixels) -> dict[int, str]:
        begun = logged = time.perf_counter()
        for number, (video, (rows, _)) in enumerate(zip(videos, frames, strict=True)):
            _decode(video, rows, every, size, pixels[starts[number] : starts[number + 1]])
            if time.perf_counter() - logged > LOG_EVERY_S:
                logged = time.perf_counter()
                left_min = (logged - begun) / max(starts[number + 1], 1) * (starts[-1] - starts[number + 1]) / 60
                log.info("faces of %d of %d videos decoded, %.1f min left", number + 1, len(videos), left_min)
        log.info("%d faces decoded in %.1f s", starts[-1], time.perf_counter() - begun)
        return {}

    pixels, _ = kept_pixels(file, int(starts[-1]), size.side, key, memory_bytes, decode)
    return {part: _part(part, videos, frames, starts, pixels) for part in PARTS}


def _decode(video: FaceVideo, rows: Ints, every: int, size: FaceSize, place: Pixels) -> None:
    """Put the faces of the clock frames ``rows`` into their places."""
    images = open_store(video.store)["image"]
    step = _BLOCK * every
    for first in range(0, images.shape[0], step):
        low, high = np.searchsorted(rows, [first, first + step])
        if low < high:
            # a slice is read fifty times as fast as a list of frames
            block = np.asarray(images[first : first + step : every])
            for number, frame in enumerate(rows[low:high], start=low):
                place[number] = small_face(block[(frame - first) // every], size)


def _part(
    part: str, videos: Sequence[FaceVideo], frames: Sequence[tuple[Ints, Ints]], starts: Ints, pixels: Pixels
) -> LabelledImages:
    own = [number for number, video in enumerate(videos) if video.part == part]
    empty = np.zeros(0, np.int64)
    rows = np.concatenate([empty, *(np.arange(starts[n], starts[n + 1]) for n in own)])
    label = np.concatenate([empty, *(frames[n][1] for n in own)])
    log.info("%s: %d videos, %d frames with a face, %d of them with A/H", part, len(own), len(rows), label.sum())
    return LabelledImages(pixels, rows, label)
