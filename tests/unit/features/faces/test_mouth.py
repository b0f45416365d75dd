"""Two people of like size: the one whose mouth moves with the sound is the speaker."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_identity import film, followed, portrait, tracklet  # noqa: F401 (a fixture)

from waver.features.faces.identity import Sightings
from waver.features.faces.mouth import Loudness, who_speaks

RATE = 12
SECONDS = 7
MOUTH = 0.475, 0.525
"""Place of the portrait's mouth, shares of its square."""


def spoken(seed: int) -> np.ndarray:
    """Bursts of speech: whether there is any, every 10 ms."""
    draw, found = np.random.default_rng(seed), np.zeros(100 * SECONDS, bool)
    at = 0
    while at < len(found):
        burst = draw.integers(30, 120)
        found[at : at + burst] = True
        at += burst + draw.integers(40, 120)
    return found


def voice(speech: np.ndarray) -> np.ndarray:
    draw = np.random.default_rng(9)
    return (0.2 * draw.standard_normal(160 * len(speech)) * np.repeat(speech, 160)).astype(np.float32)


def acting(portrait: np.ndarray, side: int, speech: np.ndarray | None, seed: int):  # noqa: F811
    """A head that sways, with a mouth that opens and closes while there is speech."""
    sway = np.random.default_rng(seed).standard_normal((RATE * SECONDS + 8, 2))
    sway = np.stack([np.convolve(one, np.ones(8) / 2, "valid") for one in sway.T], 1)

    def shown(number: int) -> np.ndarray:
        picture = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        if speech is not None and speech[100 * number // RATE]:
            opened = side * 0.05 * abs(np.sin(2 * np.pi * 3.1 * number / RATE))
            at = tuple(round(side * share) for share in MOUTH)
            cv2.ellipse(picture, at, (round(side * 0.06), max(1, round(opened))), 0, 0, 360, (60, 20, 20), -1)
        return cv2.warpAffine(picture, np.float32([[1, 0, sway[number, 0]], [0, 1, sway[number, 1]]]), (side, side))

    return shown


@pytest.mark.slow
def test_the_smaller_of_two_speaks(tmp_path, installed_models, portrait):  # noqa: F811
    speech = spoken(0)
    small, large = acting(portrait, 180, speech, 1), acting(portrait[:, ::-1].copy(), 200, None, 2)
    clip = film(tmp_path / "a.mp4", RATE * SECONDS, small, large, RATE, voice(speech))
    middle, note, _ = followed(tmp_path, installed_models, clip)
    assert "told by the mouth" in note
    assert np.nanmax(middle) < 220


FRAMES = 24 * 20


def moving(speech: np.ndarray, seed: int = 3) -> dict[int, float]:
    """Movement of a mouth at 24 fps: that of speech, and trembling."""
    draw = np.random.default_rng(seed)
    own = np.repeat(speech, 24)[:: len(speech) // 20][:FRAMES] * draw.uniform(0, 1, FRAMES)
    return dict(enumerate((own + 0.3 * draw.standard_normal(FRAMES)).tolist()))


SPEECH, OTHER = spoken(0)[: 20 * (100 * SECONDS // 20)], spoken(5)[: 20 * (100 * SECONDS // 20)]
STILL = np.zeros_like(SPEECH)


def loud(speech: np.ndarray, frames: int = FRAMES) -> Loudness:
    """The speech of 20 s, in windows of 0.1 s, 50 dB above the room."""
    levels = np.repeat(speech, 200)[:: len(speech)][:200]
    return Loudness(np.where(levels, -20.0, -70.0), np.arange(frames) / 24)


CASES = {
    "another one's mouth moves": ([moving(STILL), moving(SPEECH)], loud(SPEECH), 1),
    "the first one's mouth moves": ([moving(SPEECH), moving(STILL)], loud(SPEECH), 0),
    "a third one's": ([moving(STILL), moving(OTHER), moving(SPEECH)], loud(SPEECH), 2),
    "somebody out of the picture speaks": ([moving(STILL), moving(OTHER, 1)], loud(SPEECH), 0),
    "the mouth moves in the pauses": ([moving(STILL), moving(~SPEECH)], loud(SPEECH), 0),
    "both speak, the first one more": ([moving(SPEECH), moving(SPEECH & OTHER)], loud(SPEECH), 0),
    "loud all the time": ([moving(STILL), moving(SPEECH)], loud(~STILL), 0),
    "seen for two seconds": (
        [dict(list(one.items())[:48]) for one in (moving(STILL), moving(SPEECH))],
        loud(SPEECH),
        0,
    ),
    "never seen together": ([{}, {}], loud(SPEECH), 0),
    "seen after the end of the sound": (
        [moving(STILL), moving(SPEECH)],
        Loudness(np.full(5, -20.0), loud(SPEECH).times_s),
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_who_speaks(case):
    moved, heard, speaker = CASES[case]
    assert who_speaks(moved, heard) == speaker


def test_the_sound_is_asked_for_where_it_matters_alone():
    """One person, or a much smaller second one: nothing changes and no sound is read."""
    for moved, weights in (([0.03], [60]), ([0.03, 0.003], [60, 60]), ([0.03, 0.03], [60, 20])):
        sightings = Sightings()
        sightings.tracklets = [tracklet(*one, look) for look, one in enumerate(zip(moved, weights, strict=True))]
        assert sightings.speaker(lambda: pytest.fail("the sound is read")) == sightings.tracklets[0].number_at
        assert not sightings.by_mouth


def test_two_as_likely_people_in_a_recording_without_sound():
    sightings = Sightings()
    sightings.tracklets = [tracklet(0.03, 60, 0), tracklet(0.03, 50, 1)]
    assert sightings.speaker(lambda: None) == sightings.speaker() == sightings.tracklets[0].number_at
