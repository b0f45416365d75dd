"""Selective state space over one stream ("Mamba"; Gu and Dao 2023, arXiv 2312.00752), in plain PyTorch.

The state of channel e is N values, h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t, and the output is
y_t = C_t h_t + D x_t (paper, section 3); delta, B and C are made from the frame. ``selective_scan`` computes the
states of many frames at once, as an associative scan in chunks whose inner values are computed again in the
backward pass, so that no tensor of T * e * N values exists; ``selective_recurrence`` takes one step at a time.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from waver.models.base import TemporalModel
from waver.models.temporal.settings import SsmSettings

CHUNK = 64
"""Frames scanned at once."""
_SHORTEST, _LONGEST = 1e-3, 1e-1
"""Range of the first step lengths delta (paper, section 3.6)."""


def states_of(decay: Tensor, entering: Tensor, state: Tensor) -> Tensor:
    """All h_t = decay_t h_{t-1} + entering_t, from products and sums of neighbours (Blelloch 1990).

    Decays lie between 0 and 1 and are only ever multiplied, so that nothing overflows. Outside of autograd.

    Args:
        decay, entering: [B, T, E, N], T at least 1.
        state: [B, E, N], h before the first frame.

    Returns:
        [B, T, E, N].
    """
    states = torch.empty_like(entering)
    _fill(states, decay, entering, state.unsqueeze(1))
    return states


def _fill(states: Tensor, decay: Tensor, entering: Tensor, state: Tensor) -> None:
    if states.shape[1] == 1:
        torch.addcmul(entering, decay, state, out=states)
        return
    # frames 1, 3, 5, ... are a sequence half as long; those between follow from the one before
    second = decay[:, 1::2]
    both = torch.addcmul(entering[:, 1::2], second, entering[:, :-1:2])
    _fill(states[:, 1::2], second * decay[:, :-1:2], both, state)
    torch.addcmul(entering[:, :1], decay[:, :1], state, out=states[:, :1])
    torch.addcmul(entering[:, 2::2], decay[:, 2::2], states[:, 1:-1:2], out=states[:, 2::2])


def _discrete(x: Tensor, delta: Tensor, rate: Tensor, enter: Tensor) -> tuple[Tensor, Tensor]:
    """exp(delta A) and delta B x, both [..., E, N]."""
    return (delta.unsqueeze(-1) * rate).exp_(), (delta * x).unsqueeze(-1) * enter.unsqueeze(-2)


class _Scan(torch.autograd.Function):
    """``selective_scan``; it keeps the state before each chunk, and the backward pass makes the others again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, rate: Tensor, enter: Tensor, leave: Tensor, chunk: int) -> Tensor:
        starting, outputs, state = [], [], x.new_zeros(x.shape[0], *rate.shape)
        for start in range(0, x.shape[1], chunk):
            here = slice(start, start + chunk)
            states = states_of(*_discrete(x[:, here], delta[:, here], rate, enter[:, here]), state)
            outputs.append((states @ leave[:, here].unsqueeze(-1)).squeeze(-1))
            starting.append(state)
            state = states[:, -1].clone()  # a view would keep the whole chunk
        ctx.chunk = chunk
        ctx.save_for_backward(x, delta, rate, enter, leave, torch.stack(starting))
        return torch.cat(outputs, dim=1)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> Any:
        x, delta, rate, enter, leave, starting = ctx.saved_tensors
        of_frames = [torch.empty_like(each) for each in (x, delta, enter, leave)]
        of_rate, later = torch.zeros_like(rate), torch.zeros_like(starting[0])
        with torch.autocast(x.device.type, enabled=False):
            for at in reversed(range(len(starting))):
                here = slice(at * ctx.chunk, (at + 1) * ctx.chunk)
                frames = (outer[:, here], x[:, here], delta[:, here], enter[:, here], leave[:, here])
                *found, share, later = _chunk_gradients(*frames, rate, starting[at], later)
                for whole, part in zip(of_frames, found, strict=True):
                    whole[:, here] = part
                of_rate += share
        of_x, of_delta, of_enter, of_leave = of_frames
        return of_x, of_delta, of_rate, of_enter, of_leave, None


def _chunk_gradients(
    outer: Tensor, x: Tensor, delta: Tensor, enter: Tensor, leave: Tensor, rate: Tensor, state: Tensor, later: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of a chunk's x, delta, B, C, of A, and of the state before the chunk.

    The gradient of the states is a recurrence of the same kind, from the end: g_t = outer_t C_t + decay_{t+1} g_{t+1}.

    Args:
        outer: [B, L, E], gradient of the chunk's outputs.
        x, delta, enter, leave, rate: as in ``selective_scan``.
        state: [B, E, N], before the chunk.
        later: [B, E, N], gradient that all later frames have for the chunk's last state.
    """
    decay, entering = _discrete(x, delta, rate, enter)
    states = states_of(decay, entering, state)
    gradient = outer.unsqueeze(-1) * leave.unsqueeze(-2)
    following = torch.cat([decay[:, 1:], torch.ones_like(decay[:, :1])], dim=1)  # ``later`` has decayed already
    gradient = states_of(following.flip(1), gradient.flip(1), later).flip(1)
    of_leave = (outer.unsqueeze(-2) @ states).squeeze(-2)
    before = torch.cat([state.unsqueeze(1), states[:, :-1]], dim=1)
    of_power = before.mul_(gradient).mul_(decay)  # of delta A
    of_entering = (gradient @ enter.unsqueeze(-1)).squeeze(-1)  # of delta x
    of_delta = of_entering * x + (of_power * rate).sum(-1)
    of_enter = ((delta * x).unsqueeze(-2) @ gradient).squeeze(-2)
    of_rate = torch.einsum("blen,ble->en", of_power, delta)
    return of_entering * delta, of_delta, of_enter, of_leave, of_rate, decay[:, 0] * gradient[:, 0]


def selective_scan(x: Tensor, delta: Tensor, rate: Tensor, enter: Tensor, leave: Tensor, chunk: int = CHUNK) -> Tensor:
    """C_t h_t of all frames, chunk after chunk.

    Args:
        x: float32 [B, T, E].
        delta: float32 [B, T, E], step lengths, above 0.
        rate: float32 [E, N], A, below 0.
        enter: float32 [B, T, N], B_t.
        leave: float32 [B, T, N], C_t.
        chunk: frames scanned at once.

    Returns:
        float32 [B, T, E].
    """
    return _Scan.apply(x, delta, rate, enter, leave, chunk)  # type: ignore[no-any-return, no-untyped-call]


def selective_recurrence(x: Tensor, delta: Tensor, rate: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """What ``selective_scan`` computes, one step at a time."""
    state, outputs = x.new_zeros(x.shape[0], *rate.shape), []
    for frame in range(x.shape[1]):
        decay, entering = _discrete(x[:, frame], delta[:, frame], rate, enter[:, frame])
        state = decay * state + entering
        outputs.append((state @ leave[:, frame].unsqueeze(-1)).squeeze(-1))
    return torch.stack(outputs, dim=1)


class SelectiveBlock(nn.Module):
    """Gated selective state space after a short causal convolution; causal as a whole.

    Args:
        settings: d (width), e (expansion * width), N (states), r (rank), taps.
    """

    UNDECAYED: ClassVar[tuple[str, ...]] = ("log_rate",)

    def __init__(self, settings: SsmSettings) -> None:
        super().__init__()
        inner, states = settings.expansion * settings.width, settings.states
        self.sizes = [settings.rank, states, states]
        self.enter = nn.Linear(settings.width, 2 * inner, bias=False)
        self.convolution = nn.Conv1d(inner, inner, settings.kernel, groups=inner)
        self.select = nn.Linear(inner, sum(self.sizes), bias=False)
        self.step = nn.Linear(settings.rank, inner)
        self.log_rate = nn.Parameter(torch.arange(1, states + 1, dtype=torch.float32).log().repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.leave = nn.Linear(inner, settings.width, bias=False)
        nn.init.uniform_(self.step.weight, -(settings.rank**-0.5), settings.rank**-0.5)
        first = torch.empty(inner).uniform_(math.log(_SHORTEST), math.log(_LONGEST)).exp()
        with torch.no_grad():
            self.step.bias.copy_(first + (-torch.expm1(-first)).log())  # of which softplus gives ``first``

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, T, d] -> [B, T, d]."""
        hidden, gate = self.enter(x).chunk(2, dim=-1)
        wide = nn.functional.pad(hidden.transpose(1, 2), (self.convolution.kernel_size[0] - 1, 0))
        hidden = nn.functional.silu(self.convolution(wide)).transpose(1, 2)
        return self.leave(self.selected(hidden) * nn.functional.silu(gate))  # type: ignore[no-any-return]

    def selected(self, x: Tensor) -> Tensor:
        """C h + D x in float32 whatever the precision of the rest: [B, T, e] -> [B, T, e]."""
        short, enter, leave = self.select(x).split(self.sizes, dim=-1)
        delta = self.step(short)
        with torch.autocast(x.device.type, enabled=False):
            x, rate = x.float(), -self.log_rate.exp()
            steps = nn.functional.softplus(delta.float())
            return selective_scan(x, steps, rate, enter.float(), leave.float()) + self.skip * x


class Direction(nn.Module):
    """Blocks, each after an RMSNorm and beside the identity."""

    def __init__(self, settings: SsmSettings) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.RMSNorm(settings.width, eps=1e-5) for _ in range(settings.layers))
        self.blocks = nn.ModuleList(SelectiveBlock(settings) for _ in range(settings.layers))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, T, d] -> [B, T, d]."""
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + self.dropout(block(norm(x)))
        return x


def reversal(mask: Tensor) -> Tensor:
    """Positions that turn each sequence around and leave the padding at its end: bool [B, T] -> int64 [B, T].

    Taken twice, they give the sequence itself.
    """
    frames, position = mask.sum(dim=1, keepdim=True), torch.arange(mask.shape[1], device=mask.device)
    return torch.where(position < frames, frames - 1 - position, position)


class Ssm(TemporalModel):
    """Selective state space from the first frame on and from the last, each with its own blocks; their sum.

    Args:
        size: D of the input.
        settings: sizes, dropout, and whether it reads forward only.

    Attributes:
        size: C of the output.
    """

    def __init__(self, size: int, settings: SsmSettings) -> None:
        super().__init__()
        self.enter = nn.Linear(size, settings.width)
        self.directions = nn.ModuleList(Direction(settings) for _ in range(1 if settings.causal else 2))
        self.size = settings.width

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Float32 [B, D, T] and bool [B, T], False on padding at the end -> [B, C, T], zeros on padding."""
        # the sum that the blocks add to stays in float32 whatever their precision
        hidden = self.enter(x.transpose(1, 2)).float()
        out = self.directions[0](hidden)
        if len(self.directions) > 1:
            order = reversal(mask).unsqueeze(-1)
            turned = self.directions[1](torch.take_along_dim(hidden, order, dim=1))
            out = out + torch.take_along_dim(turned, order, dim=1)
        return out.transpose(1, 2) * mask.unsqueeze(1)  # type: ignore[no-any-return]
