from pathlib import Path

import numpy as np
import pytest
import torch

from sounding_clips import tone, write_sounding, write_videos
from tiny_speech import saved, with_head
from waver.assets.manifest import install
from waver.config.sections import AudioConfig
from waver.errors import WaverError
from waver.features.audio.extract import embedder, extract_audio, sounding_frames
from waver.features.audio.logmel import padded_log_mel
from waver.features.audio.prosody import prosody
from waver.features.audio.speech_encoder import SpeechEncoder
from waver.features.audio.vggish import VGGish, load_vggish
from waver.features.waveform import Sound
from waver.io.tables import FEATURE_INDEX, read_table
from waver.io.zarr_store import read_store

pytestmark = pytest.mark.slow


def extract(folder: Path, clips: list[Path], config: AudioConfig | None = None, model: Path | None = None):
    write_videos(folder / "videos.parquet", clips, folder)
    extract_audio(
        folder / "videos.parquet", folder, model, folder / "stores", folder / "index.parquet",
        config or AudioConfig(), "code",
    )  # fmt: skip
    return read_table(folder / "index.parquet", FEATURE_INDEX)


def store(folder: Path, question: int) -> dict[str, np.ndarray]:
    return read_store(folder / "stores" / "82001" / f"82001_Q{question}.zarr")


def as_stored(samples: np.ndarray) -> np.ndarray:
    """A waveform in steps of 16 bits."""
    return (np.round(samples * 32767) / 32768).astype(np.float32)


def test_stores_of_a_shard(tmp_path):
    clips = [
        write_sounding(tmp_path / "tone.mkv", 2, [(0.0, tone(2.0))]),
        write_sounding(tmp_path / "mute.mkv", 2),
        write_sounding(tmp_path / "silent.mkv", 2, [(0.0, np.zeros(32000, np.float32))]),
        write_sounding(tmp_path / "late.mkv", 2, [(0.5, tone(1.0))]),
    ]
    rows = extract(tmp_path, clips)
    assert [row["status"] for row in rows] == ["ok", "set_aside", "ok", "ok"]
    assert [row["frames"] for row in rows] == [48, 0, 48, 48]
    assert rows[1]["reason"] == "the file has no sound"
    assert rows[2]["note"] == "digital silence"

    whole = store(tmp_path, 1)
    expected = padded_log_mel(as_stored(tone(2.0)))
    np.testing.assert_array_equal(whole["logmel"], expected)
    assert whole["feature"].shape == (48, 128)
    assert whole["feature"].dtype == np.float32
    np.testing.assert_allclose(whole["feature"][2], np.r_[expected[8:104].mean(0), expected[8:104].std(0)], atol=1e-5)
    np.testing.assert_array_equal(whole["prosody"], prosody(as_stored(tone(2.0)), 48))
    np.testing.assert_array_equal(whole["source_frame"], np.arange(48))
    assert whole["source_frame"].dtype == np.int32
    assert whole["valid"].all()
    assert np.isnan(whole["valence"]).all()

    assert not store(tmp_path, 3)["valid"].any(), "digital silence is no sound"
    np.testing.assert_array_equal(np.flatnonzero(store(tmp_path, 4)["valid"]), np.arange(12, 36))


def test_a_pause_is_sound():
    wave = np.concatenate([tone(0.5), np.zeros(16000, np.float32), tone(0.5)])
    assert sounding_frames(Sound(wave, 0.0, 2.0, ""), 48).all()


def test_vggish_embeds_the_same_patches(tmp_path):
    torch.manual_seed(0)
    weights = {name: value * 6**0.5 for name, value in VGGish().state_dict().items()}
    torch.save(weights, tmp_path / "vggish.pth")
    install("path.vggish", tmp_path / "model", {"vggish": str(tmp_path / "vggish.pth")})
    clip = write_sounding(tmp_path / "a.mkv", 0.25, [(0.2, tone(1.0))])
    extract(tmp_path, [clip], AudioConfig(feature="vggish"), tmp_path / "model" / "asset.json")
    found = store(tmp_path, 1)
    model = load_vggish(tmp_path / "vggish.pth")
    patch = torch.from_numpy(found["logmel"][12:108].copy())
    with torch.inference_mode():
        expected = model(patch[None, None])[0].numpy()
    assert found["feature"].shape == (6, 128)
    np.testing.assert_allclose(found["feature"][3], expected, rtol=1e-3, atol=1e-5)
    assert not np.allclose(found["feature"][3], found["feature"][5], rtol=1e-2), "patches differ"
    rough = embedder(tmp_path / "vggish.pth", torch.device("cpu"), "bf16")(tone(1.0), found["logmel"], 6)[0]
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - found["feature"]).mean() < 0.02 * np.abs(found["feature"]).mean()


def test_a_speech_encoder_gives_features_and_valence(tmp_path):
    with_head(tmp_path / "encoder")
    install("path.speech_encoder", tmp_path / "model", {"speech_encoder": str(tmp_path / "encoder")})
    clip = write_sounding(tmp_path / "a.mkv", 1, [(0.0, tone(1.0))])
    rows = extract(tmp_path, [clip], AudioConfig(feature="speech_encoder", layer=1), tmp_path / "model" / "asset.json")
    assert rows[0]["status"] == "ok"
    found = store(tmp_path, 1)
    feature, valence = SpeechEncoder(tmp_path / "encoder", 1, torch.device("cpu"))(as_stored(tone(1.0)), 24)
    np.testing.assert_allclose(found["feature"][:20], feature[:20], atol=1e-3)
    np.testing.assert_allclose(found["valence"], valence, atol=1e-3)


def test_a_setting_of_one_feature_decides_nothing_of_another(tmp_path):
    clip = write_sounding(tmp_path / "a.mkv", 1, [(0.0, tone(1.0))])
    configs = [AudioConfig(), AudioConfig(layer=2), AudioConfig(precision="bf16")]
    assert len({extract(tmp_path, [clip], config)[0]["key"] for config in configs}) == 1
    assert AudioConfig(feature="vggish").deciding != AudioConfig(feature="vggish", precision="bf16").deciding
    saved(tmp_path / "encoder")
    install("path.speech_encoder", tmp_path / "model", {"speech_encoder": str(tmp_path / "encoder")})
    configs = [AudioConfig(feature="speech_encoder", layer=layer) for layer in (-1, 2)]
    keys = [extract(tmp_path, [clip], config, tmp_path / "model" / "asset.json")[0]["key"] for config in configs]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("feature", ["vggish", "speech_encoder"])
def test_a_feature_without_its_weights_says_where_to_give_them(tmp_path, feature):
    with pytest.raises(WaverError, match=rf"models\.paths\.{feature}"):
        extract(tmp_path, [], AudioConfig(feature=feature))
