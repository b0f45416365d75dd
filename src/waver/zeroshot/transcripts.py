"""What was said, as a prompt quotes it: as written, with its hesitations, or with its pauses.

Recognisers leave out hesitation sounds, the first language cue of the annotators' codebook; pauses between words are
what a prompt can still show of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from waver.errors import WaverError
from waver.features.cues.columns import TimedWords
from waver.io.zarr_store import read_attributes, read_store
from waver.models.text.cue_counts import cue_words

Style = Literal["clean", "verbatim", "timed"]
SHORTEST_PAUSE_S = 0.5
"""Pauses that a prompt names; shorter ones stand between the phrases of any fluent answer."""


def read_spoken(store: Path) -> TimedWords:
    """The words of a speech store."""
    about = read_attributes(store)
    times = read_store(store, "start_s", "end_s", "measured")
    return TimedWords(about["words"], **times, language=about["language"])


def written(text: str, style: Style, whole: bool = True) -> str:
    """A transcript without times, as it is.

    Args:
        text: the transcript.
        style: ``clean`` or ``verbatim``, which differ only where a recogniser was asked for hesitations.
        whole: the prompt quotes the whole video.

    Raises:
        WaverError: pauses or the words of a window are wanted, which need the times of the words.
    """
    if style == "timed" or not whole:
        what = "style: timed" if style == "timed" else "scope: window"
        raise WaverError(f"zeroshot.transcript has {what}, and this data set has no times of words; choose another")
    return text


def quoted(
    spoken: TimedWords,
    style: Style,
    hesitations: bool = False,
    from_s: float = -np.inf,
    to_s: float = np.inf,
    context_s: float = 0.0,
) -> str:
    """Words with times, as a prompt quotes them.

    Args:
        spoken: the words of the video.
        style: ``clean``: without hesitation sounds that a recogniser was asked for, else as they are; ``verbatim``: all
            of them; ``timed``: all of them, with pauses of ``SHORTEST_PAUSE_S`` and more as ``[pause 1.2 s]``, where
            the times of the words around are measured.
        hesitations: the recogniser was asked for hesitations (``features.speech.verbatim``).
        from_s, to_s: seconds of the window; without them, the whole video.
        context_s: seconds before and after the window whose words are quoted too.

    Returns:
        One line; empty where nobody speaks.
    """
    inside = (spoken.end_s > from_s - context_s) & (spoken.start_s < to_s + context_s)
    if style == "clean" and hesitations:
        for first, last in cue_words(spoken.words, spoken.language or None).get("filler_sound", []):
            inside[first : last + 1] = False
    chosen = np.flatnonzero(inside)
    parts = _with_pauses(spoken, chosen) if style == "timed" else (spoken.words[word] for word in chosen)
    return " ".join(parts)


def _with_pauses(spoken: TimedWords, chosen: np.typing.NDArray[np.int64]) -> Iterator[str]:
    end_s = np.maximum.accumulate(spoken.end_s) if len(spoken.end_s) else spoken.end_s
    for word in chosen:
        pause_s = float(spoken.start_s[word] - (end_s[word - 1] if word else 0))
        measured = bool(spoken.measured[word] and (word == 0 or spoken.measured[word - 1]))
        if measured and pause_s >= SHORTEST_PAUSE_S:
            yield f"[pause {pause_s:.1f} s]"
        yield spoken.words[word]
