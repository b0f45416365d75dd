"""Clips of faces, and steps of features."""

import numpy as np
import pytest

from waver.training.corpus import VideoSample
from waver.training.videos.clips import SIDE, middle_crop, segment_frames, varied
from waver.training.videos.steps import pooled


def faces(count=3, side=256, seed=0):
    draw = np.random.default_rng(seed)
    base = draw.integers(0, 256, (8, 8, 3), np.uint8).repeat(side // 8, 0).repeat(side // 8, 1)
    return np.stack([base] * count)


def test_a_clip_at_test_is_the_middle_of_each_segment():
    valid = np.ones(80, bool)
    assert segment_frames(valid, 8, None).tolist() == [5, 15, 25, 35, 45, 55, 65, 75]
    assert segment_frames(valid[:3], 8, None).tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


def test_a_clip_of_training_has_a_random_frame_of_each_segment():
    draw = np.random.default_rng(0)
    drawn = np.array([segment_frames(np.ones(80, bool), 8, draw) for _ in range(200)])
    assert (drawn // 10 == np.arange(8)).all()
    assert all(len(set(column)) == 10 for column in drawn.T.tolist())
    other = segment_frames(np.ones(83, bool), 8, np.random.default_rng(1))
    assert np.array_equal(other, segment_frames(np.ones(83, bool), 8, np.random.default_rng(1)))


def test_frames_without_a_face_are_not_shown():
    valid = np.zeros(100, bool)
    valid[40:60] = True
    for draw in (None, np.random.default_rng(0)):
        frames = segment_frames(valid, 8, draw)
        assert valid[frames].all()
        assert frames[0] < 43
        assert frames[-1] >= 57


def test_the_middle_of_a_face_of_256_pixels():
    given = faces()
    clip = middle_crop(given)
    assert clip.shape == (3, SIDE, SIDE, 3)
    assert clip.dtype == np.float32
    np.testing.assert_allclose(clip, given[:, 16:240, 16:240] / np.float32(255))
    assert middle_crop(faces(side=64)).shape == (3, SIDE, SIDE, 3)


def test_all_frames_of_a_clip_vary_alike_and_clips_differ():
    clips = [varied(faces(), np.random.default_rng(seed), 0.08) for seed in range(40)]
    for clip in clips:
        assert clip.shape == (3, SIDE, SIDE, 3)
        assert clip.dtype == np.float32
        assert 0 <= clip.min() <= clip.max() <= 1
        assert np.array_equal(clip[0], clip[1])
        assert np.array_equal(clip[0], clip[2])
    assert len({clip.tobytes() for clip in clips}) == 40
    assert np.array_equal(clips[3], varied(faces(), np.random.default_rng(3), 0.08))
    grey = sum(np.allclose(clip[..., 0], clip[..., 1], atol=1e-5) for clip in clips)
    assert 2 <= grey <= 16  # one in five


def test_the_least_crop_is_kept():
    """A picture whose red is its row: what is left of its height and width tells of the crop."""
    given = np.zeros((1, 256, 256, 3), np.uint8)
    given[..., 0] = np.arange(256)[:, None]
    given[..., 1] = np.arange(256)[None]

    class Steady(np.random.Generator):
        """Draws crops as ever, and no colours."""

        def uniform(self, low=0.0, high=1.0, size=None):
            return np.ones(size) if size else super().uniform(low, high)

        def random(self, *_):
            return 0.99

    whole = [varied(given, Steady(np.random.PCG64(seed)), 1.0) for seed in range(20)]
    small = [varied(given, Steady(np.random.PCG64(seed)), 0.08) for seed in range(60)]

    def areas(clips):
        return [float(np.ptp(clip[..., 0]) * np.ptp(clip[..., 1])) for clip in clips]

    assert min(areas(whole)) > 0.7  # sides 4:3 apart do not fit: the longer one is cut
    assert 0.05 < min(areas(small)) < 0.25
    assert max(areas(small)) > 0.7


def sample(frames=10):
    draw = np.random.default_rng(0)
    valid = np.array([1, 1, 1, 0, 0, 0, 0, 0, 1, 0], bool)[:frames]
    return VideoSample(
        "1_Q1", "1", "train", 1, {"visual": draw.normal(size=(frames, 3)).astype(np.float32)}, {"visual": valid},
        np.array([0, 0, 1, 1, 0, 0, 0, 0, 1, 0], np.uint8)[:frames], True,
    )  # fmt: skip


def test_a_step_is_the_mean_of_its_valid_frames():
    given = sample()
    found = pooled(given, 4)
    values = given.features["visual"]
    assert found.features["visual"].dtype == np.float32
    np.testing.assert_allclose(found.features["visual"], [values[:3].mean(0), np.zeros(3), values[8]], atol=1e-6)
    assert found.valid["visual"].tolist() == [True, False, True]
    assert found.label.tolist() == [1, 0, 1]
    assert found.frames == 3


@pytest.mark.parametrize("frames", [1, 4, 9])
def test_steps_of_one_frame_are_the_frames(frames):
    given = sample(frames)
    found = pooled(given, 1)
    kept = np.where(given.valid["visual"][:, None], given.features["visual"], 0)
    np.testing.assert_allclose(found.features["visual"], kept)
    assert np.array_equal(found.label, given.label)
