"""How often annotators name each cue, and each pair of modalities that does not match, with intervals over people.

Counted are A/H segments in which the annotators name any cue of the codebook; of the others nobody knows what was
seen, or whether anybody looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.datasets.codebook import cue_names
from waver.evaluation.bootstrap import interval, resamples

CONFLICT = "inconsistencies"
"""Channel of the pairs that do not match."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AnnotatedSegment:
    """An A/H segment with cues.

    Attributes:
        participant: who shows it.
        question: what was answered; None where unknown.
        cues: of ``waver.datasets.codebook.cue_names``.
    """

    participant: str
    question: int | None
    cues: frozenset[str]


@dataclass(frozen=True)
class CueShare:
    """Share of the annotated segments in which a cue is named.

    Attributes:
        cue: of ``cue_names``.
        value, low, high: the share and its 95 % interval over participants; nan where ``people`` is too small.
        people: participants with a segment in which it is named.
    """

    cue: str
    value: float
    low: float
    high: float
    people: int

    @property
    def disclosed(self) -> bool:
        """Whether enough people are behind it."""
        return bool(np.isfinite(self.value))


@dataclass(frozen=True)
class CueShares:
    """Shares of cues.

    Attributes:
        segments: annotated segments.
        people: participants with one.
        cues: every cue that is named, in the codebook's order.
        by_question: question -> the pairs that do not match, of questions that enough people have segments of.
    """

    segments: int
    people: int
    cues: tuple[CueShare, ...]
    by_question: dict[int, tuple[CueShare, ...]]

    def channel(self, name: str) -> tuple[CueShare, ...]:
        """Cues of one channel, the most frequent first; those of few people last."""
        own = [share for share in self.cues if share.cue.startswith(f"{name}: ")]
        return tuple(sorted(own, key=lambda share: (not share.disclosed, -share.value if share.disclosed else 0.0)))


def annotated_segments(segments: Sequence[Row], answers: Sequence[Row]) -> list[AnnotatedSegment]:
    """Segments with cues of the codebook.

    Args:
        segments: rows of SEGMENTS.
        answers: rows of ANSWERS, for participant and question.
    """
    of = {row["video"]: row for row in answers}
    return [
        AnnotatedSegment(of[row["video"]]["participant"], of[row["video"]]["question"], frozenset(row["cue_names"]))
        for row in segments
        if row["cue_names"] and row["video"] in of
    ]


def cue_shares(segments: Sequence[AnnotatedSegment], config: EvaluateConfig) -> CueShares | None:
    """Shares of all cues; None where fewer than ``least_group`` people have an annotated segment.

    Args:
        segments: those with cues.
        config: resamples, seed, least size of a group.
    """
    people = {segment.participant for segment in segments}
    if len(people) < max(1, config.least_group):
        return None
    pairs = [name for name in cue_names() if name.startswith(f"{CONFLICT}: ")]
    by_question = {}
    for question in sorted({segment.question for segment in segments if segment.question is not None}):
        own = [segment for segment in segments if segment.question == question]
        if len({segment.participant for segment in own}) >= config.least_group:
            by_question[question] = _shares(own, pairs, config, question)
    return CueShares(len(segments), len(people), _shares(segments, cue_names(), config, 0), by_question)


def _shares(
    segments: Sequence[AnnotatedSegment], names: Sequence[str], config: EvaluateConfig, question: int
) -> tuple[CueShare, ...]:
    """Shares of the named cues that any segment has."""
    people, who = np.unique([segment.participant for segment in segments], return_inverse=True)
    weights = resamples(len(people), config.bootstrap, "cues", question, len(segments), config.seed)
    everything = weights @ np.bincount(who)
    found = []
    for name in names:
        has = np.array([name in segment.cues for segment in segments])
        if not has.any():
            continue
        behind = len(np.unique(who[has]))
        disclosed = behind >= config.least_group
        value, low, high = interval(weights @ np.bincount(who, has) / everything) if disclosed else (np.nan,) * 3
        found.append(CueShare(name, value, low, high, behind))
    return tuple(found)
