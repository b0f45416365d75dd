"""Cues of voice, pauses and words as columns of numbers, computed for all frames of a video at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from waver.features.sentences import timed_words
from waver.models.text.cue_counts import cue_words
from waver.shapes import FPS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

VOICE = ("level", "pitch", "level_deviation", "pitch_deviation", "voicing")
"""Level (dB) and pitch (semitones) relative to the speaker's medians in this video, pitch 0 where not voiced; their
standard deviations, and the share that is voiced, over 1 s."""
PAUSES = (
    "pause", "pause_so_far", "since_word", "pause_share_1s", "pause_share_3s", "speech_rate", "latency", "gap_mean",
    "gap_longest",
)  # fmt: skip
"""Within a pause (0.25 s and more between two words), and for how many seconds; log(1 + seconds) since the last word
ended or the video began; shares of pause; words a second over 3 s; log(1 + seconds) to the first word; log(1 + mean)
and log(1 + longest) of the seconds between words over 4.2 s."""
VERBAL = (
    "filler_sound", "filler_word", "hedge", "contrast", "negation", "correction", "repetition", "positive", "negative",
)  # fmt: skip
"""How often each occurs over 4.2 s."""
MIXED = ("kaplan", "griffin")
"""Mixed feelings of the positive and negative expressions P and N: min(P, N), and (P + N) / 2 - |P - N|."""
COLUMNS = (*VOICE, *PAUSES, *VERBAL, *MIXED)

VERBAL_S = 4.2
"""Seconds around a frame in which words count, about the mean length of a segment with A/H."""
PAUSE_S = 0.25
"""Shortest silence between two words that is a pause."""

_LOUDER_DB, _HIGHER = 40.0, 12.0  # larger deviations (an octave of pitch) are measurement errors


@dataclass(frozen=True)
class TimedWords:
    """Words of a video; see ``waver.features.spoken``."""

    words: list[str]
    start_s: Floats
    end_s: Floats
    language: str
    measured: Bools

    @cached_property
    def cues(self) -> dict[str, npt.NDArray[np.int64]]:
        """Name of a cue -> first and last word of each occurrence, int64 [n, 2]."""
        found = cue_words(self.words, self.language or None)
        return {name: np.array(found.get(name, []), np.int64).reshape(-1, 2) for name in VERBAL}


@dataclass(frozen=True)
class AnswerSignals:
    """Sound and words of a video.

    Attributes:
        frames: T.
        speech: None where the speech is unknown.
        prosody: float32 [T, 3] of ``waver.features.audio.prosody``; None where nothing was recorded.
        valence: float32 [T] of the voice, see ``waver.features.audio.extract``.
        sounding: bool [T], sound was recorded.
    """

    frames: int
    speech: TimedWords | None
    prosody: Floats | None
    valence: Floats
    sounding: Bools

    @cached_property
    def pauses_known(self) -> Bools:
        """Whether the words around a frame have the times of the sound, so that what lies between is silence; [T]."""
        if self.speech is None or self.prosody is None:
            return np.zeros(self.frames, bool)
        return _with_measured_words(self.speech, self.frames)

    @property
    def masked(self) -> list[str]:
        """Columns that are unknown in the whole video."""
        return [
            *(VOICE if self.prosody is None else ()),
            *(() if self.pauses_known.any() else PAUSES),
            *((*VERBAL, *MIXED) if self.speech is None else ()),
        ]


def cue_features(signals: AnswerSignals) -> tuple[Floats, Bools]:
    """Cues float32 [T, D], COLUMNS, zeros where unknown; and a mask of the known frames, bool [T]."""
    feature = np.zeros((signals.frames, len(COLUMNS)), np.float32)
    valid = signals.sounding
    if signals.prosody is not None:
        feature[:, : len(VOICE)] = _voice(signals.prosody, valid)
    if signals.speech and signals.pauses_known.any():
        pauses = _pauses(signals.speech, signals.frames) * signals.pauses_known[:, None]
        feature[:, len(VOICE) : len(VOICE) + len(PAUSES)] = pauses
    if signals.speech:
        feature[:, len(VOICE) + len(PAUSES) :] = _verbal(signals.speech, signals.frames)
        valid = np.full(signals.frames, bool(signals.speech.words)) if signals.prosody is None else valid
    feature[~valid] = 0
    return feature, valid


# voice ----------------------------------------------------------------------------------------------
def _voice(prosody: Floats, sounding: Bools) -> Doubles:
    level, pitch, voiced = prosody.T.astype(np.float64)
    known = sounding & (voiced > 0)
    own = known if known.any() else sounding
    level = np.clip(level - np.median(level[own]), -_LOUDER_DB, _LOUDER_DB)
    pitch = np.where(known, np.clip(pitch - np.median(pitch[own]), -_HIGHER, _HIGHER), 0)
    deviations = _deviation(level, sounding), _deviation(pitch, known)
    return np.column_stack([level, pitch, *deviations, _share(known, 1.0)])


def _deviation(values: Doubles, known: Bools) -> Doubles:
    """Standard deviation of the known values over 1 s; 0 where there are none."""
    count = np.maximum(_summed(known, 1.0), 1)
    mean = _summed(values * known, 1.0) / count
    found: Doubles = np.sqrt(np.maximum(_summed(values**2 * known, 1.0) / count - mean**2, 0))
    return found


# pauses ---------------------------------------------------------------------------------------------
def _with_measured_words(speech: TimedWords, frames: int) -> Bools:
    """Frames in whose window no pause ends or begins at a word without a time of its own."""
    unknown = np.zeros(frames, bool)
    before_s = np.minimum(np.append(-np.inf, np.maximum.accumulate(speech.end_s)[:-1]), speech.start_s)
    after_s = np.maximum(np.append(speech.start_s[1:], np.inf), speech.end_s)
    time_s = middle_s(frames)
    for word in np.flatnonzero(~speech.measured):
        unknown |= (time_s >= before_s[word]) & (time_s < after_s[word])
    return np.asarray(~maximum_filter1d(unknown, 2 * _half(VERBAL_S) + 1, mode="constant"), bool)


def _pauses(speech: TimedWords, frames: int) -> Doubles:
    start_s, end_s = speech.start_s.astype(np.float64), np.maximum.accumulate(speech.end_s.astype(np.float64))
    time_s, silent = middle_s(frames), timed_words(speech.start_s, speech.end_s, frames) < 0
    words = len(start_s)
    following = np.searchsorted(start_s, time_s, "right")  # number of the next word
    since_s = np.where(silent, np.maximum(time_s - np.append(0, end_s)[following], 0), 0)
    between = silent & (following > 0) & (following < words)
    gap_s = np.where(between, np.append(start_s, 0)[following] - np.append(0, end_s)[following], 0)
    pause = gap_s >= PAUSE_S
    gaps_s, gaps = np.maximum(start_s[1:] - end_s[:-1], 0), _frames_at((start_s[1:] + end_s[:-1]) / 2, frames)
    mean_s = _summed(_placed(gaps, frames, gaps_s), VERBAL_S) / np.maximum(_summed(_placed(gaps, frames), VERBAL_S), 1)
    longest_s = maximum_filter1d(gap_s, 2 * _half(VERBAL_S) + 1, mode="constant")
    spoken = _placed(_frames_at((start_s + end_s) / 2, frames), frames)
    first_s = frames / FPS if not words else start_s[0] if speech.measured[0] else 0
    latency_s = np.full(frames, first_s)
    shares = _share(pause, 1.0), _share(pause, 3.0)
    logs = (np.log1p(values) for values in (latency_s, mean_s, longest_s))
    return np.column_stack([pause, since_s * pause, np.log1p(since_s), *shares, _share(spoken, 3.0) * FPS, *logs])


# words ----------------------------------------------------------------------------------------------
def _verbal(speech: TimedWords, frames: int) -> Doubles:
    times = [
        _frames_at((speech.start_s[cue[:, 0]] + speech.end_s[cue[:, 1]]) / 2, frames)
        for cue in (speech.cues[name] for name in VERBAL)
    ]
    counts = _summed(np.column_stack([_placed(at, frames) for at in times]), VERBAL_S)
    positive, negative = (counts[:, VERBAL.index(name)] for name in ("positive", "negative"))
    kaplan = np.minimum(positive, negative)
    return np.column_stack([counts, kaplan, (positive + negative) / 2 - np.abs(positive - negative)])


# frames ---------------------------------------------------------------------------------------------
def middle_s(frames: int) -> Doubles:
    """Middle of each frame, seconds, float64 [T]."""
    return (np.arange(frames) + 0.5) / FPS


def _frames_at(time_s: Floats | Doubles, frames: int) -> npt.NDArray[np.int64]:
    return np.clip((time_s * FPS).astype(np.int64), 0, frames - 1)


def _placed(at: npt.NDArray[np.int64], frames: int, values: Doubles | None = None) -> Doubles:
    """Sum of the events of each frame, [T]; each counts 1 where no values are given."""
    return np.bincount(at, values, minlength=frames).astype(np.float64)


def _half(window_s: float) -> int:
    return round(window_s * FPS / 2)


def _summed(values: Doubles | Bools, window_s: float) -> Doubles:
    """Sums over the window around each frame, cut at the ends of the video; [T] or [T, K] as ``values``."""
    running = np.cumsum(np.concatenate([np.zeros((1, *values.shape[1:])), values]), axis=0)
    frame, half = np.arange(len(values)), _half(window_s)
    found: Doubles = running[np.minimum(frame + half + 1, len(values))] - running[np.maximum(frame - half, 0)]
    return found


def _share(values: Doubles | Bools, window_s: float) -> Doubles:
    """Mean over the window around each frame."""
    return _summed(values, window_s) / _summed(np.ones(len(values)), window_s)
