"""A/H lasts: log odds of frames read as noisy signs of a state that stays for a while.

A hidden Markov model has two labels, none and A/H, each a chain of stages that are passed one after the other.
One stage makes the length of a segment geometric, a single frame being the likeliest; several make lengths
gather around their mean (of A/H 103 frames: 2026 paper, section 4.3). What is decoded are the log odds of A/H
at each frame given all frames of the video.

What the model needs to know is learned from training labels alone; ``kappa`` from predictions for people that
were held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waver.errors import WaverError
from waver.evaluation.metrics import average_precision, avgf1

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]

KAPPAS = (1 / 4, 1 / 12, 1 / 24)
"""How much of a frame's evidence counts: neighbouring frames say much the same, a quarter of a second to a
second of them about what one frame says."""
MOST_STAGES = 6
_EDGE = 1e-6
_MOST = 50.0  # log odds: beyond, nothing is more certain


@dataclass(frozen=True)
class Durations:
    """How long the labels last.

    Attributes:
        mean_frames: mean number of frames of a stretch without and of one with A/H.
        stages: stages of a stretch without and of one with A/H.
        prevalence: share of frames with A/H where the probabilities were learned.
    """

    mean_frames: tuple[float, float]
    stages: tuple[int, int]
    prevalence: float

    @property
    def stay(self) -> tuple[float, float]:
        """Probability that a stage lasts one frame more, of each label."""
        return tuple(max(1 - n / mean, 0.0) for n, mean in zip(self.stages, self.mean_frames, strict=True))  # type: ignore[return-value]


def fit_durations(labels: Sequence[Labels], stages: int | None = None) -> Durations:
    """Durations of the training labels.

    Videos cut stretches off, those without A/H more often than not, so that a mean of their lengths would be too
    short. The mean is instead the number of frames that have a next one over the number of changes, which is
    what maximises the likelihood of the labels under one stage. Stages are those whose spread, mean² over
    variance, is that of the A/H segments that end within their video.

    Args:
        labels: uint8 [T] of each training video.
        stages: of A/H, instead of those found; without A/H there is always one.

    Raises:
        WaverError: the labels never change, in one direction or the other.
    """
    before = np.concatenate([video[:-1] for video in labels])
    after = np.concatenate([video[1:] for video in labels])
    left = [int(((before == label) & (after != label)).sum()) for label in (0, 1)]
    if not all(left):
        raise WaverError(
            "the training labels have no beginning or no end of A/H within a video; decode without durations"
        )
    mean = tuple(float((before == label).sum() / count) for label, count in zip((0, 1), left, strict=True))
    positive = sum(int(video.sum()) for video in labels)
    total = sum(len(video) for video in labels)
    found = _stages(labels) if stages is None else stages
    return Durations((mean[0], mean[1]), (1, max(1, min(found, int(mean[1])))), positive / total)


def _stages(labels: Sequence[Labels]) -> int:
    lengths = np.concatenate([_complete(video) for video in labels])
    if len(lengths) < 2 or not lengths.var():
        return 1
    return int(np.clip(round(lengths.mean() ** 2 / lengths.var(ddof=1)), 1, MOST_STAGES))


def _complete(video: Labels) -> npt.NDArray[np.int64]:
    """Lengths of the A/H segments that begin and end within the video."""
    change = np.diff(video.astype(np.int8))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    ends = ends[ends > starts[0]] if len(starts) else ends[:0]
    lengths: npt.NDArray[np.int64] = ends - starts[: len(ends)]
    return lengths


def transitions(durations: Durations) -> tuple[Floats, Floats]:
    """Transition probabilities [S, S] of stages (rows: from; those of none first), and their shares of time [S]."""
    counts, stay = durations.stages, durations.stay
    total = sum(counts)
    own = np.repeat(stay, counts)
    matrix = np.diag(own)
    matrix[np.arange(total), (np.arange(total) + 1) % total] += 1 - own
    share = 1 / (1 - own)
    return matrix, share / share.sum()


def decode(margins: Sequence[Floats], durations: Durations, kappa: float) -> list[Floats]:
    """Log odds of A/H at each frame given all frames of its video (forward-backward).

    Args:
        margins: log odds of A/H, float [T] of each video; they are taken for those under the prevalence.
        durations: from ``fit_durations``.
        kappa: exponent of a frame's likelihood ratio; 0 leaves the share of A/H in the long run.

    Returns:
        float64 [T] of each video; above 0 A/H is the likelier.
    """
    if not margins:
        return []
    lengths = np.array([len(margin) for margin in margins])
    order = np.argsort(-lengths, kind="stable")  # longest first: those still running are always the first ones
    prior = np.clip(durations.prevalence, _EDGE, 1 - _EDGE)
    evidence = np.zeros((lengths.max(), len(order)))
    for column, number in enumerate(order):
        sign = np.clip(margins[number], -_MOST, _MOST) - np.log(prior / (1 - prior))
        evidence[: lengths[number], column] = kappa * sign
    running = (np.arange(lengths.max())[:, None] < lengths).sum(1)
    smoothed = _posterior(evidence, running, durations)
    found: list[Floats] = [np.empty(0)] * len(order)
    for column, number in enumerate(order):
        found[number] = smoothed[: lengths[number], column].copy()
    return found


def _posterior(evidence: Floats, running: npt.NDArray[np.int64], durations: Durations) -> Floats:
    """Log odds of A/H [T, V] of log likelihood ratios [T, V]; at frame t the first ``running[t]`` videos go on."""
    matrix, share = transitions(durations)
    quiet = durations.stages[0]
    # likelihoods [T, V, 2], the greater of the two 1
    likelihood = np.exp(np.stack([np.minimum(-evidence, 0), np.minimum(evidence, 0)], -1))
    expand = np.repeat([0, 1], durations.stages)
    forward = np.empty((*evidence.shape, len(share)))
    ahead = np.broadcast_to(share, (evidence.shape[1], len(share)))
    for frame, count in enumerate(running):
        now = ahead[:count] * likelihood[frame, :count][:, expand]
        forward[frame, :count] = now / now.sum(1, keepdims=True)
        ahead = forward[frame, :count] @ matrix
    result = np.zeros(evidence.shape)
    backward = np.ones((evidence.shape[1], len(share)))
    for frame in range(len(evidence) - 1, -1, -1):
        count = running[frame]
        both = forward[frame, :count] * backward[:count]
        result[frame, :count] = np.log(both[:, quiet:].sum(1)) - np.log(both[:, :quiet].sum(1))
        back = (backward[:count] * likelihood[frame, :count][:, expand]) @ matrix.T
        backward[:count] = back / back.max(1, keepdims=True)
    return result


def choose_kappa(
    margins: Sequence[Floats], labels: Sequence[Labels], durations: Durations, kappas: Sequence[float] = KAPPAS
) -> float:
    """The exponent under which (AVGF1 at .5 + AP) / 2 is highest over all frames; the first of equals.

    Args:
        margins: float [T] of each video, predicted by models that had not seen these people.
        labels: uint8 [T] of each video.
        durations: from ``fit_durations``.
        kappas: those to choose from.
    """
    truth = np.concatenate(labels)
    scores = []
    for kappa in kappas:
        decoded = 1 / (1 + np.exp(-np.concatenate(decode(margins, durations, kappa))))
        scores.append((avgf1(decoded, truth) + average_precision(decoded, truth)) / 2)
    return kappas[int(np.argmax(scores))]
