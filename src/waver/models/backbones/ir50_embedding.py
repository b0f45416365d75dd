"""IR-50 of four stages on small faces, to a vector of length 1: the older visual network of LFAN and CAN.

The papers' released code takes it where no fine-tuned backbone is given. A face is brought to 48 pixels, of which 40
are cut out; the first stage keeps the side, so that the last map is 5x5. The names of the parameters are the
published ones; the published file also holds eight classes that nothing uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from waver.models.backbones.base import BackboneSettings, FaceSize, reduction
from waver.models.backbones.ir50 import STAGES, begin, input_layer, stage
from waver.shapes import check_shape

WIDTH = 512
_FOURTH = (WIDTH, 3)
"""Channels and units of the last stage."""
_SIDE = 5
_DROPOUT = 0.4


class Ir50Embedding(nn.Module):
    """Input layer, four stages, output layer; see ``waver.models.base.Backbone``.

    37,283,520 parameters, and 4,104 in the eight classes of the published file.
    """

    Config: ClassVar[type[BackboneSettings]] = BackboneSettings
    PARTS: ClassVar[tuple[str, ...]] = ("reduction.",)
    INPUT: ClassVar[FaceSize] = FaceSize(48, 40)
    zero_head: ClassVar[bool] = False

    def __init__(self, config: BackboneSettings) -> None:
        super().__init__()
        self.config = config
        self.input_layer = input_layer()
        self.body = nn.Sequential()
        before = 64
        for number, (width, units) in enumerate((*STAGES, _FOURTH)):
            self.body.extend(stage(before, width, units, stride=2 if number else 1))
            before = width
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(WIDTH),
            nn.Dropout(_DROPOUT),
            nn.Flatten(),
            nn.Linear(WIDTH * _SIDE * _SIDE, WIDTH),
            nn.BatchNorm1d(WIDTH),
        )
        begin(self)
        self.reduction = reduction(WIDTH, config.size)

    def forward(self, images: Tensor) -> Tensor:
        """Features float32 [B, size] of faces float32 [B, 3, 40, 40], RGB, in [-1, 1]; 512 of them have length 1."""
        check_shape("images", images, (None, 3, self.INPUT.crop, self.INPUT.crop))
        embedding = functional.normalize(self.output_layer(self.body(self.input_layer(images))))
        feature: Tensor = self.reduction(embedding)
        return feature

    @staticmethod
    def translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A file's tensors without the classes that the published one holds."""
        return {name: value for name, value in state.items() if not name.startswith("logits.")}
