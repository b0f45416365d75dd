"""The broken and unusual files that real recordings bring, spread over the demo's videos."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from waver.datasets.demo.people import Person
from waver.datasets.demo.plan import Clause, Participant, Video
from waver.datasets.demo.portraits import Array
from waver.provenance import seed_for
from waver.shapes import FPS

EXTRA_QUESTION = 2
PREROLL_S = 0.5
LATE_S = 0.4
GAP_S = 1.5
SECOND_FACE = 0.42
"""Size of the second face, relative to the first."""

KINDS: dict[str, tuple[str, str]] = {
    "variable_rate": ("train", "frames at irregular times"),
    "30_fps": ("train", "30 frames a second"),
    "two_faces": ("train", "a second, smaller face behind the participant"),
    "edit_list": ("test", f"the first {PREROLL_S} s are cut by an edit list, not from the data"),
    "late_sound": ("test", f"the sound starts {LATE_S} s after the pictures"),
    "face_gap": ("test", f"the face is covered for {GAP_S} s"),
}
"""Trouble on videos of the balanced design: split, and what it is."""
EXTRA: dict[str, tuple[str, str]] = {
    "no_face": ("train", "scenery, nobody is seen"),
    "no_sound": ("train", "there is no sound track"),
    "truncated": ("train", "the file ends in the middle"),
}
"""Broken files, additional to the balanced design so that it stands."""


def spread_trouble(videos: list[Video], people: list[Participant]) -> list[Video]:
    """Give some videos a trouble each, and add the broken ones as answers to a question of their own.

    Where the design is too small to hold a kind, that kind is left out.
    """
    out = list(videos)
    for kind, (split, _) in KINDS.items():
        free = [i for i, video in enumerate(out) if video.participant.split == split and not video.trouble]
        if free:
            # step through the participants rather than fill the first one
            at = free[(7 * len(kind) + 5 * list(KINDS).index(kind)) % len(free)]
            out[at] = replace(out[at], trouble=kind)
    taken = {video.participant.id for video in videos if video.question == EXTRA_QUESTION}
    hosts = [person for person in people if person.split == "train" and person.id not in taken]
    for kind, person in zip(EXTRA, hosts, strict=False):
        model = next(video for video in videos if video.participant == person)
        stamp = f"{model.stamp[:11]}09{model.stamp[13:]}"
        out.append(replace(model, question=EXTRA_QUESTION, stamp=stamp, trouble=kind, spaced=False))
    return sorted(out, key=lambda video: (video.participant.number, video.question))


def frame_times(video: Video, seed: int) -> tuple[Array, int]:
    """Times of the frames a viewer sees, in seconds, and the nominal rate.

    A variable rate drops about a quarter of 30 frames a second, as cameras do in the dark.
    """
    fps = 30 if video.trouble in ("variable_rate", "30_fps") else FPS
    times = np.arange(int(video.duration_s * fps)) / fps
    if video.trouble == "variable_rate":
        rng = np.random.default_rng(seed_for(seed, "rate", video.participant.id, video.question))
        keep = rng.random(len(times)) > 0.25
        keep[0] = True
        times = times[keep]
    return times, fps


def preroll(video: Video, fps: int) -> int:
    """Frames before the first one seen, which an edit list hides."""
    return round(PREROLL_S * fps) if video.trouble == "edit_list" else 0


def gap_s(video: Video) -> tuple[float, float]:
    """First and last second of a covered face."""
    middle = video.duration_s / 2
    return middle - GAP_S / 2, middle + GAP_S / 2


def cover(picture: Array, person: Person, video: Video, time_s: float) -> None:
    """Hold a sheet of paper before the face, in place, in a planar YUV picture."""
    first, last = gap_s(video)
    up = np.clip(min(time_s - first, last - time_s) / 0.15 + 1, 0, 1)
    if up == 0:
        return
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    x0, y0 = (person.points.min(0) - 0.75 * person.eye_distance).clip(0).astype(int) // 2 * 2
    x1, y1 = (person.points.max(0) + 0.5 * person.eye_distance).clip(0, [width, height]).astype(int) // 2 * 2
    top = int(height - (height - y0) * up) // 2 * 2
    bottom = min(height, top + y1 - y0)
    picture[top:bottom, x0:x1] = 205
    for plane, tone in ((0, 124), (1, 132)):
        size = height // 4
        chroma = picture[height + plane * size : height + (plane + 1) * size].reshape(height // 2, width // 2)
        chroma[top // 2 : bottom // 2, x0 // 2 : x1 // 2] = tone


def add_second_face(person: Person, other: Person) -> Person:
    """The person with another one's smaller head in the emptier upper corner."""
    unit = other.eye_distance
    centre = other.points.mean(0) - [0, 0.25 * unit]
    scale = SECOND_FACE * person.eye_distance / unit
    half = (np.array([1.35, 1.7]) * unit * scale).astype(int)
    height, width = person.image.shape[:2]
    x = 1.15 * half[0] if person.points[:, 0].mean() > width / 2 else width - 1.15 * half[0]
    at = np.array([x, 1.1 * half[1]])
    place = np.column_stack([np.eye(2) * scale, at - scale * centre])
    moved = cv2.warpAffine(other.image, place, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, at.astype(int).tolist(), half.tolist(), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    mixed = person.image + mask * (moved.astype(np.float32) - person.image)
    return Person(mixed.astype(np.uint8), person.points)


def scenery(clip: Path, times_s: Array, width: int, height: int) -> Iterator[Array]:
    """Frames of a clip without a face, repeated for as long as needed, planar YUV 4:2:0."""
    with av.open(str(clip)) as container:
        frames = [frame.reformat(width, height, "yuv420p").to_ndarray() for frame in container.decode(video=0)]
    for time_s in times_s:
        yield frames[int(time_s * FPS) % len(frames)]


def hide_start(path: Path, seconds: float) -> None:
    """Make every track's edit list start ``seconds`` into its data, by rewriting the mp4's boxes."""
    data = bytearray(path.read_bytes())
    movie = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    at = data.find(b"elst")
    while at >= 0:
        media = struct.unpack_from(">I", data, data.index(b"mdhd", at) + 16)[0]
        entry = at + 12
        length, start = struct.unpack_from(">Ii", data, entry)
        struct.pack_into(">Ii", data, entry, length - round(seconds * movie), start + round(seconds * media))
        at = data.find(b"elst", at + 4)
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """Cut off the last two fifths of the file, its index with them."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 5])


def clause_at(video: Video, time_s: float) -> Clause:
    """The clause in whose slot a time lies."""
    return next((clause for clause in video.clauses if time_s < clause.slot_s[1]), video.clauses[-1])
