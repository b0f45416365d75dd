"""Bidirectional GRU over one stream of frame features (Cho et al., EMNLP 2014)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from waver.models.base import TemporalModel
from waver.models.temporal.settings import BiGruSettings


class BiGru(TemporalModel):
    """GRU layers in both directions; the backward one starts at a window's last frame, not in its padding.

    Args:
        size: D of the input.
        settings: hidden units, layers, dropout.

    Attributes:
        size: C of the output, twice the hidden units.
    """

    def __init__(self, size: int, settings: BiGruSettings) -> None:
        super().__init__()
        # torch warns of a dropout that a single layer has no place for
        dropout = settings.dropout if settings.layers > 1 else 0.0
        self.gru = nn.GRU(size, settings.hidden, settings.layers, batch_first=True, dropout=dropout, bidirectional=True)
        self.size = 2 * settings.hidden

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T], False on padding at the end -> [B, C, T], zeros on padding."""
        x = x.transpose(1, 2)
        if bool(mask.all()):
            hidden = self.gru(x)[0]
        else:
            lengths = mask.sum(dim=1).clamp(min=1).cpu()
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            hidden = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return hidden.transpose(1, 2)  # type: ignore[no-any-return]
