"""Windows over the frames of a video, which of them are shown, and scores back on every frame."""

from __future__ import annotations

import math

import numpy as np
import pytest

from waver.errors import WaverError
from waver.zeroshot.windows import WINDOWS, frame_margins, sampled, whole_video, windows


@pytest.mark.parametrize("length", WINDOWS)
def test_every_frame_is_in_one_window_for_every_length_of_video(length):
    for frames in range(1, 201):
        cut = windows(frames, length)
        owner = np.concatenate([np.arange(window.start_frame, window.end_frame) for window in cut])
        np.testing.assert_array_equal(owner, np.arange(frames))
        assert len(cut) == math.ceil(frames / length)
        assert all(len(window.frames) == 8 for window in cut)
        assert all((np.diff(window.frames) >= 0).all() for window in cut)
        assert all(window.start_frame <= window.frames[0] <= window.frames[-1] < window.end_frame for window in cut)


def test_a_window_shows_its_frames_or_eight_evenly_spaced():
    np.testing.assert_array_equal(windows(24, 8)[1].frames, np.arange(8, 16))
    np.testing.assert_array_equal(windows(48, 24)[1].frames, [24, 27, 30, 33, 37, 40, 43, 47])


def test_the_last_window_repeats_its_last_frame():
    np.testing.assert_array_equal(windows(11, 8)[1].frames, [8, 9, 10, 10, 10, 10, 10, 10])
    assert windows(11, 8)[1].length == 3


def test_the_released_sampling_reaches_the_last_frame_and_the_cards_does_not():
    np.testing.assert_array_equal(sampled(638, 8), [0, 91, 182, 273, 364, 455, 546, 637])
    np.testing.assert_array_equal(sampled(638, 8, "arange"), [0, 79, 159, 239, 319, 398, 478, 558])
    np.testing.assert_array_equal(sampled(638, 8, "arange"), np.arange(0, 638, 638 / 8).astype(int))


def test_a_short_video_repeats_frames_by_rounding():
    np.testing.assert_array_equal(whole_video(3).frames, [0, 0, 0, 0, 1, 1, 1, 2])
    assert whole_video(3).length == 3


def test_a_windows_score_is_that_of_its_frames():
    cut = windows(11, 8)
    np.testing.assert_array_equal(frame_margins(cut, np.array([0.3, -2.0]), 11), [0.3] * 8 + [-2.0] * 3)
    np.testing.assert_array_equal(frame_margins([whole_video(4)], np.array([900.0]), 4), [900.0] * 4)


def test_overlapping_windows_are_averaged_as_probabilities():
    cut = windows(12, 8, stride=4)
    assert [(window.start_frame, window.end_frame) for window in cut] == [(0, 8), (4, 12)]
    margins = frame_margins(cut, np.array([2.0, -1.0]), 12)
    mean = (1 / (1 + math.exp(-2.0)) + 1 / (1 + math.exp(1.0))) / 2
    np.testing.assert_allclose(margins, [2.0] * 4 + [math.log(mean / (1 - mean))] * 4 + [-1.0] * 4)
    assert np.isfinite(frame_margins(cut, np.array([1e4, -1e4]), 12)).all()


def test_a_stride_that_leaves_frames_out_is_refused():
    with pytest.raises(WaverError, match="a stride of 9 frames does not fit windows of 8; give 1 to 8"):
        windows(20, 8, stride=9)
