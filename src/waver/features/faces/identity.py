"""Whose face is followed: the speaker's through the recording, not the best score of each frame.

Detections that overlap from frame to frame are a tracklet. Tracklets that never share a frame and look alike, or are
at the same place and not unlike, are one person. The speaker is the person who is seen longest, nearest and in
motion: a face that never moves at all is a picture on the wall. Of several such people it is the one whose mouth moves
with the sound (``mouth``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import Detections, Floats, overlap
from waver.features.faces.mouth import Hear, lower_face, movement, who_speaks

_SIDE, _ALIGNED = 16, 64
"""Sides of the grey picture of a face by which tracklets are compared, and of the aligned face it is made from."""
_OVERLAP = 0.3
_PAUSE = 12
"""Detections in a row that may miss a face of a tracklet."""
_ALIKE, _ALIKE_THERE, _ALIKE_AT_ONCE = 0.65, 0.5, 0.2
"""Correlation of the mean faces of two tracklets of one person: anywhere, at the same place, and there at once (a
quick movement). Measured: of one person 0.76 and more, of two 0.49 and less."""
_AT_ONCE = 24
_JUDGED = 48
"""Detections from which it can be told that a face never moves."""
_STILL, _MOVING = 0.010, 0.020
"""Mean deviation of the landmarks in widths of the face. Measured over 48 frames: pictures 0.0001, in heavy noise
0.005; people 0.015 and more."""
_WEIGHT_OF_STILL = 0.05
_RIVAL = 0.4
"""Share of the greatest weight from which a person may be the speaker by the mouth."""


@dataclass
class Tracklet:
    """One face through consecutive detections; sums over them.

    Attributes:
        number_at: which detection it is, by place of the frame.
        box: [4], the last one.
        first, last: steps of its first and last detection.
        moved_mouth: movement of its mouth since the detection before, by place; known beside other faces alone.
    """

    number_at: dict[int, int] = field(default_factory=dict)
    box: Floats = field(default_factory=lambda: np.zeros(4, np.float32))
    first: int = 0
    last: int = 0
    moved_mouth: dict[int, float] = field(default_factory=dict)
    _lower: tuple[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] | None = None
    _boxes: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    _points: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 10)))
    _looks: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def add(self, place: int, step: int, number: int, faces: Detections, look: npt.NDArray[np.float64] | None) -> None:
        """One more detection; ``look`` is None where it is not looked at."""
        self.first, self.last = self.first or step, step
        self.number_at[place], self.box = number, faces.box[number]
        self._boxes += self.box
        points = faces.landmarks[number].reshape(-1).astype(np.float64)
        self._points += points, points**2
        if look is not None:
            self._looks = self._looks + look

    def look_at_mouth(self, picture: npt.NDArray[np.uint8], place: int, landmarks: Floats) -> None:
        """The mouth in its last detection."""
        now = lower_face(picture, landmarks)
        if self._lower is not None and self._lower[0] == self.last - 1:
            self.moved_mouth[place] = movement(self._lower[1], now)
        self._lower = self.last, now

    def __len__(self) -> int:
        return len(self.number_at)

    @property
    def mean_box(self) -> npt.NDArray[np.float64]:
        """[4], pixels."""
        mean: npt.NDArray[np.float64] = self._boxes / len(self)
        return mean

    @property
    def width(self) -> float:
        """Mean, pixels."""
        return max(float(self.mean_box[2] - self.mean_box[0]), 1.0)

    @property
    def look(self) -> npt.NDArray[np.float64]:
        """Mean face, of length 1."""
        direction: npt.NDArray[np.float64] = self._looks / max(float(np.linalg.norm(self._looks)), 1e-9)
        return direction

    @property
    def moved(self) -> float:
        """Mean standard deviation of the landmarks over time, in widths of the face."""
        mean, square = self._points / len(self)
        return float(np.sqrt(np.maximum(square - mean**2, 0)).mean()) / self.width

    @property
    def still(self) -> bool:
        """It never moves at all."""
        return len(self) >= _JUDGED and self.moved < _STILL

    @property
    def weight(self) -> float:
        """How much it speaks for being the speaker's: how long, how near, and whether it moves."""
        motion = min(self.moved / _MOVING, 1.0) ** 2
        return len(self) * self.width * (_WEIGHT_OF_STILL + (1 - _WEIGHT_OF_STILL) * motion)


@dataclass(frozen=True)
class Looks:
    """How faces are compared.

    Attributes:
        of: picture uint8 [H, W, 3] and landmarks [5, 2] -> vector [D]; faces of one person have vectors alike.
        every: of the detections of a tracklet, every n-th is looked at.
        alike: least cosine of the mean vectors of two tracklets of one person, anywhere.
        alike_there: as before, at the same place.
        alike_at_once: as before, at the same place and at once.
    """

    of: Callable[[npt.NDArray[np.uint8], Floats], npt.NDArray[np.float64]]
    every: int
    alike: float
    alike_there: float
    alike_at_once: float


class Sightings:
    """All faces of a recording, linked as they are detected.

    Attributes:
        faces: of each frame in which faces were looked for, by its place in the track.
        best: which of them ``follow_face`` followed, by place.
        tracklets: faces that were linked from frame to frame.
        by_mouth: the speaker is told by the mouth.
    """

    def __init__(self, looks: Looks | None = None) -> None:
        """Compare tracklets by the given looks, else by small grey pictures of the faces."""
        self._looks = looks or _GREY
        self.faces: dict[int, Detections] = {}
        self.best: dict[int, int] = {}
        self._step = 0
        self._open: list[Tracklet] = []
        self.tracklets: list[Tracklet] = []
        self.by_mouth = False

    def add(self, place: int, picture: npt.NDArray[np.uint8], faces: Detections) -> None:
        """The faces of the next frame in which faces were looked for.

        Args:
            place: of the frame in its track.
            picture: uint8 [H, W, 3].
            faces: detected in it.
        """
        self.faces[place] = faces
        self._step += 1
        self._open = [one for one in self._open if self._step - one.last <= _PAUSE]
        free = list(self._open)
        for number in range(len(faces.score)):
            shared = [float(overlap(one.box, faces.box[number : number + 1])[0]) for one in free]
            if shared and max(shared) > _OVERLAP:
                tracklet = free.pop(int(np.argmax(shared)))
            else:
                tracklet = Tracklet()
                self.tracklets.append(tracklet)
                self._open.append(tracklet)
            looked_at = len(tracklet) % self._looks.every == 0
            look = self._looks.of(picture, faces.landmarks[number]) if looked_at else None
            tracklet.add(place, self._step, number, faces, look)
            if len(faces.score) > 1:
                tracklet.look_at_mouth(picture, place, faces.landmarks[number])

    def speaker(self, hear: Hear | None = None) -> dict[int, int]:
        """Which detection is the speaker's, by place; frames in which the speaker is not found are left out.

        Args:
            hear: gives the sound, which is asked for where several people are about as likely.
        """
        people = sorted(self._people(), key=_weight, reverse=True)
        rivals = [one for one in people if _weight(one) > _RIVAL * _weight(people[0])]
        number = 0
        if len(rivals) > 1 and hear is not None and (heard := hear()) is not None:
            moved = [{place: value for part in one for place, value in part.moved_mouth.items()} for one in rivals]
            number = who_speaks(moved, heard)
        self.by_mouth = number > 0
        return {place: one for part in people[number] for place, one in part.number_at.items()} if people else {}

    def _people(self) -> list[list[Tracklet]]:
        """Tracklets of each person."""
        people: list[list[Tracklet]] = []
        for tracklet in sorted(self.tracklets, key=lambda one: -one.weight):
            same = next((one for one in people if _belongs(tracklet, one, self._looks)), None)
            if same is None:
                people.append([tracklet])
            else:
                same.append(tracklet)
        return people

    def others(self, chosen: dict[int, int]) -> int:
        """Frames in which a face was seen that is not the chosen one."""
        return len({p for one in self.tracklets for p, number in one.number_at.items() if chosen.get(p) != number})

    def switches(self, chosen: dict[int, int]) -> int:
        """How often the chosen face is suddenly elsewhere: its box shares nothing with the one before."""
        boxes = [self.faces[place].box[chosen[place]] for place in sorted(chosen)]
        return sum(float(overlap(one, other[None])[0]) == 0 for one, other in pairwise(boxes))


def _look(picture: npt.NDArray[np.uint8], landmarks: Floats) -> npt.NDArray[np.float64]:
    face = aligned_face(picture, similarity_to_template(landmarks, _ALIGNED), _ALIGNED)
    grey = cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    values = grey.reshape(-1).astype(np.float64)
    normalised: npt.NDArray[np.float64] = (values - values.mean()) / (values.std() + 1)
    return normalised


def _weight(person: Iterable[Tracklet]) -> float:
    return sum(part.weight for part in person)


_GREY = Looks(_look, 1, _ALIKE, _ALIKE_THERE, _ALIKE_AT_ONCE)


def _belongs(tracklet: Tracklet, person: Iterable[Tracklet], looks: Looks) -> bool:
    one = all(_may_be_one(tracklet, part) for part in person)
    return one and any(_alike(tracklet, part, looks) for part in person)


def _may_be_one(one: Tracklet, other: Tracklet) -> bool:
    return one.still == other.still and one.number_at.keys().isdisjoint(other.number_at)


def _alike(one: Tracklet, other: Tracklet, looks: Looks) -> bool:
    correlation = float(one.look @ other.look)
    there = np.abs(one.mean_box - other.mean_box).max() < max(one.width, other.width)
    at_once = max(one.first - other.last, other.first - one.last) <= _AT_ONCE
    least = (looks.alike_at_once if at_once else looks.alike_there) if there else looks.alike
    return correlation > least
