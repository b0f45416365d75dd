"""Synthetic participants: blends of a few portraits with other proportions, colours and rooms.

Nobody real is made to say the demo's words: a face is a mixture of at least two portraits on a
shape that none of them has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from waver.datasets.demo import portraits as p
from waver.datasets.demo.portraits import Array, Portrait
from waver.provenance import seed_for

HOSTS = ("single_face", "wolfgang", "astronaut", "carphone")
DONORS = {
    "single_face": ("wolfgang", "carphone", "astronaut"),
    "wolfgang": ("single_face", "astronaut", "carphone"),
    "astronaut": ("single_face", "wolfgang", "carphone"),
    "carphone": ("single_face", "wolfgang", "astronaut"),
}
ZOOM = {"single_face": 1.0, "wolfgang": 1.0, "astronaut": 1.45, "carphone": 1.0}
FEMALE = {"wolfgang", "astronaut"}
CLOSED_MOUTH = {"single_face": "carphone", "wolfgang": "wolfgang_down", "astronaut": "wolfgang_down"}
CLOSED_MOUTH["carphone"] = "single_face"


@dataclass(frozen=True)
class Identity:
    """What makes a participant look like nobody else."""

    host: str
    donors: tuple[tuple[str, float], ...]
    mirror: bool
    zoom: float
    shape: tuple[float, ...]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    clothes_hue: int
    clothes_light: float
    room: int

    @property
    def female(self) -> bool:
        """Whether the participant presents, and is voiced, as a woman."""
        return self.host in FEMALE


@dataclass(frozen=True)
class Person:
    """A neutral picture of a participant: ``image`` uint8 [H, W, 3] RGB, ``points`` [37, 2] pixels."""

    image: Array
    points: Array

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes' centres, pixels: the unit of every movement."""
        left, right = (self.points[eye].mean(0) for eye in p.EYES)
        return float(np.hypot(*(right - left)))


def draw_identity(number: int, seed: int) -> Identity:
    """Identity of the ``number``-th participant; hosts, mirroring and tones go round, the rest is drawn."""
    rng = np.random.default_rng(seed_for(seed, "identity", number))
    host = HOSTS[number % len(HOSTS)]
    turn = number // len(HOSTS)
    names = DONORS[host]
    main, other = names[turn % 3], names[(turn + 1) % 3]
    light = (0, -14, 5, -26, -7, -20)[(number + turn) % 6] + rng.uniform(-2, 2)
    hairs = ((0, 0, 0), (18, 6, 16), (-18, 0, -4), (26, 2, 4), (8, 14, 12))
    return Identity(
        host=host,
        donors=((main, rng.uniform(0.42, 0.58)), (other, rng.uniform(0.12, 0.22))),
        mirror=bool((turn + number) % 2),
        zoom=ZOOM[host] * rng.uniform(1.0, 1.12),
        shape=tuple(rng.uniform(-1, 1, 9)),
        skin=(light, rng.uniform(-3, 4), rng.uniform(-2, 7)),
        hair=hairs[(turn + 2 * number) % 5],
        clothes_hue=int(rng.integers(0, 180)),
        clothes_light=rng.uniform(-25, 25),
        room=int(rng.integers(0, 2**31)),
    )


def paint(identity: Identity, sources: dict[str, Portrait], width: int, height: int) -> Person:
    """The participant's neutral picture, [height, width] pixels."""
    host, matte = _on_canvas(sources[identity.host], identity, width, height)
    donors = [(_mirrored(sources[name], identity.mirror), weight) for name, weight in identity.donors]
    shape = _shape(host, donors, identity.shape)
    image, matte = _reshape(host.image, matte, host.points, shape, width, height)
    image = _blend(image, shape, donors, host.closed)
    if not host.closed:
        mouth = _mirrored(sources[CLOSED_MOUTH[identity.host]], identity.mirror)
        image = _mix(image, shape, mouth, _mouth_mask(shape, image.shape))
    image = _colour(image, matte, shape, identity)
    room = _room(identity.room, width, height)
    whole = image * matte[..., None] + room * (1 - matte[..., None])
    return Person(whole.clip(0, 255).astype(np.uint8), shape)


def _mirrored(portrait: Portrait, mirror: bool) -> Portrait:
    if not mirror:
        return portrait
    points = portrait.points[p.MIRRORED].copy()
    points[:, 0] = portrait.image.shape[1] - 1 - points[:, 0]
    return Portrait(portrait.image[:, ::-1], points, portrait.matte[:, ::-1], portrait.closed)


def _on_canvas(portrait: Portrait, identity: Identity, width: int, height: int) -> tuple[Portrait, Array]:
    """The portrait scaled to cover the canvas, the face near the middle; and its matte there."""
    source = _mirrored(portrait, identity.mirror)
    h, w = source.image.shape[:2]
    scale = max(width / w, height / h) * identity.zoom
    x, y = source.points.mean(0) * scale
    left = np.clip(x - width / 2, 0, scale * w - width)
    top = np.clip(y - 0.45 * height, 0, scale * h - height)
    place = np.array([[scale, 0, -left], [0, scale, -top]])
    size = (width, height)
    image = cv2.warpAffine(source.image, place, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    matte = cv2.warpAffine(source.matte, place, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    points = (source.points * scale - [left, top]).astype(np.float32)
    return Portrait(image, points, matte, portrait.closed), matte


def _shape(host: Portrait, donors: list[tuple[Portrait, float]], draws: tuple[float, ...]) -> Array:
    """Points of the participant: the host's, drawn towards the donors', with proportions of their own."""
    shape = host.points.astype(float)
    for donor, weight in donors:
        fit = p.fit_similarity(donor.points, host.points)
        shape += 0.6 * weight * (donor.points @ fit[:, :2].T + fit[:, 2] - host.points)
    left, right = (shape[eye].mean(0) for eye in p.EYES)
    unit, middle = np.hypot(*(right - left)), (left + right) / 2
    jaw, chin, eyes, brows, nose_width, nose_length, mouth_width, mouth_drop, lips = draws
    shape[p.JAW, 0] += (shape[p.JAW, 0] - middle[0]) * 0.06 * jaw
    shape[3:6, 1] += 0.09 * unit * chin
    for eye in p.EYES:
        shape[eye, 1] += (shape[eye, 1] - shape[eye, 1].mean()) * 0.18 * eyes
    shape[p.BROWS, 1] += 0.05 * unit * brows
    shape[25:27, 0] += (shape[25:27, 0] - shape[27, 0]) * 0.12 * nose_width
    shape[24:28, 1] += 0.05 * unit * nose_length
    shape[p.MOUTH, 0] += (shape[p.MOUTH, 0] - shape[p.MOUTH, 0].mean()) * 0.1 * mouth_width
    shape[p.MOUTH, 1] += 0.04 * unit * mouth_drop
    shape[[p.UPPER_LIP, p.LOWER_LIP], 1] += np.array([-0.03, 0.03]) * unit * lips
    # the lips of the shape are closed, whatever the host's do
    edge = shape[[p.UPPER_EDGE, p.LOWER_EDGE]].mean(0)
    shape[[p.UPPER_EDGE, p.LOWER_EDGE]] = edge + np.array([[0, -0.5], [0, 0.5]])
    return shape


def _reshape(image: Array, matte: Array, points: Array, shape: Array, width: int, height: int) -> tuple[Array, Array]:
    rim = np.array([(x, y) for x in np.linspace(0, width, 5) for y in (0, height)], float)
    rim = np.vstack([rim, [(x, y) for x in (0, width) for y in np.linspace(0, height, 5)[1:-1]]])
    field = p.thin_plate(np.vstack([shape, rim]), np.vstack([points, rim]), width, height)
    moved = cv2.remap(image, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(np.float32), cv2.remap(matte, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _blend(image: Array, shape: Array, donors: list[tuple[Portrait, float]], closed: bool) -> Array:
    """Mix the donors into the inner face; around the mouth only those whose mouth is closed."""
    face, mouth = _face_mask(shape, image.shape), _mouth_mask(shape, image.shape)
    for donor, weight in donors:
        region = face if donor.closed and closed else face * (1 - mouth)
        image = _mix(image, shape, donor, weight * region)
    return image


def _mix(image: Array, shape: Array, donor: Portrait, weight: Array) -> Array:
    """``image`` with the donor's face, moved to ``shape`` and matched in colour, at ``weight`` [H, W]."""
    field = p.thin_plate(shape, donor.points.astype(float), image.shape[1], image.shape[0])
    moved = cv2.remap(donor.image, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    core = _face_mask(shape, image.shape) > 0.8
    ours, theirs = _to_lab(image), _to_lab(moved)
    mean, spread = ours[core].mean(0), ours[core].std(0)
    matched = (theirs - theirs[core].mean(0)) / (theirs[core].std(0) + 1e-3) * spread + mean
    return _to_rgb(ours + weight[..., None] * (matched - ours))


def _face_mask(shape: Array, size: tuple[int, ...]) -> Array:
    unit = np.hypot(*(shape[19] - shape[17])) * 2
    hull = np.vstack([shape[p.JAW], shape[p.BROWS] - [0, 0.16 * unit]])
    centre = hull.mean(0)
    return _soft_hull(centre + 0.88 * (hull - centre), size, 0.09 * unit)


def _mouth_mask(shape: Array, size: tuple[int, ...]) -> Array:
    mouth = shape[[p.LEFT_CORNER, p.UPPER_LIP, p.RIGHT_CORNER, p.LOWER_LIP]]
    centre = mouth.mean(0)
    wide = np.hypot(*(mouth[2] - mouth[0]))
    return _soft_hull(centre + (mouth - centre) * [1.5, 1.9], size, 0.1 * wide)


def _soft_hull(points: Array, size: tuple[int, ...], blur: float) -> Array:
    mask = np.zeros(size[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1.0)
    soft: Array = cv2.GaussianBlur(mask, (0, 0), blur)
    return soft


def _colour(image: Array, matte: Array, shape: Array, identity: Identity) -> Array:
    """Skin, hair and clothes in the participant's own tones."""
    lab = _to_lab(image)
    face = _face_mask(shape, image.shape) > 0.8
    mean = np.median(lab[face], 0)
    unlike = (((lab - mean) / [38, 9, 11]) ** 2).sum(-1)
    skin = cv2.GaussianBlur(np.maximum(np.exp(-0.5 * unlike), 0.95 * _face_mask(shape, image.shape)), (0, 0), 2)
    # long hair hides the clothes of the close-up
    below = 0.0 if identity.host == "wolfgang" else _below_head(shape, image.shape)
    rest = (1 - skin) * matte
    clothes, hair = (rest * below)[..., None], (rest * (1 - below))[..., None]
    light, red, yellow = identity.skin
    tone = np.stack([lab[..., 0] * (1 + light / 90), lab[..., 1] + red, lab[..., 2] + yellow], -1)
    lab = lab + skin[..., None] * (tone - lab) + hair * np.array(identity.hair, np.float32)
    angle = np.deg2rad(2 * identity.clothes_hue)
    hue = np.array([0.8 * identity.clothes_light, 18 * np.cos(angle), 18 * np.sin(angle)], np.float32)
    dyed = lab * [1, 0.4, 0.4] + hue
    return _to_rgb(lab + clothes * (dyed - lab))


def _below_head(shape: Array, size: tuple[int, ...]) -> Array:
    """1 at the clothes, 0 at the hair: below the chin, and beside the head already higher."""
    unit = np.hypot(*(shape[19] - shape[17])) * 2
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    sideways = np.maximum(np.abs(x - shape[p.CHIN, 0]) - 1.4 * unit, 0)
    below: Array = 1 / (1 + np.exp(-(y - shape[p.CHIN, 1] + sideways + 0.05 * unit) / 4))
    return below


def _room(seed: int, width: int, height: int) -> Array:
    """A blurred room: a wall with light from one side, and a few pieces of furniture."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    wall = np.array([rng.uniform(95, 205), rng.uniform(-8, 10), rng.uniform(-12, 18)])
    lab = np.zeros((height, width, 3), np.float32) + wall * [100 / 255, 1, 1]
    for _ in range(int(rng.integers(3, 6))):
        left, top = rng.uniform(-0.1, 0.9) * width, rng.uniform(-0.1, 0.7) * height
        corner = (int(left + rng.uniform(0.08, 0.3) * width), int(top + rng.uniform(0.2, 0.7) * height))
        tone = rng.uniform([20, -15, -25], [90, 20, 30]).tolist()
        cv2.rectangle(lab, (int(left), int(top)), corner, tone, -1)
    lab = cv2.GaussianBlur(lab, (0, 0), width / 70)
    lab[..., 0] += 12 * (np.cos(rng.uniform(0, 6.3)) * x + 0.5 * y)
    return _to_rgb(lab)


def _to_lab(image: Array) -> Array:
    lab: Array = cv2.cvtColor((np.asarray(image, np.float32) / 255).clip(0, 1), cv2.COLOR_RGB2LAB)
    return lab


def _to_rgb(lab: Any) -> Array:
    rgb: Array = cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_LAB2RGB)
    return rgb * 255
