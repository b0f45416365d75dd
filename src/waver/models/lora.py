"""LoRA: linear layers that stay as they are, and learn a change of low rank (Hu et al., ICLR 2022)."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from waver.config.section import Section
from waver.errors import WaverError

log = logging.getLogger(__name__)


class LoraSettings(Section):
    """Rank, scale and place of the change; the defaults, once there is a rank, are those of MDT-AH."""

    rank: int = Field(0, ge=0, description="rank of the change, 8 in MDT-AH; 0: none")
    alpha: float = Field(16, gt=0, description="the change is multiplied by alpha / rank")
    dropout: float = Field(0, ge=0, lt=1, description="share of the layer's input that the change does not see")
    targets: tuple[str, ...] = Field(
        ("query", "value", "q_proj", "v_proj", "q_lin", "v_lin"),
        min_length=1,
        description="names of the linear layers that change: query and value of attention, as encoders call them",
    )


class LoraLinear(nn.Module):
    """A linear layer that stays, and beside it two factors that learn; at first their product is zero.

    Args:
        linear: the layer, from D to E.
        rank: R of the factors [R, D] and [E, R].
        alpha: the product is multiplied by alpha / rank.
        dropout: share of the input that the factors do not see in training.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.dropout = nn.Dropout(dropout)
        # on the layer's device; in float32 even where the layer is not: in 16 bits small steps would be rounded away
        self.down = nn.Linear(linear.in_features, rank, bias=False).to(linear.weight.device)
        self.up = nn.Linear(rank, linear.out_features, bias=False).to(linear.weight.device)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] to [..., E]."""
        kept: Tensor = self.linear(x)
        change = self.up(self.down(self.dropout(x.to(self.down.weight.dtype))))
        return kept + (self.scale * change).to(kept.dtype)  # type: ignore[no-any-return]

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The layer, its weight changed for good."""
        add_change(self.linear, self.down.weight, self.up.weight, self.scale)
        return self.linear


@torch.no_grad()
def add_change(linear: nn.Linear, down: Tensor, up: Tensor, scale: float) -> None:
    """Add scale x [E, R] x [R, D] to a weight [E, D]; the sum is made in float32 where the weight has fewer bits."""
    change = scale * up.float() @ down.float()
    linear.weight.copy_(linear.weight.float() + change.to(linear.weight.device))


def adapt(network: nn.Module, settings: LoraSettings, chosen: Callable[[str], bool] = lambda name: True) -> None:
    """Freeze a network, and give the layers that the settings name factors that learn.

    Args:
        network: changed in place.
        settings: with a rank above 0.
        chosen: name of a layer in the network -> whether it is one of those that may change.

    Raises:
        WaverError: no layer has such a name.
    """
    network.requires_grad_(False)
    linear = {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear) and chosen(name)}
    wanted = [name for name in linear if name.rpartition(".")[2] in settings.targets]
    if not wanted:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in linear})) or "none"
        raise WaverError(
            f"lora.targets: no layer to tune is called {' or '.join(settings.targets)}; name some of these: {known}"
        )
    for name in wanted:
        network.set_submodule(name, LoraLinear(linear[name], settings.rank, settings.alpha, settings.dropout))
    count = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    log.info("%d layers change by rank %d: %d numbers to learn", len(wanted), settings.rank, count)


def merge(network: nn.Module) -> None:
    """Write what the factors learned into the layers; the network computes the same and has its old names again."""
    for name, part in list(network.named_modules()):
        if isinstance(part, LoraLinear):
            network.set_submodule(name, part.merged())
