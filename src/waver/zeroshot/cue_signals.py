"""What can be measured of an answer frame by frame, and how far each frame is from the person's own baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from waver.features.cues.affect import expression_affect
from waver.features.cues.columns import AnswerSignals, TimedWords, middle_s
from waver.io.zarr_store import read_attributes, read_store
from waver.shapes import FPS
from waver.zeroshot.transcripts import read_spoken

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

VOICE = ("level", "pitch", "pitch_deviation", "articulation_rate")
"""Level (dB) and pitch (semitones) of the voiced frames, its deviation within 1 s, words a second of speech."""
HEAD = ("head_turn", "head_height", "head_tilt", "head_shake", "head_nod")
"""Of the five landmarks: nose beside the middle of the eyes and below them, in distances of the eyes; slope of the line
of the eyes, degrees; shake and nod are the deviations of the first two within 1 s."""
FACE = ("smile", "displeasure")
"""Probability of happiness, and the highest of anger, disgust, fear and sadness."""
CONFLICT = ("face_words", "face_voice", "words_voice")
"""How far two channels express opposite affect: the larger product of positive in one and negative in the other."""
SIGNALS = (*VOICE, *HEAD, *FACE, *CONFLICT)

_SMOOTHED_S = 1.0
_MOST_PAUSE = 0.5  # where more of 3 s is pause, the rate of the rest is that of a word or two
_LEAST_SD = 1e-4  # of a signal in its own unit; below it, it is constant but for rounding
_LEAST_KNOWN_S = 3.0  # of a person, below which there is no baseline


@dataclass(frozen=True)
class AnswerCues:
    """Signals and words of a video.

    Attributes:
        frames: T.
        signals: name -> float64 [T] smoothed over 1 s, nan where unknown; of those of SIGNALS that are known at all.
        spoken: None where the words are unknown.
    """

    frames: int
    signals: dict[str, Doubles]
    spoken: TimedWords | None


@dataclass(frozen=True)
class Baseline:
    """Mean and standard deviation of each signal over a person's frames, of those signals that are known enough."""

    mean: dict[str, float]
    sd: dict[str, float]

    def deviation(self, name: str, values: Doubles) -> Doubles:
        """A signal in standard deviations from the person's mean, [T]; nan where either is unknown."""
        if name not in self.mean:
            return np.full(len(values), np.nan)
        return (values - self.mean[name]) / self.sd[name]


def baseline(videos: Sequence[AnswerCues]) -> Baseline:
    """The baseline of a person from their videos, without any label."""
    mean, sd = {}, {}
    for name in SIGNALS:
        parts = [video.signals[name] for video in videos if name in video.signals]
        values = np.concatenate([part[np.isfinite(part)] for part in parts]) if parts else np.zeros(0)
        if len(values) >= _LEAST_KNOWN_S * FPS and values.std() > _LEAST_SD:
            mean[name], sd[name] = float(values.mean()), float(values.std())
    return Baseline(mean, sd)


def answer_cues(stores: Mapping[str, Path], frames: int) -> AnswerCues:
    """Signals and words of a video from its stores.

    Args:
        stores: feature (faces, visual, audio, speech, cues) -> store of the video; without those that were excluded.
        frames: T, for a video without any store.
    """
    spoken = read_spoken(stores["speech"]) if "speech" in stores else None
    raw: dict[str, Doubles] = {}
    if "faces" in stores:
        raw |= _head(**read_store(stores["faces"], "landmarks", "valid"))
    affect = {}
    if "visual" in stores and "expressions" in (about := read_attributes(stores["visual"])):
        known = read_store(stores["visual"], "expression", "valid")
        affect["face"] = expression_affect(known["expression"], about["expressions"], known["valid"]).astype(np.float64)
        raw |= {"smile": affect["face"][:, 0], "displeasure": affect["face"][:, 1]}
    if "cues" in stores:
        raw |= _voice(stores, spoken)
        targets = read_store(stores["cues"], "audio_affect", "text_affect")
        affect |= {"voice": targets["audio_affect"], "words": targets["text_affect"]}
    length = max((len(values) for values in raw.values()), default=frames)
    raw |= _conflicts(affect)
    smoothed = {name: _smoothed(values) for name, values in raw.items()}
    return AnswerCues(length, {name: values for name, values in smoothed.items() if np.isfinite(values).any()}, spoken)


def _voice(stores: Mapping[str, Path], spoken: TimedWords | None) -> dict[str, Doubles]:
    about, known = read_attributes(stores["cues"]), read_store(stores["cues"], "feature", "valid")
    column = dict(zip(about["columns"], known["feature"].T.astype(np.float64), strict=True))
    frames, valid = known["valid"].shape[0], known["valid"]
    found = {}
    if "level" not in about["masked"]:
        voiced = valid & (column["voicing"] > 0) & (column["pitch"] != 0)
        found = {name: np.where(voiced, column[name], np.nan) for name in ("level", "pitch", "pitch_deviation")}
    if spoken and spoken.words and "audio" in stores and "speech_rate" not in about["masked"]:
        sound = read_store(stores["audio"], "prosody", "valence", "valid")
        heard = AnswerSignals(frames, spoken, sound["prosody"], sound["valence"], sound["valid"])
        time_s, share = middle_s(frames), column["pause_share_3s"]
        speaking = (time_s >= spoken.start_s[0]) & (time_s < spoken.end_s.max()) & (share <= _MOST_PAUSE)
        rate = column["speech_rate"] / np.maximum(1 - share, 1 - _MOST_PAUSE)
        found["articulation_rate"] = np.where(valid & heard.pauses_known & speaking, rate, np.nan)
    return found


def _head(landmarks: npt.NDArray[np.float32], valid: Bools) -> dict[str, Doubles]:
    """Pose by the proportions of left eye, right eye, nose and corners of the mouth, as the detector orders them."""
    points = np.where(valid[:, None, None], landmarks.astype(np.float64), np.nan)
    left, right, nose = points[:, 0], points[:, 1], points[:, 2]
    line = right - left
    apart = np.maximum(np.hypot(*line.T), 1e-6)
    across, middle = line / apart[:, None], (left + right) / 2
    down = np.column_stack([-across[:, 1], across[:, 0]])
    turn, height = (((nose - middle) * axis).sum(axis=1) / apart for axis in (across, down))
    tilt = np.degrees(np.arctan2(line[:, 1], line[:, 0]))
    return {
        "head_turn": turn, "head_height": height, "head_tilt": tilt,
        "head_shake": _deviation(turn), "head_nod": _deviation(height),
    }  # fmt: skip


def _conflicts(affect: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, Doubles]:
    found = {}
    for name in CONFLICT:
        one, other = name.split("_")
        if one in affect and other in affect:
            length = min(len(affect[one]), len(affect[other]))
            first, second = affect[one][:length], affect[other][:length]
            opposite = np.stack([first[:, 0] * second[:, 1], first[:, 1] * second[:, 0]])
            found[name] = opposite.max(axis=0).astype(np.float64)
    return found


def _smoothed(values: Doubles) -> Doubles:
    """Mean of the known values within 1 s; nan where the frame itself is unknown."""
    known = np.isfinite(values)
    return np.where(known, _within(np.where(known, values, 0.0)) / np.maximum(_within(known), 1e-9), np.nan)


def _deviation(values: Doubles) -> Doubles:
    """Standard deviation of the known values within 1 s; nan where the frame itself is unknown."""
    mean = _smoothed(values)
    return np.sqrt(np.maximum(_smoothed(values**2) - mean**2, 0))


def _within(values: Doubles | Bools) -> Doubles:
    mean: Doubles = uniform_filter1d(values.astype(np.float64), round(_SMOOTHED_S * FPS) + 1, mode="constant")
    return mean
