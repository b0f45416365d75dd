"""From the steps of a video to one answer: attention pooling, and what the frame probabilities do over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

_MOVING = 6  # steps: a second at 6 Hz


def track_statistics(probability: Tensor, mask: Tensor) -> Tensor:
    """Mean, standard deviation, greatest mean of six steps in a row, and mean absolute change; [B, 4].

    Args:
        probability: float32 [B, S].
        mask: bool [B, S]; False on padding, which lies at the end.
    """
    keep = mask.to(probability.dtype)
    count = keep.sum(1).clamp(min=1)
    mean = (probability * keep).sum(1) / count
    variance = ((probability - mean[:, None]).square() * keep).sum(1) / count
    seen = avg_pool1d(pad(keep, (_MOVING - 1, 0))[:, None], _MOVING, stride=1)[:, 0].clamp(min=1 / (2 * _MOVING))
    moving = avg_pool1d(pad(probability * keep, (_MOVING - 1, 0))[:, None], _MOVING, stride=1)[:, 0] / seen
    both = keep[:, 1:] * keep[:, :-1]
    change = ((probability[:, 1:] - probability[:, :-1]).abs() * both).sum(1) / both.sum(1).clamp(min=1)
    return torch.stack([mean, variance.clamp(min=1e-12).sqrt(), (moving * keep).amax(1), change], -1)


def _head(size: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size), nn.Linear(size, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
    )


class VideoHead(nn.Module):
    """Gated attention over steps (Ilse et al., ICML 2018), a head on what it gathers, and one on the anchor alone.

    Args:
        size: of the steps in context.
        anchor: size of the anchor's hidden state.
        dropout: of the heads.
    """

    def __init__(self, size: int, anchor: int, dropout: float) -> None:
        super().__init__()
        self.content, self.switch, self.score = nn.Linear(size, 64), nn.Linear(size, 64), nn.Linear(64, 1)
        self.video = _head(size + 4, 64, dropout)
        self.anchor = _head(anchor, 64, dropout)

    def forward(self, context: Tensor, anchor: Tensor, margin: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Margins [B] of the whole and of the anchor alone.

        Args:
            context: float32 [B, S, size].
            anchor: float32 [B, S, anchor].
            margin: float32 [B, S] of the steps.
            mask: bool [B, S].
        """
        score = self.score(self.content(context).tanh() * self.switch(context).sigmoid()).squeeze(-1)
        weight = score.float().masked_fill(~mask, -torch.inf).softmax(1)[:, None]
        gathered = torch.cat([(weight @ context.float())[:, 0], track_statistics(margin.sigmoid(), mask)], -1)
        return self.video(gathered).squeeze(-1), self.anchor((weight @ anchor.float())[:, 0]).squeeze(-1)
