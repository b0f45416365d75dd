"""Features of a pretrained speech encoder: its own states on the clock, seams that nobody hears, valence."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import HubertModel, Wav2Vec2Model

from tiny_bert import write_bert
from tiny_speech import saved, with_head
from waver.errors import WaverError
from waver.features.audio import windows
from waver.features.audio.speech_encoder import FrameMeans, SpeechEncoder

STEP, REACH = 320, 400
CPU = torch.device("cpu")


def sound(seconds, seed=1):
    return np.random.default_rng(seed).standard_normal(round(seconds * 16_000)).astype(np.float32) * 0.1


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
@pytest.mark.parametrize(("layer", "scaled"), [(0, True), (1, False), (-1, True)])
def test_a_frame_has_the_mean_of_the_states_in_it(tmp_path, kind, layer, scaled):
    folder, samples, frames = saved(tmp_path, kind, scaled), sound(3.0) + 0.02, 48
    feature, valence = SpeechEncoder(folder, layer, CPU)(samples, frames)
    model = (Wav2Vec2Model if kind == "wav2vec2" else HubertModel).from_pretrained(folder).eval()
    given = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7) if scaled else samples
    with torch.inference_mode():
        states = model(torch.from_numpy(given)[None], output_hidden_states=True).hidden_states[layer][0].numpy()
    middle = (np.arange(len(states)) * STEP + REACH / 2) / 16_000
    expected = [states[(middle >= i / 24) & (middle < (i + 1) / 24)].mean(0) for i in range(frames)]
    assert feature.shape == (frames, 16)
    assert feature.dtype == np.float32
    assert np.allclose(feature, expected, atol=1e-5)
    assert np.isnan(valence).all()


@pytest.mark.slow
def test_a_long_sound_has_no_seams(tmp_path, monkeypatch):
    # hidden states before the transformer hear a few neighbours; of the whole sound nothing but its scale
    folder, samples = saved(tmp_path, scaled=False, norm="layer"), sound(5.0)
    whole, _ = SpeechEncoder(folder, 0, CPU)(samples, 96)
    monkeypatch.setattr(windows, "CHUNK_S", 1.0)
    monkeypatch.setattr(windows, "MARGIN_S", 0.5)
    parts, _ = SpeechEncoder(folder, 0, CPU)(samples, 96)
    assert np.allclose(parts, whole, atol=1e-5)
    # deeper ones hear a chunk and its margins
    deep = [SpeechEncoder(folder, -1, CPU)(samples, 96)[0]]
    monkeypatch.setattr(windows, "CHUNK_S", 20.0)
    deep.append(SpeechEncoder(folder, -1, CPU)(samples, 96)[0])
    assert np.abs(deep[0] - deep[1]).mean() < 0.2 * deep[1].std()


def test_sound_that_ends_early_leaves_its_last_state(tmp_path):
    feature, _ = SpeechEncoder(saved(tmp_path), -1, CPU)(sound(0.01), 12)
    assert np.isfinite(feature).all()
    assert (feature == feature[0]).all()


def test_valence_is_judged_from_the_mean_of_the_last_states(tmp_path):
    head, samples = with_head(tmp_path), sound(2.0)
    _, valence = SpeechEncoder(tmp_path, 1, CPU)(samples, 48)
    # two seconds: what lies around the middle frame is all there is
    last = SpeechEncoder(tmp_path, -1, CPU)(samples, 48)[0].mean(0)
    with torch.inference_mode():
        judged = head["out_proj"](torch.tanh(head["dense"](torch.from_numpy(last))))[2].clamp(0, 1)
    assert valence.shape == (48,)
    assert valence[24] == pytest.approx(float(judged), abs=1e-5)
    assert ((valence >= 0) & (valence <= 1)).all()


def test_a_classifier_of_other_layers_is_refused(tmp_path):
    with_head(tmp_path)
    state = torch.load(tmp_path / "pytorch_model.bin")
    torch.save(
        {k: v for k, v in state.items() if not k.startswith("classifier.out_proj")}, tmp_path / "pytorch_model.bin"
    )
    with pytest.raises(WaverError, match="names valence and its weights have no classifier"):
        SpeechEncoder(tmp_path, -1, CPU)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_frame_without_a_state_takes_the_nearest(at_once):
    states, middle = np.array([[1.0], [3.0], [5.0]], np.float32), np.array([0.05, 0.06, 0.30])
    means = FrameMeans(8)
    for first in range(0, 3, at_once):
        means.add(states[first : first + at_once], middle[first : first + at_once])
    assert means.finish()[:, 0].tolist() == [1, 2, 3, 3, 5, 5, 5, 5]


def test_states_are_kept_of_the_last_frame_alone():
    """Whatever the parts, the means are the same, and what is held does not grow."""
    states = np.random.default_rng(0).standard_normal((3000, 4)).astype(np.float32)
    middle = (np.arange(3000) * 320 + 200) / 16000
    whole, means, held = FrameMeans(1440), FrameMeans(1440), []
    whole.add(states, middle)
    for first in range(0, 3000, 250):
        means.add(states[first : first + 250], middle[first : first + 250])
        held.append(len(means._states))
    np.testing.assert_array_equal(means.finish(), whole.finish())
    assert max(held) <= 5


def without_a_part(folder):
    """As a file whose names have a prefix that is not known."""
    state = load_file(folder / "model.safetensors")
    save_file({f"other.{name}": x for name, x in state.items()}, folder / "model.safetensors")


def of_words(folder):
    extractor = (folder / "preprocessor_config.json").read_text()
    shutil.rmtree(folder)
    write_bert(folder, ["yes", "no"])
    (folder / "preprocessor_config.json").write_text(extractor)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no encoder of speech"),
        (lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs"), "holds no encoder"),
        (lambda folder: saved(folder, rate=8_000), "wants 8000 samples a second"),
        (without_a_part, "holds no whole encoder of speech: it lacks"),
        (of_words, "holds a bert model"),
    ],
)
def test_what_is_no_such_encoder_is_told(tmp_path, change, told):
    saved(tmp_path)
    change(tmp_path)
    with pytest.raises(WaverError, match=told):
        SpeechEncoder(tmp_path, -1, CPU)


def test_layers_that_are_not_there_are_told(tmp_path):
    with pytest.raises(WaverError, match=r"layer is 3 and the encoder .* has 2"):
        SpeechEncoder(saved(tmp_path), 3, CPU)
