"""What every registered fusion must do, by the contract in ``waver.models.base``."""

import pytest
import torch

from waver.modalities import modality_names
from waver.models.temporal.settings import TemporalSettings
from waver.records import load, method_config
from waver.registry import FUSIONS

DIMS = {"visual": 9, "audio": 6, "text": 11, "cues": 7, "question": 5}
SETS = ["V", "A", "T", "VA", "VT", "AT", "VAT", "TQ", "VATQ", "C", "TC", "VATCQ", "Q"]


def build(fusion, modalities, seed=0, **options):
    """A small network: ``options`` and few channels, as far as the fusion has such options."""
    torch.manual_seed(seed)
    method = load(FUSIONS, fusion)
    small = {"channels": {name: [8, 8] for name in DIMS}, **options}
    own = {name: value for name, value in small.items() if name in method.Config.model_fields}
    dims = {name: DIMS[name] for name in modality_names(modalities)}
    return method(dims, method_config(FUSIONS, fusion, own))


def inputs(modalities, batch=3, frames=40):
    generator = torch.Generator().manual_seed(5)
    return {n: torch.randn(batch, frames, DIMS[n], generator=generator) for n in modality_names(modalities)}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_is_what_its_record_says(fusion):
    record, method = FUSIONS[fusion], load(FUSIONS, fusion)
    assert isinstance(method.whole_video, bool)
    assert record.explains == method.explains
    assert record.own_temporal != issubclass(method.Config, TemporalSettings)


@pytest.mark.parametrize("modalities", SETS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_any_subset_of_modalities_gives_two_finite_logits_a_frame(fusion, modalities):
    logits = build(fusion, modalities)(inputs(modalities), torch.ones(3, 40, dtype=torch.bool))
    assert logits.shape == (3, 40, 2)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_parameter_learns(fusion):
    model = build(fusion, "VATQ")
    model(inputs("VATQ"), torch.ones(3, 40, dtype=torch.bool)).square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().any()]
    assert not idle


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_changes_no_valid_logit(fusion, training, causal):
    streams, frames = inputs("VAT"), torch.tensor([40, 25, 31])
    mask = torch.arange(40)[None] < frames[:, None]
    noisy = {name: torch.where(mask[..., None], x, 50.0) for name, x in streams.items()}
    longer = {name: torch.cat([x, torch.full((3, 17, x.shape[2]), -9.0)], 1) for name, x in noisy.items()}
    outputs = []
    for given, keep in ((streams, mask), (longer, torch.cat([mask, torch.zeros(3, 17, dtype=torch.bool)], 1))):
        model = build(fusion, "VAT", causal=causal, dropout=0.0).train(training)
        outputs.append(model(given, keep)[:, :40][mask])
    assert torch.allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_video_does_not_see_the_others_of_its_batch(fusion):
    model, streams = build(fusion, "VAT").eval(), inputs("VAT")
    mask = torch.ones(3, 40, dtype=torch.bool)
    with torch.no_grad():
        before = model(streams, mask)
        changed = {name: torch.cat([x[:2], torch.randn_like(x[2:])]) for name, x in streams.items()}
        after = model(changed, mask)
    assert torch.equal(before[:2], after[:2])
    assert not torch.equal(before[2], after[2])


@pytest.mark.slow
@pytest.mark.parametrize("fusion", FUSIONS)
def test_bf16_stays_near_fp32(fusion):
    model, streams, mask = build(fusion, "VAT").eval(), inputs("VAT"), torch.ones(3, 40, dtype=torch.bool)
    with torch.no_grad():
        exact = model(streams, mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            coarse = model(streams, mask).float()
    assert (exact - coarse).abs().max() < 0.05 * exact.std() + 0.02


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_seed_decides_the_weights(fusion):
    first, second, other = build(fusion, "VT"), build(fusion, "VT"), build(fusion, "VT", seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
