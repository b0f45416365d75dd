"""The papers' RetinaFace, from a state dict with the names of its package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from waver.assets.manifest import Installed, install, installed
from waver.config.sections import FacesConfig
from waver.errors import WaverError
from waver.features.faces.detect import FaceDetector
from waver.features.faces.detectors import load_detector
from waver.features.faces.retinaface_resnet50 import RetinaFaceResNet50

NAMES = {
    "body.conv1.weight", "body.layer2.0.downsample.0.weight", "fpn.output3.1.running_mean", "fpn.merge1.0.weight",
    "ssh2.conv3X3.0.weight", "ssh1.conv5X5_2.1.bias", "ssh3.conv7X7_2.0.weight", "ssh3.conv7x7_3.1.weight",
    "ClassHead.2.conv1x1.bias", "BboxHead.0.conv1x1.weight", "LandmarkHead.1.conv1x1.weight",
}  # fmt: skip
"""Some of the published file's; another spelling would not load it."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Installed:
    """A network whose heads see nothing, so that their biases alone decide: the small anchor of stride 8 is a face."""
    folder = tmp_path_factory.mktemp("r50")
    network = RetinaFaceResNet50()
    state = network.state_dict()
    assert sum(parameter.numel() for parameter in network.parameters()) == 27_293_600
    assert set(state) >= NAMES
    for name in state:
        if "Head" in name:
            state[name].zero_()
    state["ClassHead.0.conv1x1.bias"] += torch.tensor([0.0, 4.0, 4.0, 0.0])  # first anchor: face; second: none
    for level in (1, 2):
        state[f"ClassHead.{level}.conv1x1.bias"] += torch.tensor([4.0, 0.0, 4.0, 0.0])
    state["BboxHead.0.conv1x1.bias"] += torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    state["LandmarkHead.0.conv1x1.bias"][:10] += torch.tensor([0.0, -2.0, 0, -1, 0, 0, 0, 1, 0, 2])
    torch.save({f"model.{name}": value for name, value in state.items()}, folder / "weights.pth")
    install("path.face_detector", folder / "model", {"face_detector": str(folder / "weights.pth")})
    return installed(folder / "model/asset.json")


@pytest.fixture(scope="module")
def detector(model) -> FaceDetector:
    return load_detector(model, FacesConfig(long_side=96), 1)


@pytest.mark.slow
def test_boxes_and_points_are_decoded_at_the_anchors(detector):
    assert isinstance(detector, FaceDetector)
    assert (detector.providers, detector.batch) == (["torch on cpu"], 1)
    pictures = [np.full((64, 96, 3), value, np.uint8) for value in (0, 200)]
    for faces in detector.detect(pictures):
        assert len(faces.score) == 8 * 12
        assert faces.score == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
        centres = (faces.box[:, :2] + faces.box[:, 2:]) / 2 - (1.6, 0)  # a tenth of the anchor's side to the right
        expected = [(x, y) for y in np.arange(4, 64, 8) for x in np.arange(4, 96, 8)]
        np.testing.assert_allclose(centres, expected, atol=1e-4)
        np.testing.assert_allclose(faces.box[:, 2:] - faces.box[:, :2], 16, atol=1e-4)
        offsets = faces.landmarks - np.array(expected)[:, None]
        np.testing.assert_allclose(offsets[7], [[0, -3.2], [0, -1.6], [0, 0], [0, 1.6], [0, 3.2]], atol=1e-4)


def test_a_larger_picture_is_shrunk_and_told_in_its_own_pixels(detector):
    (faces,) = detector.detect([np.zeros((128, 192, 3), np.uint8)])
    np.testing.assert_allclose(faces.box[:, 2:] - faces.box[:, :2], 32, atol=1e-3)
    assert len(faces.score) == 8 * 12


def test_other_weights_are_told(tmp_path: Path):
    torch.save({"fpn.output1.0.weight": torch.zeros(1)}, tmp_path / "x.pth")
    install("path.face_detector", tmp_path / "model", {"face_detector": str(tmp_path / "x.pth")})
    with pytest.raises(WaverError, match=r"x\.pth.*RetinaFace with ResNet-50.*missing body\.conv1\.weight"):
        load_detector(installed(tmp_path / "model/asset.json"), FacesConfig(), 1)
