"""A backbone so small that tests can train it, with all that the registered ones have."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from waver.models.backbones.base import FACE, BackboneSettings, FaceSize, reduction
from waver.shapes import check_shape


class TinySettings(BackboneSettings):
    """Settings; features of 8 values, without a reduction."""

    size: int = 8


class Tiny(nn.Module):
    """One convolution, batch normalisation, the mean over the map."""

    Config: ClassVar[type[TinySettings]] = TinySettings
    PARTS: ClassVar[tuple[str, ...]] = ("reduction.",)
    INPUT: ClassVar[FaceSize] = FACE
    zero_head: ClassVar[bool] = False

    def __init__(self, config: TinySettings) -> None:
        super().__init__()
        self.config = config
        self.conv = nn.Conv2d(3, 8, 16, 16)
        self.norm = nn.BatchNorm2d(8)
        self.reduction = reduction(8, config.size)

    def forward(self, images: Tensor) -> Tensor:
        check_shape("images", images, (None, 3, self.INPUT.crop, self.INPUT.crop))
        return self.reduction(self.norm(self.conv(images)).relu().mean((2, 3)))

    @staticmethod
    def translated(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return dict(state)


class TinyOfSmallFaces(Tiny):
    """The same on faces of 40 of 48 pixels."""

    INPUT: ClassVar[FaceSize] = FaceSize(48, 40)
