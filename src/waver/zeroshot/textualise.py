"""Cues of an answer as sentences, for models that read text alone (Richet et al., 2024).

Templates and thresholds are data (``textualise.yaml``), their cues those of the annotators' codebook, so that what is
told can be compared with what annotators saw. Cues are changes against the person's own baseline, as the codebook
defines most of them. The sentences quote the person: they are personal data, as transcripts are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import model_validator

from waver.config.section import Section
from waver.features.cues.columns import TimedWords
from waver.models.text.cue_counts import CUE_NAMES, cue_words
from waver.shapes import FPS
from waver.zeroshot.cue_signals import SIGNALS, AnswerCues, Baseline, Bools, Doubles

RULES = Path(__file__).with_name("textualise.yaml")
BIN_S = 2.0
"""Seconds of a line of a timeline."""

_GAP_S = 0.25  # stretches closer than this are one


class CueRule(Section):
    """How one cue is found and told; see ``textualise.yaml``."""

    cue: str
    channel: Literal["audio", "facial", "body", "language", "inconsistencies"]
    phrase: str
    signal: str = ""
    above: float | None = None
    above_sd: float | None = None
    below_sd: float | None = None
    least_s: float = 0.0
    pause_s: float | None = None
    words: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _finds_something(self) -> CueRule:
        limits = [limit for limit in (self.above, self.above_sd, self.below_sd) if limit is not None]
        if [bool(self.signal), self.pause_s is not None, bool(self.words)].count(True) != 1:
            raise ValueError(f"{self.cue} needs one of signal, pause_s and words")
        if len(limits) != int(bool(self.signal)):
            raise ValueError(f"{self.cue} needs one limit for its signal, and none without")
        if (self.signal and self.signal not in SIGNALS) or not set(self.words) <= set(CUE_NAMES):
            raise ValueError(f"{self.cue} has a signal or words that nobody measures")
        return self


class CueRules(Section):
    """The rules of a version."""

    version: int
    most_of_a_cue: int
    rules: tuple[CueRule, ...]


@dataclass(frozen=True)
class Detected:
    """One cue at one time.

    Attributes:
        rule: what found it.
        start_s, end_s: seconds; nan in a transcript without times.
        phrase: in words, which may quote the person.
    """

    rule: CueRule
    start_s: float
    end_s: float
    phrase: str


@cache
def cue_rules() -> CueRules:
    """The rules in ``textualise.yaml``."""
    return CueRules(**yaml.safe_load(RULES.read_text(encoding="utf-8")))


# finding --------------------------------------------------------------------------------------------
def detected_cues(answer: AnswerCues, usual: Baseline) -> list[Detected]:
    """The cues of a video in the order of time.

    Args:
        answer: its signals and words.
        usual: the person's baseline.
    """
    found = [one for rule in cue_rules().rules for one in _found(rule, answer, usual)]
    return sorted(found, key=lambda one: (one.start_s, one.end_s))


def findable(answer: AnswerCues) -> set[str]:
    """Cues whose signals or words are known in a video."""
    spoken = answer.spoken is not None
    timed = answer.spoken is not None and bool(answer.spoken.measured.any())
    return {
        rule.cue
        for rule in cue_rules().rules
        if (rule.signal in answer.signals if rule.signal else spoken if rule.words else timed)
    }


def said_cues(text: str, language: str | None) -> list[Detected]:
    """The cues of words alone, of a transcript without times, in the order of the text."""
    words = text.split()
    nowhen = np.full(len(words), np.nan, np.float32)
    spoken = TimedWords(words, nowhen, nowhen, language or "", np.zeros(len(words), bool))
    return [one for rule in cue_rules().rules if rule.words for one in _in_words(rule, spoken)]


def _found(rule: CueRule, answer: AnswerCues, usual: Baseline) -> Iterator[Detected]:
    if rule.signal:
        if rule.signal in answer.signals:
            yield from _in_signal(rule, answer.signals[rule.signal], usual)
    elif answer.spoken is not None:
        yield from _in_words(rule, answer.spoken) if rule.words else _pauses(rule, answer.spoken)


def _in_signal(rule: CueRule, values: Doubles, usual: Baseline) -> Iterator[Detected]:
    """Stretches where a signal is beyond the rule's limit; the phrase tells its furthest deviation."""
    deviation = usual.deviation(rule.signal, values)
    with np.errstate(invalid="ignore"):
        if rule.above is not None:
            beyond = values >= rule.above
        elif rule.above_sd is not None:
            beyond = deviation >= rule.above_sd
        else:
            beyond = deviation <= -(rule.below_sd or 0.0)
    for start, end in _stretches(beyond):
        if (end - start) / FPS >= rule.least_s:
            known = deviation[start:end][np.isfinite(deviation[start:end])]
            furthest = known[np.abs(known).argmax()] if len(known) else 0.0
            yield Detected(rule, start / FPS, end / FPS, rule.phrase.format(sd=f"{furthest:+.1f}"))


def _stretches(inside: Bools) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of each stretch; short gaps are bridged."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if joined and (start - joined[-1][1]) / FPS <= _GAP_S:
            joined[-1] = joined[-1][0], int(end)
        else:
            joined.append((int(start), int(end)))
    return joined


def _pauses(rule: CueRule, spoken: TimedWords) -> Iterator[Detected]:
    ends_s = np.maximum.accumulate(spoken.end_s) if spoken.words else spoken.end_s
    for word in range(1, len(spoken.words)):
        start_s, end_s = float(ends_s[word - 1]), float(spoken.start_s[word])
        if spoken.measured[word - 1] and spoken.measured[word] and end_s - start_s >= (rule.pause_s or 0.0):
            phrase = rule.phrase.format(seconds=f"{end_s - start_s:.1f}", next=spoken.words[word])
            yield Detected(rule, start_s, end_s, phrase)


def _in_words(rule: CueRule, spoken: TimedWords) -> Iterator[Detected]:
    places = cue_words(spoken.words, spoken.language or None)
    for first, last in sorted(place for name in rule.words for place in places.get(name, ())):
        said = " ".join(spoken.words[first : last + 1]).strip(' ,.;:!?…"')
        yield Detected(rule, float(spoken.start_s[first]), float(spoken.end_s[last]), rule.phrase.format(words=said))


# telling --------------------------------------------------------------------------------------------
def as_sentences(found: Sequence[Detected]) -> str:
    """Cues as one line each, in the order of time; of a cue that occurs often the longest, and how often it occurs.

    ``6.2-8.0 s: speaks more slowly than usual (-1.8 sd)``
    """
    most, number = cue_rules().most_of_a_cue, Counter(one.rule.cue for one in found)
    kept: dict[str, list[Detected]] = {}
    for one in sorted(found, key=lambda one: np.nan_to_num(one.start_s - one.end_s)):
        kept.setdefault(one.rule.cue, []).append(one)
    kept_ids = {id(one) for several in kept.values() for one in several[:most]}
    lines = [_timed(one) for one in found if id(one) in kept_ids]
    return "\n".join([*lines, *(f"{cue}: {count} times in all" for cue, count in number.items() if count > most)])


def _timed(one: Detected) -> str:
    return f"{one.start_s:.1f}-{one.end_s:.1f} s: {one.phrase}" if np.isfinite(one.start_s) else one.phrase


def as_timeline(found: Sequence[Detected], spoken: TimedWords | None, from_s: float, to_s: float) -> str:
    """Words and cues of every ``BIN_S`` seconds, a line each.

    ``4-6 s, says "but then I never": hedging; looks down (+2.1 sd)``

    Args:
        found: cues with times.
        spoken: words with times; a word is in the line in which it starts.
        from_s, to_s: the seconds that are told; the first line begins at a multiple of ``BIN_S``.
    """
    lines = []
    for start_s in np.arange(from_s // BIN_S * BIN_S, to_s, BIN_S):
        end_s = start_s + BIN_S
        here = [one for one in found if one.start_s < end_s and one.end_s > start_s]
        phrases = dict.fromkeys(one.rule.cue.lower() if one.rule.words else one.phrase for one in here)
        inside = (spoken.start_s >= start_s) & (spoken.start_s < end_s) if spoken else np.zeros(0, bool)
        said = " ".join(spoken.words[word] for word in np.flatnonzero(inside)) if spoken else ""
        head = f"{start_s:.0f}-{end_s:.0f} s, " + (f'says "{said}"' if said else "says nothing")
        lines.append(f"{head}: {'; '.join(phrases)}" if phrases else head)
    return "\n".join(lines)
