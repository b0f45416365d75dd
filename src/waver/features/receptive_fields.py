"""How far around a frame each feature looks, and what enters it from farther off.

Two frames of one video may look at the same input although they are seconds apart; the guard of the protocol
``block`` is as wide as that. The figures stand together and not in the features' modules: these load networks, and
any edit of them computes the features again. ``tests/unit/features/test_receptive_fields.py`` measures every figure
on the feature's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from waver.config.sections import FeaturesConfig
from waver.shapes import FPS


@dataclass(frozen=True)
class ReceptiveField:
    """The input that enters a frame's feature.

    Attributes:
        sources: what it looks at, of ``picture``, ``sound`` and ``words``.
        before_s: seconds before the frame begins from which on input enters.
        after_s: seconds after the frame ends up to which input enters.
        beyond: what enters besides, however far off it is: clauses for a reader.
    """

    sources: Collection[str] = ()
    before_s: float = 0.0
    after_s: float = 0.0
    beyond: tuple[str, ...] = ()


def receptive_fields(modalities: str, features: FeaturesConfig) -> list[ReceptiveField]:
    """The field of the feature of each modality.

    Args:
        modalities: letters, e.g. ``"VAT"``.
        features: how they are made.
    """
    return [_FIELDS[letter](features) for letter in modalities]


def shared_s(fields: Sequence[ReceptiveField]) -> float:
    """Seconds between two frames from which on no input enters both, whichever of the features look at them.

    Of a source, the earlier frame takes what the feature that looks farthest ahead sees, and the later one what the
    feature that looks farthest back sees. What two features see of different sources is not the same input.
    """
    widest = 0.0
    for source in {source for field in fields for source in field.sources}:
        own = [field for field in fields if source in field.sources]
        widest = max(widest, max(field.before_s for field in own) + max(field.after_s for field in own))
    return widest


def _visual(features: FeaturesConfig) -> ReceptiveField:
    # waver.features.face_track: a detection less than 2 * every pictures off may be one end of an interpolation
    pictures = 2 * features.faces.every - 2
    slower = f"a face is interpolated over up to {pictures} pictures on either side, however slow the camera"
    beyond = (
        "a picture stands until the camera gives another",
        "of several faces the one that is followed is told by the pictures before",
        *([slower] if pictures else []),
    )
    return ReceptiveField({"picture"}, pictures / FPS, pictures / FPS, beyond)


def _audio(features: FeaturesConfig) -> ReceptiveField:
    match features.audio.feature:
        case "logmel_stats" | "vggish":
            # waver.features.logmel: 96 rows of 10 ms, each over 25 ms, from the row nearest to the frame's start
            return ReceptiveField({"sound"}, 0.005, 0.98 - 1 / FPS)
        case "speech_encoder":
            # waver.features.speech_encoder: a chunk and its margin, and half of the 25 ms of a hidden state
            scale = "a speech encoder may be given the recording scaled by its mean and variance"
            return ReceptiveField({"sound"}, 22.0125, 21.9875, (scale,))


def _text(features: FeaturesConfig) -> ReceptiveField:
    spread = ("word pieces are spread evenly over the whole video",) * (features.words.alignment == "uniform")
    return ReceptiveField({"words"}, beyond=("a word's vector sees its whole sentence", *spread, _words(features)))


def _cues(features: FeaturesConfig) -> ReceptiveField:
    # waver.features.cue_columns: what is said counts by its middle, in the 50 frames on either side
    beyond = (
        "a pause, a word or an expression counts whole",
        "level and pitch are held against their medians in the video, voicing against the loud frames of it",
        "the seconds to the first word are known throughout",
        _words(features),
    )
    return ReceptiveField({"sound", "words"}, 50 / FPS, 50 / FPS, beyond)


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
