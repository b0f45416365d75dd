"""Clips of aligned faces: a few frames of a video, drawn or fixed, varied in training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.datasets.answers import Answer
from waver.device import threads
from waver.io.zarr_store import open_store

SIDE = 224
"""Side of a clip's pictures, pixels."""
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_JITTER = 0.4
_GREY_CHANCE = 0.2

Pixels = npt.NDArray[np.float32]


def segment_frames(valid: npt.NDArray[np.bool_], count: int, draw: np.random.Generator | None) -> npt.NDArray[np.int64]:
    """Frames of a clip: one of each of ``count`` equal segments of those with a face.

    Args:
        valid: bool [T], the frame has a face; at least one has.
        count: F, frames of the clip; a video with fewer has some of them twice.
        draw: takes a random frame of each segment; None takes the one in its middle.

    Returns:
        int64 [F], ascending.
    """
    there = np.flatnonzero(valid)
    place = np.full(count, 0.5) if draw is None else draw.random(count)
    return there[np.floor((np.arange(count) + place) * len(there) / count).astype(np.int64)]


def middle_crop(faces: npt.NDArray[np.uint8]) -> Pixels:
    """Faces uint8 [F, H, H, 3] to their middle, float32 [F, 224, 224, 3] of 0 to 1.

    A picture of 256 pixels loses 16 at each edge; one of another size is brought to 256 first.
    """
    whole = _resized(faces, SIDE * 8 // 7)
    edge = (whole.shape[1] - SIDE) // 2
    return whole[:, edge : edge + SIDE, edge : edge + SIDE].astype(np.float32) / np.float32(255)


def varied(faces: npt.NDArray[np.uint8], draw: np.random.Generator, least: float) -> Pixels:
    """Faces uint8 [F, H, H, 3] varied, the same way in all frames of the clip: float32 [F, 224, 224, 3] of 0 to 1.

    Random crop of ``least`` to the whole of the area with sides up to 4:3 apart, mirror, brightness, contrast and
    saturation by up to 40 %, one in five grey.
    """
    top, left, height, width = _crop(faces.shape[1], draw, least)
    cut = faces[:, top : top + height, left : left + width]
    clip = _resized(cut, SIDE).astype(np.float32) / 255
    if draw.random() < 0.5:
        clip = clip[:, :, ::-1]
    brightness, contrast, saturation = draw.uniform(1 - _JITTER, 1 + _JITTER, 3).astype(np.float32)
    if draw.random() < _GREY_CHANCE:
        saturation = np.float32(0)
    clip = clip * brightness
    grey = (clip @ _GREY)[..., None]
    clip = grey + saturation * (clip - grey)
    clip = grey.mean() + contrast * (clip - grey.mean())
    return np.ascontiguousarray(clip.clip(0, 1), np.float32)


def _crop(side: int, draw: np.random.Generator, least: float) -> tuple[int, int, int, int]:
    area = side * side * draw.uniform(least, 1)
    shape = np.exp(draw.uniform(np.log(3 / 4), np.log(4 / 3)))
    height = int(np.clip(round(np.sqrt(area / shape)), 1, side))
    width = int(np.clip(round(np.sqrt(area * shape)), 1, side))
    return int(draw.integers(side - height + 1)), int(draw.integers(side - width + 1)), height, width


def _resized(faces: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    if faces.shape[1:3] == (side, side):
        return faces
    how = cv2.INTER_AREA if faces.shape[1] > side else cv2.INTER_LINEAR
    return np.stack([cv2.resize(face, (side, side), interpolation=how) for face in faces])


@dataclass(frozen=True)
class FaceClips:
    """Videos as clips of their faces; see ``waver.training.videos.data.Examples``.

    Attributes:
        answers: the videos, with their labels.
        stores: video id -> its face store.
        frames: F, frames of a clip.
        augment: vary the clips of training.
        least_crop: least share of the area that a crop keeps.
    """

    answers: Sequence[Answer]
    stores: dict[str, Path]
    frames: int
    augment: bool
    least_crop: float

    def batch(self, numbers: Sequence[int], draws: Sequence[np.random.Generator] | None) -> tuple[Any, ...]:
        """``(clips,)`` with clips float32 [B, F, 3, 224, 224], RGB, 0 to 1."""
        with ThreadPoolExecutor(threads()) as pool:
            clips = list(pool.map(self._clip, numbers, draws or repeat(None)))
        return (torch.stack(clips),)

    def _clip(self, number: int, draw: np.random.Generator | None) -> Tensor:
        image, valid = _faces(self.stores[self.answers[number].video])
        frames = segment_frames(valid, self.frames, draw)
        faces = np.stack([image[int(frame)] for frame in frames])
        clip = middle_crop(faces) if draw is None or not self.augment else varied(faces, draw, self.least_crop)
        return torch.from_numpy(clip).permute(0, 3, 1, 2)


@lru_cache(maxsize=4096)
def _faces(store: Path) -> tuple[Any, npt.NDArray[np.bool_]]:
    """The array of pictures of a store, not yet read, and bool [T]: the frame has a face."""
    group = open_store(store)
    return group["image"], np.asarray(group["valid"][:])
