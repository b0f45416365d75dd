"""Weights of ours go into a network of the options that they were trained with, or are refused in a sentence."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from tiny_backbone import Tiny, TinySettings
from waver.assets.manifest import install, installed
from waver.config.sections import VisualConfig
from waver.errors import WaverError
from waver.features.visual import load_frozen_backbone
from waver.models.backbones.base import Classified
from waver.models.backbones.checkpoint import Trained, archive, check_options
from waver.records import MethodRecord, load, method_config
from waver.registry import BACKBONES
from waver.training.backbones.stage import Start, initial_network
from waver.training.backbones.tasks import TASKS

CLASSES = TASKS["emotions"].classes


class GainSettings(TinySettings):
    gain: float = 1.0


class Gain(Tiny):
    """Weights of the same shapes at any gain, and other features."""

    Config: ClassVar[type[GainSettings]] = GainSettings

    def forward(self, images):
        return super().forward(self.config.gain * images)


@pytest.fixture(autouse=True)
def gain(monkeypatch):
    monkeypatch.setitem(BACKBONES, "gain", MethodRecord(f"{__name__}:Gain"))


def saved(folder, name="gain", options=None, state=None):
    """A file as training leaves it; by default of the network of three classes."""
    torch.manual_seed(0)
    config = method_config(BACKBONES, name, options or {})
    state = Classified(load(BACKBONES, name)(config), len(CLASSES)).state_dict() if state is None else state
    torch.save(archive(Trained(name, "emotions", CLASSES), config.model_dump(), state), folder / "model.pt")
    return folder / "model.pt"


def record(folder, file):
    install("path.expression_backbone", folder / "installed", {"expression_backbone": str(file)})
    return folder / "installed/asset.json"


OTHER = {name: {"size": 100} for name in BACKBONES} | {
    "apvit": {"patches": 120, "keep": 0.8, "salience": "max", "heed": "sum_abs", "size": 100}
}
REDUCED = {"backbone.reduction.2.weight": torch.zeros(1)}


@pytest.mark.parametrize("name", OTHER)
def test_every_option_that_changes_the_features_is_held(tmp_path, name):
    path, own = saved(tmp_path, name, state=REDUCED), method_config(BACKBONES, name, {})
    check_options(path, name, own)
    check_options(path, name, own.model_copy(update={"dropout": 0.7}))
    assert set(OTHER[name]) | {"dropout"} == set(own.model_dump())
    for key, value in OTHER[name].items():
        with pytest.raises(WaverError) as caught:
            check_options(path, name, own.model_copy(update={key: value}))
        message = str(caught.value)
        assert f"{path} is {name} trained with {{{key}: {getattr(own, key)}}}" in message
        assert f"the config has {{{key}: {value}}}; put {{{key}: {getattr(own, key)}}} into features.visual" in message


def test_all_that_differ_are_told_at_once(tmp_path):
    path = saved(tmp_path, "apvit", {"patches": 120, "keep": 0.8}, REDUCED)
    with pytest.raises(
        WaverError, match=r"trained with \{patches: 120, keep: 0\.8\}.*has \{patches: 160, keep: 0\.9\}"
    ):
        check_options(path, "apvit", method_config(BACKBONES, "apvit", {}))


def test_a_file_older_than_an_option_has_its_default(tmp_path):
    about = Trained("gain", "emotions", CLASSES)
    torch.save(archive(about, {"size": 8}, {}), tmp_path / "model.pt")
    check_options(tmp_path / "model.pt", "gain", GainSettings())
    with pytest.raises(WaverError, match=r"trained with \{gain: 1\.0\}, and the config has \{gain: 2\.0\}"):
        check_options(tmp_path / "model.pt", "gain", GainSettings(gain=2))


def test_weights_that_say_nothing_of_themselves_pass(tmp_path):
    torch.save(Gain(GainSettings()).state_dict(), tmp_path / "plain.pt")
    (tmp_path / "broken.pt").write_bytes(b"no archive")
    for name in ("plain.pt", "broken.pt"):
        check_options(tmp_path / name, "gain", GainSettings(gain=2))
    # another network's weights are told by their names and shapes
    check_options(saved(tmp_path), "resnet18", method_config(BACKBONES, "resnet18", {}))


def test_features_are_not_made_with_other_options(tmp_path):
    found = installed(record(tmp_path, saved(tmp_path, options={"gain": 3.0})))
    faces = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    frozen = load_frozen_backbone(VisualConfig(backbone="gain", options={"gain": 3.0, "dropout": 0.5}), found)
    assert frozen(faces)[0].shape == (2, 8)
    with pytest.raises(WaverError, match=r"model\.pt is gain trained with \{gain: 3\.0\}, .* has \{gain: 1\.0\}"):
        load_frozen_backbone(VisualConfig(backbone="gain"), found)


def test_no_stage_goes_on_with_other_options(tmp_path):
    begin = Start("gain", {"gain": 3.0}, record(tmp_path, saved(tmp_path, options={"gain": 3.0})), 0, 10**9, "code")
    network, _ = initial_network(TASKS["ah"], begin)
    assert network.backbone.config.gain == 3.0
    with pytest.raises(WaverError, match=r"trained with \{gain: 3\.0\}, and the config has \{gain: 1\.0\}"):
        initial_network(TASKS["ah"], Start("gain", {}, begin.initial, 0, 10**9, "code"))


def test_a_stage_may_add_the_layer_that_changes_the_size(tmp_path):
    initial = record(tmp_path, saved(tmp_path, options={"size": 8}))
    network, new = initial_network(TASKS["ah"], Start("gain", {"size": 5}, initial, 0, 10**9, "code"))
    assert network.backbone.reduction[2].weight.shape == (5, 8)
    assert any(parameter is network.backbone.reduction[2].weight for parameter in new)
    smaller = record(tmp_path, saved(tmp_path, options={"size": 5}))
    with pytest.raises(WaverError, match=r"trained with \{size: 5\}, and the config has \{size: 8\}"):
        initial_network(TASKS["ah"], Start("gain", {}, smaller, 0, 10**9, "code"))
