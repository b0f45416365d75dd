"""Which detector reads a model: the file decides, not its name."""

from __future__ import annotations

from waver.assets.manifest import Installed
from waver.config.sections import FacesConfig
from waver.device import onnx_session, torch_device
from waver.features.faces.detect import Detector, FaceDetector, Network, OnnxNetwork, onnx_file
from waver.features.faces.insightface_pack import PackDetector, is_pack
from waver.features.faces.retinaface_resnet50 import TorchNetwork

_OF_TORCH = (".pth", ".pt")


def load_detector(model: Installed, config: FacesConfig, threads: int) -> Detector:
    """The detector of an installed asset.

    Args:
        model: an ONNX file with RetinaFace's outputs by anchor, or with those of InsightFace's packs by stride; or a
            PyTorch state dict of RetinaFace with ResNet-50.
        config: least score, overlap and size of the picture.
        threads: of one run.

    Raises:
        WaverError: the file is none of these, or a GPU is requested and none is available.
    """
    options = (config.threshold, config.nms, config.long_side, threads)
    weights = [name for name in model.files if name.endswith(_OF_TORCH)]
    network: Network
    if len(weights) == 1:
        network = TorchNetwork(model.file(weights[0]), torch_device())
    else:
        path = onnx_file(model)
        session = onnx_session(path, threads)
        if is_pack(session):
            return PackDetector(model, *options, session)
        network = OnnxNetwork(path, session)
    return FaceDetector(model, *options, network)
