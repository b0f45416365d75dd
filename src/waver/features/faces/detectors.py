"""Which detector reads a model: the file decides, not its name."""

from __future__ import annotations

from waver.assets.manifest import Installed
from waver.config.sections import FacesConfig
from waver.device import onnx_session
from waver.features.faces.detect import Detector, FaceDetector, onnx_file
from waver.features.faces.insightface_pack import PackDetector, is_pack


def load_detector(model: Installed, config: FacesConfig, threads: int) -> Detector:
    """The detector of an installed asset.

    Args:
        model: an ONNX file with RetinaFace's outputs by anchor, or with those of InsightFace's packs by stride.
        config: least score, overlap and size of the picture.
        threads: of one run.

    Raises:
        WaverError: the file is neither, or a GPU is requested and none is available.
    """
    session = onnx_session(onnx_file(model), threads)
    reader = PackDetector if is_pack(session) else FaceDetector
    return reader(model, config.threshold, config.nms, config.long_side, threads, session)
