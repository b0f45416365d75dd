"""Video-FocalNet: focal modulation over space and time (Wasim et al., ICCV 2023, arXiv 2307.06947).

In every block a pixel's query is multiplied by what its surroundings say, gathered at growing distance by
convolutions in its frame and, beside it, by convolutions along time at its place. The names of the parameters are
those of the release, so that its Kinetics weights load as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from waver.config.sections import Section
from waver.models.base import VideoModel
from waver.models.weights import fill, read_state
from waver.shapes import check_shape

log = logging.getLogger(__name__)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, red, green, blue, on a scale from 0 to 1."""
KERNELS = (3, 5)
"""Widths of the convolutions of the two focal levels, in space and in time."""
_SHAPES = {"tiny": (96, (2, 2, 6, 2), 0.2), "small": (96, (2, 2, 18, 2), 0.3), "base": (128, (2, 2, 18, 2), 0.5)}
"""Width of the first stage, blocks of each stage, greatest probability of skipping a branch."""
_STD = 0.02


class FocalNetSettings(Section):
    """Sizes; the defaults are the paper's, ``width``, ``depths`` and ``drop_path`` those of the size."""

    size: Literal["tiny", "small", "base"] = Field("tiny", description="published size")
    frames: int = Field(8, ge=1, description="frames of a clip")
    width: int | None = Field(None, ge=1, description="channels of the first stage; they double from stage to stage")
    depths: tuple[int, ...] | None = Field(None, min_length=1, description="blocks of each stage")
    drop_path: float | None = Field(
        None, ge=0, lt=1, description="probability of skipping a branch of the last block; it grows from block to block"
    )
    classes: int = Field(2, ge=1, description="number of classes")


class Modulation(nn.Module):
    """Spatio-temporal focal modulation (section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, gates = width, len(KERNELS) + 1
        self.f = nn.Linear(width, 2 * width + gates)
        self.h = nn.Conv2d(width, width, 1)
        self.proj = nn.Linear(width, width)
        self.focal_layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, size, padding=size // 2, groups=width, bias=False), nn.GELU())
            for size in KERNELS
        )
        self.f_temporal = nn.Linear(width, width + gates)
        self.h_temporal = nn.Conv1d(width, width, 1)
        # in time every channel sees every other: these hold most of the network's parameters
        self.focal_layers_temporal = nn.ModuleList(
            nn.Sequential(nn.Conv1d(width, width, size, padding=size // 2, bias=False), nn.GELU()) for size in KERNELS
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, F, H, W, C] to the same."""
        batch, frames, height, width, channels = maps.shape
        query, near = self.f(maps).split((channels, channels + len(KERNELS) + 1), dim=-1)
        near = near.flatten(0, 1).permute(0, 3, 1, 2).contiguous()
        inside = self.h(_gathered(near, channels, self.focal_layers))
        inside = inside.unflatten(0, (batch, frames)).permute(0, 1, 3, 4, 2)

        along = self.f_temporal(maps).permute(0, 2, 3, 4, 1).flatten(0, 2)
        along = self.h_temporal(_gathered(along, channels, self.focal_layers_temporal))
        along = along.unflatten(0, (batch, height, width)).permute(0, 4, 1, 2, 3)
        return self.proj(query * inside * along)  # type: ignore[no-any-return]


def _gathered(given: Tensor, channels: int, layers: nn.ModuleList) -> Tensor:
    """Contexts of all levels and the mean of the last, each weighed by its gate: [N, C + gates, ...] to [N, C, ...]."""
    context, gates = given[:, :channels], given[:, channels:]
    total = torch.zeros_like(context)
    for level, layer in enumerate(layers):
        context = layer(context)
        total = total + context * gates[:, level : level + 1]
    whole = functional.gelu(context.mean(tuple(range(2, context.dim())), keepdim=True))
    return total + whole * gates[:, len(layers) :]


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, maps: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(maps)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Modulation and MLP, each normalised before and added to what came in.

    Args:
        width: C.
        skip: probability, in training, that a frame skips a branch.
    """

    def __init__(self, width: int, skip: float) -> None:
        super().__init__()
        self.skip = skip
        self.norm1 = nn.LayerNorm(width)
        self.modulation = Modulation(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps + self._kept(self.modulation(self.norm1(maps)))
        return maps + self._kept(self.mlp(self.norm2(maps)))

    def _kept(self, branch: Tensor) -> Tensor:
        if not self.training or not self.skip:
            return branch
        keep = torch.rand(branch.shape[:2], device=branch.device) >= self.skip
        return branch * keep[:, :, None, None, None] / (1 - self.skip)


class Patches(nn.Module):
    """Squares of ``side`` pixels to one vector each, normalised."""

    def __init__(self, before: int, width: int, side: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(before, width, side, stride=side)
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, F, C, H, W] to [B, F, H / side, W / side, width]."""
        squares = self.proj(maps.flatten(0, 1)).permute(0, 2, 3, 1)
        return self.norm(squares).unflatten(0, maps.shape[:2])  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Blocks of one width, then the step to the next."""

    def __init__(self, width: int, skips: list[float], last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, skip) for skip in skips)
        self.downsample = None if last else Patches(width, 2 * width, 2)

    def forward(self, maps: Tensor) -> Tensor:
        for block in self.blocks:
            maps = block(maps)
        return maps if self.downsample is None else self.downsample(maps.permute(0, 1, 4, 2, 3))


class VideoFocalNet(VideoModel):
    """The network.

    Attributes:
        config: the settings given.
    """

    Config: ClassVar[type[FocalNetSettings]] = FocalNetSettings
    inputs: ClassVar[str] = "faces"
    config: FocalNetSettings
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: FocalNetSettings) -> None:
        super().__init__()
        self.config = config
        published_width, published_depths, published_skip = _SHAPES[config.size]
        width, depths = config.width or published_width, config.depths or published_depths
        skip = published_skip if config.drop_path is None else config.drop_path
        total = sum(depths)
        skips = [skip * number / max(total - 1, 1) for number in range(total)]
        self.patch_embed = Patches(3, width, 4)
        self.layers = nn.ModuleList()
        for number, depth in enumerate(depths):
            own, skips = skips[:depth], skips[depth:]
            self.layers.append(Stage(width << number, own, last=number == len(depths) - 1))
        self.norm = nn.LayerNorm(width << len(depths) - 1)
        self.head = nn.Linear(width << len(depths) - 1, config.classes)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_STD)
                nn.init.zeros_(module.bias)

    def forward(self, clips: Tensor) -> Tensor:
        """Logits float32 [B, C] of clips float32 [B, F, 3, 224, 224], RGB, 0 black to 1 white.

        Any F will do, and any side that 32 divides.
        """
        check_shape("clips", clips, (None, None, 3, None, None))
        maps = self.patch_embed((clips - self.mean) / self.deviation)
        for stage in self.layers:
            maps = stage(maps)
        return self.head(self.norm(maps).mean((1, 2, 3)))  # type: ignore[no-any-return]

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """All but the classes, which begin at random even with published weights."""
        return (parameter for name, parameter in self.named_parameters() if not name.startswith("head."))


def load_focalnet_weights(model: VideoFocalNet, path: str | Path) -> tuple[str, ...]:
    """Load a file of weights; the classes of another task are left out.

    Args:
        model: the network.
        path: a file of the release, or a state dict that Waver wrote.

    Returns:
        ``("head.",)`` where the classes stay as they were, else nothing.

    Raises:
        WaverError: the file cannot be read, or its parameters are not the network's.
    """
    state = read_state(path, "Video-FocalNet")
    if "head.weight" in state and state["head.weight"].shape != model.head.weight.shape:
        state = {name: value for name, value in state.items() if not name.startswith("head.")}
    left = fill(model, state, path, f"Video-FocalNet {model.config.size}", parts=("head.",))
    log.info("Video-FocalNet has the weights of %s%s", path, ", classes begin anew" if left else "")
    return left
