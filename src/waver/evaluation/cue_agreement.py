"""Cues that a model or a rule points at, held to those that the annotators name, with chance beside them.

The unit is an annotated segment of A/H. Precision is the share of the segments in which a cue is found where it is
annotated as well. Chance is what precision would be, on average over all permutations, if the annotations were dealt
out anew among the segments of the same question, and among those of the same participant: a cue that everybody shows
when asked one question, or that one person always shows, is found by chance alone. A segment that is alone in its
group counts for chance as it is. Intervals are over participants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from waver.config.sections import EvaluateConfig
from waver.evaluation.bootstrap import interval, resamples
from waver.io.zarr_store import Array

Row = dict[str, Any]

ALL = "all"
"""Name of the line over all cues, each of which counts by the segments in which it is found."""


def _field(name: str, kind: pa.DataType, meaning: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, {"meaning": meaning})


_WITHHELD = "; null of few people"
CUE_SCORES = pa.schema(
    [
        _field("source", pa.string(), "what points at cues: textualisation, or a model of frames", False),
        _field("modalities", pa.string(), "letters of the model; empty of the textualisation", False),
        _field("split", pa.string(), "val or test; all of what was not trained", False),
        _field("seeds", pa.int32(), "seeds averaged; 0 of what was not trained", False),
        _field("channel", pa.string(), "channel of the codebook; empty of all cues", False),
        _field("cue", pa.string(), "cue of the codebook, pair of modalities, or all", False),
        _field("segments", pa.int32(), "segments with annotated cues where this one can be found" + _WITHHELD),
        _field("participants", pa.int32(), "people in whose segments it was annotated or found" + _WITHHELD),
        _field("annotated", pa.int32(), "segments in which it was annotated" + _WITHHELD),
        _field("found", pa.int32(), "segments in which it was found" + _WITHHELD),
        _field("both", pa.int32(), "segments with both" + _WITHHELD),
        _field("precision", pa.float64(), "both / found; null where undefined or withheld"),
        _field("low", pa.float64(), "2.5 % of the participant bootstrap of precision"),
        _field("high", pa.float64(), "97.5 %"),
        _field("chance", pa.float64(), "mean precision if annotations are permuted within the question"),
        _field("chance_of_person", pa.float64(), "the same within the participant"),
        _field("gain", pa.float64(), "precision minus the greater of the two"),
        _field("gain_low", pa.float64(), "2.5 % of the participant bootstrap of gain"),
        _field("gain_high", pa.float64(), "97.5 %"),
        _field("recall", pa.float64(), "both / annotated; null where undefined or withheld"),
    ]
)
"""One row for each cue of each source, and one of all cues that are told; no times and no words."""

_OF_PEOPLE = CUE_SCORES.names[CUE_SCORES.names.index("participants") :]


class Segment(NamedTuple):
    """Cues of one segment of A/H.

    Attributes:
        participant: whose.
        question: what was answered; None where unknown.
        annotated, found: cues that annotators named, and that are pointed at.
        findable: cues that could have been found in it.
    """

    participant: str
    question: int | None
    annotated: set[str]
    found: set[str]
    findable: set[str]


class Source(NamedTuple):
    """What points at cues: the first columns of CUE_SCORES."""

    source: str
    modalities: str
    split: str
    seeds: int


class _Sums(NamedTuple):
    """Sums over segments under each row of weights, float64 [R]; the last two are expected by chance."""

    annotated: Array
    found: Array
    both: Array
    by_question: Array
    by_person: Array


def cue_scores(
    segments: Sequence[Segment],
    channels: Mapping[str, str],
    source: Source,
    config: EvaluateConfig,
    one_each: bool = False,
) -> list[Row]:
    """CUE_SCORES rows of one source, in the order of the cues; the line of all cues comes first.

    Args:
        segments: those with annotated cues.
        channels: cue -> its channel, of every cue that the source can point at.
        source: what points at them.
        config: resamples, seed, and the people below which counts and scores are withheld.
        one_each: the source finds exactly one cue in each segment, so that counts add up to the segments.
    """
    people, who = np.unique([segment.participant for segment in segments], return_inverse=True)
    weights = resamples(len(people), config.bootstrap, "cues", *source, config.seed)
    sums = {cue: _sums(segments, cue, who, weights) for cue in channels}
    # with the others in it, the line of all cues would tell by difference what is withheld of a single one
    least = max(config.least_group, 1)
    disclosed = _disclosed(segments, list(channels), least, one_each)
    together = _Sums(*np.sum([sums[cue] for cue in disclosed], axis=0)) if disclosed else None
    known = [("", ALL, set(disclosed), together)]
    known += [(channel, cue, {cue}, sums[cue] if cue in disclosed else None) for cue, channel in channels.items()]
    return [
        _row(source, channel, name, _where(segments, cues, least), _people(segments, cues), own)
        for channel, name, cues, own in known
    ]


def _disclosed(segments: Sequence[Segment], cues: Sequence[str], least: int, one_each: bool) -> list[str]:
    """Cues of which enough people are behind; no count of the others follows from theirs."""
    behind = {cue: len(_people(segments, {cue})) for cue in cues}
    disclosed = [cue for cue in cues if behind[cue] >= least]
    while one_each and disclosed and 0 < len(_people(segments, set(cues) - set(disclosed))) < least:
        disclosed.remove(min(disclosed, key=behind.__getitem__))
    return disclosed


def _where(segments: Sequence[Segment], cues: set[str], least: int) -> int | None:
    """Segments in which any of some cues can be found; None where they, or the others, are of few people."""
    whose = {
        known: [one.participant for one in segments if bool(cues & one.findable) is known] for known in (True, False)
    }
    # the others follow from these and from a cue that can be found in all segments
    few = any(0 < len(set(people)) < least for people in whose.values())
    return None if few and whose[True] else len(whose[True])


def _people(segments: Sequence[Segment], cues: set[str]) -> set[str]:
    """Those in whose segments any of some cues is annotated or found, where it can be found."""
    return {one.participant for one in segments if cues & one.findable & (one.annotated | one.found)}


def _sums(segments: Sequence[Segment], cue: str, who: Array, weights: Array) -> _Sums:
    known = np.array([cue in segment.findable for segment in segments], bool)
    annotated = known & np.array([cue in segment.annotated for segment in segments], bool)
    found = known & np.array([cue in segment.found for segment in segments], bool)
    question = np.array([-1 if segment.question is None else segment.question for segment in segments], int)
    people = weights.shape[1]

    def under(kept: Array) -> Array:
        return weights @ np.bincount(who, kept, minlength=people)

    by_question = np.zeros(len(weights))
    for one in np.unique(question[known]):
        here = question == one
        by_question += _expected(under(found & here), under(annotated & here), under(known & here))
    counts = (np.bincount(who, kept, minlength=people) for kept in (found, annotated, known))
    by_person = weights @ _expected(*counts)
    return _Sums(under(annotated), under(found), under(annotated & found), by_question, by_person)


def _expected(found: Array, annotated: Array, number: Array) -> Array:
    """Segments with both, on average over all ways to deal out the annotations among ``number`` segments."""
    return found * annotated / np.maximum(number, 1)


def _row(source: Source, channel: str, cue: str, segments: int | None, people: set[str], sums: _Sums | None) -> Row:
    """A row; all that is about people is null without sums."""
    head = {**source._asdict(), "channel": channel, "cue": cue, "segments": segments}
    if sums is None:
        return head | dict.fromkeys(_OF_PEOPLE)
    precision, chance, of_person = (_share(part, sums.found) for part in (sums.both, sums.by_question, sums.by_person))
    shares = dict(zip(("precision", "low", "high"), interval(precision), strict=True))
    gain = interval(precision - np.maximum(chance, of_person))
    shares |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    shares |= {"chance": float(chance[0]), "chance_of_person": float(of_person[0])}
    shares["recall"] = float(_share(sums.both, sums.annotated)[0])
    counts = {name: round(float(getattr(sums, name)[0])) for name in ("annotated", "found", "both")}
    known = {name: value if np.isfinite(value) else None for name, value in shares.items()}
    return {**head, "participants": len(people), **counts, **known}


def _share(part: Array, whole: Array) -> Array:
    share: Array = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share
