"""What models must offer, of frames and of answers; nothing inherits from this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from waver.data.answers import Answer


class Fusion(Protocol):
    """Per-frame model of A/H from one or more streams of frame features.

    A fusion is a ``torch.nn.Module`` built as ``Class(dims, config)``, where ``dims`` maps the names
    of its streams (``visual``, ``audio``, ``text``), in the papers' order, to their sizes, and
    ``config`` is an instance of its own frozen ``Config``.

    A fusion may offer ``loss(streams, label, mask, weight, affect) -> scalar``, which then takes the place of the
    cross entropy over frames (``waver.training.losses``). ``affect`` holds targets (``waver.training.windows.Batch``)
    where the fusion's config says ``taught_affect``, else nothing. It may offer ``begin_epoch(number)``, called
    before each epoch of training, the first with 1; while ``warming`` is then true, it does not learn A/H yet
    and the epoch is not judged. Any module of it may name parameters of its own that are no layer's weights in
    ``UNDECAYED`` (``waver.training.schedule.decay_groups``).

    Attributes:
        Config: the method's settings, with the papers' values as defaults.
        whole_video: True: a video is evaluated in one pass; False: in windows as in training, the
            logits averaged where windows overlap.
    """

    Config: ClassVar[type[Any]]
    whole_video: ClassVar[bool]

    def __init__(self, dims: dict[str, int], config: Any) -> None: ...

    def __call__(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            streams: float32 [B, T, D_m] per stream, z-scored, zeros where the stream is missing.
            mask: bool [B, T]; False marks padding, which must not change any other frame's logits.

        Returns:
            float32 [B, T, 2]: no A/H, A/H.
        """
        ...


class Temporal(Protocol):
    """What the frames around a frame add to it, in one stream.

    A temporal context is a ``torch.nn.Module`` of ``waver.models.registry.TEMPORALS``, built as
    ``Class(size, settings)``, where ``size`` is D of the input and ``settings`` are those of
    ``waver.models.temporal.settings.TemporalSettings`` under its name; the TCN, which the papers use, has its keys
    beside these.

    Attributes:
        size: C of the output.
    """

    size: int

    def __call__(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T], False on padding at the end, which changes no other frame -> [B, C, T]."""
        ...


@dataclass(frozen=True)
class Encoding:
    """What a frozen text encoder makes of one answer.

    Attributes:
        sentence: float32 [D], pooled over the whole text, of length 1.
        tokens: float32 [W', D], one vector per word piece, the sum of the last hidden layers; W' is 0 for
            an answer without words.
        parts: float32 [P, D], of length 1 each, one vector per sentence of the text, encoded by itself; P is 0
            for an answer without words.
    """

    sentence: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.float32]
    parts: npt.NDArray[np.float32]


Labelled = tuple[Sequence[Answer], npt.NDArray[np.uint8], Sequence[Encoding] | None]
"""Answers [n], their labels [n], 0 or 1, and their encodings [n] for a method that needs them."""


class AnswerModel(Protocol):
    """Video-level model of A/H from what was said and, with Q, what was asked.

    A method never looks at ``Answer.label`` or ``Answer.split``: what it may learn is handed to ``fit``.
    Both classes weigh the same. The result depends on the seed, and not on the order of the answers.

    Attributes:
        Config: the method's settings.
        encodes: it needs the answers' encodings.
        tunes: it needs the folder of an encoder, which it goes on training.
        chooses: it chooses its epoch with ``val``, for which answers are kept back in a cross-validation; any
            other learns from all labels that it may see.

    A method may also offer ``explain() -> dict[str, float]``: named weights, positive for A/H.
    """

    Config: ClassVar[type[Any]]
    encodes: ClassVar[bool]
    tunes: ClassVar[bool]
    chooses: ClassVar[bool]

    def __init__(self, inputs: str, config: Any, seed: int, encoder: Path | None) -> None:
        """Build the method.

        Args:
            inputs: T (the words), TQ (also what the content-free control knows: question and number of
                words) or Q (that alone).
            config: an instance of ``Config``.
            seed: decides everything drawn.
            encoder: folder of a transformers model, for a method that tunes one.

        Raises:
            WaverError: the method cannot take these inputs.
        """
        ...

    def fit(
        self,
        answers: Sequence[Answer],
        label: npt.NDArray[np.uint8],
        vectors: Sequence[Encoding] | None,
        val: Labelled | None = None,
    ) -> None:
        """Learn from labelled answers.

        Args:
            answers: n answers.
            label: uint8 [n], 0 or 1.
            vectors: n encodings, for a method that encodes.
            val: answers of other people, to choose the epoch with, for a method that has epochs.

        Raises:
            WaverError: a class is missing.
        """
        ...

    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> npt.NDArray[np.float64]:
        """Logit of A/H minus logit of none, float64 [n]; above 0 means A/H."""
        ...


class Backbone(Protocol):
    """One feature from the picture of one face.

    A backbone is a ``torch.nn.Module`` built as ``Class(config)``, of ``waver.models.registry.BACKBONES``.
    ``waver.models.backbones`` has what goes with it: classes (``classified``), weights from a file
    (``pretrained``), and the end of its learning (``frozen``). Its modules may have ``UNDECAYED``, as a fusion's.

    Attributes:
        Config: the network's settings, with at least ``size``, D of the feature, and ``dropout``, before classes.
        PARTS: prefixes of the parameters that a file of weights may lack, each as a whole.
        INPUT: ``waver.models.backbones.feature.FaceSize``, pixels to which a face is brought and cut; below, the
            latter are c.
        zero_head: classes on top of it begin with weights of zero.
        config: the settings given.
        reduction: last module, from the network's own vector to the feature; without parameters where the
            sizes agree.
    """

    Config: ClassVar[type[Any]]
    PARTS: ClassVar[tuple[str, ...]]
    INPUT: ClassVar[Any]
    zero_head: ClassVar[bool]
    config: Any
    reduction: Any

    def __init__(self, config: Any) -> None: ...

    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 [B, size] of aligned faces float32 [B, 3, c, c], RGB, -1 black to 1 white."""
        ...

    @staticmethod
    def translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a published file under the network's own names."""
        ...


class VideoModel(Protocol):
    """One decision for a whole video, from its faces or from the features of its frames.

    A video model is a ``torch.nn.Module`` of ``waver.models.registry.VIDEO_MODELS``. One that looks at faces
    is built as ``Class(config)``, or as ``Class(config, folder)`` where the registry names an asset that it
    needs (``VIDEO_ASSETS``); one that takes features is built as ``Class(dims, config)``, where ``dims`` maps
    the names of its streams to their sizes.

    It may offer ``loss(*inputs, label) -> scalar`` with ``label`` float32 [B], the probability of A/H that is
    taught, which then takes the place of the cross entropy; and ``learns``, False where nothing is fitted.

    Attributes:
        Config: the method's settings.
        inputs: ``faces`` or ``features``.
        config: the settings given; of faces with ``frames``, F.
    """

    Config: ClassVar[type[Any]]
    inputs: ClassVar[str]
    config: Any

    def __call__(self, *inputs: Any) -> Tensor:
        """Logits float32 [B, 2] of B videos: no A/H, A/H.

        Args:
            inputs: of faces: clips float32 [B, F, 3, 224, 224], RGB, 0 black to 1 white. Of features: streams,
                name -> float32 [B, S, D], S steps of the whole video, z-scored, zeros where nothing is; and
                mask, name -> bool [B, S], False there and on padding, which changes no logit. The context Q
                is the stream ``question`` of one step.
        """
        ...
