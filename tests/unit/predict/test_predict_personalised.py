"""A trained fusion adapted to a person's new recordings, of which no label is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from synthetic import write_packs
from waver.errors import WaverError
from waver.models.duration_hmm import Durations
from waver.predict.methods import WITHOUT_LABELS
from waver.predict.personalise import personalised
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint
from waver.training.frames.hmm_decoding import Decoder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A fusion with random weights, and the recordings of one person, one of them without a face."""
    indexes, packs = write_packs(Path(tmp_path_factory.mktemp("packs")), {"train": 2, "test": 1}, frames=60)
    videos = read_corpus(indexes, packs, "VT", ["train", "test"])
    normalisation = Normalisation.fit([video for video in videos if video.split == "train"])
    own = {"channels": {name: [6, 6] for name in ("visual", "text")}, "size": 6}
    options = method_config(FUSIONS, "can", own)
    torch.manual_seed(0)
    network = load(FUSIONS, "can")(normalisation.sizes, options)
    state = {name: values.clone() for name, values in network.state_dict().items()}
    checkpoint = Checkpoint("can", "VT", options.model_dump(), normalisation, state, window=24, hop=12)
    samples = [video for video in videos if video.split == "test"][:2]
    samples[1] = replace(samples[1], valid={**samples[1].valid, "visual": np.zeros(samples[1].frames, bool)})
    return SimpleNamespace(checkpoint=checkpoint, name="can/VT/0"), samples


def test_every_method_gives_logits_of_all_frames_and_leaves_the_model(trained):
    model, samples = trained
    before = {name: values.clone() for name, values in model.checkpoint.state.items()}
    assert personalised(model, samples, "none") == {}
    found = {method: personalised(model, samples, method) for method in ("bn_adapt", "t3a", "tent")}
    assert set(found) <= set(WITHOUT_LABELS)
    for logits in found.values():
        assert [logits[sample.video].shape for sample in samples] == [(sample.frames, 2) for sample in samples]
        assert all(np.isfinite(values).all() for values in logits.values())
    first = samples[0].video
    assert not np.allclose(found["bn_adapt"][first], found["t3a"][first])
    assert all(torch.equal(before[name], values) for name, values in model.checkpoint.state.items())


def test_the_order_in_which_recordings_come_does_not_matter(trained):
    model, samples = trained
    one, other = personalised(model, samples, "tent"), personalised(model, samples[::-1], "tent")
    assert all(np.array_equal(one[sample.video], other[sample.video]) for sample in samples)


def test_a_model_that_decodes_whole_recordings_is_not_adapted(trained):
    model, samples = trained
    decoder = Decoder(Durations((50.0, 40.0), (1, 1), 0.4), 0.5)
    decoding = SimpleNamespace(checkpoint=replace(model.checkpoint, decoder=decoder), name="can/VT/0")
    with pytest.raises(WaverError, match="decodes whole recordings"):
        personalised(decoding, samples, "tent")


def test_labels_are_asked_of_no_method():
    assert "oracle" not in WITHOUT_LABELS
    assert {"tent", "sar", "t3a", "bn_adapt", "shot", "nrc", "cotta", "memo"} == set(WITHOUT_LABELS)
