"""One participant's films."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from waver.assets.manifest import installed
from waver.config.sections import DemoConfig
from waver.datasets.demo import recording_faults
from waver.datasets.demo.acting import act
from waver.datasets.demo.film import film_key, write_film
from waver.datasets.demo.motion import Puppet, make_puppet
from waver.datasets.demo.people import Person, draw_identity, paint
from waver.datasets.demo.plan import Participant, Video
from waver.datasets.demo.portraits import Array, load_portraits
from waver.datasets.demo.voice import draw_voice, speak
from waver.io.atomic import atomic_write
from waver.provenance import seed_for

NOISES = 5
"""Pictures of camera noise that take turns."""


def make_films(root: Path, models: Path, config: DemoConfig, videos: list[tuple[Video, str]]) -> None:
    """Write one participant's videos below ``root``; whole ones with the right key stay as they are.

    Args:
        root: root of the release.
        models: folder of installed assets.
        config: size and seed.
        videos: the participant's videos, each with the key of what it is made from.
    """
    cv2.setNumThreads(1)
    due = [(video, key) for video, key in videos if film_key(root / video.path) != key]
    if not due:
        return
    person = _person(due[0][0].participant, models, config)
    puppet = make_puppet(person)
    for video, key in due:
        with atomic_write(root / video.path) as part:
            _film(part, video, key, puppet, models, config)


def _person(participant: Participant, models: Path, config: DemoConfig) -> Person:
    identity = draw_identity(participant.number, config.seed)
    return paint(identity, load_portraits(models), config.width, config.height)


def _film(path: Path, video: Video, key: str, puppet: Puppet, models: Path, config: DemoConfig) -> None:
    who = video.participant
    voice = draw_voice(draw_identity(who.number, config.seed), who.number, who.language, config.seed)
    sound = speak(video, voice, models, config.seed)
    times, fps = recording_faults.frame_times(video, config.seed)
    hidden = recording_faults.preroll(video, fps)
    times = np.concatenate([np.arange(-hidden, 0) / fps, times])
    if video.trouble == "two_faces":
        other = _person(_other(who), models, config)
        puppet = make_puppet(recording_faults.add_second_face(puppet.person, other))
    if video.trouble == "no_face":
        clip = installed(models / "no_face" / "asset.json")
        pictures = recording_faults.scenery(
            models / "no_face" / next(iter(clip.files)), times, config.width, config.height
        )
    else:
        pictures = _pictures(video, puppet, sound, times, config)
    silence = np.zeros(round(hidden / fps * len(sound) / video.duration_s), np.float32)
    track = None if video.trouble == "no_sound" else np.concatenate([silence, sound])
    late = recording_faults.LATE_S if video.trouble == "late_sound" else 0.0
    write_film(path, pictures, times - times[0], fps, track, late, key)
    if video.trouble == "edit_list":
        recording_faults.hide_start(path, hidden / fps)
    if video.trouble == "truncated":
        recording_faults.truncate(path)


def _other(participant: Participant) -> Participant:
    """Somebody else's face, of nobody in the data set."""
    return Participant("", participant.number + 501, participant.split, "", "", True, True)


def _pictures(video: Video, puppet: Puppet, sound: Array, times: Array, config: DemoConfig) -> Iterator[Array]:
    acting = act(video, sound, times.clip(0), config.seed)
    rng = np.random.default_rng(seed_for(config.seed, "noise", video.participant.id))
    noises = rng.normal(0, 2, (NOISES, config.height, config.width)).astype(np.float32)
    for i, time_s in enumerate(times):
        picture = puppet.pose(
            acting.expression[i], acting.pose[i], acting.mouth[i], acting.lids[i], acting.light[i], noises[i % NOISES]
        )
        if video.trouble == "face_gap":
            recording_faults.cover(picture, puppet.person, video, float(time_s))
        yield picture
