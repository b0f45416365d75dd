"""ResNet-18 to ResNet-152 (He et al., CVPR 2016), one 112-pixel face to one feature.

The names of the parameters are torchvision's, so that its weights load as they are; the bottleneck has its stride
in the 3x3 convolution, as there. The map of a 112-pixel face is 4x4 before the mean over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from waver.models.backbones.base import FACE, BackboneSettings, FaceSize, reduction
from waver.shapes import check_shape

_WIDTHS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    EXPANSION = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width * self.EXPANSION, stride)

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        return functional.relu(inner + (maps if self.downsample is None else self.downsample(maps)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    EXPANSION = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.EXPANSION)
        self.downsample = _shortcut(before, width * self.EXPANSION, stride)

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        return functional.relu(inner + (maps if self.downsample is None else self.downsample(maps)))


def _shortcut(before: int, after: int, stride: int) -> nn.Sequential | None:
    if before == after and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class ResNet(nn.Module):
    """The network of any depth; see ``waver.models.base.Backbone``.

    Attributes:
        BLOCK: kind of residual block.
        DEPTHS: blocks in each of the four stages.
    """

    Config: ClassVar[type[BackboneSettings]] = BackboneSettings
    PARTS: ClassVar[tuple[str, ...]] = ("reduction.",)
    INPUT: ClassVar[FaceSize] = FACE
    zero_head: ClassVar[bool] = False
    BLOCK: ClassVar[type[BasicBlock] | type[Bottleneck]]
    DEPTHS: ClassVar[tuple[int, int, int, int]]

    def __init__(self, config: BackboneSettings) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for number, (width, depth) in enumerate(zip(_WIDTHS, self.DEPTHS, strict=True), start=1):
            after = width * self.BLOCK.EXPANSION
            first = self.BLOCK(before, width, stride=1 if number == 1 else 2)
            rest = [self.BLOCK(after, width, stride=1) for _ in range(depth - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
            before = after
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.reduction = reduction(before, config.size)

    def pooled(self, images: Tensor) -> Tensor:
        """Mean over the last map, float32 [B, 512] (18, 34) or [B, 2048], of images of any side from 32 pixels."""
        maps = self.maxpool(functional.relu(self.bn1(self.conv1(images))))
        for number in range(1, len(_WIDTHS) + 1):
            maps = getattr(self, f"layer{number}")(maps)
        return maps.mean((2, 3))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """Features float32 [B, size] of faces float32 [B, 3, 112, 112], RGB, in [-1, 1]."""
        check_shape("images", images, (None, 3, FACE.crop, FACE.crop))
        feature: Tensor = self.reduction(self.pooled(images))
        return feature

    @staticmethod
    def translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A file's tensors under the network's own names, which are torchvision's."""
        return dict(state)


class ResNet18(ResNet):
    """11,176,512 parameters without classes."""

    BLOCK, DEPTHS = BasicBlock, (2, 2, 2, 2)


class ResNet34(ResNet):
    """21,284,672 parameters without classes."""

    BLOCK, DEPTHS = BasicBlock, (3, 4, 6, 3)


class ResNet50(ResNet):
    """23,508,032 parameters without reduction and classes."""

    BLOCK, DEPTHS = Bottleneck, (3, 4, 6, 3)


class ResNet101(ResNet):
    """42,500,160 parameters without reduction and classes."""

    BLOCK, DEPTHS = Bottleneck, (3, 4, 23, 3)


class ResNet152(ResNet):
    """58,143,808 parameters without reduction and classes."""

    BLOCK, DEPTHS = Bottleneck, (3, 8, 36, 3)
