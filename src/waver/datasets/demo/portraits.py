"""The few real pictures that the demo's people are blended from, and the geometry between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from waver.assets.manifest import installed
from waver.errors import WaverError

Array = NDArray[Any]
POINTS = Path(__file__).with_name("portraits.yaml")

JAW = slice(0, 9)
CHIN = 4
BROWS = slice(9, 15)
EYES = (slice(15, 19), slice(19, 23))
NOSE = slice(23, 28)
MOUTH = slice(28, 34)
LEFT_CORNER, UPPER_LIP, RIGHT_CORNER, LOWER_LIP, UPPER_EDGE, LOWER_EDGE = range(28, 34)
FOREHEAD = slice(34, 37)
MIRRORED = [8, 7, 6, 5, 4, 3, 2, 1, 0, 14, 13, 12, 11, 10, 9, 21, 20, 19, 22, 17, 16, 15, 18]
MIRRORED += [23, 24, 26, 25, 27, 30, 29, 28, 31, 32, 33, 36, 35, 34]
"""Index of the point that takes each point's place when the picture is mirrored."""


@dataclass(frozen=True)
class Portrait:
    """One picture of a face.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        points: float32 [37, 2], pixels.
        matte: float32 [H, W], 1 on the person; empty where the picture is never a background.
        closed: the mouth shows no teeth.
    """

    image: Array
    points: Array
    matte: Array
    closed: bool


@cache
def load_portraits(models: Path) -> dict[str, Portrait]:
    """All portraits by name, from the installed media below ``models``."""
    entries = yaml.safe_load(POINTS.read_text(encoding="utf-8"))
    return {name: _load(models, name, entry) for name, entry in entries.items()}


def read_frame(path: Path, frame: int) -> Array:
    """One frame of a picture or clip, uint8 [H, W, 3] RGB.

    Raises:
        WaverError: the file ends before the frame.
    """
    with av.open(str(path)) as container:
        for number, decoded in enumerate(container.decode(video=0)):
            if number == frame:
                image: Array = decoded.to_ndarray(format="rgb24")
                return image
    raise WaverError(f"{path} has no frame {frame}; install the demo's media again")


def fit_similarity(source: Array, target: Array) -> Array:
    """Rotation, scale and shift from points [P, 2] to points [P, 2] by least squares: [2, 3]."""
    centre_s, centre_t = source.mean(0), target.mean(0)
    s, t = source - centre_s, target - centre_t
    norm = (s**2).sum()
    a = (s * t).sum() / norm
    b = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / norm
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, centre_t - turn @ centre_s])


def thin_plate(at: Array, values: Array, width: int, height: int, step: int = 8) -> Array:
    """Smooth field with ``values`` [P, 2] at points ``at`` [P, 2]: float32 [height, width, 2].

    A thin-plate spline, evaluated every ``step`` pixels and interpolated between.
    """
    count = len(at)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _plate(at, at) + 1e-3 * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), at])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    columns, rows = np.arange(0, width + step, step), np.arange(0, height + step, step)
    grid = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(float)
    field = _plate(grid, at) @ weights[:count] + np.column_stack([np.ones(len(grid)), grid]) @ weights[count:]
    coarse = field.reshape(len(rows), len(columns), 2).astype(np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) / step, np.arange(height, dtype=np.float32) / step)
    fine: Array = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    return fine


def _plate(a: Array, b: Array) -> Array:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    kernel: Array = np.where(squared > 0, squared * np.log(np.maximum(squared, 1e-9)), 0)
    return kernel


def _load(models: Path, name: str, entry: dict[str, Any]) -> Portrait:
    asset = installed(models / entry.get("asset", name) / "asset.json")
    image = read_frame(models / asset.name / entry["file"], entry["frame"])
    matte = _matte(image, entry["body"], entry["scene"]) if entry["body"] else np.empty((0, 0), np.float32)
    return Portrait(image, np.array(entry["points"], np.float32), matte, entry["closed"])


def _matte(image: Array, body: list[list[int]], scene: list[list[int]]) -> Array:
    """The person's outline by GrabCut, from boxes that surely are and surely are not the person."""
    scale = min(1.0, 320 / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    x0, y0, x1 = scale * np.array([*np.min([box[:2] for box in body], 0), max(box[2] for box in body)])
    pad = (x1 - x0) / 6
    mask[max(int(y0 - pad), 0) :, max(int(x0 - pad), 0) : int(x1 + pad)] = cv2.GC_PR_FGD
    for boxes, value in ((scene, cv2.GC_BGD), (body, cv2.GC_FGD)):
        for left, top, right, bottom in (scale * np.array(boxes)).astype(int):
            mask[top:bottom, left:right] = value
    cv2.setRNGSeed(1)
    bgr: Any = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    mask, _, _ = cv2.grabCut(bgr, mask, None, None, None, 4, cv2.GC_INIT_WITH_MASK)
    person = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(person)
    person = (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.0)
    matte: Array = cv2.resize(soft, image.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return matte
