import json

import numpy as np
import pytest
import torch
from torch import nn

from recorded import recorded
from waver.errors import WaverError
from waver.models.fusion.can import Can, CanConfig
from waver.models.fusion.lfan import Lfan, LfanConfig
from waver.training.corpus import Normalisation
from waver.training.frames.checkpoint import Checkpoint, save_checkpoint
from waver.training.profiling.frames import epochs_of, flops_of, parameters_of, seconds_of
from waver.training.profiling.measure import measure
from waver.training.profiling.record import Cost, read_cost
from waver.training.videos.checkpoint import VideoCheckpoint, new_video_model, save_video_checkpoint

PAPER = {"V": ("visual", 512), "A": ("audio", 128), "T": ("text", 768)}


def normalisation(sizes):
    return Normalisation(*({name: np.ones(d, np.float32) for name, d in sizes.items()} for _ in range(2)))


@pytest.fixture
def short(monkeypatch):
    """Two seconds of video, once and once more, are enough to count parameters."""
    monkeypatch.setattr("waver.training.profiling.frames.VIDEO_S", 2.0)
    monkeypatch.setattr("waver.training.profiling.frames.REPEATS", 2)


def history(folder, seed, seconds):
    path = folder / f"{seed}.jsonl"
    path.write_text("".join(json.dumps({"epoch": n, "seconds": s}) + "\n" for n, s in enumerate(seconds, 1)))
    return path


def saved(folder, fusion, model, sizes, window=48, stride=1, modalities="VAT"):
    path = folder / f"{fusion}.pt"
    options = {"channels": {name: [8] for name in sizes}} if fusion == "lfan" else {}
    state = (model or Lfan(sizes, LfanConfig(**options))).state_dict()
    given = {} if model else options
    save_checkpoint(path, Checkpoint(fusion, modalities, given, normalisation(sizes), state, window, 24, stride))
    return path


def test_flops_of_a_linear_layer_are_exact():
    assert flops_of(nn.Linear(7, 5), torch.zeros(3, 7)) == 2 * 3 * 7 * 5
    assert flops_of(nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 2)), torch.zeros(1, 7)) == 2 * (7 * 5 + 5 * 2)


def test_flops_of_convolutions_count_groups():
    assert flops_of(nn.Conv1d(4, 8, 3), torch.zeros(1, 4, 10)) == 2 * 8 * (8 * 4 * 3)
    assert flops_of(nn.Conv1d(4, 8, 3, groups=4), torch.zeros(1, 4, 10)) == 2 * 8 * (8 * 1 * 3)


def test_flops_of_attention_are_not_lost_in_fused_kernels():
    steps, size, heads = 5, 8, 2
    projections = 2 * steps * size * 3 * size + 2 * steps * size * size
    products = 2 * 2 * steps * steps * size  # queries with keys, weights with values
    attention = nn.MultiheadAttention(size, heads, batch_first=True)
    assert flops_of(attention, *[torch.zeros(1, steps, size)] * 3) == projections + products
    layer = nn.TransformerEncoderLayer(size, heads, 16, batch_first=True)
    assert flops_of(layer, torch.zeros(1, steps, size)) == projections + products + 2 * 2 * steps * size * 16
    assert torch.backends.mha.get_fastpath_enabled()


def test_flops_of_a_gru_are_those_of_its_gates():
    gru = nn.GRU(4, 3, batch_first=True, bidirectional=True)
    assert flops_of(gru, torch.zeros(1, 10, 4)) == 2 * 10 * 2 * (3 * 3 * 4 + 3 * 3 * 3)


@pytest.mark.parametrize(
    ("modalities", "count"),
    [("V", 2_229_378), ("A", 143_586), ("T", 2_622_594), ("VA", 2_374_946), ("VT", 4_853_762), ("AT", 2_767_970),
     ("VAT", 5_001_378)],
)  # fmt: skip
def test_lfan_costs_the_papers_parameters(tmp_path, short, modalities, count):
    sizes = dict(PAPER[letter] for letter in modalities)
    path = saved(tmp_path, "lfan", Lfan(sizes, LfanConfig()), sizes, modalities=modalities)
    measure(
        "window", recorded("lfan", modalities).record, [path], [history(tmp_path, 0, [1.0])], {}, tmp_path / "cost.json"
    )
    cost = read_cost(tmp_path / "cost.json")
    assert (cost.parameters, cost.trainable) == (count, count)
    assert (cost.method, cost.modalities, cost.unit, cost.frames) == ("lfan", modalities, "window", 48)


@pytest.mark.parametrize(("modalities", "count"), [("V", 2_446_466), ("AT", 3_239_106), ("VAT", 5_816_514)])
def test_can_costs_the_papers_parameters(tmp_path, short, modalities, count):
    sizes = dict(PAPER[letter] for letter in modalities)
    model, path = Can(sizes, CanConfig(variant="released")), tmp_path / "can.pt"
    learned = normalisation(sizes)
    checkpoint = Checkpoint("can", modalities, {"variant": "released"}, learned, model.state_dict(), 48, 24)
    save_checkpoint(path, checkpoint)
    measure("window", recorded("can", modalities).record, [path], [], {}, tmp_path / "cost.json")
    cost = read_cost(tmp_path / "cost.json")
    assert cost.parameters == count
    assert (cost.epochs, cost.epoch_s) == ((), None)


def test_a_frame_model_is_measured_on_its_own_window(tmp_path):
    sizes = {"visual": 16, "audio": 8}
    path = saved(tmp_path, "lfan", None, sizes, window=240, stride=4, modalities="VA")
    histories = [history(tmp_path, 0, [9.0, 2.0, 2.0]), history(tmp_path, 1, [4.0, 2.0])]
    wide = recorded("lfan", "VA", "w24", window=240)  # a name is a label
    measure("window", wide.record, [path, path], histories, {}, tmp_path / "cost.json")
    cost = read_cost(tmp_path / "cost.json")
    assert (cost.method, cost.model) == ("lfan.w24", wide)
    assert cost.frames == 240
    assert cost.epochs == (3, 2)
    assert cost.epoch_s == 2.0
    assert 0 < cost.frame_s < 0.01
    assert cost.video_frames == 641
    assert cost.threads == torch.get_num_threads()
    # twice the window, twice the operations: attention is within a frame
    saved(tmp_path, "lfan", None, sizes, window=480, stride=4, modalities="VA")
    measure("window", recorded("lfan", "VA").record, [path], histories, {}, tmp_path / "double.json")
    assert read_cost(tmp_path / "double.json").flops == 2 * cost.flops
    assert cost.macs == cost.flops // 2


def test_a_video_model_of_features_is_measured_on_a_whole_video(tmp_path):
    sizes = {"visual": 16, "text": 8}
    options = {"size": 16, "heads": 2, "layers": 1, "feedforward": 16, "hidden": 8}
    model = new_video_model("discrepancy", options, sizes, {})
    checkpoint = VideoCheckpoint("discrepancy", "VT", options, normalisation(sizes), model.state_dict(), 8)
    save_video_checkpoint(tmp_path / "model.pt", checkpoint)
    output = tmp_path / "cost.json"
    measure(
        "video",
        {"method": "discrepancy", "modalities": "VT"},
        [tmp_path / "model.pt"],
        [history(tmp_path, 0, [1.0])],
        {},
        output,
    )
    cost = read_cost(output)
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (cost.method, cost.unit, cost.frames, cost.sees_pixels) == ("discrepancy", "video", 641, False)
    assert cost.model is None
    assert cost.flops > 0


def test_a_video_model_of_pixels_is_measured_on_a_clip(tmp_path):
    options = {"width": 8, "depths": (1, 1, 1, 1), "frames": 2}
    model = new_video_model("focalnet_tiny", options, None, {})
    checkpoint = VideoCheckpoint("focalnet_tiny", "V", options, None, model.state_dict(), 8)
    save_video_checkpoint(tmp_path / "model.pt", checkpoint)
    measure(
        "video", {"method": "focalnet_tiny", "modalities": "V"}, [tmp_path / "model.pt"], [], {}, tmp_path / "cost.json"
    )
    cost = read_cost(tmp_path / "cost.json")
    assert cost.sees_pixels
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_frozen_parameters_are_not_learnt():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    model[0].requires_grad_(False)
    assert parameters_of(model) == (21, 6)


def test_seconds_are_the_median_after_the_warm_up(monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 18.0, 20.0, 21.0, 30.0, 32.0, 40.0, 43.0, 50.0, 54.0])
    monkeypatch.setattr("waver.training.profiling.frames.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("waver.training.profiling.frames.LONGEST_S", 100.0)
    assert seconds_of(lambda: None, 6) == 2.5  # of 1, 2, 3, 4; 9 and 8 warmed up
    clock = iter([0.0, 9.0, 10.0, 19.0, 20.0, 29.5, 30.0])
    monkeypatch.setattr("waver.training.profiling.frames.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("waver.training.profiling.frames.LONGEST_S", 5.0)
    assert seconds_of(lambda: None, 6) == 9.25  # three calls, and none more


def test_histories_of_killed_seeds_count_what_they_have(tmp_path):
    assert epochs_of([history(tmp_path, 0, []), history(tmp_path, 1, [3.0])]) == ((0, 1), 3.0)


def test_a_broken_record_is_refused(tmp_path):
    (tmp_path / "cost.json").write_text('{"method": "lfan"}')
    with pytest.raises(WaverError, match="delete it and run again"):
        read_cost(tmp_path / "cost.json")
    assert Cost.__dataclass_fields__["sees_pixels"].default is False
