"""APViT: a vision transformer over face maps that looks on at fewer and fewer places (Xue et al., TAFFC 2022).

The first stages of IR-50 give 196 patches. Attentive patch pooling keeps the patches that stand out in the maps;
attentive token pooling, in the last blocks, those tokens to which the class token attends (arXiv 2212.05463,
sections 3.2 and 3.3). The names of the parameters are those of the release.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from waver.models.backbones.base import FACE, BackboneSettings, FaceSize, reduction
from waver.models.backbones.ir50 import CHANNELS, Ir50, from_face_evolve
from waver.shapes import check_shape

WIDTH = 768
HEADS = 8
_HIDDEN = 2304
_BLOCKS = 8
_GRID = 14
_PATCHES = _GRID * _GRID
_EPSILON = 1e-6
_STD = 0.02
_LOCAL, _ATTENTION = 48, 128
"""Hidden channels of learned salience: of the local attention, and of the attention by a convolution."""

_SALIENCE: dict[str, Callable[[Tensor], Tensor]] = {
    "sum_abs": lambda maps: maps.abs().sum(1),
    "sum_squares": lambda maps: maps.square().sum(1),
    "sum": lambda maps: maps.sum(1),
    "max": lambda maps: maps.amax(1),
}
"""Salience [B, 14, 14] of maps [B, 768, 14, 14] by measures without parameters."""


class ApvitSettings(BackboneSettings):
    """Settings; the defaults are those of the release, whose classes have no dropout."""

    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the classes")
    patches: int = Field(160, ge=1, le=_PATCHES, description="patches kept of 196")
    keep: float = Field(0.9, gt=0, le=1, description="share of the tokens that each of the last four blocks keeps")
    salience: Literal["sum_abs", "sum_squares", "sum", "max", "lanet", "conv", "gated"] = Field(
        "sum_abs",
        description="what makes a patch stand out, over its channels; lanet, conv, gated: learned, and a factor of its "
        "channels",
    )
    heed: Literal["sum", "sum_abs"] = Field(
        "sum", description="score of a token: sum over heads of the class token's logits, or of their size"
    )


class Attention(nn.Module):
    """Self-attention that also says how much the class token heeds every other token."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed tokens [B, N, 768], and logits [B, 8, N - 1] of the class token towards the others."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        logits = (query[:, :, :1] @ key[:, :, 1:].transpose(-1, -2)).squeeze(2) * (WIDTH // HEADS) ** -0.5
        return self.proj(mixed.transpose(1, 2).flatten(2)), logits


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))  # type: ignore[no-any-return]


class PoolingBlock(nn.Module):
    """Pre-norm transformer block that drops tokens between its two halves.

    Args:
        keep: share of the tokens beside the class token that go on.
        heed: how a token's score is made of the class token's logits.
    """

    def __init__(self, keep: float, heed: str) -> None:
        super().__init__()
        self.keep, self.heed = keep, heed
        self.norm1 = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=_EPSILON)
        self.mlp = Mlp()

    def forward(self, tokens: Tensor) -> Tensor:
        mixed, logits = self.attn(self.norm1(tokens))
        tokens = tokens + mixed
        count = max(int((tokens.shape[1] - 1) * self.keep), 1)
        if count < tokens.shape[1] - 1:
            score = (logits.abs() if self.heed == "sum_abs" else logits).sum(1)
            tokens = torch.cat([tokens[:, :1], strongest(tokens[:, 1:], score, count)], dim=1)
        return tokens + self.mlp(self.norm2(tokens))  # type: ignore[no-any-return]


def strongest(tokens: Tensor, score: Tensor, count: int) -> Tensor:
    """The ``count`` tokens of the greatest score, in their own order; of equals, the first.

    Args:
        tokens: [B, N, D].
        score: [B, N].
        count: at most N.
    """
    # a stable sort, because top-k decides ties by the device
    order = score.argsort(dim=1, descending=True, stable=True)[:, :count]
    kept = order.sort(dim=1).values
    return tokens.gather(1, kept[..., None].expand(-1, -1, tokens.shape[2]))


class GatedSalience(nn.Module):
    """Two convolutions of each patch, one of which gates the other, to one number (Ilse et al., ICML 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_v = nn.Sequential(nn.Conv2d(WIDTH, _ATTENTION, 1), nn.Tanh())
        self.attention_u = nn.Sequential(nn.Conv2d(WIDTH, _ATTENTION, 1), nn.Sigmoid())
        self.attention_weights = nn.Sequential(nn.Conv2d(_ATTENTION, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, 768, 14, 14] to [B, 1, 14, 14]."""
        return self.attention_weights(self.attention_u(maps) * self.attention_v(maps))  # type: ignore[no-any-return]


def learned_salience(kind: str) -> nn.Module | None:
    """From maps [B, 768, 14, 14] to salience [B, 1, 14, 14]; None where nothing of it is learned.

    ``lanet`` is the local attention of TransFER (Xue et al., ICCV 2021).
    """
    if kind == "lanet":
        layers = {"LA_conv1": nn.Conv2d(WIDTH, _LOCAL, 1), "bn1": nn.BatchNorm2d(_LOCAL), "relu": nn.ReLU()}
        layers |= {"LA_conv2": nn.Conv2d(_LOCAL, 1, 1), "bn2": nn.BatchNorm2d(1), "sigmoid": nn.Sigmoid()}
        return nn.Sequential(OrderedDict(layers))
    if kind == "conv":
        attention = nn.Sequential(nn.Conv2d(WIDTH, _ATTENTION, 1), nn.Tanh(), nn.Conv2d(_ATTENTION, 1, 1))
        return nn.Sequential(OrderedDict(attention=attention, sigmoid=nn.Sigmoid()))
    return GatedSalience() if kind == "gated" else None


class PoolingViT(nn.Module):
    """The transformer over IR-50's maps; 47,592,192 parameters, and those of a learned salience.

    Args:
        config: which patches and tokens are kept.
    """

    UNDECAYED: ClassVar[tuple[str, ...]] = ("cls_token", "cls_pos_embed", "patch_pos_embed")

    def __init__(self, config: ApvitSettings) -> None:
        super().__init__()
        self.patches, self.salience = config.patches, config.salience
        self.projs = nn.ModuleList([nn.Conv2d(CHANNELS, WIDTH, 1)])
        self.attn_f = learned_salience(config.salience)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.cls_pos_embed = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.patch_pos_embed = nn.Parameter(torch.zeros(1, _PATCHES, WIDTH))
        rates = [1.0] * (_BLOCKS // 2) + [config.keep] * (_BLOCKS // 2)
        self.blocks = nn.ModuleList(PoolingBlock(rate, config.heed) for rate in rates)
        self.norm = nn.LayerNorm(WIDTH, eps=_EPSILON)
        nn.init.trunc_normal_(self.cls_token, std=_STD)
        nn.init.trunc_normal_(self.patch_pos_embed, std=_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Class token float32 [B, 768] of maps float32 [B, 256, 14, 14]."""
        projected = self.projs[0](maps)
        if self.attn_f is None:
            salience = _SALIENCE[self.salience](projected)
        else:
            # as a factor too: choosing alone gives no gradient to learn from
            projected = projected * (salience := self.attn_f(projected))
        tokens = projected.flatten(2).transpose(1, 2) + self.patch_pos_embed
        if self.patches < _PATCHES:
            tokens = strongest(tokens, salience.flatten(1), self.patches)
        first = (self.cls_token + self.cls_pos_embed).expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]  # type: ignore[no-any-return]


class Apvit(nn.Module):
    """IR-50 stem, pooling transformer, reduction; see ``waver.models.base.Backbone``."""

    Config: ClassVar[type[ApvitSettings]] = ApvitSettings
    PARTS: ClassVar[tuple[str, ...]] = ("extractor.", "vit.projs.", "vit.attn_f.", "vit.", "reduction.")
    INPUT: ClassVar[FaceSize] = FACE
    zero_head: ClassVar[bool] = True

    def __init__(self, config: ApvitSettings) -> None:
        super().__init__()
        self.config = config
        self.extractor = Ir50()
        self.vit = PoolingViT(config)
        self.reduction = reduction(WIDTH, config.size)

    def forward(self, images: Tensor) -> Tensor:
        """Features float32 [B, size] of faces float32 [B, 3, 112, 112], RGB, in [-1, 1]."""
        check_shape("images", images, (None, 3, FACE.crop, FACE.crop))
        feature: Tensor = self.reduction(self.vit(self.extractor(images)))
        return feature

    @staticmethod
    def translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A file's tensors under the network's own names.

        Beside those it knows face.evoLVe's IR-50 (the stem alone) and a timm vision transformer of the same
        width (the blocks alone; its positions are resized to the grid), from which the release starts.
        """
        if any(name.startswith("input_layer.") for name in state):
            return {f"extractor.{name}": value for name, value in from_face_evolve(state).items()}
        if "pos_embed" in state:
            return {f"vit.{name}": value for name, value in _from_timm(state).items()}
        return dict(state)


def _from_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: value for name, value in state.items() if not name.startswith("patch_embed.")}
    positions = kept["pos_embed"].float()
    side = math.isqrt(positions.shape[1] - 1)
    if side * side == positions.shape[1] - 1:
        grid = positions[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
        resized = functional.interpolate(grid, size=(_GRID, _GRID), mode="bilinear", align_corners=False)
        del kept["pos_embed"]
        kept["patch_pos_embed"] = resized.flatten(2).transpose(1, 2)
        kept["cls_pos_embed"] = positions[:, :1]
    return kept
