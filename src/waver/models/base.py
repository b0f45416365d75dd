"""What a model of each kind must offer, and what it may: one base class a kind, with the default of every hook.

A method inherits from the class of its kind and overrides what it does otherwise. The training loop calls the hooks
plainly. Image backbones have no hooks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.models.losses import frame_loss
from waver.provenance import seed_for


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


@runtime_checkable
class Undecayed(Protocol):
    """A module, at any depth of a model, with parameters that are no layer's weights whatever their dimensions.

    Attributes:
        UNDECAYED: their names in the module. Weight decay leaves them alone where it leaves vectors alone
            (``waver.training.optim.decay_groups``).
    """

    UNDECAYED: ClassVar[tuple[str, ...]]


class FusionModel(nn.Module, ABC):
    """Per-frame model of A/H from one or more streams of frame features.

    It is built as ``Class(dims, config)``, where ``dims`` maps the names of its streams (``visual``, ``audio``,
    ``text``), in the papers' order, to their sizes, and ``config`` is an instance of ``Config``.

    Attributes:
        Config: the method's frozen settings, with the papers' values as defaults.
        whole_video: True: a video is evaluated in one pass; False: in windows, logits averaged where they overlap.
        explains: it offers ``explain``.
        warming: it does not learn A/H yet, and the epoch is not judged; asked after each epoch.
    """

    Config: ClassVar[type[Any]]
    whole_video: ClassVar[bool] = False
    explains: ClassVar[bool] = False
    warming: bool = False

    @abstractmethod
    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            streams: float32 [B, T, D_m] per stream, z-scored, zeros where the stream is missing.
            mask: bool [B, T]; False marks padding, which must not change any other frame's logits.

        Returns:
            float32 [B, T, 2]: no A/H, A/H.
        """

    def loss(
        self,
        streams: dict[str, Tensor],
        label: Tensor,
        mask: Tensor,
        weight: Tensor | None = None,
        affect: Mapping[str, Tensor] | None = None,
        f1_share: float = 0.0,
        of_frame: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch; by default the cross entropy of its frames, and the F1 term.

        Args:
            streams: as in ``forward``.
            label: int64 [B, T].
            mask: bool [B, T].
            weight: float32 [2], inverse frequency of the classes, where the recipe weighs them.
            affect: targets of affect by modality (``waver.training.frames.windows.Batch``), if ``taught_affect``.
            f1_share: factor of 1 - soft macro F1 over the batch, of the recipe.
            of_frame: float32 [B, T], weight of each frame in the cross entropy; None: all the same.
        """
        return frame_loss(self(streams, mask), label, mask, weight, f1_share, of_frame)

    @staticmethod
    def informed(config: Any, pair_shares: Mapping[str, float]) -> Any:
        """The config with ``pair_shares`` of ``waver.training.frames.annotated_cues``; by default as it is."""
        return config

    def begin_epoch(self, number: int) -> None:
        """Called before each epoch of training, the first with 1; by default nothing changes."""

    @staticmethod
    def taught_affect(config: Any) -> bool:
        """Whether a model of this config is handed targets of affect in training; by default not."""
        return False

    @staticmethod
    def affect_epochs(config: Any) -> int:
        """First epochs in which a model of this config learns affect alone; by default none."""
        return 0

    def explain(self, streams: Mapping[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        """What led to the logits, frame by frame: name -> float32 [B, T] or [B, T, K]; arguments as in ``forward``.

        Raises:
            WaverError: always by default, see ``explains``.
        """
        raise WaverError(f"{type(self).__name__} does not explain itself; ask for explanations of another model")

    @property
    def has_video_head(self) -> bool:
        """Whether it judges whole videos too, by ``video_margin``; by default not."""
        return False

    def video_margin(self, streams: Mapping[str, Tensor], mask: Tensor) -> Tensor:
        """Logit of A/H anywhere in the video, [B]; by default a WaverError, for there is no head for it."""
        raise WaverError(f"{type(self).__name__} has no head for whole videos; train a model that has one")


class TemporalModel(nn.Module, ABC):
    """What the frames around a frame add to it, in one stream.

    It is built as ``Class(size, settings)``: D of the input, and what ``TemporalSettings`` of
    ``waver.models.temporal.settings`` has under its name; the TCN, which the papers use, has its keys beside that.

    Attributes:
        size: C of the output.
    """

    size: int

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T], False on padding at the end, which changes no other frame -> [B, C, T]."""


class VideoModel(nn.Module):
    """One decision for a whole video, from its faces or from the features of its frames.

    One that looks at faces is built as ``Class(config)``, or as ``Class(config, folder)`` where the registry names an
    asset that it needs; one that takes features is built as ``Class(dims, config)``, where ``dims`` maps the names of
    its streams to their sizes.

    ``forward`` gives logits float32 [B, 2] of B videos, no A/H and A/H. Of faces it takes clips float32
    [B, F, 3, 224, 224], RGB, 0 black to 1 white. Of features it takes streams, name -> float32 [B, S, D], S steps of
    the whole video, z-scored, zeros where nothing is; and mask, name -> bool [B, S], False there and on padding,
    which changes no logit. The context Q is the stream ``question`` of one step.

    Attributes:
        Config: the method's settings.
        inputs: ``faces`` or ``features``.
        config: the settings given; of faces with ``frames``, F.
        learns: False where nothing is fitted, and the model is applied as it is.
    """

    Config: ClassVar[type[Any]]
    inputs: ClassVar[str]
    config: Any
    learns: bool = True

    def loss(self, inputs: tuple[Any, ...], label: Tensor) -> Tensor:
        """Scalar loss of a batch; by default the cross entropy of its videos.

        Args:
            inputs: arguments of ``forward``.
            label: float32 [B], the probability of A/H that is taught.
        """
        return cross_entropy(self(*inputs).float(), torch.stack([1 - label, label], dim=1))

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that begin with weights of others, and learn at a rate of their own; by default none."""
        return iter(())


class AnswerModel(ABC):
    """Video-level model of A/H from what was said and, with Q, what was asked.

    A method inherits from ``AnswerClassifier``, which is fitted in one go, or from
    ``waver.models.text.network.NeuralAnswerModel``, whose network the training loop trains by epochs. It never looks
    at ``Answer.label`` or ``Answer.split``: it is handed what it may learn. Both classes weigh the same. The result
    depends on the seed, and not on the order of the answers.

    ``inputs`` is T (the words), TQ (also what the content-free control knows: question and number of words) or Q (that
    alone); ``config`` is an instance of ``Config``; ``seed`` decides everything drawn; ``encoder`` is the folder of a
    transformers model, for a method that tunes one, else None.

    Attributes:
        Config: the method's settings.
        name: of the method in the registry.
        takes: the inputs that it can take.
        encodes: it needs the answers' encodings.
        tunes: it needs the folder of an encoder, which it goes on training.
        chooses: it chooses its epoch with answers of other people, which are kept back in a cross-validation; any
            other learns from all labels that it may see.
    """

    Config: ClassVar[type[Any]]
    name: ClassVar[str]
    takes: ClassVar[tuple[str, ...]] = ("T", "TQ")
    encodes: ClassVar[bool] = False
    tunes: ClassVar[bool] = False
    chooses: ClassVar[bool] = False

    def __init__(self, inputs: str, config: Any, seed: int, encoder: Path | None) -> None:
        if inputs not in self.takes:
            known = " or ".join(self.takes)
            raise WaverError(f"{self.name} takes the inputs {known}, not {inputs!r}; correct answers.runs")
        if self.tunes and encoder is None:
            raise WaverError(f"{self.name} tunes a text encoder and was given none; give its folder")
        self.inputs, self.config, self.encoder = inputs, config, encoder
        self.seed = seed_for(self.name, inputs, seed)

    @abstractmethod
    def margin(self, answers: Sequence[Answer], vectors: Sequence[Encoding] | None) -> npt.NDArray[np.float64]:
        """Logit of A/H minus logit of none, float64 [n]; above 0 means A/H."""

    def explain(self) -> dict[str, float]:
        """Named weights of a fitted model, positive for A/H; by default none."""
        return {}

    def parameter_count(self) -> int | None:
        """Fitted numbers, without a vocabulary or a scale; by default None: unknown."""
        return None


class AnswerClassifier(AnswerModel):
    """A model of answers that is fitted in one go."""

    @abstractmethod
    def fit(
        self, answers: Sequence[Answer], label: npt.NDArray[np.uint8], vectors: Sequence[Encoding] | None = None
    ) -> None:
        """Learn from n labelled answers, labels uint8 [n], 0 or 1, and n encodings for a method that encodes.

        Raises:
            WaverError: a class is missing.
        """


class Backbone(Protocol):
    """One feature from the picture of one face.

    A backbone is a ``torch.nn.Module`` built as ``Class(config)``, of ``waver.registry.BACKBONES``.
    ``waver.models.backbones`` has what goes with it: classes (``base.Classified``), weights from a file
    (``pretrained``), and the end of its learning (``waver.models.freeze``). Its modules may name parameters in
    ``UNDECAYED`` (``waver.models.base.Undecayed``).

    Attributes:
        Config: the network's settings, with at least ``size``, D of the feature, and ``dropout``, before classes.
        PARTS: prefixes of the parameters that a file of weights may lack, each as a whole.
        INPUT: ``waver.models.backbones.base.FaceSize``, pixels to which a face is brought and cut; below, the
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
