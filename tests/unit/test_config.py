import pytest
import yaml

from checkout import ROOT
from waver.config.model import Config, load_config
from waver.errors import WaverError

PRESETS = sorted((ROOT / "config/presets").glob("*.yaml"))


def merged(preset):
    values = yaml.safe_load((ROOT / "config/config.yaml").read_text())

    def overlay(base, top):
        for key, value in top.items():
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                overlay(base[key], value)
            else:
                base[key] = value

    overlay(values, yaml.safe_load(preset.read_text()))
    return values


def test_the_generated_defaults_are_the_models_own():
    assert load_config(yaml.safe_load((ROOT / "config/config.yaml").read_text())) == Config()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid_and_named_after_its_run(preset):
    assert load_config(merged(preset)).run == preset.stem


def test_an_unknown_key_is_named_in_one_sentence():
    with pytest.raises(WaverError, match=r"1 mistake.*train\.lerning_rate is not a known key.*docs/config\.md"):
        load_config({"train": {"lerning_rate": 1}})


def test_a_value_out_of_range_is_named_with_the_value():
    with pytest.raises(WaverError, match=r"features\.faces\.threshold.*given: 3"):
        load_config({"features": {"faces": {"threshold": 3}}})


def test_modalities_keep_their_order():
    with pytest.raises(WaverError, match="modalities"):
        load_config({"train": {"runs": [{"fusion": "lfan", "modalities": "TV"}]}})


def test_a_path_for_an_unknown_role_is_named():
    with pytest.raises(WaverError, match=r"models\.paths\.portrait.*'face_detector'"):
        load_config({"models": {"paths": {"portrait": "model.onnx"}}})


def test_root_and_demo_exclude_each_other():
    with pytest.raises(WaverError, match=r"dataset\.source is demo"):
        load_config({"dataset": {"root": "/data", "source": "demo"}})


def test_the_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().run = "other"
