"""One face through the frames of a video: chosen, followed, interpolated between detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np
import numpy.typing as npt

from waver.features.faces.detect import Detections, Detector, Floats, overlap
from waver.features.faces.identity import Sightings
from waver.features.faces.near import NearFaces
from waver.features.video import Picture

_NEAR_TIE = 0.02
"""Scores this near to the best count as equal, and the previous face decides."""

Frame = tuple[int, Picture]
"""Position of a frame in its track, and the frame's picture."""


@dataclass(frozen=True)
class Track:
    """The face of each of U frames; where ``valid`` is False the score is 0, the rest NaN.

    Attributes:
        times_s: [U], presentation times, seconds.
        score: float32 [U], probability of a face.
        box: float32 [U, 4], x0, y0, x1, y1, pixels.
        landmarks: float32 [U, 5, 2], x, y, pixels.
        valid: bool [U], a face was detected or interpolated.
    """

    times_s: npt.NDArray[np.float64]
    score: Floats
    box: Floats
    landmarks: Floats
    valid: npt.NDArray[np.bool_]

    @classmethod
    def empty(cls, times_s: npt.NDArray[np.float64]) -> Self:
        """A track in which no face has been found yet."""
        count = len(times_s)
        box = np.full((count, 4), np.nan, np.float32)
        landmarks = np.full((count, 5, 2), np.nan, np.float32)
        return cls(times_s, np.zeros(count, np.float32), box, landmarks, np.zeros(count, bool))

    def at(self, places: npt.NDArray[np.int64], seen: npt.NDArray[np.bool_]) -> Self:
        """The faces of some frames, none where ``seen`` is False."""
        faces = type(self)(*(values[places] for values in vars(self).values()))
        faces.score[~seen], faces.box[~seen], faces.landmarks[~seen], faces.valid[~seen] = 0, np.nan, np.nan, False
        return faces

    def put(self, place: int, faces: Detections, number: int) -> None:
        """Take one of the detected faces."""
        self.score[place] = faces.score[number]
        self.box[place] = faces.box[number]
        self.landmarks[place] = faces.landmarks[number]
        self.valid[place] = True

    def interpolate(self, left: int, right: int) -> None:
        """Fill the frames between two detections of the same face, linearly in time."""
        same = overlap(self.box[left], self.box[right : right + 1])[0] > 0
        between = np.arange(left + 1, right)
        if not (self.valid[left] and self.valid[right] and same and len(between)):
            return
        length_s = max(self.times_s[right] - self.times_s[left], 1e-9)
        weight = ((self.times_s[between] - self.times_s[left]) / length_s).astype(np.float32)
        for values in (self.score, self.box, self.landmarks):
            share = weight.reshape(-1, *(1,) * (values.ndim - 1))
            values[between] = (1 - share) * values[left] + share * values[right]
        self.valid[between] = True


def follow_face(
    frames: Iterable[Frame], detector: Detector, every: int, track: Track, sightings: Sightings | None = None
) -> Iterator[Frame]:
    """Fill the track with the best face of each frame and yield each frame once its entry is final.

    Detection runs in the first frame, in every n-th after it and in the last. Between two detections
    less than ``2 * every`` frames apart (frames that could not be decoded count) the face is
    interpolated. At most ``every * detector.batch`` pictures are in memory.

    Args:
        frames: positions, ascending, and pictures.
        detector: of faces.
        every: detect in every n-th frame.
        track: filled in place.
        sightings: takes all faces, and which of them were the best.
    """
    groups = _groups(frames, every)
    near = NearFaces(detector)
    last: int | None = None
    previous: Floats | None = None
    while chunk := list(islice(groups, detector.batch)):
        found = near.detect([group[-1][1] for group in chunk])
        for group, faces in zip(chunk, found, strict=True):
            place, picture = group[-1]
            if sightings is not None:
                sightings.add(place, picture, faces)
            number = choose_face(faces, previous) if len(faces.score) else None
            if number is not None:
                previous = faces.box[number]
                if sightings is not None:
                    sightings.best[place] = number
            _enter(track, place, faces, number, last, every)
            last = place
            yield from group


def chosen_track(
    times_s: npt.NDArray[np.float64], faces: Mapping[int, Detections], chosen: Mapping[int, int], every: int
) -> Track:
    """The track of chosen faces, as ``follow_face`` makes that of the best ones.

    Args:
        times_s: [U], of its frames, seconds.
        faces: of each frame in which faces were looked for, by place, ascending.
        chosen: which of them is followed; a place that is missing has none.
        every: faces were looked for in every n-th frame.
    """
    track, last = Track.empty(times_s), None
    for place, found in faces.items():
        _enter(track, place, found, chosen.get(place), last, every)
        last = place
    return track


def _enter(track: Track, place: int, faces: Detections, number: int | None, last: int | None, every: int) -> None:
    if number is not None:
        track.put(place, faces, number)
    if last is not None and place - last < 2 * every:
        track.interpolate(last, place)


def choose_face(faces: Detections, previous: Floats | None) -> int:
    """Which of one or more faces, best first, is the one to follow.

    The best score wins; among those within 0.02 of it, the greatest overlap with the previous face.

    Args:
        faces: of one picture.
        previous: box [4] of the previous face, if any.
    """
    if previous is None:
        return 0
    near = np.flatnonzero(faces.score >= faces.score[0] - _NEAR_TIE)
    return int(near[overlap(previous, faces.box[near]).argmax()])


def _groups(frames: Iterable[Frame], every: int) -> Iterator[list[Frame]]:
    """Frames in groups that end where a face is detected."""
    size = 1
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if len(group) == size:
            yield group
            group, size = [], every
    if group:
        yield group
