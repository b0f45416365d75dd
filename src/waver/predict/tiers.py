"""Tiers of annotations over a recording, in milliseconds: what ELAN, Praat and video players read and write.

Times on the grid of frames survive: frame i begins at i/24 s, rounded to a millisecond, and a time is the first frame
that begins at it or after, a millisecond more or less, which is how ``waver.align.timeline`` reads labels in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from waver.datasets.elan.annotations import Annotation
from waver.datasets.elan.tier_list import YES
from waver.evaluation.segments import runs_of
from waver.predict.result import RecordingResult, Word
from waver.predict.segments import Span
from waver.shapes import FPS

MODEL, UNCLEAR, CONFLICT = "AH_model", "AH_model_unclear", "conflict"
REVIEWED, ANNOTATOR = "AH_reviewed", "AH_annotator"
TRANSCRIPT, WORD, QUALITY = "transcript", "word", "quality"
CUES = {"visual": "cue_face", "audio": "cue_voice", "text": "cue_language"}
"""Modality -> tier with what it adds to the margin in each segment."""

_MISSING = {"visual": "no face", "audio": "no sound", "text": "no words"}
_LEAST_GAP_FRAMES = FPS
"""Shorter gaps of quality are not worth a look."""
_PAUSE_S = 0.7
"""Between two phrases of the transcript."""


Tiers = Mapping[str, Sequence[Annotation]]
"""Tier -> its annotations in order."""


def frame_to_ms(frame: int) -> int:
    """When a frame begins."""
    return (2000 * frame + FPS) // (2 * FPS)


def ms_to_frame(time_ms: int) -> int:
    """The first frame that begins at a time or after it, a millisecond more or less."""
    return max(-((1 - time_ms) * FPS // 1000), 0)


def to_frames(annotations: Sequence[Annotation]) -> list[Span]:
    """Annotations on the grid of frames; those in which no frame begins are left out."""
    spans = [(ms_to_frame(one.start_ms), ms_to_frame(one.end_ms)) for one in annotations]
    return [(start, end) for start, end in spans if start < end]


def on_grid(start_frame: int, end_frame: int, text: str) -> Annotation:
    """An annotation of some frames."""
    return Annotation(frame_to_ms(start_frame), frame_to_ms(end_frame), text)


def tiers_of(
    result: RecordingResult, unclear: Sequence[Span] = (), annotated: Sequence[Span] | None = None, words: bool = True
) -> dict[str, list[Annotation]]:
    """The tiers of a recording.

    Args:
        result: with its segments.
        unclear: stretches that are nearly segments (``SegmentRule.unclear``).
        annotated: segments of the annotation; None where nobody may see it or there is none.
        words: the words may be in it.

    Returns:
        Tier -> annotations; ``REVIEWED`` is empty, for a person to fill.
    """
    tiers = {MODEL: [on_grid(one.start_frame, one.end_frame, f"{one.mean:.2f}") for one in result.segments]}
    tiers[UNCLEAR] = [on_grid(*span, f"{result.probability[slice(*span)].mean():.2f}") for span in unclear]
    tiers[CONFLICT] = [on_grid(s.start_frame, s.end_frame, "; ".join(s.cues)) for s in result.segments if s.cues]
    for modality, tier in CUES.items():
        added = [(s, s.contributions[modality]) for s in result.segments if modality in s.contributions]
        tiers[tier] = [on_grid(s.start_frame, s.end_frame, f"{value:+.2f}") for s, value in added]
    if words and result.words is not None:
        tiers[TRANSCRIPT] = [_spoken(phrase) for phrase in phrases(result.words)]
        tiers[WORD] = [_spoken([word]) for word in result.words]
    tiers[QUALITY] = _gaps(result)
    if annotated is not None:
        tiers[ANNOTATOR] = [on_grid(*span, YES) for span in annotated]
    return {**{tier: _apart(found) for tier, found in tiers.items()}, REVIEWED: []}


def phrases(words: Sequence[Word]) -> list[list[Word]]:
    """Words between pauses."""
    cuts = [place for place, (a, b) in enumerate(pairwise(words), start=1) if b.start_s - a.end_s >= _PAUSE_S]
    edges = [0, *cuts, len(words)]
    return [list(words[start:end]) for start, end in pairwise(edges) if start < end]


def _spoken(words: Sequence[Word]) -> Annotation:
    start_ms = round(1000 * words[0].start_s)
    return Annotation(start_ms, max(round(1000 * words[-1].end_s), start_ms + 1), " ".join(one.word for one in words))


def _gaps(result: RecordingResult) -> list[Annotation]:
    """Where a modality is missing for a second or longer; what is missing together is named together."""
    names = [name for name in result.valid if name in _MISSING]
    if not names or not result.frames:
        return []
    missing = np.stack([~result.valid[name] for name in names])
    for row in missing:
        runs = runs_of(row, np.zeros(len(row), np.int64))
        for start, end in zip(*runs, strict=True):
            if end - start < _LEAST_GAP_FRAMES:
                row[start:end] = False
    kind = (missing * (1 << np.arange(len(names)))[:, None]).sum(axis=0)
    runs = runs_of(kind > 0, kind)
    return [
        on_grid(int(s), int(e), ", ".join(_MISSING[name] for name, row in zip(names, missing, strict=True) if row[s]))
        for s, e in zip(*runs, strict=True)
    ]


def _apart(annotations: Sequence[Annotation]) -> list[Annotation]:
    """In order; one that begins before the last one ended is cut, for tiers hold no overlaps."""
    found: list[Annotation] = []
    for one in sorted(annotations):
        start_ms = max(one.start_ms, found[-1].end_ms) if found else one.start_ms
        if start_ms < one.end_ms:
            found.append(Annotation(start_ms, one.end_ms, one.text))
    return found
