import numpy as np
import pytest

from waver.config.training import TrainConfig
from waver.errors import WaverError
from waver.training.corpus import VideoSample
from waver.training.frames.windows import (
    batches,
    collate,
    drawn,
    epoch_order,
    in_steps,
    repeat_last,
    window_starts,
    windows_of,
)


def sample(frames, start=0):
    values = np.arange(start, start + frames, dtype=np.float32)
    return VideoSample(
        video=f"82{start}_Q1",
        participant=f"82{start}",
        split="train",
        question=1,
        features={"visual": values[:, None] * np.ones((1, 3), np.float32)},
        valid={"visual": np.ones(frames, bool)},
        label=(values % 2).astype(np.uint8),
        labelled=True,
    )


@pytest.mark.parametrize(
    ("frames", "starts"),
    [(50, [0]), (96, [0]), (97, [0, 1]), (144, [0, 48]), (150, [0, 48, 54]), (192, [0, 48, 96])],
)
def test_windows_reach_the_end_exactly(frames, starts):
    assert window_starts(frames, 96, 48) == starts


def test_every_frame_lies_in_a_window_and_no_window_is_repeated():
    for frames in range(1, 400):
        found = windows_of([frames], 96, 40)
        assert {f for w in found for f in range(w.start, w.stop)} == set(range(frames))
        assert len({w.start for w in found}) == len(found)
        assert all(w.stop - w.start == min(frames, 96) for w in found)


@pytest.mark.parametrize(
    ("window", "hop", "stride", "steps"),
    [(696, 48, 1, (696, 48)), (696, 48, 8, (87, 6)), (24, 24, 8, (3, 3)), (24, 1, 30, (1, 1)), (100, 30, 8, (12, 4))],
)
def test_lengths_are_frames_of_the_clock_and_become_steps_in_one_place(window, hop, stride, steps):
    assert in_steps(TrainConfig(window=window, hop=hop, stride=stride)) == steps


def test_padding_is_masked_and_zero():
    batch = collate([sample(10), sample(4, 100)], windows_of([10, 4], 96, 48))
    assert batch.mask.sum(1).tolist() == [10, 4]
    assert batch.streams["visual"].shape == (2, 10, 3)
    assert (batch.streams["visual"][1, 4:] == 0).all()
    assert batch.streams["visual"][1, :4, 0].tolist() == [100, 101, 102, 103]
    assert batch.label[1].tolist() == [0, 1, 0, 1, 0, 0, 0, 0, 0, 0]


def test_repeat_continues_the_last_frame_and_its_label():
    longer = repeat_last(sample(4, 100), 7)
    assert longer.features["visual"][:, 0].tolist() == [100, 101, 102, 103, 103, 103, 103]
    assert longer.label.tolist() == [0, 1, 0, 1, 1, 1, 1]
    assert repeat_last(sample(9), 7).frames == 9


def test_the_order_depends_on_seed_and_epoch_alone():
    assert np.array_equal(epoch_order(50, 3, 7), epoch_order(50, 3, 7))
    assert not np.array_equal(epoch_order(50, 3, 7), epoch_order(50, 3, 8))
    assert not np.array_equal(epoch_order(50, 3, 7), epoch_order(50, 4, 7))
    assert sorted(epoch_order(50, 3, 7)) == list(range(50))


def test_an_epoch_serves_every_window_once():
    samples = [sample(20, start) for start in (0, 100, 200)]
    windows = windows_of([20] * 3, 8, 4)
    served = [
        row[0, 0].item()
        for batch in batches(samples, windows, 5, epoch_order(12, 0, 1))
        for row in batch.streams["visual"]
    ]
    assert sorted(served) == sorted(100.0 * w.sample + w.start for w in windows)


def test_windows_without_ah_are_drawn_down_to_a_ratio():
    positive = np.arange(100) % 10 == 0
    found = [drawn(positive, 3, seed=1, epoch=epoch) for epoch in (1, 2)]
    for numbers in found:
        assert len(numbers) == len(set(numbers)) == 40
        assert positive[numbers].sum() == 10
        assert (np.diff(numbers) > 0).all()
    assert not np.array_equal(*found)
    assert np.array_equal(found[0], drawn(positive, 3, seed=1, epoch=1))
    assert not np.array_equal(found[0], drawn(positive, 3, seed=2, epoch=1))


def test_no_more_are_drawn_than_there_are():
    positive = np.arange(10) < 4
    assert drawn(positive, 5, 0, 1).tolist() == list(range(10))
    assert drawn(np.ones(3, bool), 1, 0, 1).tolist() == [0, 1, 2]


def test_nothing_to_draw_for_is_told():
    with pytest.raises(WaverError, match=r"no training window has A/H; set train\.undersample to 0"):
        drawn(np.zeros(5, bool), 1, 0, 1)


def test_every_window_without_ah_comes_up_in_time():
    positive = np.arange(40) < 10
    seen = {int(number) for epoch in range(1, 40) for number in drawn(positive, 0.5, 0, epoch)}
    assert seen == set(range(40))
