"""RetinaFace with a ResNet-50 trunk (Deng et al., CVPR 2020): the detector of the papers' released code.

The parameters' names are those of its package (retinaface-pytorch 0.0.8, ``resnet50_2020-07-20``), so that its weights
load as they are: a pyramid over three maps of the trunk (strides 8, 16, 32), a context module on each, and heads for
the face's probability, box and five points of two anchors a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.features.faces.detect import Floats, Outputs
from waver.models.backbones.base import BackboneSettings
from waver.models.backbones.resnet import ResNet50
from waver.models.weights import load_weights

_WIDTH = 256
_MAPS = {"layer2": 512, "layer3": 1024, "layer4": 2048}
"""Maps of the trunk that the pyramid is built on, and their channels."""
_ANCHORS = 2
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, red, green, blue, of values from 0 to 1."""


def _convolution(before: int, after: int, side: int = 3, active: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(before, after, side, 1, side // 2, bias=False), nn.BatchNorm2d(after)]
    return nn.Sequential(*layers, *([nn.ReLU()] if active else []))


class _Pyramid(nn.Module):
    """Each map with what the coarser ones know."""

    def __init__(self) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_convolution(width, _WIDTH, 1) for width in _MAPS.values())
        self.merge1, self.merge2 = _convolution(_WIDTH, _WIDTH), _convolution(_WIDTH, _WIDTH)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[2:], mode="nearest"))
        return fine, middle, coarse


class _Context(nn.Module):
    """Convolutions of three reaches side by side (SSH; Najibi et al., ICCV 2017)."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = _WIDTH // 2, _WIDTH // 4
        self.conv3X3 = _convolution(_WIDTH, half, active=False)
        self.conv5X5_1 = _convolution(_WIDTH, quarter)
        self.conv5X5_2 = _convolution(quarter, quarter, active=False)
        self.conv7X7_2 = _convolution(quarter, quarter)
        self.conv7x7_3 = _convolution(quarter, quarter, active=False)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.conv5X5_1(maps)
        reaches = [self.conv3X3(maps), self.conv5X5_2(inner), self.conv7x7_3(self.conv7X7_2(inner))]
        return functional.relu(torch.cat(reaches, dim=1))


class _Head(nn.Module):
    """Values of each anchor, [B, P, width], by rows, columns and anchors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.conv1x1 = nn.Conv2d(_WIDTH, _ANCHORS * width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.conv1x1(maps).permute(0, 2, 3, 1).reshape(len(maps), -1, self.width)
        return found


class RetinaFaceResNet50(nn.Module):
    """The network; 27,293,600 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.body = ResNet50(BackboneSettings(size=2048))
        self.fpn = _Pyramid()
        self.ssh1, self.ssh2, self.ssh3 = _Context(), _Context(), _Context()
        self.ClassHead, self.BboxHead, self.LandmarkHead = (
            nn.ModuleList(_Head(width) for _ in _MAPS) for width in (2, 4, 10)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs of ``waver.features.faces.detect`` of images float32 [B, 3, H, W], RGB, normalised by ImageNet's."""
        maps = self.body.maxpool(functional.relu(self.body.bn1(self.body.conv1(images))))
        trunk = []
        for name in ("layer1", *_MAPS):
            maps = getattr(self.body, name)(maps)
            trunk.append(maps)
        contexts = (self.ssh1, self.ssh2, self.ssh3)
        levels = [context(level) for context, level in zip(contexts, self.fpn(trunk[1:]), strict=True)]
        box, face, points = (
            torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], dim=1)
            for heads in (self.BboxHead, self.ClassHead, self.LandmarkHead)
        )
        return box, face.softmax(-1), points


class TorchNetwork:
    """The network with its input; see ``waver.features.faces.detect.Network``."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        """Load the published weights.

        Raises:
            WaverError: the file cannot be read, or its parameters are not this network's.
        """
        network = RetinaFaceResNet50()
        load_weights(network, weights, "RetinaFace with ResNet-50", strip=("model.",))
        self._network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self.providers = [f"torch on {device.type}"]
        self.batched = device.type != "cpu"

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]], width: int, height: int) -> Outputs:
        """Outputs for pictures, brought to a width and height."""
        batch = torch.from_numpy(np.stack([_input(picture, width, height) for picture in pictures])).to(self._device)
        with torch.inference_mode():
            box, face, points = self._network(batch)
        return box.cpu().numpy(), face.cpu().numpy(), points.cpu().numpy()


def _input(picture: npt.NDArray[np.uint8], width: int, height: int) -> Floats:
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    scaled = (picture.astype(np.float32) / 255 - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))
