"""Linear layers whose weights are kept in 8 or 4 bits, and made again for each pass; activations stay as they are.

``int8``: 255 steps of each row, up to its largest weight. ``nf4``: of each block of 64 weights, 16 values that are
quantiles of a normal distribution, up to the block's largest weight (Dettmers et al., "QLoRA", NeurIPS 2023,
section 3; without its second quantisation of the scales).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from waver.errors import WaverError

log = logging.getLogger(__name__)

Quantisation = Literal["none", "int8", "nf4"]
BLOCK = 64
"""Weights with one scale, of nf4."""
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
_STEPS = 127


class QuantisedLinear(nn.Module):
    """A linear layer from D to E that holds no weight in full.

    Args:
        full: the layer; its bias stays.
        kind: of the weights.

    Attributes:
        codes: int8 [E, D]; of nf4 uint8 [blocks, 32], two weights a byte.
        scale: float32 [E, 1]; of nf4 [blocks, 1].
    """

    codes: Tensor
    scale: Tensor
    values: Tensor

    def __init__(self, full: nn.Linear, kind: Quantisation) -> None:
        super().__init__()
        self.in_features, self.out_features, self.kind = full.in_features, full.out_features, kind
        codes, scale = (_int8 if kind == "int8" else _nf4)(full.weight.detach().float())
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale)
        self.register_buffer("values", torch.tensor(NF4), persistent=False)
        self.bias = full.bias

    @property
    def weight(self) -> Tensor:
        """What the codes stand for, float32 [E, D]."""
        if self.kind == "int8":
            return self.codes * self.scale
        both = torch.stack([self.codes >> 4, self.codes & 15], dim=-1).flatten(1).long()
        made = (self.values.float()[both] * self.scale).flatten()
        return made[: self.in_features * self.out_features].view(self.out_features, self.in_features)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] to [..., E]."""
        return linear(x, self.weight.to(x.dtype), self.bias)


def _int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / _STEPS
    return (weight / scale).round().to(torch.int8), scale


def _nf4(weight: Tensor) -> tuple[Tensor, Tensor]:
    flat = weight.flatten()
    blocks = pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    values = torch.tensor(NF4, device=weight.device)
    nearest = torch.bucketize(blocks / scale, (values[1:] + values[:-1]) / 2).to(torch.uint8)
    return nearest[:, 0::2] << 4 | nearest[:, 1::2], scale


def quantise(network: nn.Module, kind: Quantisation, chosen: Callable[[str], bool]) -> None:
    """Keep the weights of some linear layers in fewer bits, in place.

    Args:
        network: changed.
        kind: not ``none``.
        chosen: full name of a layer in the network -> whether it is one of those.

    Raises:
        WaverError: there is no such layer.
    """
    layers = {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear) and chosen(name)}
    if not layers:
        raise WaverError("zeroshot.quantisation: the model has no linear layer that can be quantised; set none")
    for name, part in layers.items():
        network.set_submodule(name, QuantisedLinear(part, kind))
    log.info("the weights of %d linear layers are kept as %s", len(layers), kind)
