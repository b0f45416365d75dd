"""What a trained model says of one recording, in memory: every file about the recording is written from this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from waver.evaluation.calibration import margin_of, tempered
from waver.shapes import FPS

Band = Literal["unlikely", "unclear", "likely"]
"""What is said of a whole recording; never a bare yes or no."""


class Bands(NamedTuple):
    """Probabilities of a whole recording between which it stays unclear; both chosen on the val split."""

    low: float
    high: float

    def of(self, probability: float) -> Band:
        """Below ``low`` unlikely, from ``high`` on likely, unclear between them."""
        return "unlikely" if probability < self.low else "likely" if probability >= self.high else "unclear"


HALF = Bands(0.5, 0.5)
"""Decision of the controls, which were fitted to decide here."""


class Word(NamedTuple):
    """A word and when it is said, seconds from the beginning of the recording."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording that is predicted to hold A/H.

    Attributes:
        start_frame: first frame.
        end_frame: frame after the last one; above ``start_frame``.
        mean: mean probability of its frames.
        peak: highest probability of its frames.
        contributions: modality name -> mean contribution of the modality; empty where the model shows none.
        cues: hints in plain words, e.g. ``face against words``.
    """

    start_frame: int
    end_frame: int
    mean: float
    peak: float
    contributions: Mapping[str, float] = field(default_factory=dict)
    cues: tuple[str, ...] = ()

    @property
    def start_s(self) -> float:
        """Onset in seconds."""
        return self.start_frame / FPS

    @property
    def end_s(self) -> float:
        """Offset in seconds."""
        return self.end_frame / FPS


@dataclass(frozen=True)
class RecordingResult:
    """One recording of T frames of the 24 fps clock.

    Attributes:
        recording: id, also the beginning of the names of its files; no name of a file of the user.
        participant: id of who is seen.
        question: number of the question asked; None where unknown.
        language: ISO 639-1 code of the speech; None where unknown.
        duration_s: of the recording.
        probability: float32 [T], of A/H in each frame.
        valid: modality name -> bool [T]; False where the frame has no face, sound or word, and the modality is masked.
        threshold: probability from which on a frame is called A/H; chosen on the val split.
        video_probability: of A/H anywhere in the recording.
        bands: of ``video_probability``.
        control: what the content-free control gives for the whole recording: by question, length and number of words,
            without a look at it; from .5 on it says A/H; None where the question is unknown.
        question_only: the same of a control that knows the question alone.
        words: recognised or given, in order; None where there is no transcript.
        video: the recording's file, under a name that tells nothing; None where it is not kept.
        segments: in order; filled from ``probability``.
        contributions: float32 [T, M] of the modalities in ``valid``, in order; None where the model shows none.
        tracks: name -> float32 [T] of what the model shows of its reasons, as ``waver.training.frames.explanations``
            names them; empty where it shows none.
        notes: what was repaired or is unusual about the file, one sentence each.
        temperatures: by which margins of frames, and of the recording, are divided for calibrated probabilities.
        fps: frames per second of the clock.
    """

    recording: str
    participant: str
    question: int | None
    language: str | None
    duration_s: float
    probability: npt.NDArray[np.float32]
    valid: Mapping[str, npt.NDArray[np.bool_]]
    threshold: float
    video_probability: float
    bands: Bands
    control: float | None = None
    question_only: float | None = None
    words: Sequence[Word] | None = None
    video: Path | None = None
    segments: Sequence[Segment] = ()
    contributions: npt.NDArray[np.float32] | None = None
    tracks: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    temperatures: tuple[float, float] = (1.0, 1.0)
    fps: int = FPS

    @property
    def frames(self) -> int:
        """T."""
        return len(self.probability)

    @property
    def calibrated(self) -> npt.NDArray[np.float32]:
        """Probability of A/H in each frame that fits the labels of val best; float32 [T]."""
        return tempered(margin_of(self.probability.astype(np.float64)), self.temperatures[0]).astype(np.float32)

    @property
    def video_calibrated(self) -> float:
        """The same of the recording."""
        return float(tempered(margin_of(np.array([self.video_probability])), self.temperatures[1])[0])

    @property
    def band(self) -> Band:
        """What is said of the recording."""
        return self.bands.of(self.video_probability)

    @property
    def control_band(self) -> Band | None:
        """What the content-free control alone would have said, by its own decision at .5."""
        return None if self.control is None else HALF.of(self.control)

    @property
    def question_band(self) -> Band | None:
        """What the question alone would have said, likewise."""
        return None if self.question_only is None else HALF.of(self.question_only)
