"""Holes in the picture and jumps of its time stamps: what is valid, what is labelled, what is set aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sounding_clips import tone, write_sounding
from video_clips import constant_rate, number_of, write_clip
from waver.align.timeline import _within
from waver.datasets.folder.annotations import Span
from waver.datasets.folder.reader import _segment_rows
from waver.datasets.video_limits import check_jumps
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem
from waver.features.clock import frame_clock
from waver.features.faces.track import Track
from waver.features.video import Decoding, decode_frames

SECOND = constant_rate(24, 24)
HOLE = [*SECOND, *(11 + time_s for time_s in SECOND)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_picture_before_a_hole_stays(tmp_path, name):
    clip = write_clip(tmp_path / name, HOLE)
    clock = frame_clock(clip)
    shown = {n: number_of(picture) for n, picture in decode_frames(clip, clock.probe, clock.needed, Decoding())}
    slots = [shown[int(frame)] for frame in clock.source_frame]
    assert slots[:24] + slots[24:264:24] + slots[264:] == [*range(24), *[23] * 10, *range(24, 48)]
    assert np.flatnonzero(~clock.seen)[0] in (47, 48)  # a second after frame 23


def test_labels_stay_with_their_time(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", HOLE)
    times = [(0.5, 0.75), (3.0, 4.0), (3.5, 5.0), (6.0, 7.0), (10.5, 11.5), (20.0, 30.0)]
    rows, beyond = _segment_rows("v", [Span(start_s, end_s) for start_s, end_s in times], clip)
    assert beyond
    assert [(row["segment"], row["start_s"], row["end_s"]) for row in rows] == [
        (0, 0.5, 0.75), (1, 3.0, 5.0), (2, 6.0, 7.0), (3, 10.5, 11.5),
    ]  # fmt: skip
    assert [(row["start_frame"], row["end_frame"]) for row in rows] == [(12, 18), (24, 24), (24, 24), (24, 36)]
    positive = np.flatnonzero(_within([(row["start_s"], row["end_s"]) for row in rows], 288)) / 24
    expected = np.arange(288) / 24
    inside = [(low <= expected) & (expected < high) for low, high in ((0.5, 0.75), (3, 5), (6, 7), (10.5, 11.5))]
    assert positive.tolist() == expected[np.any(inside, 0)].tolist()


def test_a_time_of_milliseconds_is_that_of_its_frame():
    for frame in range(2000):
        time_s = round(frame / 24, 3)
        assert np.flatnonzero(_within([(time_s, time_s + 0.5)], 2100))[0] == frame


def test_nothing_is_valid_in_a_hole():
    track = Track.empty(np.arange(3) / 24)
    track.score[:], track.box[:], track.landmarks[:], track.valid[:] = 0.9, 1, 2, True
    slots = track.at(np.array([0, 1, 1, 1, 2]), np.array([True, True, False, False, True]))
    assert slots.valid.tolist() == [True, True, False, False, True]
    assert slots.score.tolist() == pytest.approx([0.9, 0.9, 0, 0, 0.9])
    assert np.isnan(slots.box[2:4]).all()
    assert np.isnan(slots.landmarks[2:4]).all()
    assert track.valid.all()


HOUR = np.concatenate([np.arange(14400) / 24, 4200 + np.arange(240) / 24])
JUMPS = {
    "an hour": (HOUR, np.zeros(0), "its time stamps jump by 3600 s"),
    "an hour, the sound as well": (HOUR, HOUR[::2], "its time stamps jump by 3600 s"),
    "an hour, at the first frame": (np.concatenate([[-3600.0], HOUR[:7200]]), np.zeros(0), "jump by 3600 s"),
    "back to the start": (np.tile(HOUR[:240], 2), np.zeros(0), "its time stamps jump back by 10 s"),
}


@pytest.mark.parametrize("name", JUMPS)
def test_jumps(name):
    times_s, sound_s, reason = JUMPS[name]
    with pytest.raises(ExcludedItem, match=reason):
        check_jumps(times_s, sound_s)


def test_what_is_no_jump():
    check_jumps(HOUR, np.arange(0, 4300, 0.02))  # the camera is off, the voice goes on
    check_jumps(np.array([*SECOND, *(30 + np.array(SECOND))]), np.zeros(0))
    check_jumps(np.array([0.0, 4.0, 2.0, 1.0, 3.0, 8.0, 6.0]), np.zeros(0))  # stored in the order of decoding


def test_files_that_jump(tmp_path: Path):
    clip = write_clip(tmp_path / "a.mkv", [*constant_rate(3, 60), *(85 + t for t in constant_rate(3, 60))])
    with pytest.raises(ExcludedItem, match="its time stamps jump by 65 s"):
        probe_video(clip)


def test_sound_longer_than_the_picture_makes_no_slots(tmp_path):
    clock = frame_clock(write_sounding(tmp_path / "a.mkv", 1, [(0.0, tone(4.0))]))
    assert (clock.frames, bool(clock.seen.all())) == (24, True)
