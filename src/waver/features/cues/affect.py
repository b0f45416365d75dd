"""Targets of affect: how positive, negative and hesitant a frame is, estimated without labels.

They are the targets of level 1 of the conflict model (2026 paper, section 7). Each function returns float32 [T, 3],
columns ``AFFECT``, nan where unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.shapes import AFFECT

Floats = npt.NDArray[np.float32]
Sentiment = Callable[[Sequence[str]], Floats]
"""Sentences [S] to their probabilities of being positive and negative, float32 [S, 2]."""
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int32]

_POSITIVE = ("happiness", "happy")
_NEGATIVE = ("anger", "angry", "disgust", "fear", "sadness", "sad")


def unknown(frames: int) -> Floats:
    """Targets that are all unknown."""
    return np.full((frames, len(AFFECT)), np.nan, np.float32)


def rising(count: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """A degree in [0, 1) from a count: 0, 1/2, 3/4, 7/8, ..."""
    share: npt.NDArray[np.float64] = 1 - np.exp2(-count.astype(np.float64))
    return share


def expression_affect(expression: Floats, names: Sequence[str], valid: Bools) -> Floats:
    """Affect of a face: positive as its happiness, negative as its strongest of anger, disgust, fear and sadness.

    Args:
        expression: float32 [T, K], probabilities of the classes.
        names: K names of the classes, of any backbone; a column without a matching class stays unknown.
        valid: bool [T], a face was found.
    """
    found = unknown(len(expression))
    for column, wanted in ((0, _POSITIVE), (1, _NEGATIVE)):
        classes = [number for number, name in enumerate(names) if name.lower() in wanted]
        if classes:
            found[valid, column] = expression[valid][:, classes].max(axis=1)
    return found


def voice_affect(valence: Floats, sounding: Bools, pause_share: Floats, speaking: Bools) -> Floats:
    """Affect of a voice: positive and negative by its valence, on either side of the middle; hesitant by its pauses.

    Args:
        valence: float32 [T], 0 negative to 1 positive, nan where it was not estimated.
        sounding: bool [T], there is sound.
        pause_share: [T], share of pause around the frame.
        speaking: bool [T], there is sound, from the first word to the last.
    """
    found = unknown(len(valence))
    side = 2 * valence[sounding] - 1
    found[sounding, 0], found[sounding, 1] = np.maximum(side, 0), np.maximum(-side, 0)
    found[speaking, 2] = pause_share[speaking]
    return found


def text_affect(sentiment: Floats, sentence_of_word: Integers, word_of_frame: Integers, hesitations: Floats) -> Floats:
    """Affect of words: positive and negative as the sentence, hesitant by the words around the frame.

    Args:
        sentiment: [S, 2] of the sentences, positive and negative.
        sentence_of_word: int32 [W].
        word_of_frame: int32 [T], -1 where nobody speaks; targets are unknown there.
        hesitations: [T], number of hedges and filler sounds around the frame.
    """
    found = unknown(len(word_of_frame))
    spoken = word_of_frame >= 0
    found[spoken, :2] = sentiment[sentence_of_word[word_of_frame[spoken]]]
    found[spoken, 2] = rising(hesitations[spoken])
    return found
