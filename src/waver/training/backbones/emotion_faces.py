"""The face of a picture of an emotion, aligned by the same five points as the faces of videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from waver.assets.manifest import installed
from waver.config.sections import FacesConfig
from waver.datasets.emotions.pictures import Picture
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.crops import Pixels
from waver.features.faces.detect import Detector, Floats, overlap
from waver.features.faces.detectors import load_detector
from waver.features.faces.near import NearFaces

ALIGNED_SIDE = FacesConfig().size
"""Of a face that is aligned by given points, where nothing is detected."""
FaceOf = Callable[[Pixels, Picture], tuple[Pixels, str]]
"""A picture uint8 [H, W, 3] and what its data set says of it -> see ``face_of``."""


@dataclass(frozen=True)
class FaceSource:
    """What finds faces where a data set says nothing of them.

    Attributes:
        model: ``asset.json`` of the installed face detector.
        config: least score, overlap and size of the picture; size of the aligned face.
    """

    model: Path
    config: FacesConfig

    @property
    def key(self) -> list[object]:
        """Changes when other faces would be found."""
        config = self.config
        return [installed(self.model).key, config.threshold, config.nms, config.long_side, config.size]

    def load(self) -> FaceOf:
        """``face_of`` with the detector, which several threads may call.

        Raises:
            WaverError: the detector cannot be used.
        """
        detector, size = load_detector(installed(self.model), self.config, threads=1), self.config.size
        return lambda pixels, picture: face_of(pixels, picture, detector, size)


def face_of(pixels: Pixels, picture: Picture, detector: Detector | None, size: int) -> tuple[Pixels, str]:
    """The face in a picture.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        picture: what its data set says of it.
        detector: asked where there are no points and no alignment.
        size: side of an aligned face.

    Returns:
        uint8 [size, size, 3] where it was aligned here, else a part of the picture or all of it; and where the face
        is from, in words.
    """
    if picture.aligned or (detector is None and picture.points is None):
        return pixels, "as they are"
    points, source = _given(picture, pixels), "aligned by given points"
    if points is None and detector is not None:
        points, source = _found(pixels, picture, detector), "aligned by detected points"
    if points is not None:
        return aligned_face(pixels, similarity_to_template(points, size), size), source
    if picture.box is None:
        return pixels, "as they are, without a face that is found"
    return _boxed(pixels, picture.box), "cut to the given box, without a face that is found"


def _given(picture: Picture, pixels: Pixels) -> Floats | None:
    """The points of the data set, float32 [5, 2], where they are of this picture."""
    if picture.points is None:
        return None
    points = np.array(picture.points, np.float32)
    height, width = pixels.shape[:2]
    return points if ((points.mean(0) >= 0) & (points.mean(0) < (width, height))).all() else None


def _found(pixels: Pixels, picture: Picture, detector: Detector) -> Floats | None:
    """Points of the face in the box, or of the largest one."""
    (faces,) = NearFaces(detector).detect([pixels])
    if not len(faces.score):
        return None
    if picture.box is None:
        best = int(np.prod(faces.box[:, 2:] - faces.box[:, :2], axis=1).argmax())
    else:
        shared = overlap(np.array(picture.box, np.float32), faces.box)
        best = int(shared.argmax())
        if not shared[best]:
            return None
    points: Floats = faces.landmarks[best]
    return points


def _boxed(pixels: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """The square around a box, as far as the picture goes; all of the picture where that is nothing."""
    height, width = pixels.shape[:2]
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    half = max(box[2] - box[0], box[3] - box[1]) / 2
    left, top = np.maximum(np.round(middle - half), 0).astype(int)
    right, bottom = np.minimum(np.round(middle + half), (width, height)).astype(int)
    part = pixels[top:bottom, left:right]
    return part if part.size else pixels
