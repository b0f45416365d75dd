import pytest
import torch

from waver.models.fusion.can import Can, CanConfig

DIMS = {"V": ("visual", 512), "A": ("audio", 128), "T": ("text", 768)}


@pytest.mark.parametrize(
    ("modalities", "released", "unused"),
    [
        ("V", 2_446_466, 16_512),
        ("A", 498_370, 16_512),
        ("T", 2_675_330, 16_512),
        ("VA", 3_010_242, 32_896),
        ("VT", 5_187_202, 32_896),
        ("AT", 3_239_106, 32_896),
        ("VAT", 5_816_514, 49_280),
    ],
)
def test_parameter_counts_are_the_papers_with_and_without_the_unused_convolution(modalities, released, unused):
    for variant, count in (("released", released), ("corrected", released - unused)):
        model = Can(dict(DIMS[letter] for letter in modalities), CanConfig(variant=variant))
        assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_the_unused_convolution_is_unused(streams):
    logits = []
    for variant in ("released", "corrected"):
        torch.manual_seed(0)
        model = Can({"visual": 7, "text": 5}, CanConfig(size=16, variant=variant)).eval()
        logits.append(model(streams, torch.ones(2, 40, dtype=torch.bool)))
        logits[-1].sum().backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == (
            ["unused.weight", "unused.bias"] if variant == "released" else []
        )
    assert torch.equal(*logits)


@pytest.fixture
def small():
    torch.manual_seed(0)
    channels = {"visual": (12, 10), "text": (8, 6)}
    return Can({"visual": 7, "text": 5}, CanConfig(channels=channels, size=16)).eval()


@pytest.fixture
def streams():
    torch.manual_seed(1)
    return {"visual": torch.randn(2, 40, 7), "text": torch.randn(2, 40, 5)}


def test_the_gate_sums_to_one_at_every_frame(small, streams):
    gate = small.gate(small.concatenate(streams, torch.ones(2, 40, dtype=torch.bool)))
    assert gate.shape == (2, 40, 32)
    assert torch.allclose(gate.sum(-1), torch.ones(2, 40), atol=1e-6)
    assert gate.std() > 1e-3


def test_a_constant_added_to_the_gates_logits_changes_nothing(small, streams):
    mask = torch.ones(2, 40, dtype=torch.bool)
    with torch.no_grad():
        before = small(streams, mask)
        small.attention.bias += 2.5
        after = small(streams, mask)
        small.attention.bias[0] += 2.5
        other = small(streams, mask)
    assert torch.allclose(before, after, atol=1e-6)
    assert not torch.allclose(before, other, atol=1e-4)
