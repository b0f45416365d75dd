import pytest
import torch

from waver.models.temporal.norm import MaskedBatchNorm
from waver.models.temporal.tcn import Tcn, receptive_field


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "channels", "count"),
    [
        (512, (256, 256, 128, 128), 2_215_296),
        (128, (64, 64, 32, 32), 139_104),
        (768, (256, 256, 128, 128), 2_608_512),
        (512, (256, 256, 128, 128, 128), 2_379_648),
        (128, (128, 128, 64, 64), 439_872),
    ],
)
def test_parameter_counts_are_the_papers(size, channels, count):
    assert parameters(Tcn(size, channels, 5, 0.1, causal=True)) == count


@pytest.mark.parametrize(("levels", "frames"), [(4, 121), (5, 249)])
def test_receptive_field(levels, frames):
    assert receptive_field(levels, 5) == frames


def outputs(x, y, **settings):
    torch.manual_seed(0)
    tcn = Tcn(6, (8, 8, 8, 8), 5, 0.1, **settings).eval()
    mask = torch.ones(1, x.shape[2], dtype=torch.bool)
    with torch.no_grad():
        return tcn(x, mask), tcn(y, mask)


def test_an_impulse_reaches_121_frames_forward_and_none_back():
    x = torch.randn(1, 6, 400, generator=torch.Generator().manual_seed(1))
    y = x.clone()
    y[:, :, 100] += 3
    before, after = outputs(x, y, causal=True)
    changed = (before != after).any(dim=1)[0].nonzero().flatten()
    assert changed.tolist() == list(range(100, 221))


def test_the_future_leaves_the_past_bit_identical():
    x = torch.randn(2, 6, 400, generator=torch.Generator().manual_seed(1))
    y = x.clone()
    y[:, :, 300:] = torch.randn(2, 6, 100)
    torch.manual_seed(0)
    tcn = Tcn(6, (8, 8, 8, 8), 5, 0.1, causal=True).eval()
    mask = torch.ones(2, 400, dtype=torch.bool)
    with torch.no_grad():
        before, after = tcn(x, mask), tcn(y, mask)
    assert torch.equal(before[:, :, :300], after[:, :, :300])
    assert not torch.equal(before[:, :, 300], after[:, :, 300])


def test_not_causal_sees_as_far_on_both_sides():
    x = torch.randn(1, 6, 400, generator=torch.Generator().manual_seed(1))
    y = x.clone()
    y[:, :, 200] += 3
    before, after = outputs(x, y, causal=False)
    changed = (before != after).any(dim=1)[0].nonzero().flatten()
    assert changed.tolist() == list(range(140, 261))


@pytest.mark.parametrize("causal", [True, False])
def test_padding_does_not_reach_valid_frames(causal):
    torch.manual_seed(0)
    tcn = Tcn(6, (8, 8, 8), 5, 0.1, causal=causal).eval()
    short = torch.randn(1, 6, 50)
    padded = torch.cat([short, 100 * torch.randn(1, 6, 30)], dim=2)
    mask = torch.arange(80)[None] < 50
    with torch.no_grad():
        alone, beside = tcn(short, mask[:, :50]), tcn(padded, mask)[:, :, :50]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_batch_norm_learns_from_valid_frames_only():
    x = torch.randn(2, 40, 3) * 2 + 5
    mask = torch.arange(40)[None] < torch.tensor([[40], [25]])
    x[~mask] = 1e6
    norm = MaskedBatchNorm(3).train()
    y = norm(x, mask)
    assert torch.allclose(y[mask].mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(norm.norm.running_mean, 0.1 * x[mask].mean(0), atol=1e-4)
    assert (y[~mask] == 0).all()
