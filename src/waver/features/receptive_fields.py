"""How far around a frame each feature looks, and what enters it from farther off.

Two frames of one video may look at the same input although they are seconds apart; the guard of the protocol
``block`` is as wide as that. The figures stand together and not in the features' modules: these load networks, and
any edit of them computes the features again. ``tests/unit/features/test_receptive_fields.py`` measures every figure
on the feature's own code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from waver.config.sections import FeaturesConfig
from waver.shapes import FPS


@dataclass(frozen=True)
class ReceptiveField:
    """The input that enters a frame's feature.

    Attributes:
        before_s: seconds before the frame begins from which on input enters.
        after_s: seconds after the frame ends up to which input enters.
        beyond: what enters besides, however far off it is: clauses for a reader.
    """

    before_s: float = 0.0
    after_s: float = 0.0
    beyond: tuple[str, ...] = ()

    @property
    def shared_s(self) -> float:
        """Seconds between two frames from which on no input enters both.

        The earlier frame looks ``after_s`` ahead and the later one ``before_s`` back, so that it takes both.
        """
        return self.before_s + self.after_s

    def __or__(self, other: ReceptiveField) -> ReceptiveField:
        """The field of two features side by side."""
        beyond = dict.fromkeys((*self.beyond, *other.beyond))
        return ReceptiveField(max(self.before_s, other.before_s), max(self.after_s, other.after_s), tuple(beyond))


def receptive_field(modalities: str, features: FeaturesConfig) -> ReceptiveField:
    """The field of the features of some modalities, side by side.

    Args:
        modalities: letters, e.g. ``"VAT"``.
        features: how they are made.
    """
    return reduce(ReceptiveField.__or__, (_FIELDS[letter](features) for letter in modalities), ReceptiveField())


def _visual(features: FeaturesConfig) -> ReceptiveField:
    # waver.features.face_track: a detection less than 2 * every pictures off may be one end of an interpolation
    pictures = 2 * features.faces.every - 2
    slower = f"a face is interpolated over up to {pictures} pictures on either side, however slow the camera"
    beyond = (
        "a picture stands until the camera gives another",
        "of several faces the one that is followed is told by the pictures before",
        *([slower] if pictures else []),
    )
    return ReceptiveField(pictures / FPS, pictures / FPS, beyond)


def _audio(features: FeaturesConfig) -> ReceptiveField:
    match features.audio.feature:
        case "logmel_stats" | "vggish":
            # waver.features.logmel: 96 rows of 10 ms, each over 25 ms, from the row nearest to the frame's start
            return ReceptiveField(0.005, 0.98 - 1 / FPS)
        case "speech_encoder":
            # waver.features.speech_encoder: a chunk and its margin, and half of the 25 ms of a hidden state
            scale = "a speech encoder may be given the recording scaled by its mean and variance"
            return ReceptiveField(22.0125, 21.9875, (scale,))


def _text(features: FeaturesConfig) -> ReceptiveField:
    spread = ("word pieces are spread evenly over the whole video",) * (features.words.alignment == "uniform")
    return ReceptiveField(beyond=("a word's vector sees its whole sentence", *spread, _words(features)))


def _cues(features: FeaturesConfig) -> ReceptiveField:
    # waver.features.cue_columns: what is said counts by its middle, in the 50 frames on either side
    beyond = (
        "a pause, a word or an expression counts whole",
        "level and pitch are held against their medians in the video, voicing against the loud frames of it",
        "the seconds to the first word are known throughout",
        _words(features),
    )
    return ReceptiveField(50 / FPS, 50 / FPS, beyond)


def _question(_: FeaturesConfig) -> ReceptiveField:
    return ReceptiveField(beyond=("the length of the answer is known throughout",))


def _words(features: FeaturesConfig) -> str:
    if features.speech.source == "recognise":
        return "words and their times are recognised in up to 30 s of speech at once"
    return "words of a transcript share the time between those whose time it gives"


_FIELDS: dict[str, Callable[[FeaturesConfig], ReceptiveField]] = {
    "V": _visual,
    "A": _audio,
    "T": _text,
    "C": _cues,
    "Q": _question,
}
