"""Decoding of a model's margins by how long A/H lasts: its fit, and its use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.models.duration_hmm import Durations, choose_kappa, decode, fit_durations

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]

_MOST = 50.0  # no margin is shifted further


@dataclass(frozen=True)
class Decoder:
    """Durations and how much a frame's evidence counts.

    Attributes:
        durations: of the training labels; their prevalence is the one that the model's margins are under.
        kappa: exponent of a frame's likelihood ratio.
    """

    durations: Durations
    kappa: float

    def decode(self, margins: Sequence[Floats]) -> list[Floats]:
        """Log odds of A/H float64 [T] given the whole video, of margins [T] of each, at 24 frames a second."""
        return decode(margins, self.durations, self.kappa)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        durations = self.durations
        return {
            "mean_frames": list(durations.mean_frames),
            "stages": list(durations.stages),
            "prevalence": durations.prevalence,
            "kappa": self.kappa,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Decoder:
        """Inverse of ``state``."""
        (none, some), (before, within) = state["mean_frames"], state["stages"]
        return cls(Durations((none, some), (before, within), state["prevalence"]), state["kappa"])


def fit_decoder(train_labels: Sequence[Labels], margins: Sequence[Floats], labels: Sequence[Labels]) -> Decoder:
    """Learn to decode one model's margins.

    Durations come from the training labels of the model. ``kappa``, and the prevalence that the margins are
    under (class weights, undersampling and F1 terms move them), come from the videos that chose the epoch: the val
    split, or in a cross-validation the fold that chooses. Neither comes from the test split, or from the fold
    that is held out and reported.

    Args:
        learnt_from: uint8 [T] of each training video.
        margins: float [T] of each video that chose the epoch.
        labels: uint8 [T] of the same.

    Raises:
        WaverError: the training labels never change within a video.
    """
    durations = fit_durations(train_labels)
    truth, margin = np.concatenate(labels), np.concatenate(margins).astype(np.float64)
    share = float(truth.mean())
    if 0 < share < 1:
        odds = np.log(share / (1 - share)) + _shift(margin, share)
        durations = replace(durations, prevalence=float(1 / (1 + np.exp(-odds))))
    return Decoder(durations, choose_kappa(margins, labels, durations))


def _shift(margin: Floats, share: float) -> float:
    """How much the margins lie too high: less it, their mean probability is ``share``."""
    low, high = -_MOST, _MOST
    for _ in range(60):
        middle = (low + high) / 2
        mean = float(np.exp(-np.logaddexp(0, middle - margin)).mean())
        low, high = (middle, high) if mean > share else (low, middle)
    return (low + high) / 2
