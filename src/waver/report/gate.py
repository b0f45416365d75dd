"""The consent gate: whatever shows or names a person passes here, and nowhere else in the report.

A participant who did not consent to publication, or of whom that is not known, appears in aggregates
alone: no face, voice, words, timeline, id, or file name.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.data.consent import Consent, pseudonyms
from waver.errors import WaverError
from waver.store.arrays import Array, open_store, read_store, store_attributes
from waver.store.shards import store_path
from waver.store.tables import ANSWERS, read_tables

WITHHELD = "a participant who did not consent to publication"
ALL_WITHHELD = "participants who did not consent to publication, or of whom it is not known"
_RECORDING = re.compile(
    r"\.(?:mp4|webm|mkv|avi|mov|m4v|wav|flac|mp3|m4a|ogg|jpe?g|png|vtt|srt|eaf|zarr)\b", re.IGNORECASE
)
_FILE = re.compile(rf"[^\s'\"]*[\w-]{_RECORDING.pattern}", re.IGNORECASE)
_FOLDERS = re.compile(r"(?<![\w.])(?:/[^\s/'\"]+)+/(?=[^\s/'\"]+)")
_PICTURE = re.compile(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=\s]+")
_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

_RUN = 8
"""Words of an answer, one after the other, that are somebody's sentence and no coincidence."""
_SHORTEST = 5
"""Words of the shortest answers that are looked for, whole; shorter ones say what anybody might say."""


class Gate:
    """Lets through what consenting participants allow.

    Args:
        consent: who allowed publication.
        run: name of the run; consenting participants are called P01, P02, ... in an order of its own.
        identifiers: participant -> everything that names the person: id, video ids, file names.
        said: participant -> transcripts of what the person said.
    """

    def __init__(
        self,
        consent: Consent,
        run: str,
        identifiers: Mapping[str, Iterable[str]],
        said: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._consent = consent
        self._sentences = self._withheld_sentences(said or {})
        self._pseudonyms = pseudonyms((person for person in identifiers if self.shows(person)), run)
        named = {name: person for person, names in identifiers.items() for name in (person, *names) if name}
        # a file name that consenting participants share with others names nobody
        shared = {name for person in self._pseudonyms for name in (person, *identifiers[person])}
        self._hidden = sorted(named.keys() - shared, key=len, reverse=True)
        told = {name: self._pseudonyms[named[name]] for name in shared & named.keys() if self.shows(named[name])}
        self._renamed = dict.fromkeys(self._hidden, "(withheld)") | told

    def shows(self, participant: str | None) -> bool:
        """Whether the person may be shown; nobody known is nobody shown."""
        return participant is not None and self._consent.may(participant, "publication")

    def name(self, participant: str | None) -> str:
        """The run's pseudonym, or that the person is withheld."""
        return self._pseudonyms[str(participant)] if self.shows(participant) else WITHHELD

    def path(self, participant: str | None, path: str | None) -> str:
        """The relative path of a consenting participant's file; empty for all others."""
        return str(path) if path and self.shows(participant) and not Path(path).is_absolute() else ""

    def common(self, path: str) -> str:
        """The path of a file that is no recording of anybody, e.g. of a list of videos; else empty."""
        return "" if is_recording(path) or Path(path).is_absolute() or self._names_withheld(path) else path

    def text(self, participant: str | None, text: str) -> str:
        """A reason or note with pseudonyms for ids and file names, and without anybody's folders."""
        for name in sorted((name for name in self._renamed if name in text), key=len, reverse=True):
            text = _token(name).sub(self._renamed[name], text)
        text = _FOLDERS.sub("", text)
        return text if self.shows(participant) else _FILE.sub("(a file)", text)

    def check(self, page: str) -> None:
        """Refuse a page that names a withheld participant, whatever code wrote it.

        Raises:
            WaverError: an id or file name was found; the page must not be written.
        """
        visible = _PICTURE.sub("", page)
        if self._names_withheld(visible) or self._names_withheld(html.unescape(visible)):
            raise WaverError(
                "the report would name a participant who did not consent to publication; it was not written: "
                "please report this, with the log"
            )
        if self._quotes_withheld(visible) or self._quotes_withheld(_TAG.sub(" ", visible)):
            raise WaverError(
                "the report would quote a participant who did not consent to publication; it was not written: "
                "please report this, with the log"
            )

    def _quotes_withheld(self, text: str) -> bool:
        lengths = {sentence.count(" ") + 1 for sentence in self._sentences}
        return not self._sentences.isdisjoint(_runs(_words_of(html.unescape(text)), lengths))

    def _withheld_sentences(self, said: Mapping[str, Iterable[str]]) -> set[str]:
        """Runs of words that only people said who are not shown."""
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for person, texts in said.items():
            for words in map(_words_of, texts):
                whole = len(words) if _SHORTEST <= len(words) < _RUN else _RUN
                found[self.shows(person)].update(_runs(words, {whole}))
        return found[False] - found[True]

    def _names_withheld(self, text: str) -> bool:
        # shorter ids may well be somebody's count or pseudonym
        found = (name for name in self._hidden if len(name) >= 4 and name in text)
        return any(_token(name).search(text) for name in found)

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
        # what a consenting participant says may be shown, whoever else said it
        self._sentences -= _runs(_words_of(" ".join(map(str, spoken))), set(range(_SHORTEST, _RUN + 1)))
        return [
            (float(a), float(b), str(word)) for a, b, word in zip(times["start_s"], times["end_s"], spoken, strict=True)
        ]

    def arrays(self, stores: Path, row: Mapping[str, Any], *names: str) -> dict[str, Array]:
        """Arrays of a video's store."""
        return read_store(self._store(stores, row), *names)

    def timeline(self, row: Mapping[str, Any]) -> None:
        """Ask whether frame-by-frame data of a video's participant may be shown.

        Raises:
            WaverError: the participant did not consent to publication.
        """
        if not self.shows(row["participant"]):
            raise WaverError("this video's participant did not consent to publication; choose another report.timeline")

    def _store(self, stores: Path, row: Mapping[str, Any]) -> Path:
        self.timeline(row)
        return store_path(stores, dict(row))


def sayings(answers: Sequence[Path]) -> dict[str, list[str]]:
    """Participant -> transcripts of ANSWERS tables, for the gate and nobody else.

    Raises:
        WaverError: a table cannot be read.
    """
    said: dict[str, list[str]] = {}
    for row in read_tables(answers, ANSWERS):
        said.setdefault(row["participant"], []).append(row["text"])
    return said


def _words_of(text: str) -> list[str]:
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def _runs(words: Sequence[str], lengths: Iterable[int]) -> set[str]:
    """All runs of so many words."""
    return {" ".join(words[k : k + n]) for n in lengths for k in range(len(words) - n + 1)}


def is_recording(path: str) -> bool:
    """Whether a file holds what a person looks like, says or said."""
    return _RECORDING.search(path) is not None


def _token(name: str) -> re.Pattern[str]:
    """The name by itself, not as digits inside a longer number or behind a decimal point."""
    return re.compile(rf"(?<![A-Za-z0-9.]){re.escape(name)}(?![A-Za-z0-9])")
