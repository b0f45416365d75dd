"""HDF5 files of models that lead elsewhere."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from waver.errors import WaverError
from waver.io.hdf5 import own_arrays
from waver.models.backbones.mini_xception import _arrays
from waver.report.tables.parameter_counts import _READERS


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["model_weights/layer/kernel:0"] = np.ones(3)
    (tmp_path / "secret.raw").write_bytes(bytes(range(24)))
    return path


def test_own_arrays_in_order(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("b/kernel:0", "a/bias:0", "a/kernel:0"):
            file[f"model_weights/{name}"] = np.ones(2)
        file["model_weights/soft"] = h5py.SoftLink("/model_weights")
        assert [name for name, _ in own_arrays(file, "model_weights")] == ["a/bias:0", "a/kernel:0", "b/kernel:0"]
    assert list(_arrays(tmp_path / "a.h5")) == ["a/bias", "a/kernel", "b/kernel"]


HOSTILE = {
    "a link to a group": lambda file, folder: file.__setitem__(
        "model_weights", h5py.ExternalLink(folder / "secret.h5", "/model_weights")
    ),
    "a link within": lambda file, folder: file.create_group("model_weights").__setitem__(
        "layer", h5py.ExternalLink(folder / "secret.h5", "/model_weights/layer")
    ),
    "an array of another file": lambda file, folder: file.create_dataset(
        "model_weights/layer/kernel:0", (3,), "f8", external=[(folder / "secret.raw", 0, 24)]
    ),
    "an array of the arrays of others": lambda file, folder: file.create_virtual_dataset(
        "model_weights/layer/kernel:0", _virtual(folder)
    ),
    "an array of 10^12 values": lambda file, folder: file.create_dataset(
        "model_weights/layer/kernel:0", (10**12,), "f8", chunks=(1000,)
    ),
}


def _virtual(folder):
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "model_weights/layer/kernel:0", shape=(3,))
    return layout


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_that_leads_elsewhere_is_refused(tmp_path, secret, name):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        HOSTILE[name](file, tmp_path)
    with pytest.raises(WaverError, match=r"to another file|in another file|more than"):
        _arrays(path)
    with pytest.raises(WaverError):
        list(_READERS[".h5"](path))


def test_groups_that_hold_each_other_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["model_weights/a/kernel:0"] = np.ones(2)
        for number in range(3):
            file[f"model_weights/a/again{number}"] = file["model_weights"]
        assert sum(1 for _ in own_arrays(file, "model_weights")) <= 20_000
