"""Decoding by durations: what it is learned from, and where it is applied."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synthetic import write_packs
from waver.config.sections import TrainConfig
from waver.errors import WaverError
from waver.evaluation.metrics import average_precision
from waver.models.duration_hmm import KAPPAS, decode, fit_durations
from waver.training.corpus import read_corpus
from waver.training.frames.checkpoint import load_checkpoint, save_checkpoint
from waver.training.frames.fit import fit
from waver.training.frames.hmm_decoding import Decoder, fit_decoder
from waver.training.frames.predict import margin_of, predict
from waver.training.trainer import Job

pytestmark = pytest.mark.slow

SMALL = {"channels": {name: [8, 8] for name in ("visual", "audio", "text")}}
OPTIONS = {"lfan": SMALL, "conflict": {**SMALL, "size": 16, "shared": 8, "layers": 1}}
CONFIG = TrainConfig(window=60, hop=30, batch=4, epochs=2, lr=0.01, decoding="durations", options=OPTIONS)


def stretches(rng, frames=1500):
    """Labels with A/H in stretches of about 100 frames of every 400."""
    label = np.zeros(frames, np.uint8)
    start = int(rng.integers(100, 300))
    while start < frames:
        stop = start + int(rng.integers(60, 140))
        label[start:stop] = 1
        start = stop + int(rng.integers(200, 400))
    return label


@pytest.fixture(scope="module")
def noisy():
    """Labels of videos and weak, independent evidence of each frame; half the videos to learn from."""
    rng = np.random.default_rng(1)
    labels = [stretches(rng) for _ in range(16)]
    prior = np.concatenate(labels).mean()
    # the log odds of two normal distributions .6 apart
    draws = [0.6 * label + rng.standard_normal(len(label)) for label in labels]
    margins = [0.6 * draw - 0.18 + np.log(prior / (1 - prior)) for draw in draws]
    return labels[:8], labels[8:], margins[8:]


def test_decoding_ranks_frames_better(noisy):
    learnt_from, labels, margins = noisy
    decoder = fit_decoder(learnt_from, margins, labels)
    truth = np.concatenate(labels)
    before, after = (average_precision(np.concatenate(m), truth) for m in (margins, decoder.decode(margins)))
    assert after > before + 0.2
    assert decoder.kappa in KAPPAS


def test_durations_are_those_of_the_training_labels_alone(noisy):
    learnt_from, labels, margins = noisy
    decoder, expected = fit_decoder(learnt_from, margins, labels), fit_durations(learnt_from)
    assert (decoder.durations.mean_frames, decoder.durations.stages) == (expected.mean_frames, expected.stages)
    constant = [np.zeros_like(label) for label in labels]
    assert fit_decoder(learnt_from, margins, constant).durations == expected


@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.7])
def test_margins_that_lie_too_high_or_low_are_read_as_they_are_meant(noisy, shift):
    """As under class weights or undersampling: the same evidence, another prevalence."""
    learnt_from, labels, margins = noisy
    plain = fit_decoder(learnt_from, margins, labels)
    moved = fit_decoder(learnt_from, [margin + shift for margin in margins], labels)
    odds = [np.log(d.durations.prevalence / (1 - d.durations.prevalence)) for d in (plain, moved)]
    assert odds[1] - odds[0] == pytest.approx(shift, abs=1e-6)
    share = np.concatenate(labels).mean()
    assert odds[0] == pytest.approx(np.log(share / (1 - share)), abs=0.1)
    for one, other in zip(plain.decode(margins), moved.decode([m + shift for m in margins]), strict=True):
        assert np.allclose(one, other, atol=1e-4)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    indexes, packs = write_packs(tmp_path_factory.mktemp("packs"), {"train": 3, "val": 2, "test": 1})
    return {split: read_corpus(indexes, packs, "VT", [split]) for split in ("train", "val", "test")}


def fitted(splits, folder, config, fusion="lfan"):
    job = Job(config, 0, "", folder / "history.jsonl", folder / "state")
    return fit(list(splits["train"]), list(splits["val"]), fusion, "VT", job)


@pytest.mark.parametrize(("fusion", "stride"), [("lfan", 1), ("conflict", 1), ("lfan", 4)])
def test_any_fusion_predicts_decoded_margins(splits, tmp_path, fusion, stride):
    config = CONFIG.model_copy(update={"stride": stride})
    plain = fitted(splits, tmp_path / "a", config.model_copy(update={"decoding": "none"}), fusion)
    decoded = fitted(splits, tmp_path / "b", config, fusion)
    assert plain.decoder is None
    # frames of the clock, whatever the stride; a record that the config would take
    assert (plain.window, plain.hop, plain.stride) == (60, 30, stride)
    TrainConfig(window=plain.window, hop=plain.hop, stride=plain.stride)
    assert all(torch.equal(plain.state[name], value) for name, value in decoded.state.items())
    assert decoded.decoder.durations.mean_frames == fit_durations([s.label for s in splits["train"]]).mean_frames
    before, after = predict(plain, splits["test"]), predict(decoded, splits["test"])
    margins = [margin_of(logits) for logits in before.values()]
    expected = decode(margins, decoded.decoder.durations, decoded.decoder.kappa)
    for logits, margin in zip(after.values(), expected, strict=True):
        assert np.allclose(margin_of(logits), margin, atol=1e-4)
    assert not np.allclose(np.concatenate(expected), np.concatenate(margins), atol=0.1)


def test_the_decision_is_made_on_what_is_decoded(splits, tmp_path):
    checkpoint = fitted(splits, tmp_path, CONFIG.model_copy(update={"decision": "prevalence"}))
    margins = [margin_of(logits) for logits in predict(checkpoint, splits["train"]).values()]
    wanted = sum(int(sample.label.sum()) for sample in splits["train"])
    assert (np.concatenate(margins) > 0).sum() == pytest.approx(wanted, abs=20)
    assert checkpoint.offset != 0


def test_the_model_file_keeps_it(splits, tmp_path):
    checkpoint = fitted(splits, tmp_path, CONFIG)
    save_checkpoint(tmp_path / "model.pt", checkpoint)
    again = load_checkpoint(tmp_path / "model.pt")
    assert again.decoder == checkpoint.decoder
    assert Decoder.from_state(checkpoint.decoder.state()) == checkpoint.decoder
    first, second = (predict(one, splits["test"]) for one in (checkpoint, again))
    assert all(np.array_equal(first[video], second[video]) for video in first)


def test_labels_that_never_change_are_told(splits, tmp_path):
    constant = [replace(sample, label=np.zeros_like(sample.label)) for sample in splits["train"]]
    with pytest.raises(WaverError, match="decode without durations"):
        fitted({**splits, "train": constant}, tmp_path, CONFIG)
