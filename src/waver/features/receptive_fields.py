"""Receptive field of each feature around a frame, and its inputs from farther away.

Two frames of one video may share input although they are seconds apart; the guard of the protocol ``block`` is as wide
as that. The figures are here and not in the features' modules because those load networks, and any edit of them
computes the features again. ``tests/unit/features/test_receptive_fields.py`` measures every figure
on the feature's own code.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from waver.config.sections import FeaturesConfig
from waver.errors import WaverError
from waver.records import imported
from waver.registry import MODALITIES
from waver.shapes import FPS


@dataclass(frozen=True)
class ReceptiveField:
    """The input that enters a frame's feature.

    Attributes:
        sources: kinds of input, of ``picture``, ``sound`` and ``words``.
        before_s: seconds before the start of the frame that are input.
        after_s: seconds after the end of the frame that are input.
        beyond: further inputs, at any distance, as clauses for the report.
    """

    sources: Collection[str] = ()
    before_s: float = 0.0
    after_s: float = 0.0
    beyond: tuple[str, ...] = ()


def receptive_fields(modalities: str, features: FeaturesConfig) -> list[ReceptiveField]:
    """The field of the feature of each modality.

    Args:
        modalities: letters, e.g. ``"VAT"``.
        features: their settings.

    Raises:
        WaverError: the record of a modality names no field.
    """
    fields = []
    for letter in modalities:
        if not MODALITIES[letter].receptive_field:
            raise WaverError(
                f"{letter}: nobody says how far this modality looks around a frame; give its record in "
                "src/waver/registry.py a receptive_field, or leave it out of adapt.modalities"
            )
        fields.append(imported(MODALITIES[letter].receptive_field)(features))
    return fields


def shared_s(fields: Sequence[ReceptiveField]) -> float:
    """Least distance of two frames, in seconds, from which on no input enters both, for any of the features.

    For each source it is the largest reach ahead of the earlier frame plus the largest reach back of the later one.
    Different sources are different inputs.
    """
    widest = 0.0
    for source in {source for field in fields for source in field.sources}:
        own = [field for field in fields if source in field.sources]
        widest = max(widest, max(field.before_s for field in own) + max(field.after_s for field in own))
    return widest


def visual(features: FeaturesConfig) -> ReceptiveField:
    """Of the face: the picture, and those from which its landmarks are interpolated; or the one that it repeats."""
    repeated = "a picture is repeated until the camera gives another"
    if features.faces.source == "released":
        # waver.features.faces.released: a repeated picture counts as a face for REPEATED_S
        chosen = "the release chose which of several faces its picture shows"
        return ReceptiveField({"picture"}, 0.25, beyond=(repeated, chosen))
    # waver.features.faces.track: a detection less than 2 * every pictures off may be one end of an interpolation
    pictures = 2 * features.faces.every - 2
    slower = f"a face is interpolated over up to {pictures} pictures on either side, however slow the camera"
    beyond = (
        repeated,
        "which of several faces is followed depends on the whole recording",
        *([slower] if pictures else []),
    )
    return ReceptiveField({"picture"}, pictures / FPS, pictures / FPS, beyond)


def audio(features: FeaturesConfig) -> ReceptiveField:
    """Of the voice, by the feature in use."""
    match features.audio.feature:
        case "logmel_stats" | "vggish":
            # waver.features.audio.logmel: 96 rows of 10 ms, each over 25 ms, from the row nearest to the frame's start
            return ReceptiveField({"sound"}, 0.005, 0.98 - 1 / FPS)
        case "speech_encoder":
            # waver.features.audio.speech_encoder: a chunk and its margin, and half of the 25 ms of a hidden state
            scale = "a speech encoder may be given the recording scaled by its mean and variance"
            return ReceptiveField({"sound"}, 22.0125, 21.9875, (scale,))


def text(features: FeaturesConfig) -> ReceptiveField:
    """Of the words."""
    spread = ("word pieces are spread evenly over the whole video",) * (features.words.alignment == "uniform")
    return ReceptiveField(
        {"words"}, beyond=("a word's vector depends on its whole sentence", *spread, _words(features))
    )


def cues(features: FeaturesConfig) -> ReceptiveField:
    """Of the cues of voice, pauses and words."""
    # waver.features.cues.columns: an expression counts at its middle, in the 50 frames on either side
    beyond = (
        "a pause, a word or an expression counts in full",
        "level and pitch are relative to their medians in the video, voicing to its loud frames",
        "the seconds to the first word are known in every frame",
        _words(features),
    )
    return ReceptiveField({"sound", "words"}, 50 / FPS, 50 / FPS, beyond)


def question(_: FeaturesConfig) -> ReceptiveField:
    """Of the context: nothing that is seen, heard or said."""
    return ReceptiveField(beyond=("the length of the answer is known in every frame",))


def _words(features: FeaturesConfig) -> str:
    if features.speech.source == "recognise":
        return "words and their times are recognised in up to 30 s of speech at once"
    return "words of a transcript are spread over the time between its timed chunks"
