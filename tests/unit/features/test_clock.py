"""Slots of 1/24 s and the source frames that fill them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from video_clips import constant_rate, variable_rate, write_clip
from waver.datasets.video_probe import Probe
from waver.features.clock import clock_of, frame_clock


def probe_of(times_s, end_s=None) -> Probe:
    times = np.asarray(times_s, float)
    step = times[-1] - times[-2] if len(times) > 1 else 1 / 24
    return Probe(times, times[-1] + step if end_s is None else end_s, 200, 120, None, None)


@pytest.mark.parametrize("frames", [1, 2, 24, 2204])
def test_24_fps_is_the_identity(frames):
    assert clock_of(probe_of(constant_rate(24, frames))).source_frame.tolist() == list(range(frames))


def test_24_fps_in_milliseconds_is_the_identity():
    times = np.round(np.arange(2000) / 24, 3)
    assert clock_of(probe_of(times)).source_frame.tolist() == list(range(2000))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_24_fps_file_is_the_identity(tmp_path: Path, name):
    clock = frame_clock(write_clip(tmp_path / name, constant_rate(24, 50), sound_from_s=0.0))
    assert clock.source_frame.tolist() == list(range(50))
    assert clock.source_frame.dtype == np.int32
    assert clock.audio_start_s == pytest.approx(0, abs=0.09)  # MPEG-TS and AAC priming


def test_ntsc_film_repeats_one_frame_in_a_thousand():
    times = np.arange(2400) * 1001 / 24000
    clock = clock_of(probe_of(times))
    assert clock.frames == 2402
    steps = np.diff(clock.source_frame)
    assert (np.sort(np.unique(steps)).tolist(), int((steps == 0).sum())) == ([0, 1], 2)


def test_30_fps_drops_every_fifth():
    clock = clock_of(probe_of(constant_rate(30, 30)))
    assert clock.frames == 24
    assert clock.source_frame[:8].tolist() == [0, 1, 2, 4, 5, 6, 7, 9]  # a tie takes the earlier frame
    assert len(clock.needed) == 24


def test_12_fps_shows_each_frame_twice():
    clock = clock_of(probe_of(constant_rate(12, 12)))
    assert clock.source_frame.tolist() == [i // 2 for i in range(24)]
    assert clock.needed.tolist() == list(range(12))


def test_variable_rate_shows_what_is_on_screen():
    times = np.asarray(variable_rate(300)) + np.random.default_rng(1).uniform(0, 0.01, 300)
    times = np.sort(times - times[0])
    clock = clock_of(probe_of(times))
    slots = np.arange(clock.frames) / 24
    assert (clock.pts_s < slots + 0.5 / 24).all()  # nothing of the future
    came = np.searchsorted(times, slots, side="right") - 1
    assert (clock.source_frame >= came).all()
    nearer = clock.source_frame > came
    assert (np.abs(clock.pts_s - slots)[nearer] < np.abs(times[came] - slots)[nearer]).all()
    assert (np.diff(clock.source_frame) >= 0).all()
    assert np.array_equal(clock.pts_s, times[clock.source_frame])


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 60, 120])
def test_rates_above_24_take_the_nearest_frame(fps):
    times = np.asarray(constant_rate(fps, int(10 * fps)))
    clock = clock_of(probe_of(times))
    distance = np.abs(times[None] - (np.arange(clock.frames) / 24)[:, None])
    assert np.abs(clock.pts_s - np.arange(clock.frames) / 24).max() <= 0.5 / fps + 1e-6
    assert np.array_equal(clock.source_frame, (distance < distance.min(1)[:, None] + 1e-6).argmax(1))
    assert clock.seen.all()


def test_one_frame_a_second_comes_when_it_comes():
    clock = clock_of(probe_of(constant_rate(1, 5)))
    assert clock.source_frame.tolist() == [i // 24 for i in range(5 * 24)]
    assert clock.seen.all()


def test_in_a_hole_the_last_picture_stays_and_is_soon_not_valid():
    before, after = np.arange(24) / 24, 11 + np.arange(24) / 24
    clock = clock_of(probe_of([*before, *after]))
    assert clock.frames == 12 * 24
    assert clock.source_frame.tolist() == [*range(24), *[23] * 240, *range(24, 48)]
    assert np.flatnonzero(~clock.seen).tolist() == [*range(23 + 25, 264)]  # a second after frame 23 and later


def test_a_last_frame_that_stays_for_long():
    clock = clock_of(probe_of([0.0, 1 / 24], end_s=4.0))
    assert clock.source_frame.tolist() == [0, *[1] * 95]
    assert clock.seen.sum() == 26


def test_a_blink_has_one_slot():
    clock = clock_of(probe_of([0.0], end_s=0.01))
    assert clock.source_frame.tolist() == [0]
