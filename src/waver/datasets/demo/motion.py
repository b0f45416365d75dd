"""Movement of a painted person: warp fields of expression and head pose, mouths and eyelids.

Everything a face does is a weighted sum of a few displacement fields on a coarse grid, made once a
participant. Opening of mouth and eyelids, which would tear a smooth field, is painted into a small
set of pictures that the fields then move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from waver.datasets.demo import portraits as p
from waver.datasets.demo.people import Person
from waver.datasets.demo.portraits import Array

GRID = 4
"""Pixels from one grid point of a field to the next."""
MOUTHS = 9
LIDS = 4
"""Number of pictures from closed to wide open mouth, and from open to closed eyes."""

# displacements in units of the eye distance, x to the picture's right and y down, by point; those of
# the picture's left half are written, the right half mirrors them
_CHEEK = 37
_Moves = dict[int, tuple[float, float]]
_SMILE: _Moves = {28: (-0.13, -0.11), 29: (0.0, -0.02), 31: (0.0, -0.01), 18: (0.0, -0.05), 16: (0.0, 0.012)}
_SMILE |= {2: (-0.04, -0.02), 25: (-0.03, -0.01), _CHEEK: (-0.05, -0.10), 11: (0.0, -0.02), 4: (0.0, -0.01)}
_FROWN: _Moves = {28: (0.05, 0.12), 29: (0.0, -0.03), 31: (0.0, -0.04), 11: (0.06, 0.10), 10: (0.04, 0.04)}
_FROWN |= {9: (0.0, -0.01), 16: (0.01, 0.045), 18: (0.0, -0.01), _CHEEK: (0.0, 0.03), 4: (0.0, -0.03)}
_FROWN |= {25: (0.01, -0.01)}
_RAISE: _Moves = {9: (0.0, -0.06), 10: (0.0, -0.10), 11: (0.0, -0.09), 16: (0.0, -0.02)}
EXPRESSIONS: tuple[_Moves, ...] = (_SMILE, _FROWN, _RAISE)
POSES = ("sway", "nod", "roll", "turn", "pitch")


@dataclass
class Puppet:
    """A person who can be posed.

    Attributes:
        person: the neutral picture.
        expressions: float32 [3, h, w, 3], per unit of smile, frown and raised brows: displacement
            x, y in pixels and change of brightness.
        poses: float32 [5, h, w, 2], pixels per unit of sway, nod, roll, turn and pitch.
        pictures: planar YUV 4:2:0 pictures by (mouth, lids) level, made when first asked for.
    """

    person: Person
    expressions: Array
    poses: Array
    pictures: dict[tuple[int, int], Array]

    def picture(self, mouth: int, lids: int) -> Array:
        """Neutral face with the mouth open and the eyes closed by that much: uint8 [H * 3 / 2, W]."""
        if (mouth, lids) not in self.pictures:
            opened = _open_mouth(self.person, mouth / (MOUTHS - 1))
            closed = _close_eyes(opened, self.person, lids / (LIDS - 1))
            self.pictures[mouth, lids] = cv2.cvtColor(closed, cv2.COLOR_RGB2YUV_I420)
        return self.pictures[mouth, lids]

    def pose(self, expression: Array, pose: Array, mouth: float, lids: float, light: float, noise: Array) -> Array:
        """One frame: planar YUV 4:2:0, uint8 [H * 3 / 2, W].

        Args:
            expression: [3], weights of smile, frown, raised brows.
            pose: [5], weights of the movements of the head.
            mouth: opening in [0, 1].
            lids: closing in [0, 1].
            light: change of brightness, grey levels.
            noise: float32 [H, W], the camera's noise in grey levels.
        """
        picture = self.picture(round(mouth * (MOUTHS - 1)), round(lids * (LIDS - 1)))
        h, w = self.poses.shape[1:3]
        moved = np.tensordot(pose.astype(np.float32), self.poses, 1)
        face = np.tensordot(expression.astype(np.float32), self.expressions, 1)
        at = _grid(w, h) - moved / GRID
        face = cv2.remap(face, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        source = _grid(w, h) * GRID - moved - face[..., :2]
        return _render(picture, source, face[..., 2] + np.float32(light), noise)


def make_puppet(person: Person) -> Puppet:
    """Prepare a painted person for posing."""
    height, width = person.image.shape[:2]
    w, h = width // GRID, height // GRID
    return Puppet(person, _expression_fields(person, w, h), _pose_fields(person, w, h), {})


def _render(picture: Array, source: Array, brightness: Array, noise: Array) -> Array:
    """Move a planar picture by coarse fields of source positions [h, w, 2], changed here, and brightness [h, w]."""
    height, width = noise.shape
    out = np.empty_like(picture)
    # grid point i lies on pixel GRID * i; resize puts it on GRID * (i + .5) - .5, hence the shift
    source -= (GRID - 1) / 2
    planes = (*cv2.split(source), brightness)
    x, y, light = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in planes)
    luma = cv2.remap(picture[:height], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    out[:height] = cv2.add(luma, light + noise, dtype=cv2.CV_8U)
    half = (cv2.resize(source, (width // 2, height // 2), interpolation=cv2.INTER_LINEAR) - 0.5) / 2
    for plane in range(2):
        rows = slice(height + plane * height // 4, height + (plane + 1) * height // 4)
        chroma = picture[rows].reshape(height // 2, width // 2)
        moved = cv2.remap(chroma, half, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out[rows] = moved.reshape(height // 4, width)
    return out


@cache
def _grid(width: int, height: int) -> Array:
    """Positions x, y of a field, float32 [h, w, 2]; not to be changed."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))


def _expression_fields(person: Person, w: int, h: int) -> Array:
    """Displacements of the points spread by Gaussians of .3 eye distances that hit every point."""
    points = person.points.astype(float)
    unit = person.eye_distance
    cheeks = (points[[18, 22]] + points[[28, 30]] + points[[1, 7]]) / 3
    at = np.vstack([points, cheeks])
    moves = np.zeros((len(EXPRESSIONS), len(at), 2))
    for row, moved in zip(moves, EXPRESSIONS, strict=True):
        for name, (dx, dy) in moved.items():
            left, right = (name, name + 1 if name == _CHEEK else p.MIRRORED.index(name))
            row[right] += [-dx, dy]
            row[left] = [dx, dy]
    # brows, lids and mouth move with the face's own tilt
    tilt = points[p.EYES[1]].mean(0) - points[p.EYES[0]].mean(0)
    turn = np.array([[tilt[0], -tilt[1]], [tilt[1], tilt[0]]]) / unit
    moves = unit * moves @ turn.T
    kernel = np.exp(-_squared(at, at) / (2 * (0.3 * unit) ** 2)) + 0.02 * np.eye(len(at))
    weights = np.linalg.solve(kernel, moves.transpose(1, 0, 2).reshape(len(at), -1))
    grid = (_grid(w, h) * GRID).reshape(-1, 2)
    spread = np.exp(-_squared(grid, at) / (2 * (0.3 * unit) ** 2)) @ weights
    fields = np.zeros((len(EXPRESSIONS), h, w, 3), np.float32)
    fields[..., :2] = spread.reshape(h, w, -1, 2).transpose(2, 0, 1, 3)
    fields[..., 2] = _shading(person, grid, h, w)
    return fields


def _shading(person: Person, grid: Array, h: int, w: int) -> Array:
    """Light and shade of the folds that an expression makes, grey levels per unit: [3, h, w]."""
    points, unit = person.points.astype(float), person.eye_distance

    def spot(at: Array, wide: float, high: float, lean: float = 0.0) -> Array:
        x, y = (grid - at).T / unit
        x = x - lean * y
        bump: Array = np.exp(-0.5 * ((x / wide) ** 2 + (y / high) ** 2)).reshape(h, w)
        return bump

    shades = np.zeros((len(EXPRESSIONS), h, w), np.float32)
    for side, corner, wing, eye in ((-1, 28, 25, 18), (1, 30, 26, 22)):
        cheek = points[[eye, eye, corner]].mean(0) + unit * np.array([side * 0.08, 0])
        fold = points[[wing, corner]].mean(0) + unit * np.array([side * 0.06, -0.02])
        shades[0] += 16 * spot(cheek, 0.16, 0.12) - 30 * spot(fold, 0.035, 0.16, side * 0.6)
        shades[0] -= 12 * spot(points[corner] + [side * 0.03 * unit, 0], 0.05, 0.05)
        shades[1] -= 22 * spot(points[corner] + [side * 0.05 * unit, 0.1 * unit], 0.05, 0.09, side * 0.5)
        inner = 11 if side < 0 else 12
        shades[1] -= 30 * spot(points[inner] - [side * 0.09 * unit, -0.03 * unit], 0.03, 0.12, -side * 0.2)
        shades[1] -= 14 * spot(points[[inner, eye - 2]].mean(0), 0.2, 0.06)
    shades[1] -= 14 * spot(points[p.LOWER_LIP] + [0, 0.09 * unit], 0.14, 0.04)
    return shades


def _squared(a: Array, b: Array) -> Array:
    distance: Array = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return distance


def _pose_fields(person: Person, w: int, h: int) -> Array:
    """The head moves, the neck follows, the shoulders stay; a turn shifts the nose more than the ears."""
    points, unit = person.points.astype(float), person.eye_distance
    centre = points[[15, 21, p.CHIN]].mean(0)
    x, y = ((_grid(w, h) * GRID - centre) / unit).transpose(2, 0, 1)
    down = 1 / (1 + np.exp((y - 1.35) / 0.22))
    head = np.exp(-0.5 * (np.maximum(np.abs(x) - 1.1, 0) / 0.8) ** 2) * down
    head *= np.exp(-0.5 * (np.maximum(-y - 1.6, 0) / 0.8) ** 2)
    front = np.exp(-0.5 * ((x / 0.55) ** 2 + ((y - 0.1) / 0.9) ** 2))
    zero = np.zeros_like(x)
    fields = [
        (head, zero),
        (zero, head),
        (-(y - 1.3) * head, x * head),
        (front * head, zero),
        (zero, front * head),
    ]
    return (unit * np.array(fields).transpose(0, 2, 3, 1)).astype(np.float32)


def _open_mouth(person: Person, level: float) -> Array:
    """The picture with lips apart and jaw lowered; teeth and a dark inside between the lips."""
    whole = person.image.copy()
    if level:
        unit = person.eye_distance
        middle = person.points[p.MOUTH].mean(0)
        window = _window(whole, *(middle + unit * np.array([[-1.6, -0.8], [1.6, 1.7]])))
        whole[window] = _opened(person, 0.36 * unit * level, *_axes(window))
    return whole


def _opened(person: Person, gap: float, x: Array, y: Array) -> Array:
    """The pixels at ``x``, ``y`` with the lips ``gap`` pixels apart: uint8 [h, w, 3]."""
    points, unit = person.points.astype(float), person.eye_distance
    left, right = points[p.LEFT_CORNER], points[p.RIGHT_CORNER]
    across = (2 * x - left[0] - right[0]) / (right[0] - left[0])
    level = (left[1] + right[1]) / 2
    bend = points[[p.UPPER_EDGE, p.LOWER_EDGE], 1].mean() - level
    below = y - (level + across * (right[1] - left[1]) / 2 + bend * np.maximum(1 - across**2, 0))
    # how far apart the lips are; how far the jaw comes down, which reaches further than the lips
    apart = gap * np.maximum(1 - (across / 0.92) ** 2, 0) ** 0.75
    jaw = gap * np.exp(-0.5 * np.maximum(np.abs(across) - 0.3, 0) ** 2)
    down = apart + (np.maximum(jaw, apart) - apart) * (below / (0.55 * unit)).clip(0, 1)
    reach = 1 / (1 + np.exp((below - unit) / (0.12 * unit)))
    upper = 0.15 * apart * np.exp(below.clip(-unit, 0) / (0.25 * unit))
    move = np.where(below < 0, upper, -np.minimum(0.85 * down * reach, below))
    moved = cv2.remap(person.image, x, (y + move).astype(np.float32), cv2.INTER_LINEAR)
    depth = ((below + 0.15 * apart) / np.maximum(apart, 1e-3)).clip(0, 1)
    inside = 1 - np.exp(-np.minimum(depth, 1 - depth) * apart / 1.2)
    inside = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.012 * unit)[..., None]
    teeth = (1 / (1 + np.exp((depth - 0.34) * 14)) * (1 - (across / 0.8) ** 2).clip(0, 1))[..., None]
    dark = np.array([62, 26, 26])
    colour = (dark + teeth * 0.75 * ([205, 195, 180] - dark)) * _brightness(person)
    opened: Array = (moved + inside * (colour - moved)).clip(0, 255).astype(np.uint8)
    return opened


def _brightness(person: Person) -> float:
    """How bright the skin is, relative to light skin in good light."""
    x, y = person.points[[18, 22]].mean(0) + np.array([0, 0.3 * person.eye_distance])
    return float(np.clip(person.image[int(y) - 9 : int(y) + 9, int(x) - 9 : int(x) + 9].mean() / 150, 0.45, 1.1))


def _window(image: Array, low: Array, high: Array) -> tuple[slice, slice]:
    """Rows and columns between two corners, cut to the image."""
    (x0, y0), (x1, y1) = np.clip([low, high], 0, image.shape[1::-1]).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _axes(window: tuple[slice, slice]) -> tuple[Array, Array]:
    """Pixel coordinates x, y inside a window, float32 [h, w] each."""
    y, x = np.mgrid[window].astype(np.float32)
    return x, y


def _close_eyes(image: Array, person: Person, level: float) -> Array:
    """The picture with the upper lids drawn down by stretching the skin above the eyes."""
    whole = image.copy()
    for eye in p.EYES:
        a, top, b, bottom = person.points[eye].astype(float)
        left, right = (a, b) if a[0] < b[0] else (b, a)
        room = 1.1 * (bottom[1] - top[1])
        window = _window(image, np.array([left[0], top[1]]) - 2 * room, np.array([right[0], bottom[1]]) + 2 * room)
        x, y = _axes(window)
        across = (2 * x - left[0] - right[0]) / (right[0] - left[0]) / 1.12
        arch = np.maximum(1 - across**2, 0)
        base = left[1] + (right[1] - left[1]) * (across / 2 + 0.5)
        middle = (left[1] + right[1]) / 2
        upper, lower = base + (top[1] - middle) * arch, base + (bottom[1] - middle) * arch
        lid = upper + level * 0.95 * (lower - upper)
        start = upper - room
        stretched = start + (y - start) * room / np.maximum(lid - start, 1e-3)
        source = np.where((y > start) & (y < lid) & (arch > 0), stretched, y)
        whole[window] = cv2.remap(image, x, source.astype(np.float32), cv2.INTER_LINEAR)
    return whole
