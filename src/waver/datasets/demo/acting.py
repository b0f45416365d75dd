"""What the face and head of a participant do during an answer, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from waver.datasets.demo.motion import POSES
from waver.datasets.demo.plan import Video
from waver.datasets.demo.portraits import Array
from waver.datasets.demo.voice import RATE_HZ
from waver.provenance import seed_for

TICK_HZ = 100


@dataclass(frozen=True)
class Acting:
    """Per frame: ``expression`` [T, 3], ``pose`` [T, 5], ``mouth``, ``lids``, ``light`` [T]."""

    expression: Array
    pose: Array
    mouth: Array
    lids: Array
    light: Array


def act(video: Video, sound: Array, times_s: Array, seed: int) -> Acting:
    """Movements at the times of the frames.

    The face's state moves smile and frown alone; everything else (blinks, brows, head) is drawn
    without regard to any state, and the mouth follows the loudness relative to the clause's own.
    """
    rng = np.random.default_rng(seed_for(seed, "acting", video.participant.id, video.question))
    ticks = np.arange(round(video.duration_s * TICK_HZ) + 1) / TICK_HZ
    smile = _smile(video, ticks, rng)
    mouth = _mouth(video, sound, ticks)
    raised = sum((_bump(ticks, at, 0.25) * rng.uniform(0.2, 0.6) for at in _moments(rng, ticks[-1], 2.5)), 0 * ticks)
    lids = sum((_bump(ticks, at, 0.055) for at in _moments(rng, ticks[-1], 2.2)), 0 * ticks)
    light = 3 * _wander(ticks, 1, 0.15, rng)[:, 0]
    expression = np.column_stack([smile.clip(0), (-smile).clip(0), raised])
    pose = _wander(ticks, len(POSES), 0.45, rng) * [0.07, 0.05, 0.05, 0.12, 0.08]
    for at in _moments(rng, ticks[-1], 3.0):
        pose[:, 1] += 0.06 * _bump(ticks, at, 0.15)
    # lips part in a smile as in speech, so that a smile is more than the shape of closed lips
    mouth = np.maximum(mouth, 0.16 * smile.clip(0))

    def at_frames(track: Array) -> Array:
        return np.column_stack([np.interp(times_s, ticks, column) for column in np.atleast_2d(track.T)])

    single = at_frames(np.column_stack([mouth.clip(0, 1), lids.clip(0, 1), light]))
    return Acting(at_frames(expression), at_frames(pose), single[:, 0], single[:, 1], single[:, 2])


def _smile(video: Video, ticks: Array, rng: np.random.Generator) -> Array:
    """Smile above 0, frown below, held through each clause's slot with a strength of its own."""
    track = np.zeros_like(ticks)
    for clause in video.clauses:
        inside = (ticks >= clause.slot_s[0]) & (ticks <= clause.slot_s[1])
        track[inside] = (1 if clause.face else -1) * rng.uniform(0.85, 1.1)
    smooth: Array = gaussian_filter1d(track, 0.07 * TICK_HZ) * (1 + 0.08 * _wander(ticks, 1, 1.0, rng)[:, 0])
    return smooth


def _mouth(video: Video, sound: Array, ticks: Array) -> Array:
    step = RATE_HZ // TICK_HZ
    squared = np.pad(sound, (0, max(0, len(ticks) * step - len(sound))))[: len(ticks) * step] ** 2
    loud = gaussian_filter1d(np.sqrt(squared.reshape(-1, step).mean(1)), 2.2)
    track = np.zeros_like(ticks)
    for clause in video.clauses:
        inside = (ticks >= clause.slot_s[0]) & (ticks <= clause.slot_s[1])
        track[inside] = 0.75 * (loud[inside] / (np.percentile(loud[inside], 95) + 1e-9)).clip(0, 1.1) ** 1.2
    return track


def _wander(ticks: Array, tracks: int, rate_hz: float, rng: np.random.Generator) -> Array:
    """Slow smooth wandering, about unit size: [ticks, tracks]."""
    rates = rate_hz * rng.uniform(0.4, 1.6, (3, tracks))
    phases = rng.uniform(0, 2 * np.pi, (3, tracks))
    waves: Array = np.sin(2 * np.pi * rates[None] * ticks[:, None, None] + phases[None]).sum(1) * 0.6
    return waves


def _moments(rng: np.random.Generator, length_s: float, every_s: float) -> Array:
    count = int(length_s / every_s) + 1
    moments: Array = (np.arange(count) + rng.uniform(0.1, 0.9, count)) * every_s
    return moments


def _bump(ticks: Array, at_s: float, width_s: float) -> Array:
    bump: Array = np.exp(-0.5 * ((ticks - at_s) / width_s) ** 2)
    return bump
