"""Level 2 of the conflict model: conflict between two modalities, and of one modality with itself over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, gelu, normalize, pad

HALF_WIDTHS = (3, 6, 12)
"""Steps on either side of a window; at 6 Hz windows of 1.2, 2.2 and 4.2 s, the last a mean A/H segment."""

WITHIN = tuple(f"{name}_{width}" for width in HALF_WIDTHS for name in ("kaplan", "griffin", "reversal", "sd"))
"""Columns of ``within_features``."""


@dataclass(frozen=True)
class Reading:
    """What the model makes of a batch, step by step.

    Attributes:
        mask: bool [B, S]; False on padding.
        hidden: modality -> [B, S, C], level 1.
        affect: modality -> [B, S, 3], level 1.
        distance: pair of modalities -> (1 - cosine) / 2, [B, S].
        within: modality -> [B, S, 12].
        weight: item of evidence -> weight given to it, [B, S, 1].
        context: [B, S, size].
        margin: logit of A/H, [B, S].
    """

    mask: Tensor
    hidden: dict[str, Tensor]
    affect: dict[str, Tensor]
    distance: dict[tuple[str, str], Tensor]
    within: dict[str, Tensor]
    weight: dict[str, Tensor]
    context: Tensor
    margin: Tensor


def pair_features(first: Tensor, second: Tensor, parts: Sequence[str]) -> Tensor:
    """How two modalities differ, symmetric in them.

    Args:
        first: direction of one modality's hidden state, of length 1, [B, S, E], followed by its affect, 3.
        second: the other's.
        parts: of ``settings.PARTS``: difference (E values), product (E, and 1 - cosine), affect (3: one positive
            while the other is negative, distance of the net valences, the greater hesitancy).
    """
    u, s, v, t = first[..., :-3], first[..., -3:], second[..., :-3], second[..., -3:]
    found = []
    if "difference" in parts:
        found.append((u - v).abs())
    if "product" in parts:
        found += [u * v, 1 - (u * v).sum(-1, keepdim=True)]
    if "affect" in parts:
        crossed = s[..., 0] * t[..., 1] + s[..., 1] * t[..., 0]
        apart = ((s[..., 0] - s[..., 1]) - (t[..., 0] - t[..., 1])).abs() / 2
        found.append(torch.stack([crossed, apart, torch.maximum(s[..., 2], t[..., 2])], -1))
    return torch.cat(found, -1)


def pair_size(shared: int, parts: Sequence[str]) -> int:
    """Size of ``pair_features`` of directions of size ``shared``."""
    return sum({"difference": shared, "product": shared + 1, "affect": 3}[part] for part in parts)


class Evidence(nn.Module):
    """Features of a conflict -> evidence of the common size: linear, GELU, norm, linear."""

    def __init__(self, size_in: int, hidden: int, size_out: int) -> None:
        super().__init__()
        self.first = nn.Linear(size_in, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.second = nn.Linear(hidden, size_out)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, S, D] -> [B, S, size_out]."""
        return self.second(self.norm(gelu(self.first(x))))  # type: ignore[no-any-return]


class Direction(nn.Module):
    """Where a modality's hidden state points in a space that all modalities share."""

    def __init__(self, size: int, shared: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, shared, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """float32 [B, S, C] -> [B, S, E], of length 1."""
        return normalize(self.linear(hidden).float(), dim=-1)


def _mean(x: Tensor, mask: Tensor, kernel: int, left: int) -> tuple[Tensor, Tensor]:
    """Mean of x [B, R, S] over the valid ones of steps t - left to t - left + kernel - 1, and their number > 0."""
    padding = (left, kernel - 1 - left)
    if padding[1] < 0:
        shift = -padding[1]
        x, mask = pad(x, (shift, 0))[..., : x.shape[-1]], pad(mask, (shift, 0))[..., : mask.shape[-1]]
        padding = (kernel - 1, 0)
    total = avg_pool1d(pad(x * mask, padding), kernel, stride=1)
    share = avg_pool1d(pad(mask, padding), kernel, stride=1)
    return total / share.clamp(min=0.5 / kernel), share > 0


def within_features(affect: Tensor, mask: Tensor, causal: bool) -> Tensor:
    """Signs of mixed feelings in one modality over windows of several widths.

    Per half width w, over t - w to t + w (causal: t - 2w to t), P and N being the mean positive and negative
    affect: min(P, N) (Kaplan 1972); (P + N) / 2 - |P - N| (Griffin; Thompson et al. 1995); how far the mean
    valence of the 2w steps before lies from that of the 2w steps after (causal: both 2w earlier); and the
    standard deviation of the valence.

    Args:
        affect: float32 [B, S, 3].
        mask: bool [B, S]; False on padding.
        causal: look at the past only.

    Returns:
        float32 [B, S, 12], columns ``WITHIN``.
    """
    keep = mask[:, None].to(affect.dtype)
    valence = affect[..., 0] - affect[..., 1]
    tracks = torch.stack([affect[..., 0], affect[..., 1], valence, valence.square()], 1)
    found = []
    for width in HALF_WIDTHS:
        mean, _ = _mean(tracks, keep, 2 * width + 1, 2 * width if causal else width)
        positive, negative, middle, square = mean.unbind(1)
        lag = 2 * width if causal else 0
        before, any_before = _mean(valence[:, None], keep, 2 * width, 2 * width + lag)
        after, any_after = _mean(valence[:, None], keep, 2 * width, lag - 1)
        reversal = (before - after).abs() * (any_before & any_after)
        deviation = (square - middle.square()).clamp(min=1e-6).sqrt()
        griffin = (positive + negative) / 2 - (positive - negative).abs()
        found += [torch.minimum(positive, negative), griffin, reversal.squeeze(1), deviation]
    return torch.stack(found, -1)
