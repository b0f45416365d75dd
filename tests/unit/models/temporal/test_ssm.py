"""Selective state space: the scan, the recurrence, and what a stream makes of them."""

import pytest
import torch
from sequences import ends, normal, parameters

from waver.models.temporal import ssm
from waver.models.temporal.settings import SsmSettings
from waver.models.temporal.ssm import (
    SelectiveBlock,
    Ssm,
    reversal,
    selective_recurrence,
    selective_scan,
    states_of,
)
from waver.training.profiling.frames import flops_of

SMALL = {"width": 8, "states": 4, "rank": 2, "dropout": 0.0}


def small(**options):
    torch.manual_seed(0)
    return Ssm(4, SsmSettings(**SMALL, **options)).eval()


def drawn(frames, longest=0.5, dtype=torch.float32):
    """Arguments of the scan: 2 sequences, 6 channels of 4 values."""
    delta = torch.rand(2, frames, 6, generator=torch.Generator().manual_seed(1)) * longest + 1e-3
    rate = -torch.arange(1.0, 5).repeat(6, 1)
    given = (normal(2, frames, 6), delta, rate, normal(2, frames, 4, seed=2), normal(2, frames, 4, seed=3))
    return [each.to(dtype).requires_grad_() for each in given]


def test_a_block_has_the_published_count():
    papers = SsmSettings()
    assert (papers.width, papers.expansion, papers.states, papers.rank, papers.kernel) == (128, 2, 16, 8, 4)
    block = SelectiveBlock(papers)
    assert parameters(block) == 116_480
    one = 2 * (116_480 + 128)
    assert parameters(Ssm(512, papers)) == 512 * 128 + 128 + 2 * one
    assert parameters(Ssm(512, SsmSettings(causal=True))) == 512 * 128 + 128 + one


def test_a_block_begins_with_the_published_rates_and_steps():
    torch.manual_seed(0)
    block = SelectiveBlock(SsmSettings())
    assert torch.allclose(block.log_rate.exp(), torch.arange(1.0, 17).expand(256, 16))
    steps = torch.nn.functional.softplus(block.step.bias)
    assert steps.min() > 0.99e-3
    assert steps.max() < 1.01e-1
    assert 0.006 < steps.median() < 0.016  # even in the logarithm
    assert torch.equal(block.skip, torch.ones(256))


def test_states_are_the_sum_of_what_entered_and_has_not_decayed():
    decay, entering, state = normal(2, 13, 3, 2).sigmoid(), normal(2, 13, 3, 2, seed=1), normal(2, 3, 2, seed=2)
    for t, found in enumerate(states_of(decay, entering, state).unbind(1)):
        wanted = decay[:, : t + 1].prod(1) * state
        wanted = wanted + sum(decay[:, s + 1 : t + 1].prod(1) * entering[:, s] for s in range(t + 1))
        assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 7, 63, 64, 65, 2880])
def test_the_scan_is_the_recurrence(frames):
    given = drawn(frames)
    with torch.no_grad():
        assert (selective_scan(*given) - selective_recurrence(*given)).abs().max() < 1e-5


@pytest.mark.parametrize("chunk", [1, 10, 500])
def test_the_scan_learns_as_the_recurrence(chunk):
    given, weight = drawn(50, dtype=torch.float64), normal(2, 50, 6, seed=4).double()
    gradients = [
        torch.autograd.grad((compute(*given) * weight).sum(), given)
        for compute in (lambda *each: selective_scan(*each, chunk=chunk), selective_recurrence)
    ]
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*gradients, strict=True))


def test_states_that_vanish_at_once_are_no_trouble():
    given = drawn(200, longest=400.0)
    found = selective_scan(*given)
    assert torch.allclose(found, selective_recurrence(*given), rtol=1e-5, atol=1e-3)
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(found.sum(), given))


def test_the_backward_pass_keeps_no_state_of_every_frame():
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(0)
    block, x = SelectiveBlock(SsmSettings(width=16, dropout=0.0)), normal(1, 1024, 16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(x).sum().backward()
    assert 0 < sum(kept.values()) < 1024 * 32 * 16 * 4


def test_a_block_computes_the_published_equations(monkeypatch):
    torch.manual_seed(0)
    block, x = SelectiveBlock(SsmSettings(**SMALL)), normal(2, 90, 8)
    with torch.no_grad():
        found = block(x)
        monkeypatch.setattr(ssm, "selective_scan", selective_recurrence)
        assert (found - block(x)).abs().max() < 1e-5
        hidden, gate = (x @ block.enter.weight.T).split(16, dim=-1)
        wide = torch.nn.functional.pad(hidden, (0, 0, 3, 0))
        taps = sum(wide[:, k : k + 90] * block.convolution.weight[:, 0, k] for k in range(4))
        u = torch.nn.functional.silu(taps + block.convolution.bias)
        short, enter, leave = (u @ block.select.weight.T).split([2, 4, 4], dim=-1)
        delta = torch.nn.functional.softplus(short @ block.step.weight.T + block.step.bias)
        y = selective_recurrence(u, delta, -block.log_rate.exp(), enter, leave) + block.skip * u
        wanted = (y * torch.nn.functional.silu(gate)) @ block.leave.weight.T
    assert (found - wanted).abs().max() < 1e-5


def test_one_direction_is_causal_and_two_are_not():
    x, mask = normal(1, 4, 150), ends(150)
    y = torch.cat([x[:, :, :70], x[:, :, 70:71] + 3, x[:, :, 71:]], dim=2)
    for causal, first in ((True, 70), (False, 0)):
        network = small(causal=causal)
        with torch.no_grad():
            changed = (network(x, mask) != network(y, mask)).any(dim=1)[0].nonzero().flatten().tolist()
        assert changed == list(range(first, 150))


def test_the_way_back_begins_at_the_last_valid_frame():
    order = reversal(ends(5, 3))
    assert order.tolist() == [[4, 3, 2, 1, 0], [2, 1, 0, 3, 4]]
    network, x, mask = small(), normal(2, 4, 40), ends(40, 25)
    network.directions[1].load_state_dict(network.directions[0].state_dict())
    x[1, :, 25:] = 50.0
    with torch.no_grad():
        found, alone = network(x, mask)[1, :, :25], network(x[1:, :, :25].flip(-1), ends(25))[0]
    assert torch.allclose(found, alone.flip(-1), atol=1e-5)


def test_states_stay_in_single_precision():
    torch.manual_seed(0)
    block, x = SelectiveBlock(SsmSettings(**SMALL)), normal(1, 400, 8)
    taken = []
    with pytest.MonkeyPatch.context() as patch, torch.autocast("cpu", dtype=torch.bfloat16):
        patch.setattr(ssm, "selective_scan", lambda *given: taken.extend(given) or selective_scan(*given))
        block(x).float().sum().backward()
    assert {each.dtype for each in taken} == {torch.float32}
    assert all(parameter.grad.isfinite().all() for parameter in block.parameters())


def test_operations_are_counted():
    frames, network = 130, Ssm(512, SsmSettings())
    block = 128 * 512 + 256 * 4 + 256 * 40 + 8 * 256 + 256 * 16 + 256 * 128
    assert flops_of(network, normal(1, 512, frames), ends(frames)) == 2 * frames * (512 * 128 + 4 * block)
