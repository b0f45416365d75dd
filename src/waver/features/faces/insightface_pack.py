"""Detectors and embeddings of InsightFace's packs, read by InsightFace's own classes on our ONNX sessions.

A detector (SCRFD; Guo et al., ICLR 2022; later exports of RetinaFace have the same layout) has for each stride a
score, the distances to the four sides of a box and to five points. An embedding (ArcFace; Deng et al., CVPR 2019) is of
an aligned face. The classes are given a session, so that they choose no device, download nothing and write nothing.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from waver.assets.manifest import Installed
from waver.device import onnx_session
from waver.errors import WaverError
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import Detections, Floats, onnx_file, shrunk
from waver.features.faces.identity import Looks

_WITH_POINTS = (9, 15)
"""Outputs of a detector with three strides, and with five."""
_MULTIPLE = 32
"""Sides of the network's input are multiples of the largest stride; 128 for five strides."""
_EMBEDDED_SIDE = 112
_ALIKE, _ALIKE_THERE, _ALIKE_AT_ONCE = 0.4, 0.3, 0.2
"""Cosine of two mean embeddings of one person: anywhere, at the same place, and there at once. Verification by ArcFace
customarily accepts pairs of pictures above 0.3 to 0.4; not measured on answers to questions."""
_EVERY = 12
"""Of the detections of a face that is followed, every 12th is embedded: half a second at 24 fps."""


class PackDetector:
    """A detector of InsightFace; see ``waver.features.faces.detect.Detector``.

    Attributes:
        name: of the asset.
        providers: providers that ONNX Runtime runs on, first choice first.
        batch: 1; the packs are exported for single pictures.
    """

    batch = 1

    def __init__(
        self, model: Installed, threshold: float, nms: float, long_side: int, threads: int = 1, session: Any = None
    ) -> None:
        """Load the model.

        Args:
            model: installed asset with one ``.onnx`` file.
            threshold: minimum score.
            nms: overlap above which the weaker of two boxes is dropped.
            long_side: longer side of the picture given to the network, pixels; never enlarged.
            threads: threads of one run.
            session: of the file, where it is open already.

        Raises:
            WaverError: the file is no such model, or a GPU is requested and none is available.
        """
        from insightface.model_zoo.scrfd import SCRFD

        path = onnx_file(model)
        session = session or onnx_session(path, threads)
        found = len(session.get_outputs())
        if found not in _WITH_POINTS:
            raise WaverError(
                f"{path} has {found} outputs; a detector of InsightFace with five points has 9 or 15, and a RetinaFace "
                "has loc, conf and landmarks: give one of these"
            )
        self._detector = SCRFD(str(path), session, static_shape_sessions=False)
        self._detector.prepare(0, nms_thresh=nms, det_thresh=threshold)
        self._multiple = _MULTIPLE if found == _WITH_POINTS[0] else 4 * _MULTIPLE
        self.long_side = long_side
        self.name = model.name
        self.providers: list[str] = session.get_providers()

    def detect(self, pictures: list[npt.NDArray[np.uint8]]) -> list[Detections]:
        """Faces of pictures of one size, RGB uint8 [H, W, 3] each, in pixels of the picture as given."""
        return [self._faces(picture) for picture in pictures]

    def _faces(self, picture: npt.NDArray[np.uint8]) -> Detections:
        height, width = picture.shape[:2]
        fixed = self._detector.static_input_size
        small = shrunk(width, height, self.long_side)
        if fixed is not None:
            scale = min(1.0, fixed[0] / small[0], fixed[1] / small[1])
            small = max(1, int(small[0] * scale)), max(1, int(small[1] * scale))
        columns, rows = fixed or (-(-side // self._multiple) * self._multiple for side in small)
        if (width, height) != small:
            picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        amid = np.zeros((rows, columns, 3), np.uint8)  # at the top left, as InsightFace does
        amid[: small[1], : small[0]] = picture[..., ::-1]
        found, points = self._detector.detect(amid, input_size=(columns, rows))
        ratio = np.array([width / small[0], height / small[1]], np.float32)
        box = (found[:, :4].reshape(-1, 2, 2) * ratio).reshape(-1, 4)
        return Detections(found[:, 4].astype(np.float32), box.astype(np.float32), (points * ratio).astype(np.float32))


def embedding_looks(model: Installed, threads: int = 1) -> Looks:
    """Compare faces by the embedding of an ArcFace model.

    Args:
        model: installed asset with one ``.onnx`` file: faces [B, 3, 112, 112] to vectors [B, D].
        threads: threads of one run.

    Raises:
        WaverError: the file is no such model, or a GPU is requested and none is available.
    """
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    path = onnx_file(model)
    session = onnx_session(path, threads)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    side = [_EMBEDDED_SIDE, _EMBEDDED_SIDE]
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].shape[2:] != side or len(outputs[0].shape) != 2:
        raise WaverError(
            f"{path} is no embedding of faces of 112 pixels; correct models.paths.face_embedding, for example to "
            "w600k_r50.onnx"
        )
    network = ArcFaceONNX(str(path), session)

    def look(picture: npt.NDArray[np.uint8], landmarks: Floats) -> npt.NDArray[np.float64]:
        matrix = similarity_to_template(landmarks, _EMBEDDED_SIDE)
        face = aligned_face(picture, matrix, _EMBEDDED_SIDE)[..., ::-1]
        vector = network.get_feat(np.ascontiguousarray(face))[0].astype(np.float64)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))

    return Looks(look, _EVERY, _ALIKE, _ALIKE_THERE, _ALIKE_AT_ONCE)


def is_pack(session: Any) -> bool:
    """Whether the outputs of an ONNX session are those of a detector by strides, with or without points."""
    return len(session.get_outputs()) >= 6
