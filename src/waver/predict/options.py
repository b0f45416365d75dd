"""What the user asks of ``waver predict``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAKE_BACK = "-"
"""In place of a participant, question or language: what an earlier call said of it holds no more."""


@dataclass(frozen=True)
class Options:
    """The arguments of one call.

    Attributes:
        inputs: recordings, folders and lists.
        model: folder of a run.
        out: output folder, absolute.
        method: ``<fusion>/<modalities>``; empty: the best on val.
        seed: of the training; None: the best on val.
        question: of all recordings that no list says it of.
        participant: of all recordings, likewise; empty: each is somebody else's.
        language: of all recordings, likewise.
        transcripts: folder with files named as the recordings.
        recognise: speech without a transcript is recognised.
        words: words are used at all.
        personalise: method without labels; ``none``.
        device: auto, cpu or cuda.
        taken_back: those of participant, question and language that are unknown, whatever an earlier call said.
    """

    inputs: tuple[Path, ...]
    model: Path
    out: Path
    method: str = ""
    seed: int | None = None
    question: int | None = None
    participant: str = ""
    language: str | None = None
    transcripts: Path | None = None
    recognise: bool = True
    words: bool = True
    personalise: str = "none"
    device: str = "auto"
    taken_back: frozenset[str] = frozenset()

    @property
    def recorded(self) -> dict[str, Any]:
        """What a record may hold: no name of a file of the user."""
        own = ("method", "seed", "question", "language", "recognise", "words", "personalise", "device")
        return {name: getattr(self, name) for name in own} | {"transcripts": self.transcripts is not None}
