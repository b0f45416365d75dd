"""Every recording of the corpus gives what its line of the table says, through probe, decoder, clock and sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recordings_corpus import TABLE, Read, SetAside
from video_clips import number_of
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem
from waver.features.clock import FrameClock, clock_of
from waver.features.samples import RATE_HZ
from waver.features.video import Decoding, decode_frames
from waver.features.waveform import read_waveform


def test_the_table_is_long_enough():
    assert len(TABLE) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_a_recording_gives_what_the_table_says(tmp_path, name):
    recording = TABLE[name]
    path, gives = recording.make(tmp_path / recording.file), recording.gives
    if isinstance(gives, SetAside):
        with pytest.raises(ExcludedItem) as raised:
            probe_video(path)
        assert gives.reason in raised.value.reason
        assert raised.value.remedy
        return
    clock = clock_of(probe_video(path))
    assert (clock.probe.truncated or "").startswith(gives.truncated)
    if gives.truncated:
        assert 0 < len(clock.probe.pts_s) < gives.lost
    else:
        assert clock.probe.truncated is None
        assert (clock.frames, len(clock.probe.pts_s)) == (gives.slots, gives.frames)
        assert (~clock.seen).sum() == gives.unseen
    shows_its_frames(path, clock, gives)
    sounds(path, clock, gives)


def shows_its_frames(path: Path, clock: FrameClock, gives: Read) -> None:
    """Each slot shows the frame that was on screen: its number is seen in the upright picture."""
    decoding = Decoding()
    pictures = dict(decode_frames(path, clock.probe, clock.needed, decoding))
    assert len(clock.needed) - len(pictures) <= gives.lost
    first = gives.first
    numbered = {} if first is None else {n: number_of(stored(one, gives)) for n, one in pictures.items()}
    wrong = [n for n, number in numbered.items() if number != n + (first or 0)]
    assert len(wrong) <= gives.lost
    assert np.all(np.diff(clock.source_frame) >= 0)
    shown_s = clock.pts_s[clock.seen] - np.arange(clock.frames)[clock.seen] / 24
    assert shown_s.max() < 0.5 / 24 + 1e-6, "never a frame of the future"


def stored(picture: np.ndarray, gives: Read) -> np.ndarray:
    """The picture as it lies in the file."""
    unturned = np.rot90(picture, -gives.turned)
    return np.fliplr(unturned) if gives.mirrored else unturned


def sounds(path: Path, clock: FrameClock, gives: Read) -> None:
    if gives.sound_s is None:
        with pytest.raises(ExcludedItem, match="no sound"):
            read_waveform(path, clock.audio_start_s, clock.frames / 24)
        return
    sound = read_waveform(path, clock.audio_start_s, clock.frames / 24)
    loud = np.flatnonzero(np.abs(sound.samples) > 0.1)
    assert loud[0] / RATE_HZ == pytest.approx(gives.sound_s, abs=0.04)
    assert gives.note in sound.note
