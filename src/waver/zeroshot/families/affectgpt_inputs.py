"""What AffectGPT sees and hears of an answer: eight faces and eight clips of sound, as in the code released for BAH.

The released programs read pictures of faces from files called ``frame-0, frame-1, ..., frame-10`` in the order of their
names as text, where 10 comes before 2. ``lexicographic`` is that order; ``numeric`` is that of time.
"""

from __future__ import annotations

from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from waver.features.audio.windows import scaled
from waver.features.waveform import RATE_HZ
from waver.models.vision_language.clip_folder import DEVIATION, MEAN

FrameOrder = Literal["numeric", "lexicographic"]

FACES, CLIPS = 8, 8
STEP = 4
"""One face in four was kept."""
CLIP_SAMPLES = 2 * RATE_HZ
_KEPT_SIDE = 112
"""Pixels in which the released programs kept faces, before the encoder's size."""


def chosen_faces(available: int, order: FrameOrder = "numeric") -> npt.NDArray[np.int64]:
    """Numbers of the frames whose faces are shown, int64 [8]; with fewer than eight, some repeat.

    Args:
        available: frames of the video, at least 1.
        order: in which files of faces are read.
    """
    names = list(range(0, available, STEP))
    if order == "lexicographic":
        names = sorted(range(available), key=str)[::STEP]
    at = np.arange(FACES) * (len(names) / FACES)
    return np.asarray(names, np.int64)[at.astype(np.int64)]


def face_pixels(faces: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float32]:
    """Faces as CLIP's image tower takes them, float32 [N, 3, side, side], from RGB uint8 [N, H, W, 3]."""
    kept = [cv2.resize(face, (_KEPT_SIDE, _KEPT_SIDE), interpolation=cv2.INTER_AREA) for face in faces]
    shown = np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_LINEAR) for face in kept])
    pixels = (shown.astype(np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return cast(npt.NDArray[np.float32], np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def sound_clips(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Clips of 2 s at evenly spaced starts, float32 [8, 32000], together of mean 0 and variance 1.

    Args:
        samples: float32 [S] at 16 kHz; fewer than 2 s are followed by silence.
    """
    samples = np.pad(samples, (0, max(CLIP_SAMPLES - len(samples), 0)))
    starts = np.linspace(0, len(samples) - CLIP_SAMPLES, CLIPS).astype(np.int64)
    return scaled(np.stack([samples[start : start + CLIP_SAMPLES] for start in starts]))
