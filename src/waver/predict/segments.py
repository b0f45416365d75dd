"""From probabilities of frames to segments: where a stretch of A/H begins and ends, how sure, and by what.

A model that decodes by durations (``waver.models.duration_hmm``) has smoothed its probabilities already: its segments
are the frames at which A/H is the likelier. Of any other model a segment holds a frame that reaches ``on`` and extends
as far as ``off`` is reached (hysteresis), so that a probability that wavers around one threshold is not cut to pieces;
both thresholds, and the shortest length, are those of the highest segment F1 on the val split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from waver.evaluation.metrics import avgf1
from waver.evaluation.segments import SEGMENT_F1, Runs, counted, runs_of, segment_scores
from waver.predict.result import RecordingResult, Segment

Array = npt.NDArray[Any]
Span = tuple[int, int]
"""First frame, and frame after the last one."""

_QUANTILES = np.linspace(0.05, 0.95, 13)
_EXTENTS = (1.0, 0.8, 0.6, 0.4)
"""``off`` as a share of ``on``."""
_SHORTEST = (1, 6, 12, 24)
"""Frames: up to a second; an annotated segment has 103 in the mean (2026 paper, section 4.3)."""
_MOST_CUES = 3
_HALF_OPEN = 0.5
_IN_WORDS = {"visual": "face", "audio": "voice", "text": "words"}


@dataclass(frozen=True)
class SegmentRule:
    """How frames become segments.

    Attributes:
        kind: durations: the probabilities are decoded ones; hysteresis: the rest was chosen on val.
        on: probability that a segment reaches at least once.
        off: probability that all its frames reach; at most ``on``.
        shortest_frames: shorter ones are dropped.
    """

    kind: Literal["durations", "hysteresis"]
    on: float = 0.5
    off: float = 0.5
    shortest_frames: int = 1

    def state(self) -> dict[str, Any]:
        """Plain values, for a record."""
        return asdict(self)

    def spans(self, probability: Array) -> list[Span]:
        """Segments of a recording with probabilities float [T], in order."""
        runs = _segments(probability, np.zeros(len(probability), np.int64), self)
        return list(zip(runs.start.tolist(), runs.end.tolist(), strict=True))

    def unclear(self, probability: Array) -> list[Span]:
        """Stretches in which every frame reaches ``off`` and none ``on``: no segments, and not far from it."""
        between = (probability >= self.off) & ~self._inside(probability)
        runs = runs_of(between, np.zeros(len(probability), np.int64))
        kept = runs.end - runs.start >= self.shortest_frames
        return list(zip(runs.start[kept].tolist(), runs.end[kept].tolist(), strict=True))

    def _inside(self, probability: Array) -> npt.NDArray[np.bool_]:
        return frames_of_spans(self.spans(probability), len(probability))


DURATIONS, AT_HALF = SegmentRule("durations"), SegmentRule("hysteresis")


def frames_of_spans(spans: Sequence[Span], frames: int) -> npt.NDArray[np.bool_]:
    """Which of the frames are in a span, bool [T]."""
    inside = np.zeros(frames, bool)
    for start, end in spans:
        inside[max(start, 0) : max(end, 0)] = True
    return inside


def choose_rule(videos: Sequence[tuple[Array, Array]], decoded: bool = False) -> SegmentRule:
    """The rule of a model.

    Args:
        videos: of each labelled video of the val split, the probabilities float [T] and the labels [T].
        decoded: the probabilities are decoded by durations.

    Returns:
        ``DURATIONS`` where they are decoded; else the hysteresis of the highest mean segment F1 over the overlaps .1 to
        .5, of equals that of the highest AVGF1 on frames; one at .5 where no video has a segment.
    """
    if decoded:
        return DURATIONS
    if not any(label.any() for _, label in videos):
        return AT_HALF
    video = np.repeat(np.arange(len(videos)), [len(label) for _, label in videos])
    probability, label = (np.concatenate([pair[part] for pair in videos]).astype(np.float64) for part in (0, 1))
    true = runs_of(label > 0, video)
    candidates = [AT_HALF] + [
        replace(AT_HALF, on=float(on), off=float(on * extent), shortest_frames=shortest)
        for on, extent, shortest in product(np.unique(np.quantile(probability, _QUANTILES)), _EXTENTS, _SHORTEST)
    ]
    scores = [_scores(true, _segments(probability, video, rule), label) for rule in candidates]
    return candidates[max(range(len(scores)), key=lambda place: scores[place])]


def _scores(true: Runs, found: Runs, label: Array) -> tuple[float, float]:
    """Mean segment F1, and AVGF1 of the frames."""
    values = segment_scores(counted(true, found, np.zeros(len(label), np.int64), 1)[0])
    inside = frames_of_spans(list(zip(found.start, found.end, strict=True)), len(label))
    return round(float(np.mean([values[name] for name in SEGMENT_F1])), 9), round(avgf1(inside, label), 9)


def _segments(probability: Array, video: Array, rule: SegmentRule) -> Runs:
    """Segments of videos laid end to end."""
    runs = runs_of(probability >= rule.off, video)
    reached = np.concatenate([[0], np.cumsum(probability >= rule.on)])
    kept = (reached[runs.end] > reached[runs.start]) & (runs.end - runs.start >= rule.shortest_frames)
    return Runs(runs.start[kept], runs.end[kept])


def with_segments(result: RecordingResult, rule: SegmentRule) -> RecordingResult:
    """The result with its segments filled in."""
    return replace(result, segments=segments_of(result, rule.spans(result.probability)))


def segments_of(result: RecordingResult, spans: Sequence[Span]) -> tuple[Segment, ...]:
    """What a result says of some stretches of its recording, each at least one frame."""
    return tuple(_segment(result, start, end) for start, end in spans)


def _segment(result: RecordingResult, start: int, end: int) -> Segment:
    own = result.probability[start:end]
    contributions: dict[str, float] = {}
    if result.contributions is not None:
        means = result.contributions[start:end].mean(axis=0, dtype=np.float64)
        contributions = dict(zip(result.valid, map(float, means), strict=True))
    cues = cue_hints({name: track[start:end] for name, track in result.tracks.items()})
    return Segment(start, end, float(own.mean(dtype=np.float64)), float(own.max()), contributions, cues)


def cue_hints(tracks: Mapping[str, Array]) -> tuple[str, ...]:
    """What the model looked at most, in plain words; nothing of models that show nothing.

    The conflict model weighs pairs of modalities, and a modality's change over time, by gates from 0 to 1
    (``gate/visual+text``, ``gate/within:text``): a hint is one whose gate is at least half open in the mean, the most
    open three of them, e.g. ``face against words`` or ``voice changes``.
    """
    found = {name.removeprefix("gate/"): float(track.mean()) for name, track in tracks.items() if "gate/" in name}
    open_ = [name for name in found if found[name] >= _HALF_OPEN and ("+" in name or ":" in name)]
    return tuple(_hint(name) for name in sorted(open_, key=lambda name: -found[name])[:_MOST_CUES])


def _hint(name: str) -> str:
    if name.startswith("within:"):
        modality = name.removeprefix("within:")
        return f"{_IN_WORDS.get(modality, modality)} {'change' if modality == 'text' else 'changes'}"
    return " against ".join(_IN_WORDS.get(modality, modality) for modality in name.split("+"))
