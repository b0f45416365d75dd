"""A network that looks at faces: what a method adapts of it, and where its weights come from.

The encoder runs on the job's device. Its features come back to the CPU, where methods keep banks, labels and losses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.adaptation.base import Frames, Network
from waver.adaptation.methods.tta.norms import BATCH_NORMS
from waver.adaptation.vision_language.base import template_classes
from waver.assets.manifest import installed
from waver.config.sections import VisionLanguageConfig
from waver.device import torch_device
from waver.errors import WaverError
from waver.features.faces.crops import Pixels, central_input, small_face
from waver.models import lora
from waver.models.backbones.base import Classified
from waver.models.backbones.checkpoint import check_options, load_head, read_trained, weights_file
from waver.models.backbones.pretrained import load_backbone_weights
from waver.models.vision_language.encoder import VisionLanguageEncoder, load_vision_language
from waver.provenance import seed_for
from waver.records import load, method_config
from waver.registry import BACKBONES

Scope = Literal["head", "lora", "full"]


class FaceEncoder(nn.Module, ABC):
    """From pictures to features.

    Attributes:
        side: height and width of its pictures, where no face says another one.
    """

    side: int

    @property
    @abstractmethod
    def after(self) -> nn.Module:
        """The layer that makes the feature, which every scope adapts."""

    @abstractmethod
    def forward(self, pictures: Tensor) -> Tensor:
        """Features float32 [B, D], on the encoder's device, of pictures uint8 [B, S, S, 3]."""

    @abstractmethod
    def prepare(self, faces: Pixels) -> Pixels:
        """Aligned faces uint8 [N, S, S, 3] RGB as the pictures that are held in memory."""


class BackboneEncoder(FaceEncoder):
    """A visual backbone, on the middle crop of a face."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone, self.side = backbone, backbone.INPUT.side

    @property
    def after(self) -> nn.Module:
        """The reduction; it may be empty."""
        reduction: nn.Module = self.backbone.reduction
        return reduction

    def forward(self, pictures: Tensor) -> Tensor:
        """See ``FaceEncoder``."""
        device = next(self.parameters()).device
        images = central_input(pictures.to(device), self.backbone.INPUT).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.backbone(images)
        return features

    def prepare(self, faces: Pixels) -> Pixels:
        """Faces in the size of the backbone."""
        small = [small_face(face, self.backbone.INPUT) for face in faces]
        return np.stack(small) if small else np.zeros((0, self.side, self.side, 3), np.uint8)


class ClipEncoder(FaceEncoder):
    """The image tower of CLIP; features of length 1."""

    def __init__(self, encoder: VisionLanguageEncoder) -> None:
        super().__init__()
        # the classes are read already, and every copy of the network would hold the text tower
        del encoder.clip.text_model
        self.encoder, self.side = encoder, encoder.side

    @property
    def after(self) -> nn.Module:
        """The projection."""
        projection: nn.Module = self.encoder.clip.visual_projection
        return projection

    def forward(self, pictures: Tensor) -> Tensor:
        """See ``FaceEncoder``."""
        seen = self.encoder.see(self.encoder.resized(pictures)).pre
        return functional.normalize(seen @ self.encoder.image_projection, dim=-1)

    def prepare(self, faces: Pixels) -> Pixels:
        """Faces as they are stored: the encoder resizes them."""
        return faces


class FaceNetwork(Network):
    """Encoder and classes; the parameters of its scope have gradients, and the others stay.

    In training mode the statistics of those batch norms follow that the scope adapts. Dropout stays off.

    Attributes:
        scope: what is adapted.
    """

    def __init__(self, encoder: FaceEncoder, classes: nn.Linear, scope: Scope) -> None:
        super().__init__()
        self.encoder, self.classes, self.scope, self.prior = encoder, classes, scope, None
        self.requires_grad_(scope == "full")
        for part in (encoder.after, classes):
            part.requires_grad_(True)

    def represent(self, frames: Frames) -> Tensor:
        """Features float32 [B, D] of pictures uint8 [B, S, S, 3], on the CPU."""
        features: Tensor = self.encoder(frames)
        return features.float().cpu()

    def judge(self, features: Tensor) -> Tensor:
        """Logits float32 [B, 2] of features float32 [B, D]."""
        logits: Tensor = self.classes(features)
        return logits

    @property
    def class_rows(self) -> Tensor:
        """Weights of the last layer for each class, float32 [2, D]."""
        return self.classes.weight

    @property
    def last_layer(self) -> nn.Module:
        """The classes."""
        return self.classes

    def train(self, mode: bool = True) -> Self:
        """Batch norms alone are trained; see the class."""
        super().train(False)
        self.training = mode
        for module in self.modules():
            if isinstance(module, BATCH_NORMS) and module.weight.requires_grad:
                module.training = mode
        return self


def with_scope(encoder: FaceEncoder, classes: nn.Linear, scope: Scope, rank: int, layers: Sequence[str]) -> FaceNetwork:
    """The network of a scope, on the job's device but for the classes.

    Args:
        encoder: pictures to features.
        classes: features to logits.
        scope: what is adapted.
        rank: of the change, with ``lora``.
        layers: names of the linear layers that change, with ``lora``.

    Raises:
        WaverError: the encoder has no such layers.
    """
    network = FaceNetwork(encoder, classes, scope)
    if scope == "lora":
        after = {id(part) for part in encoder.after.modules()}
        inner = {name for name, part in encoder.named_modules() if id(part) not in after}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for("adapt faces", "lora"))
            lora.adapt(encoder, lora.LoraSettings(rank=rank, targets=tuple(layers)), inner.__contains__)
        encoder.after.requires_grad_(True)
    encoder.to(torch_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def load_backbone(
    model: Path, name: str, options: Mapping[str, Any], scope: Scope, rank: int, layers: Sequence[str]
) -> FaceNetwork:
    """A backbone with the classes that it was trained for on frames.

    Args:
        model: ``asset.json`` of the trained backbone.
        name: of the backbone in the registry.
        options: of its config.
        scope: what is adapted.
        rank: see ``with_scope``.
        layers: see ``with_scope``.

    Raises:
        WaverError: the file is not of this backbone, or was not trained on frames with and without A/H.
    """
    path = weights_file(installed(model))
    trained = read_trained(path)
    if trained is None or trained.task != "ah":
        raise WaverError(
            f"{path} holds no classes of A/H, and adapt.faces starts from a backbone that has some; "
            "add ah to backbone.stages"
        )
    backbone = load(BACKBONES, name)(method_config(BACKBONES, name, options))
    check_options(path, name, backbone.config)
    load_backbone_weights(backbone, path)
    network = Classified(backbone, len(trained.classes))
    load_head(network, path)
    classes = network.head[-1]
    assert isinstance(classes, nn.Linear)
    return with_scope(BackboneEncoder(backbone), classes, scope, rank, layers)


def load_clip_tower(
    model: Path, config: VisionLanguageConfig, scope: Scope, rank: int, layers: Sequence[str]
) -> FaceNetwork:
    """CLIP's image tower; its classes are the sentences of ``config.template``, times CLIP's scale.

    Args:
        model: ``asset.json`` of the installed CLIP.
        config: template and words.
        scope: what is adapted.
        rank: see ``with_scope``.
        layers: see ``with_scope``.

    Raises:
        WaverError: the folder holds no CLIP checkpoint.
    """
    encoder = load_vision_language(Path(installed(model).folder))
    classes = nn.Linear(encoder.width, 2, bias=False)
    with torch.no_grad():
        classes.weight.copy_(encoder.scale * template_classes(encoder, config).T)
    return with_scope(ClipEncoder(encoder), classes, scope, rank, layers)
