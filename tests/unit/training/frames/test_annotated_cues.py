"""Certainty and cues of segments as targets and weights of frames, and as the start of the conflict model's gates."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synthetic import write_packs
from waver.config.sections import TrainConfig
from waver.datasets.codebook import cue_names
from waver.io.tables import SEGMENTS, read_table, write_table
from waver.models.frame_layer import frame_layer, layer_inputs
from waver.models.losses import frame_cross_entropy
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import read_corpus
from waver.training.frames.annotated_cues import CERTAINTY, CUES, named_cues, pair_shares, with_annotation
from waver.training.frames.checkpoint import build_model, load_checkpoint
from waver.training.frames.fit import train_fusion
from waver.training.frames.training import CUE_HEAD, FrameTraining
from waver.training.frames.windows import collate, repeat_last, windows_of

SMALL = {"channels": {m: [8] for m in ("visual", "audio", "text")}, "size": 8, "shared": 4, "layers": 0, "heads": 2}
PLAIN = {"channels": SMALL["channels"]}
OPTIONS = {"lfan": PLAIN, "can": {**PLAIN, "size": 8}, "conflict": SMALL}
for fusion in ("mt", "jmt"):
    OPTIONS[fusion] = {**PLAIN, "size": 8, "hidden": 8, "heads": 2}
CONFIG = TrainConfig(window=60, hop=30, batch=4, epochs=1, optimiser="adamw", lr=0.01, options=OPTIONS)
RECORD = {"model_set": "embedded", "code": "c0de", "config": {}}
SMILE, PAUSE, FL, LA = "facial: Smile", "audio: Pause", "inconsistencies: FL", "inconsistencies: LA"


def runs_of(label):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def build_model_of(fusion, samples):
    torch.manual_seed(0)
    sizes = {name: values.shape[1] for name, values in samples[0].features.items()}
    return load(FUSIONS, fusion)(sizes, method_config(FUSIONS, fusion, OPTIONS[fusion]))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Packs, and a table of their segments: the first of a video has a smile and FL, the second only a certainty."""
    folder = tmp_path_factory.mktemp("cued")
    packs = write_packs(folder, {"train": 3, "val": 1, "test": 1}, frames=96)
    rows = []
    for sample in read_corpus(*packs, "V", ["train", "val", "test"]):
        for number, (start, end) in enumerate(runs_of(sample.label)):
            # of test, cues that no model may come to know
            named = [[SMILE, FL], [LA, FL], None][number % 3] if sample.split != "test" else [PAUSE]
            rows.append({"video": sample.video, "segment": number, "start_frame": start, "end_frame": end,
                         "certainty": number % 3 + 1, "cue_names": named})  # fmt: skip
    write_table(folder / "segments.parquet", rows, SEGMENTS)
    return packs, folder / "segments.parquet"


@pytest.fixture(scope="module")
def cued(data):
    packs, segments = data
    return with_annotation(read_corpus(*packs, "VAT", ["train", "val"]), [segments])


def test_frames_have_what_their_segment_has(cued):
    sample = next(one for one in cued if len(runs_of(one.label)) > 1)
    (start, end), (again, _) = runs_of(sample.label)[:2]
    column = {name: cue_names().index(name) for name in (SMILE, LA, FL)}
    cues, certainty = sample.annotated[CUES], sample.annotated[CERTAINTY][:, 0]
    assert (cues[start:end, column[SMILE]] == 1).all()
    assert (cues[start:end, column[LA]] == 0).all()
    assert cues[again, [column[SMILE], column[LA], column[FL]]].tolist() == [0, 1, 1]
    assert (certainty[start], certainty[again]) == (1, 2)
    assert np.isnan(cues[sample.label == 0]).all()
    assert np.isnan(certainty[sample.label == 0]).all()


def test_where_segments_and_labels_differ_nothing_is_known(data):
    packs, segments = data
    samples = read_corpus(*packs, "V", ["train"])
    table = segments.with_name("fewer.parquet")
    write_table(table, read_table(segments, SEGMENTS)[1:], SEGMENTS)
    first = with_annotation(samples, [table])[0]
    assert np.isnan(first.annotated[CUES]).all()
    assert np.isnan(first.annotated[CERTAINTY]).all()


def test_windows_carry_what_is_known_and_padding_nothing(cued):
    frames = cued[0].frames
    longer = repeat_last(cued[0], frames + 20)
    assert longer.annotated[CUES].shape == (frames + 20, len(cue_names()))
    batch = collate([cued[0], longer], windows_of([frames, frames + 20], frames + 20, 60))
    assert batch.annotated[CUES].shape == (2, frames + 20, len(cue_names()))
    assert batch.annotated[CUES][0, frames:].isnan().all()
    np.testing.assert_array_equal(batch.annotated[CERTAINTY][0, :frames].numpy(), cued[0].annotated[CERTAINTY])
    assert batch.to(torch.device("cpu")).annotated.keys() == {CUES, CERTAINTY}


def test_shares_are_of_the_named_inconsistencies(cued):
    train = [one for one in cued if one.split == "train"]
    named = [number % 3 for one in train for number in range(len(runs_of(one.label)))]
    fl, la = sum(number < 2 for number in named), sum(number == 1 for number in named)
    assert pair_shares(train) == pytest.approx(
        {"text+visual": fl / (fl + la), "audio+text": la / (fl + la), "audio+visual": 0}
    )
    assert pair_shares([replace(one, annotated={}) for one in train]) == {}


def trained(packs, segments, fusion, folder, **changed):
    files = {name: folder / name for name in ("model", "history", "predictions")}
    folder.mkdir(parents=True, exist_ok=True)
    train_fusion(*packs, fusion, "VAT", 0, CONFIG.model_copy(update=changed), files, RECORD, segments=segments)
    return load_checkpoint(files["model"])


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["lfan", "can", "mt", "jmt", "conflict"])
def test_every_fusion_learns_by_cues_and_is_kept_without_their_head(data, fusion, tmp_path):
    packs, segments = data
    checkpoint = trained(packs, [segments], fusion, tmp_path, cue_share=0.5, certainty=True)
    assert not [name for name in checkpoint.state if name.startswith(CUE_HEAD)]
    build_model(checkpoint)
    if fusion == "conflict":
        assert set(checkpoint.options["pair_shares"]) == {"text+visual", "audio+text", "audio+visual"}


@pytest.mark.slow
def test_each_is_a_line_of_the_config_and_none_sees_test(data, tmp_path):
    packs, segments = data
    rows = [row | {"certainty": 9, "cue_names": [PAUSE, LA]} if row["cue_names"] == [PAUSE] else row
            for row in read_table(segments, SEGMENTS)]  # fmt: skip
    write_table(tmp_path / "other.parquet", rows, SEGMENTS)
    plain = trained(packs, [], "lfan", tmp_path / "plain")
    for number, changed in enumerate(({"cue_share": 0.5}, {"certainty": True})):
        found = trained(packs, [segments], "lfan", tmp_path / f"{number}", **changed)
        assert not all(torch.equal(found.state[name], plain.state[name]) for name in plain.state)
        same = trained(packs, [tmp_path / "other.parquet"], "lfan", tmp_path / f"{number}other", **changed)
        assert all(torch.equal(found.state[name], same.state[name]) for name in plain.state)
    off = trained(packs, [segments], "lfan", tmp_path / "off")
    assert all(torch.equal(off.state[name], plain.state[name]) for name in plain.state)


def test_the_auxiliary_loss_falls_and_its_gradient_reaches_the_model(cued):
    config = CONFIG.model_copy(update={"cue_share": 1.0})
    train = [one for one in cued if one.split == "train"]
    model = build_model_of("lfan", train)
    training = FrameTraining(model, train, train, config, 0)
    assert [cue_names()[column] for column in training.cues] == [SMILE, FL, LA]
    batch = next(training.batches(1))
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(25):
        with layer_inputs(frame_layer(model)) as hidden:
            model(batch.streams, batch.mask)
        loss = training._cue_loss(hidden[0], batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.attention.parameters())


def test_named_cues_are_those_of_the_training_videos(cued):
    names = [cue_names()[column] for column in named_cues(cued)]
    assert PAUSE not in names
    assert SMILE in names
    assert not len(named_cues([]))


def test_a_frame_counts_by_its_weight():
    logits = torch.tensor([[[0.0, 2.0], [0.0, -1.0], [0.0, 5.0]]])
    label, mask = torch.tensor([[1, 0, 0]]), torch.tensor([[True, True, False]])
    own = torch.tensor([[0.5, 1.0, 7.0]])
    each = torch.nn.functional.cross_entropy(logits[0], label[0], reduction="none")
    expected = (0.5 * each[0] + each[1]) / 1.5
    assert torch.allclose(frame_cross_entropy(logits, label, mask, None, own), expected)
    classes = torch.tensor([1.0, 3.0])
    expected = (1.5 * each[0] + each[1]) / 2.5
    assert torch.allclose(frame_cross_entropy(logits, label, mask, classes, own), expected)
    same = frame_cross_entropy(logits, label, mask, classes, torch.ones(1, 3))
    assert torch.allclose(same, frame_cross_entropy(logits, label, mask, classes))


def test_weights_are_shares_of_the_greatest_certainty(cued):
    train = [one for one in cued if one.split == "train"]
    config = CONFIG.model_copy(update={"certainty": True})
    training = FrameTraining(build_model_of("lfan", train), train, train, config, 0)
    frames = train[0].frames
    weights = training._frame_weights(collate(train, windows_of([frames], frames, frames)))[0].numpy()
    certainty = train[0].annotated[CERTAINTY][:, 0]
    assert training.most_certain == max(np.nanmax(one.annotated[CERTAINTY]) for one in train)
    np.testing.assert_allclose(weights, np.where(np.isnan(certainty), 1, certainty / training.most_certain))
