import pytest
import torch

from waver.errors import WaverError
from waver.models.fusion.lfan import Lfan, LfanConfig, ModalityAttention

DIMS = {"V": ("visual", 512), "A": ("audio", 128), "T": ("text", 768)}


@pytest.mark.parametrize(
    ("modalities", "count"),
    [
        ("V", 2_229_378),
        ("A", 143_586),
        ("T", 2_622_594),
        ("VA", 2_374_946),
        ("VT", 4_853_762),
        ("AT", 2_767_970),
        ("VAT", 5_001_378),
    ],
)
def test_parameter_counts_are_the_papers(modalities, count):
    model = Lfan(dict(DIMS[letter] for letter in modalities), LfanConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return ModalityAttention([128, 32, 128], heads=2, head_size=16, dropout=0.1).eval()


@pytest.fixture
def hidden():
    torch.manual_seed(1)
    return [torch.randn(2, 30, 128), torch.randn(2, 30, 32), torch.randn(2, 30, 128)]


def test_the_fusion_alone_has_the_papers_parameters(attention):
    assert sum(parameter.numel() for parameter in attention.parameters()) == 37_440


def test_permuting_frames_permutes_the_fusion(attention, hidden):
    order = torch.randperm(30)
    with torch.no_grad():
        straight, permuted = attention(hidden), attention([h[:, order] for h in hidden])
    assert torch.allclose(straight[:, order], permuted, atol=1e-6)


def test_equal_keys_give_uniform_attention(attention, hidden):
    for linear in attention.projections:
        # per head: 16 rows of query, 16 of key, 16 of value
        rows = torch.cat([torch.arange(16, 32), torch.arange(64, 80)])
        linear.weight.data[rows] = 0
        linear.bias.data[rows] = 0.3
    weights, _ = attention.weights(hidden)
    assert weights.shape == (2, 30, 2, 3, 3)
    assert torch.allclose(weights, torch.full_like(weights, 1 / 3))


def test_attention_follows_the_equation_head_by_head(attention, hidden):
    projected = [linear(h) for linear, h in zip(attention.projections, hidden, strict=True)]
    parts = []
    for head in range(2):
        q, k, v = (
            torch.stack([p[..., head * 48 + part * 16 : head * 48 + part * 16 + 16] for p in projected], 2)
            for part in range(3)
        )
        mixed = torch.einsum("btmn,btne->btme", (torch.einsum("btme,btne->btmn", q, k) / 4).softmax(-1), v) + v
        parts += [mixed[:, :, m] for m in range(3)]
    expected = attention.norm(attention.output(torch.cat(parts, -1)))
    assert torch.allclose(attention(hidden), expected, atol=1e-5)


def test_one_modality_gives_twice_its_value():
    attention = ModalityAttention([8], heads=2, head_size=16, dropout=0.0)
    weights, value = attention.weights([torch.randn(1, 5, 8)])
    assert torch.equal(weights @ value + value, 2 * value)


def test_the_leader_reaches_the_classifier_directly():
    model = Lfan({"audio": 6, "text": 7}, LfanConfig(channels={"audio": (5,), "text": (9,)}))
    assert model.classifier.in_features == 5 + 2 * 32


def test_a_stream_without_channels_is_refused():
    with pytest.raises(WaverError, match=r"give 'pulse' no channels"):
        Lfan({"visual": 4, "pulse": 2}, LfanConfig())
