"""Words of a waveform by Whisper: its language, what it invents, quiet speech."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment
from faster_whisper.vad import VadOptions, get_speech_timestamps

from waver.features.level import is_silent, levelled, stretches
from waver.features.samples import RATE_HZ, Floats, Samples
from waver.features.spectrogram import SpectrogramInParts
from waver.features.speech_phrases import invented, prompt
from waver.features.spoken import (
    NO_WORDS,
    NOBODY,
    Piece,
    Spoken,
    Times,
    end_to_end,
    retimed,
    spoken,
    with_border,
)

Vote = Callable[[str, float], str]
"""The detected language and its probability to the one that is spoken, by the participant's other recordings."""
Align = Callable[[str, Samples], Times | None]
"""Language and waveform -> what finds words in it; None where no model aligns the language."""

LOW_PROBABILITY = 0.5
"""A language whose probability is lower is not relied on."""
RAISED = "quiet speech, raised in level"
LEFT_OUT, FLAGGED = "words that nobody says left out", "known inventions flagged"
UNALIGNED = "some words keep the times of the recogniser"
UNCERTAIN, VOTED = "its language is uncertain", "language by the participant's other recordings"

_SPANS = VadOptions(min_silence_duration_ms=100, speech_pad_ms=0)
_NO_SPEECH, _UNSURE, _RATHER_UNSURE = 0.6, -1.0, -0.5
"""Probability that there is no speech, and mean log probabilities of a segment's words."""


class Recogniser(WhisperModel):
    """Whisper that encodes the beginning of a recording once, to detect its language and to recognise its words.

    faster-whisper encodes it twice, and the encoder takes most of the time: its input is 30 s even for a short
    recording. Words and their times are the same; the language of a recording under 30 s is detected without its last
    row (10 ms). The spectrogram is made in parts.
    """

    _last: tuple[Samples, ctranslate2.StorageView] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.feature_extractor = SpectrogramInParts(**self.feat_kwargs)

    def detect_language(self, audio: Any = None, features: Any = None, **options: Any) -> Any:
        """As WhisperModel's, on the rows that the recognition uses, which leaves the last row out."""
        if features is not None and features.shape[-1] > 1:
            features = features[..., :-1]
        return super().detect_language(audio, features, **options)

    def encode(self, features: Samples) -> ctranslate2.StorageView:
        """As WhisperModel's; the same features as the last time are not encoded again."""
        if self._last is None or not np.array_equal(features, self._last[0]):
            self._last = features, super().encode(features)
        return self._last[1]


@dataclass(frozen=True)
class _Hearing:
    """How a recording is listened to; see ``transcribe``."""

    language: str | None
    beam: int
    candidates: Sequence[str]
    verbatim: bool
    vote: Vote | None
    align: Align | None


def transcribe(
    model: WhisperModel,
    samples: Samples,
    language: str | None,
    beam: int,
    candidates: Sequence[str] = (),
    verbatim: bool = False,
    vote: Vote | None = None,
    align: Align | None = None,
) -> Spoken:
    """Words of a waveform.

    Quiet speech is raised in level first. Where the voice detector leaves no words of a sound, Whisper listens without
    it; what it is not sure of is then left out. The recogniser starts the first word of a phrase up to 0.4 s early (it
    adds that margin to speech) and extends words into pauses; so each word is cut to the voice activity during it.

    Args:
        model: Whisper.
        samples: [S], 16 kHz.
        language: ISO 639-1 code, or None to detect it.
        beam: beam size.
        candidates: languages of which the most probable is taken; empty for all.
        verbatim: the recogniser is shown an example of hesitations.
        vote: asked where the detected language is improbable.
        align: asked for forced alignment, whose times replace the recogniser's, which come from its attention.
    """
    hearing = _Hearing(language or None, beam, candidates, verbatim, vote, align)
    silent, raised = is_silent(samples), levelled(samples)
    found = _listen_in_turn(model, raised, hearing, detector=True)
    if not found.words and not silent:
        found = _listen_in_turn(model, raised, hearing, detector=False)
    if not found.words:
        return replace(found, notes=(*found.notes, NOBODY if silent else NO_WORDS))
    return found if raised is samples else replace(found, notes=(RAISED, *found.notes))


def _listen_in_turn(model: WhisperModel, samples: Samples, hearing: _Hearing, detector: bool) -> Spoken:
    """Listen to a recording, to a long one stretch by stretch: the first that has words decides about the language."""
    found: list[tuple[float, Spoken]] = []
    for first, end in stretches(samples):
        one = _listen(model, samples[first:end], hearing, detector)
        if one.words and hearing.language is None:
            hearing = replace(hearing, language=one.language)
        found.append((first / RATE_HZ, one))
    return end_to_end(found)


def _listen(model: WhisperModel, samples: Floats, hearing: _Hearing, detector: bool) -> Spoken:
    def listen(language: str | None) -> tuple[Iterable[Segment], Any]:
        found: tuple[Iterable[Segment], Any] = model.transcribe(
            samples,
            language=language,
            beam_size=hearing.beam,
            word_timestamps=True,
            vad_filter=detector,
            # keeps errors of one segment out of the next: answers are short and hallucinations repeat
            condition_on_previous_text=False,
            # unlike an initial prompt, these are given with every 30 s
            hotwords=(prompt(language or "") or None) if hearing.verbatim else None,
            **({} if detector else {"temperature": [0.0]}),
        )
        return found

    segments, info = listen(hearing.language)
    if not _sounds(info):
        return spoken([], hearing.language or "")
    language, probability, notes = hearing.language or "", 1.0, list[str]()
    if hearing.language is None:
        language, probability, notes = _chosen(info, hearing)
        if language != info.language or hearing.verbatim:
            segments, _ = listen(language)
    groups, left_out = _pieces(segments, detector)
    pieces = [piece for group in groups for piece in group]
    notes += [LEFT_OUT] * left_out + [FLAGGED] * any(piece.flagged for piece in pieces)
    if not pieces:
        return replace(spoken([], hearing.language or ""), notes=tuple(notes))
    times = hearing.align(language, samples) if hearing.align else None
    if times:
        pieces, lost = retimed(groups, times)
        notes += [UNALIGNED] * bool(lost)
    spans = speech_spans(samples)
    cut = [(piece.text, *cut_to(spans, piece.start_s, piece.end_s), *piece[3:]) for piece in pieces]
    return replace(spoken(cut, language), language_probability=probability, notes=tuple(notes))


# language -------------------------------------------------------------------------------------------
def detect(model: WhisperModel, samples: Samples, candidates: Sequence[str]) -> tuple[str, float] | None:
    """Language of a recording and its probability; None where there is no speech.

    Args:
        model, samples, candidates: as of ``transcribe``.
    """
    if is_silent(samples):
        return None
    raised = levelled(samples)
    for first, end in stretches(raised):
        _, info = model.transcribe(raised[first:end], language=None, vad_filter=True)  # words come on demand
        if _sounds(info):
            return _best(info, candidates)
    return None


def _sounds(info: Any) -> bool:
    """Whether the voice detector left anything."""
    return bool(getattr(info, "duration_after_vad", 1.0))


def _probabilities(info: Any) -> dict[str, float]:
    """Of the languages."""
    return dict(
        getattr(info, "all_language_probs", None) or {info.language: getattr(info, "language_probability", 1.0)}
    )


def _best(info: Any, candidates: Sequence[str]) -> tuple[str, float]:
    every = _probabilities(info)
    known = [code for code in candidates if code in every] or list(every)
    language = max(known, key=lambda code: every[code])
    return language, float(every[language])


def _chosen(info: Any, hearing: _Hearing) -> tuple[str, float, list[str]]:
    """Language, its probability, and remarks."""
    language, probability = _best(info, hearing.candidates)
    if probability >= LOW_PROBABILITY:
        return language, probability, []
    voted = hearing.vote(language, probability) if hearing.vote else language
    if voted == language:
        return language, probability, [UNCERTAIN]
    return voted, float(_probabilities(info).get(voted, 0)), [VOTED]


# words ----------------------------------------------------------------------------------------------
def _pieces(segments: Iterable[Segment], detector: bool) -> tuple[list[list[Piece]], bool]:
    """What the recogniser calls words: pieces, of which those without a leading blank go on with the one before.

    Returns:
        Pieces of each segment that has any, and whether some were left out.
    """
    groups: list[list[Piece]] = []
    left_out = False
    for segment in segments:
        words = [word for word in segment.words or () if word.word]
        flags = invented([word.word for word in words])
        if words and _nobody_says(segment, all(flags), detector):
            left_out = True
            continue
        group: list[Piece] = []
        for number, (word, flagged) in enumerate(zip(words, flags, strict=True)):
            text = with_border(groups[-1][-1].text if groups else "", word.word) if number == 0 else word.word
            about = word.probability, segment.no_speech_prob, segment.avg_logprob
            group.append(Piece(text, word.start, word.end, *about, flagged))
        groups += [group] if group else []
    return groups, left_out


def _nobody_says(segment: Segment, known: bool, detector: bool) -> bool:
    """Both numbers together tell speech from noise: of one alone, sure words and unclear speech are left out too."""
    unheard, sure = segment.no_speech_prob > _NO_SPEECH, segment.avg_logprob
    if not detector:
        return unheard or sure < _UNSURE or known
    return unheard and (known or sure < _RATHER_UNSURE)


def speech_spans(samples: Samples) -> list[tuple[float, float]]:
    """Start and end of the spans of speech in a waveform, seconds; of a long one stretch by stretch."""
    return [
        ((first + span["start"]) / RATE_HZ, (first + span["end"]) / RATE_HZ)
        for first, end in stretches(samples)
        for span in get_speech_timestamps(samples[first:end], _SPANS)
    ]


def cut_to(spans: Sequence[tuple[float, float]], start_s: float, end_s: float) -> tuple[float, float]:
    """A word's times cut to the spans of speech that it overlaps; unchanged if it overlaps none.

    Args:
        spans: (start_s, end_s) of the spans, ascending.
        start_s: start of the word.
        end_s: end of the word.
    """
    met = [span for span in spans if span[0] < end_s and span[1] > start_s]
    return (max(start_s, met[0][0]), min(end_s, met[-1][1])) if met else (start_s, end_s)
