"""One modality on its way into a fusion: input dropout, temporal context, batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from waver.errors import WaverError
from waver.models.base import TemporalModel
from waver.models.temporal.norm import MaskedBatchNorm
from waver.models.temporal.settings import TemporalSettings
from waver.records import load
from waver.registry import TEMPORALS


def context_of(name: str, size: int, settings: TemporalSettings) -> TemporalModel | None:
    """The temporal model that the settings ask for; None: the frame alone.

    Raises:
        WaverError: the settings have no channels for the modality ``name``.
    """
    kind = settings.temporal
    if kind == "none":
        return None
    if kind != "tcn":
        model: TemporalModel = load(TEMPORALS, kind)(size, getattr(settings, kind))
        return model
    channels = settings.channels.get(name)
    if not channels:
        raise WaverError(f"the model's options give {name!r} no channels; add {name!r} to its channels")
    tcn: TemporalModel = load(TEMPORALS, kind)(size, channels, settings.kernel, settings.dropout, settings.causal)
    return tcn


class TemporalStream(nn.Module):
    """Temporal context and batch normalisation of one modality.

    Args:
        name: the modality.
        size: D of the input.
        settings: which temporal module, and its sizes.

    Attributes:
        size: C of the output.
    """

    def __init__(self, name: str, size: int, settings: TemporalSettings) -> None:
        super().__init__()
        self.dropout = nn.Dropout1d(settings.input_dropout)
        self.kind = settings.temporal
        context = context_of(name, size, settings)
        if context is not None:
            # under its own name (tcn, ...), as in the files of models trained when there was one kind only
            self.add_module(self.kind, context)
        self.size = size if context is None else context.size
        self.norm = MaskedBatchNorm(self.size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32 [B, T, D] and bool [B, T] -> [B, T, C]."""
        hidden = self.dropout(x.transpose(1, 2))
        if self.kind != "none":
            hidden = self.get_submodule(self.kind)(hidden, mask)
        return self.norm(hidden.transpose(1, 2), mask)  # type: ignore[no-any-return]


def temporal_streams(dims: Mapping[str, int], settings: TemporalSettings) -> dict[str, TemporalStream]:
    """One stream for each modality, in order.

    Raises:
        WaverError: the settings have no channels for a modality.
    """
    return {name: TemporalStream(name, size, settings) for name, size in dims.items()}
