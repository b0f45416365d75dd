"""IR-50, a residual network for faces (face.evoLVe): its parts, and the three stages that APViT builds on.

The names of the parameters are those of APViT's release; ``from_face_evolve`` gives them to the weights of
face.evoLVe, whose stages are not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

STAGES = ((64, 3), (128, 4), (256, 14))
"""Channels and units of each stage; the first unit of a stage halves the side."""
CHANNELS = 256


class Unit(nn.Module):
    """Normalised two-convolution branch beside a shortcut; nothing follows the sum."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if before == after:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, after, 3, 1, 1, bias=False),
            nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.res_layer(maps) + self.shortcut_layer(maps)  # type: ignore[no-any-return]


def input_layer() -> nn.Sequential:
    """From colours to 64 maps of the same side."""
    return nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))


def stage(before: int, width: int, units: int, stride: int) -> nn.Sequential:
    """Units of one width, of which the first takes ``before`` channels and the stride."""
    rest = [Unit(width, width, 1) for _ in range(units - 1)]
    return nn.Sequential(Unit(before, width, stride), *rest)


def begin(network: nn.Module) -> None:
    """Xavier's initial weights for all convolutions and linear layers, and biases of zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Ir50(nn.Module):
    """Input layer and three stages; 17,611,968 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = input_layer()
        self.body = nn.ModuleList()
        before = 64
        for width, units in STAGES:
            self.body.append(stage(before, width, units, stride=2))
            before = width
        begin(self)

    def forward(self, images: Tensor) -> Tensor:
        """Maps float32 [B, 256, 14, 14] of faces float32 [B, 3, 112, 112] in [-1, 1]."""
        maps = self.input_layer(images)
        for stage in self.body:
            maps = stage(maps)
        return maps  # type: ignore[no-any-return]


def from_face_evolve(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of face.evoLVe's IR-50 under the names of ``Ir50``, without its fourth stage and output."""
    places = [(stage, unit) for stage, (_, units) in enumerate(STAGES) for unit in range(units)]
    renamed = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "body" and int(parts[1]) < len(places):
            stage, unit = places[int(parts[1])]
            renamed[".".join([f"body.{stage}.{unit}", *parts[2:]])] = value
        elif parts[0] not in ("body", "output_layer"):
            renamed[name] = value
    return renamed
