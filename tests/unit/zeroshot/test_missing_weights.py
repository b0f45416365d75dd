"""Weights that are not there: the message names what fetches them, and nothing is fetched."""

import pytest

from waver.assets.entries import PUBLISHED, asset_for
from waver.assets.manifest import install, installed
from waver.config.zeroshot import ZeroShotConfig
from waver.errors import WaverError
from waver.records import method_config
from waver.registry import ZERO_SHOT_MODELS
from waver.zeroshot.items import Sources
from waver.zeroshot.loading import load_family
from waver.zeroshot.runner import ask_shard
from waver.zeroshot.tiny import write_tiny_video_llava

ROLES = pytest.mark.parametrize("role", list(PUBLISHED))


def command(role, folder):
    return rf"\.venv/bin/hf download {PUBLISHED[role]} --local-dir {folder}"


@ROLES
def test_a_model_of_no_path_names_its_command(role):
    actual = rf"models\.paths\.{role} \(where there is a network: {command(role, f'/models/{role}')}\)"
    with pytest.raises(WaverError, match=actual):
        asset_for(role, "embedded", {})


@ROLES
def test_a_path_to_nothing_names_its_command(tmp_path, role):
    with pytest.raises(WaverError, match=f"does not exist; .*{command(role, tmp_path / 'no')}$"):
        install(f"path.{role}", tmp_path / "installed", {role: str(tmp_path / "no")})


@ROLES
def test_a_folder_that_lacks_its_files_names_its_command(tmp_path, monkeypatch, role):
    """With an empty cache of the hub, whose library would look there and on the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    given = tmp_path / "weights of mine"
    given.mkdir()
    (given / "readme.md").write_text("to be fetched")
    record = install(f"path.{role}", tmp_path / "installed", {role: str(given)})
    (name,) = (name for name, one in ZERO_SHOT_MODELS.items() if one.asset == role)
    with pytest.raises(WaverError, match=f"holds no .*{command(role, chr(39) + str(given) + chr(39))}$"):
        load_family(name, record, method_config(ZERO_SHOT_MODELS, name, {}), "float32")
    assert not (tmp_path / "cache").exists()


def test_a_shard_that_did_not_arrive_ends_the_job_with_the_command(tmp_path):
    given = write_tiny_video_llava(tmp_path / "given")
    (given / "model.safetensors").unlink()
    install("path.video_llava", tmp_path / "installed", {"video_llava": str(given)})
    record = tmp_path / "installed/asset.json"
    assert installed(record).set == "path"
    with pytest.raises(WaverError, match=command("video_llava", given)):
        ask_shard(
            Sources(tmp_path), record, "video_llava", "video", {}, ZeroShotConfig(), False, "", tmp_path / "a.parquet"
        )
