"""The consent gate: the one place of the report that lets through what shows or names a person.

A participant who did not consent to publication, or whose consent is unknown, appears in aggregates
alone: no face, voice, words, timeline, id, or file name.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import waver
from waver.assets.entries import MANIFEST
from waver.datasets.consent import Consent, pseudonyms
from waver.datasets.questions import BAH_QUESTIONS
from waver.errors import WaverError
from waver.io.shard_job import store_path
from waver.io.tables import ANSWERS, read_tables
from waver.io.zarr_store import Array, open_store, read_attributes, read_store, store_attributes
from waver.models.text.cue_counts import CUE_NAMES, cue_counts
from waver.report.reasons import REASONS

_TEMPLATES = Path(__file__).parent / "templates"
_LAYOUTS, _PUBLISHED = Path(__file__).parent / "papers/papers.yaml", Path(__file__).parent / "papers/published.yaml"

WITHHELD = "a participant who did not consent to publication"
ALL_WITHHELD = "participants who did not consent to publication, or whose consent is unknown"
_RECORDING = re.compile(
    r"\.(?:mp4|webm|mkv|avi|mov|m4v|wav|flac|mp3|m4a|ogg|jpe?g|png|vtt|srt|eaf|zarr)\b", re.IGNORECASE
)
_PICTURE = re.compile(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=\s]+")
_NUMBERS = re.compile(r'<td class="number[^>]*>.*?</td>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

_RUN = 8
"""Consecutive words of an answer that are somebody's sentence and no coincidence."""
_SHORTEST = 5
"""Words of the shortest answers that are searched for in full; anybody might say a shorter one."""
_SHORTEST_NAME = 4
"""Characters of the shortest ids that are searched for: shorter ones may well be somebody's count."""


class Gate:
    """Lets through what consenting participants allow.

    Args:
        consent: who allowed publication.
        secret: of the site and the data set, for the pseudonyms of consenting participants.
        identifiers: participant -> everything that names the person: id, video ids, file names. None of it may be on
            the page, of nobody: those who consented have pseudonyms there.
        transcripts: participant -> transcripts of the person's answers.
    """

    def __init__(
        self,
        consent: Consent,
        secret: bytes,
        identifiers: Mapping[str, Iterable[str]],
        transcripts: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._consent = consent
        self._sentences = self._withheld_sentences(transcripts or {})
        self._pseudonyms = pseudonyms((person for person in identifiers if self.shows(person)), secret)
        named = {name for person, names in identifiers.items() for name in (person, *names)}
        # an id that is a word or a number of the program, such as 2025, names nobody where it stands by itself
        own = _own_text()
        long = (name for name in named if len(name) >= _SHORTEST_NAME)
        self._hidden = sorted(name for name in long if not (name in own and _token(name).search(own)))

    def shows(self, participant: str | None) -> bool:
        """Whether the person may be shown; an unknown person may not."""
        return participant is not None and self._consent.may(participant, "publication")

    def name(self, participant: str | None) -> str:
        """The site's pseudonym, or a note that the person is withheld."""
        return self._pseudonyms[str(participant)] if self.shows(participant) else WITHHELD

    def check(self, page: str) -> None:
        """Refuse a page that names anybody or quotes a withheld participant, whatever code wrote it.

        Raises:
            WaverError: the page holds an id, a file name or a sentence; it must not be written.
        """
        visible = _PICTURE.sub("", page)
        if self._names_somebody(visible) or self._names_somebody(html.unescape(visible)):
            raise WaverError(
                "the report would name a participant by an id or a file and was not written; "
                "please report this, with the log"
            )
        if self._quotes_withheld(visible) or self._quotes_withheld(_TAG.sub(" ", visible)):
            raise WaverError(
                "the report would quote a participant who did not consent to publication and was not written; "
                "please report this, with the log"
            )

    def _quotes_withheld(self, text: str) -> bool:
        lengths = {sentence.count(" ") + 1 for sentence in self._sentences}
        return not self._sentences.isdisjoint(_runs(_words_of(html.unescape(text)), lengths))

    def _withheld_sentences(self, transcripts: Mapping[str, Iterable[str]]) -> set[str]:
        """Runs of words that are said by withheld participants alone."""
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for person, texts in transcripts.items():
            for words in map(_words_of, texts):
                length = len(words) if _SHORTEST <= len(words) < _RUN else _RUN
                found[self.shows(person)].update(_runs(words, {length}))
        return found[False] - found[True]

    def _names_somebody(self, text: str) -> bool:
        found = [name for name in self._hidden if name in text]
        if not found:
            return False
        # a number is an id in running text; in a cell, a style or a drawing it is a score, a count or a place
        running = _TAG.sub(" ", _NUMBERS.sub(" ", text))
        return any(_token(name).search(running if name.isdigit() else text) for name in found)

    # what shows a person ------------------------------------------------------------------------

    def faces(self, stores: Path, row: Mapping[str, Any], frames: Sequence[int]) -> Array:
        """Aligned faces uint8 [len(frames), 256, 256, 3] of a video; see ``read`` for the errors."""
        group = open_store(self._store(stores, row))
        return np.stack([np.asarray(group["image"][frame]) for frame in frames])

    def words(self, stores: Path, row: Mapping[str, Any]) -> list[tuple[float, float, str]]:
        """Words of a video as (start_s, end_s, word)."""
        path = self._store(stores, row)
        times = read_store(path, "start_s", "end_s")
        spoken = store_attributes(path).get("words", [])
        # words of a consenting participant may be shown, whoever else says them
        self._sentences -= _runs(_words_of(" ".join(map(str, spoken))), set(range(_SHORTEST, _RUN + 1)))
        return [
            (float(a), float(b), str(word)) for a, b, word in zip(times["start_s"], times["end_s"], spoken, strict=True)
        ]

    def arrays(self, stores: Path, row: Mapping[str, Any], *names: str) -> dict[str, Array]:
        """Arrays of a video's store."""
        return read_store(self._store(stores, row), *names)

    def timeline(self, row: Mapping[str, Any]) -> None:
        """Refuse frame-by-frame data of a video whose participant may not be shown.

        Raises:
            WaverError: the participant did not consent to publication.
        """
        if not self.shows(row["participant"]):
            raise WaverError("this video's participant did not consent to publication; choose another report.timeline")

    def _store(self, stores: Path, row: Mapping[str, Any]) -> Path:
        self.timeline(row)
        return store_path(stores, dict(row))


def transcripts_by_participant(answers: Sequence[Path]) -> dict[str, list[str]]:
    """Participant -> transcripts of ANSWERS tables, for the gate alone.

    Raises:
        WaverError: a table cannot be read.
    """
    transcripts: dict[str, list[str]] = {}
    for row in read_tables(answers, ANSWERS):
        transcripts.setdefault(row["participant"], []).append(row["text"])
    return transcripts


def _words_of(text: str) -> list[str]:
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def _runs(words: Sequence[str], lengths: Iterable[int]) -> set[str]:
    """All runs of words of these lengths."""
    return {" ".join(words[k : k + n]) for n in lengths for k in range(len(words) - n + 1)}


@dataclass(frozen=True)
class SpeechCounts:
    """Numbers of a person's words, for sums over many people; none of the words.

    Attributes:
        language: ISO 639-1 code.
        words, hesitations: number of words, and of sounds such as um and euh among them.
        probability: of the detected language; None where nobody spoke.
        recognised: the words are of a recogniser.
    """

    language: str
    words: int
    hesitations: int
    probability: float | None = None
    recognised: bool = False


def count_speech(stores: Path, row: Mapping[str, Any]) -> SpeechCounts:
    """Counts of the words of anybody's store of speech.

    Raises:
        MissingStore: there is no such store.
    """
    about = read_attributes(store_path(stores, dict(row)))
    counted = count_text(" ".join(about["words"]), about["language"])
    recognised = "language_probability" in about
    return replace(counted, probability=about.get("language_probability"), recognised=recognised)


def agreement_of_faces(stores: Path, row: Mapping[str, Any]) -> dict[str, float]:
    """Counts of how far released and detected faces agree in anybody's store of faces; empty where none are compared.

    Raises:
        MissingStore: there is no such store.
    """
    found = store_attributes(store_path(stores, dict(row))).get("agreement", {})
    return {str(name): float(number) for name, number in found.items()}


def count_text(text: str, language: str) -> SpeechCounts:
    """Counts of a transcript."""
    hesitations = cue_counts([text], [language])[0, CUE_NAMES.index("filler_sound")]
    return SpeechCounts(language, len(text.split()), int(hesitations))


def is_recording(path: str) -> bool:
    """Whether a file records a person's face, voice or words."""
    return _RECORDING.search(path) is not None


@cache
def _own_text() -> str:
    """What the program itself may write on a page: its sources and fixed texts."""
    package = Path(waver.__file__).parent
    sources = [*sorted((package / "report").rglob("*.py")), package / "registry.py"]
    fixed = [*sorted(_TEMPLATES.iterdir()), _LAYOUTS, _PUBLISHED, REASONS, BAH_QUESTIONS, MANIFEST]
    return "\n".join(path.read_text(encoding="utf-8") for path in [*sources, *fixed])


def _token(name: str) -> re.Pattern[str]:
    """The name by itself, not as digits inside a longer number or behind a decimal point."""
    return re.compile(rf"(?<![A-Za-z0-9.]){re.escape(name)}(?![A-Za-z0-9])")
