"""mini-XCEPTION with its real weights, on real faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from test_faces import run as run_faces

from waver.assets.manifest import Installed, installed
from waver.config.sections import FacesConfig, VisualConfig
from waver.errors import WaverError
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import FaceDetector
from waver.features.visual import extract_visual, network_input
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import read_store
from waver.models.backbones.mini_xception import EXPRESSIONS, MiniXception, _Block, load_mini_xception


@pytest.fixture(scope="module")
def model(installed_models: Path) -> Installed:
    return installed(installed_models / "mini_xception" / "asset.json")


@pytest.fixture(scope="module")
def smile(installed_models: Path) -> np.ndarray:
    """The portrait's aligned face."""
    picture = cv2.cvtColor(cv2.imread(str(installed_models / "astronaut" / "image.png")), cv2.COLOR_BGR2RGB)
    detector = FaceDetector(installed(installed_models / "retinaface_mobilenet" / "asset.json"), 0.9, 0.4, 640)
    (faces,) = detector.detect([picture])
    return aligned_face(picture, similarity_to_template(faces.landmarks[0], 256), 256)


def test_a_smile_is_happy(model, smile):
    network = load_mini_xception(model)
    feature, expression = network(network_input(smile[None]))
    assert feature.shape == (1, network.dim)
    assert EXPRESSIONS[int(expression.argmax())] == "happy"
    assert expression.max() > 0.95
    assert expression.sum() == pytest.approx(1)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_size_of_the_stored_face_hardly_matters(model, smile):
    network = load_mini_xception(model)
    small = cv2.resize(smile, (128, 128), interpolation=cv2.INTER_AREA)
    first, second = (network(network_input(face[None]))[0][0] for face in (smile, small))
    assert torch.nn.functional.cosine_similarity(first, second, dim=0) > 0.98


def test_input_is_grey_between_minus_one_and_one(smile):
    values = network_input(np.stack([smile, np.zeros_like(smile), np.full_like(smile, 255)]))
    assert values.shape == (3, 1, 64, 64)
    assert values.dtype == torch.float32
    assert (values[1] == -1).all()
    assert (values[2] == 1).all()


@pytest.mark.parametrize("side", [30, 15])
def test_pooling_pads_as_keras_does(side):
    torch.manual_seed(0)
    block = _Block(4, 6).eval()
    maps = torch.randn(1, 4, side, side)
    inner = block.second(torch.relu(block.first(maps)))[0].detach().numpy()
    out = -(-side // 2)
    pad = max((out - 1) * 2 + 3 - side, 0)
    wide = np.full((6, side + pad, side + pad), -np.inf, np.float32)
    wide[:, pad // 2 : pad // 2 + side, pad // 2 : pad // 2 + side] = inner
    pooled = np.stack(
        [[wide[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2)) for j in range(out)] for i in range(out)]
    ).transpose(2, 0, 1)
    expected = pooled + block.shortcut(maps)[0].detach().numpy()
    assert np.allclose(block(maps)[0].detach().numpy(), expected, atol=1e-5)


def test_every_array_of_the_file_is_used(model):
    with h5py.File(model.file()) as file:
        values = []
        file["model_weights"].visititems(
            lambda _, item: values.append(item) if isinstance(item, h5py.Dataset) else None
        )
        total = sum(int(np.prod(item.shape)) for item in values)
    kept = sum(tensor.numel() for name, tensor in MiniXception().state_dict().items() if "tracked" not in name)
    assert total == kept == 58423


def test_weights_that_do_not_fit_are_told(tmp_path, model):
    data = bytearray(model.file().read_bytes())
    (tmp_path / "model.hdf5").write_bytes(data)
    wrong = model.model_copy(update={"folder": str(tmp_path)})
    with h5py.File(tmp_path / "model.hdf5", "r+") as file:
        weights = file["model_weights"]
        del weights["conv2d_3"]
        del weights["conv2d_7/conv2d_7_1/bias:0"]
        weights["conv2d_7/conv2d_7_1/bias:0"] = np.zeros(8, np.float32)
        weights["dense_1/dense_1_1/kernel:0"] = np.zeros((2, 2), np.float32)
    with pytest.raises(WaverError) as caught:
        load_mini_xception(wrong)
    message = str(caught.value)
    assert "conv2d_3/kernel is missing" in message
    assert "conv2d_7/bias is [8], expected [7]" in message
    assert "dense_1/kernel is not part of the network" in message
    (tmp_path / "model.hdf5").write_bytes(b"no HDF5")
    with pytest.raises(WaverError, match="cannot be read as Keras weights"):
        load_mini_xception(wrong)


@pytest.mark.slow
def test_features_of_a_shard(tmp_path, installed_models):
    clips = {
        "1_Q1": installed_models / "single_face" / "clip.mp4",
        "2_Q1": installed_models / "no_face" / "clip.mp4",
    }
    run_faces(tmp_path, installed_models, clips, FacesConfig(long_side=320, every=6))
    extract_visual(
        tmp_path / "index.parquet",
        tmp_path / "stores",
        installed_models / "mini_xception" / "asset.json",
        tmp_path / "visual",
        tmp_path / "visual.parquet",
        VisualConfig(batch=16),
        "1",
    )
    (row,) = read_table(tmp_path / "visual.parquet", FEATURE_INDEX)
    assert (row["video"], row["status"], row["frames"]) == ("1_Q1", "ok", 58)
    stored = read_store(tmp_path / "visual" / "1" / "1_Q1.zarr")
    assert {name: (str(array.dtype), array.shape) for name, array in stored.items()} == {
        "feature": ("float32", (58, 128)),
        "expression": ("float32", (58, 7)),
        "valid": ("bool", (58,)),
    }
    named = [EXPRESSIONS[i] for i in stored["expression"].argmax(1)]
    assert set(named[:6]) == {"neutral"}
    assert set(named[20:50]) == {"happy"}
    assert np.isfinite(stored["feature"]).all()
