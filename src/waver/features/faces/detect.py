"""RetinaFace (Deng et al., CVPR 2020): the decoding of its outputs, and the network as an ONNX file.

The embedded file has a MobileNet-0.25 trunk. Any ONNX file with the same contract can be used: input float32
[B, 3, H, W] (BGR, channel means taken off), outputs ``loc`` [B, P, 4], ``conf`` [B, P, 2] (probabilities),
``landmarks`` [B, P, 10] over the P anchors of three strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from waver.assets.manifest import Installed
from waver.device import onnx_session
from waver.errors import WaverError

Floats = npt.NDArray[np.float32]

_STRIDES = (8, 16, 32)
_ANCHOR_SIDES = ((16, 32), (64, 128), (256, 512))
"""Sides of the two square anchors at each stride, pixels."""
_VARIANCE = (0.1, 0.2)
"""Scales of the regressed centres and of the regressed log sides."""
_BGR_MEAN = (104.0, 117.0, 123.0)
_OUTPUTS = ("loc", "conf", "landmarks")
_GPU_BATCH = 16


@dataclass(frozen=True)
class Detections:
    """Faces of one picture, best first.

    Attributes:
        score: [n], probability of a face.
        box: [n, 4], x0, y0, x1, y1, pixels of the picture given.
        landmarks: [n, 5, 2], right eye, left eye, nose, right and left corner of the mouth as the
            person has them (left to right in the picture), sub-pixel x, y.
    """

    score: Floats
    box: Floats
    landmarks: Floats


class Detector(Protocol):
    """What finds faces.

    Attributes:
        name: of the asset.
        providers: what it runs on, first choice first, by ONNX Runtime's names.
        batch: best number of pictures per call.
    """

    name: str
    providers: list[str]
    batch: int

    def detect(self, pictures: list[npt.NDArray[np.uint8]]) -> list[Detections]:
        """Faces of pictures of one size.

        Args:
            pictures: RGB uint8 [H, W, 3] each.

        Returns:
            One record per picture, in pixels of the picture as given.
        """
        ...


Outputs = tuple[Floats, Floats, Floats]
"""loc [B, P, 4], conf [B, P, 2], probabilities, and landmarks [B, P, 10] of the anchors."""


class Network(Protocol):
    """What computes the outputs of RetinaFace.

    Attributes:
        providers: what it runs on, first choice first.
        batched: whether pictures together are faster than one by one.
    """

    providers: list[str]
    batched: bool

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]], width: int, height: int) -> Outputs:
        """Outputs for RGB pictures uint8 [H, W, 3] of one size, brought to a width and height."""
        ...


class OnnxNetwork:
    """The network of an ONNX file; see ``Network``."""

    def __init__(self, path: Path, session: Any) -> None:
        """With the open session of the file.

        Raises:
            WaverError: the file has other outputs.
        """
        missing = set(_OUTPUTS) - {output.name for output in session.get_outputs()}
        if missing:
            raise WaverError(
                f"{path} has no output {sorted(missing)[0]!r}; give a RetinaFace with loc, conf, landmarks, or a "
                "detector of InsightFace"
            )
        self._session = session
        self._input = session.get_inputs()[0].name
        self.providers: list[str] = session.get_providers()
        self.batched = self.providers[0] != "CPUExecutionProvider"

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]], width: int, height: int) -> Outputs:
        """Outputs for pictures, brought to a width and height."""
        batch = _batch(pictures, width, height)
        loc, conf, points = self._session.run(list(_OUTPUTS), {self._input: batch})
        return loc, conf, points


class FaceDetector:
    """A RetinaFace and the decoding of its output; see ``Detector``.

    Attributes:
        name: of the asset.
        providers: what it runs on, first choice first.
        batch: best number of pictures per call; on a CPU batches are not faster.
    """

    def __init__(
        self,
        model: Installed,
        threshold: float,
        nms: float,
        long_side: int,
        threads: int = 1,
        network: Network | None = None,
    ) -> None:
        """Load the model.

        Args:
            model: installed asset; where no network is given, of one ``.onnx`` file.
            threshold: minimum score.
            nms: overlap (intersection over union) above which the weaker of two boxes is dropped.
            long_side: longer side of the picture given to the network, pixels; never enlarged.
            threads: threads of one run.
            network: of the model, where it is loaded already.

        Raises:
            WaverError: the file is no such model, or a GPU is requested and none is available.
        """
        if network is None:
            path = onnx_file(model)
            network = OnnxNetwork(path, onnx_session(path, threads))
        self._network = network
        self.threshold = threshold
        self.nms = nms
        self.long_side = long_side
        self.name = model.name
        self.providers = network.providers
        self.batch = _GPU_BATCH if network.batched else 1

    def detect(self, pictures: list[npt.NDArray[np.uint8]]) -> list[Detections]:
        """Faces of pictures of one size.

        Args:
            pictures: RGB uint8 [H, W, 3] each.

        Returns:
            One record per picture, in pixels of the picture as given.
        """
        height, width = pictures[0].shape[:2]
        small_width, small_height = shrunk(width, height, self.long_side)
        loc, conf, points = self._network(pictures, small_width, small_height)
        anchors = _anchors(small_height, small_width)
        scale = np.array([width / small_width, height / small_height], np.float32)
        each = zip(loc, conf, points, strict=True)
        return [self._faces(loc, conf, points, anchors, scale) for loc, conf, points in each]

    def _faces(self, loc: Floats, conf: Floats, points: Floats, anchors: Floats, scale: Floats) -> Detections:
        chosen = np.flatnonzero(conf[:, 1] > self.threshold)
        chosen = chosen[np.argsort(-conf[chosen, 1], kind="stable")]
        centre, side = anchors[chosen, :2], anchors[chosen, 2:]
        middle = centre + loc[chosen, :2] * _VARIANCE[0] * side
        half = side * np.exp(loc[chosen, 2:] * _VARIANCE[1]) / 2
        box = np.concatenate([(middle - half) * scale, (middle + half) * scale], axis=1)
        landmarks = centre[:, None] + points[chosen].reshape(-1, 5, 2) * _VARIANCE[0] * side[:, None]
        kept = _suppress(box, self.nms)
        return Detections(conf[chosen[kept], 1], box[kept], (landmarks * scale)[kept])


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box [4] with others [n, 4]."""
    near = np.maximum(box[:2], boxes[:, :2])
    far = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(far - near, 0), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    joined = np.prod(box[2:] - box[:2]) + area - shared
    ratio: Floats = shared / np.maximum(joined, 1e-9)
    return ratio


def _suppress(boxes: Floats, limit: float) -> list[int]:
    """Indices of the boxes that are kept, of boxes sorted best first."""
    kept = []
    left = np.arange(len(boxes))
    while len(left):
        kept.append(int(left[0]))
        left = left[1:][overlap(boxes[left[0]], boxes[left[1:]]) <= limit]
    return kept


def shrunk(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Width and height of a picture that is brought to a longer side, and never enlarged."""
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _batch(pictures: Sequence[npt.NDArray[np.uint8]], width: int, height: int) -> Floats:
    batch = np.empty((len(pictures), 3, height, width), np.float32)
    for planes, picture in zip(batch, pictures, strict=True):
        if picture.shape[:2] != (height, width):
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        for plane, channel, mean in zip(planes, cv2.split(picture)[::-1], _BGR_MEAN, strict=True):
            np.subtract(channel, np.float32(mean), out=plane)
    return batch


@lru_cache(maxsize=8)
def _anchors(height: int, width: int) -> Floats:
    """Anchors [P, 4]: centre x, y, and sides, pixels."""
    levels = []
    for stride, sides in zip(_STRIDES, _ANCHOR_SIDES, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        centre = (np.stack([x, y], axis=-1).reshape(-1, 1, 2) + 0.5) * stride
        side = np.array(sides, np.float64).reshape(1, -1, 1)
        shape = (rows * columns, len(sides), 2)
        levels.append(np.concatenate([np.broadcast_to(centre, shape), np.broadcast_to(side, shape)], -1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def onnx_file(model: Installed) -> Path:
    """The one ONNX file of a model.

    Raises:
        WaverError: there is none, or there are several.
    """
    files = [name for name in model.files if name.endswith(".onnx")]
    if len(files) != 1:
        raise WaverError(
            f"{model.folder}: a {model.role.replace('_', ' ')} is one .onnx file, but there are {len(files)}; correct "
            "the path"
        )
    return model.file(files[0])
