"""Inputs and outputs of a method that adapts CLIP to the frames of one participant as they arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from waver.config.sections import VisionLanguageConfig
from waver.models.vision_language.encoder import VisionLanguageEncoder

Prompts = Literal["template", "ensemble"]
Fitted = Mapping[str, Any]
"""What a method prepared on the source: tensors by name, as ``torch.save`` keeps them."""

SENTENCES = (
    "a person with an expression of {}",
    "a photo of a face with an expression of {}",
    "a close-up photo of a person who shows {}",
    "a face showing signs of {}",
    "a frame of a video of a person who feels {}",
)
DESCRIPTIONS = (
    (
        "a person who speaks calmly and is sure of what they say",
        "a relaxed face with a steady gaze and a closed or evenly moving mouth",
        "a person with a still face and no sign of doubt",
        "a face at rest, the eyebrows and the lips relaxed",
    ),
    (
        "a person who is torn between wanting and not wanting something",
        "a hesitant face that looks away, with the lips pressed together",
        "a person with mixed feelings, smiling while the eyebrows are drawn together",
        "an uncertain face, one corner of the mouth pulled back and the brow furrowed",
    ),
)
"""Sentences of the prompt ensemble, without A/H and with A/H, where the config gives none."""


@dataclass(frozen=True)
class Sees:
    """What a method may see; the runner passes nothing else. No method of this kind sees labels of the participant.

    Attributes:
        views: embeddings of several views of each frame.
        pictures: the faces themselves.
        known: unlabelled frames before the stream: of T_tr, or of all of the participant's frames.
        reset: what the stream begins anew with.
    """

    views: bool = False
    pictures: bool = False
    known: Literal["none", "train", "all"] = "none"
    reset: Literal["participant", "video"] = "participant"


@dataclass(frozen=True)
class Frames:
    """The next frames of a stream: of one video, in the order of time.

    Attributes:
        pre: float32 [B, Du], CLIP's features before the projection.
        raw: float32 [B, D], embeddings, not normalised.
        views: float32 [B, V, D], embeddings of length 1 of views, the frame as it is first; V is 1 unless the method
            sees views.
        pictures: uint8 [B, S, S, 3], RGB; B is 0 unless the method sees pictures.
        video: number of the video within this participant.
        frame: int64 [B], frames on the 24 fps clock.
        seeds: of each frame's crops and of all else that is drawn for it.
    """

    pre: Tensor
    raw: Tensor
    views: Tensor
    pictures: Tensor
    video: int
    frame: Tensor
    seeds: Sequence[int]

    @property
    def feature(self) -> Tensor:
        """Embeddings of length 1, float32 [B, D]."""
        return functional.normalize(self.raw, dim=-1)

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True)
class SourceFrames:
    """Labelled frames of the source participants (train split), by participant, video, time.

    Attributes:
        raw: float32 [N, D], embeddings, not normalised.
        labels: uint8 [N].
        participant: int64 [N], number of the frame's participant.
        video: int64 [N], number of the frame's video.
        pictures: rows int64 -> their faces uint8 [n, S, S, 3]; read from the disk.
    """

    raw: Tensor
    labels: Tensor
    participant: Tensor
    video: Tensor
    pictures: Any


@dataclass(frozen=True)
class Start:
    """CLIP and its classes, before anything is adapted.

    Attributes:
        encoder: the frozen CLIP.
        config: sentences and words.
        scale: factor of the cosines.
        template: float32 [2, 1, Dt], the classes' sentence before the projection.
        ensemble: float32 [2, P, Dt], the classes' sentences before the projection.
    """

    encoder: VisionLanguageEncoder
    config: VisionLanguageConfig
    scale: float
    template: Tensor
    ensemble: Tensor

    def sentences(self, prompts: Prompts) -> Tensor:
        """Embeddings of length 1 of each class's sentences, float32 [2, P, D]."""
        pre = self.template if prompts == "template" else self.ensemble
        return functional.normalize(pre @ self.encoder.text_projection.cpu(), dim=-1)

    def weights(self, prompts: Prompts) -> Tensor:
        """The classes, float32 [D, 2]: means of their sentences, of length 1."""
        return functional.normalize(self.sentences(prompts).mean(dim=1), dim=-1).T


@torch.no_grad()
def start_of(encoder: VisionLanguageEncoder, config: VisionLanguageConfig) -> Start:
    """Read the classes' sentences."""
    ensemble: Sequence[Sequence[str]] = config.prompts
    if not config.prompts[0]:
        templates = dict.fromkeys((config.template, *SENTENCES))
        ensemble = [
            [*(one.format(word) for one in templates), *own]
            for word, own in zip(config.words, DESCRIPTIONS, strict=True)
        ]
    read = torch.stack([encoder.read_texts(own).cpu() for own in ensemble])
    return Start(encoder, config, encoder.scale, _template(encoder, config), read)


@torch.no_grad()
def template_classes(encoder: VisionLanguageEncoder, config: VisionLanguageConfig) -> Tensor:
    """The classes by the template alone, float32 [D, 2] of length 1; other sentences are not read."""
    template = _template(encoder, config)
    return Start(encoder, config, encoder.scale, template, template).weights("template")


def _template(encoder: VisionLanguageEncoder, config: VisionLanguageConfig) -> Tensor:
    """Each class's sentence before the projection, float32 [2, 1, Dt]."""
    return torch.stack([encoder.read_texts([config.template.format(word)]).cpu() for word in config.words])


class Stream(Protocol):
    """A model that adapts while frames of one participant arrive.

    Attributes:
        steps: optimiser steps taken so far, a number or int64 [1].
    """

    steps: Any

    def predict(self, frames: Frames) -> Tensor:
        """Logits float32 [B, 2] of the next frames; adapts to them as well."""
        ...


class VisionLanguageMethod(Protocol):
    """A method. It is given one batch of the stream at a time, and cannot see what follows.

    Attributes:
        sees: what it may see; may depend on its config.
        batch: the most frames of a batch, which never holds frames of two videos; 0: a whole video.
    """

    Config: ClassVar[type]
    sees: Sees
    batch: int

    def begin(self, start: Start, fitted: Fitted, known: Tensor, seed: int) -> Stream:
        """A stream that starts from CLIP as it is.

        Args:
            start: CLIP and its classes.
            fitted: what ``fit`` gave; empty unless the method has one.
            known: unlabelled embeddings float32 [N, D], not normalised; of no frames unless the method sees them.
            seed: of everything drawn.
        """
        ...


class SourceFittedMethod(VisionLanguageMethod, Protocol):
    """A method that is prepared on the source, once for all participants."""

    def fit(self, start: Start, source: SourceFrames, seed: int) -> Fitted:
        """What ``begin`` needs of the source."""
        ...


class PeopleMethod(VisionLanguageMethod, Protocol):
    """A method that adapts to many people at once.

    It draws nothing, is prepared on nothing, is given no frame before the stream, and begins anew with the participant.
    """

    def begin_people(self, start: Start, people: int) -> Any:
        """A ``waver.adaptation.vision_language.people.PeopleStream`` of so many people."""
        ...
