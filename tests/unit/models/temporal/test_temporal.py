"""Temporal context as a choice of every stream."""

import re

import pytest
import torch
import yaml
from sequences import ends, normal, parameters
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from checkout import ROOT
from waver.errors import WaverError
from waver.models.fusion.can import CanConfig
from waver.models.fusion.lfan import LfanConfig
from waver.models.temporal.bigru import BiGru
from waver.models.temporal.mstcn import MsTcn, Stage
from waver.models.temporal.settings import BiGruSettings, MsTcnSettings, TemporalSettings
from waver.models.temporal.stream import TemporalStream
from waver.records import load, method_config
from waver.registry import FUSIONS

KINDS = ("tcn", "bigru", "mstcn", "asformer", "ssm", "xl", "none")
WITH_STREAMS = [name for name in FUSIONS if issubclass(load(FUSIONS, name).Config, TemporalSettings)]
SMALL = {
    "channels": {"visual": (8, 6), "audio": (8,)},
    "dropout": 0.0,
    "bigru": {"hidden": 5, "dropout": 0.0},
    "mstcn": {"stages": 2, "layers": 3, "width": 6, "classes": 4, "dropout": 0.0},
    "asformer": {"decoders": 1, "layers": 3, "width": 6, "classes": 4, "dropout": 0.0},
    "ssm": {"width": 8, "states": 4, "rank": 2, "dropout": 0.0},
    "xl": {"width": 8, "heads": 2, "layers": 2, "hidden": 12, "segment": 8, "memory": 8, "dropout": 0.0},
}
DIMS = {"visual": 9, "audio": 6}


def stream(kind, **options):
    torch.manual_seed(0)
    return TemporalStream("visual", 9, TemporalSettings(**{**SMALL, "temporal": kind, **options}))


def build(fusion, kind, **options):
    torch.manual_seed(0)
    return load(FUSIONS, fusion)(DIMS, method_config(FUSIONS, fusion, {**SMALL, "temporal": kind, **options}))


def changed_frames(module, frames, at):
    """Frames of the output that an impulse at one frame of the input changes."""
    x = normal(1, 4, frames).to(next(module.parameters()).dtype)
    y = x.clone()
    y[:, :, at] += 3
    mask = ends(frames)
    with torch.no_grad():
        return (module(x, mask) != module(y, mask)).any(dim=1)[0].nonzero().flatten().tolist()


def test_multi_stage_network_has_the_published_count():
    papers = MsTcnSettings(classes=2)
    assert (papers.stages, papers.layers, papers.width, papers.dropout) == (4, 10, 64, 0.5)
    assert parameters(MsTcn(1408, papers)) == 751_752


def test_a_stage_sees_2047_frames_and_the_second_stage_as_many_around_those():
    torch.manual_seed(0)
    one = MsTcn(4, MsTcnSettings(stages=1, width=3, classes=2)).double().eval()
    for parameter in one.parameters():  # no ReLU of a path may be off
        parameter.data.abs_()
    x = normal(1, 4, 2400).double().abs().requires_grad_()
    one(x, ends(2400))[0, :, 1200].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert (len(reached), reached[0].item(), reached[-1].item()) == (2047, 1200 - 1023, 1200 + 1023)
    two = MsTcn(4, MsTcnSettings(stages=2, layers=3, width=16, classes=2)).double().eval()
    changed = changed_frames(two, 80, 40)
    assert (changed[0], changed[-1]) == (40 - 2 * 7, 40 + 2 * 7)


def test_later_stages_see_the_softmax_of_the_one_before():
    torch.manual_seed(0)
    network, x, mask = MsTcn(4, MsTcnSettings(stages=2, layers=2, classes=3)).eval(), normal(2, 4, 20), ends(20, 20)
    with torch.no_grad():
        before = network(x, mask)
        network.stages[0].classify.bias += 1.5
        shifted = network(x, mask)
        network.stages[0].classify.bias[0] += 1.5
        other = network(x, mask)
    assert torch.allclose(shifted[:, :3], before[:, :3] + 1.5, atol=1e-5)
    assert torch.allclose(shifted[:, 3:], before[:, 3:], atol=1e-5)
    assert not torch.allclose(other[:, 3:], before[:, 3:], atol=1e-4)


def test_a_stage_is_the_published_sequence_of_layers():
    torch.manual_seed(0)
    stage, x = Stage(4, MsTcnSettings(layers=2, width=5, classes=3)).eval(), normal(1, 4, 12)
    hidden = stage.enter(x)
    for dilation, layer in zip((1, 2), stage.layers, strict=True):
        wide = torch.nn.functional.pad(hidden, (dilation, dilation))
        taps = torch.stack([wide[:, :, k * dilation : k * dilation + 12] for k in range(3)], dim=-1)
        out = torch.einsum("bctk,ock->bot", taps, layer.dilated.weight) + layer.dilated.bias[:, None]
        hidden = hidden + torch.einsum("bct,oc->bot", out.relu(), layer.mix.weight[..., 0]) + layer.mix.bias[:, None]
    assert torch.allclose(stage(x, torch.ones(1, 1, 12)), stage.classify(hidden), atol=1e-5)


def test_bigru_has_two_layers_of_128_in_each_direction():
    network = BiGru(512, BiGruSettings())
    assert network.size == 256
    gate = 3 * 128
    assert parameters(network) == 2 * gate * (512 + 128 + 2) + 2 * gate * (256 + 128 + 2)
    assert network.gru.dropout == 0.3


def test_bigru_sees_both_sides():
    torch.manual_seed(0)
    network = BiGru(4, BiGruSettings(hidden=6, layers=1)).eval()
    assert changed_frames(network, 30, 29) == list(range(30))
    assert changed_frames(network, 30, 0) == list(range(30))


def test_none_is_the_frame_alone_at_its_own_size():
    alone, x = stream("none").eval(), normal(2, 20, 9)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert alone.size == 9
    with torch.no_grad():
        assert torch.equal(alone(x, ends(20, 20))[:, order], alone(x[:, order], ends(20, 20)))


@pytest.mark.parametrize(
    ("kind", "size"), [("tcn", 6), ("bigru", 10), ("mstcn", 8), ("asformer", 8), ("ssm", 8), ("xl", 8), ("none", 9)]
)
def test_a_stream_says_its_size(kind, size):
    module = stream(kind)
    assert module.size == size
    assert module(normal(2, 20, 9), ends(20, 13)).shape == (2, 20, size)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_valid_frame(kind, training, causal):
    x, mask = normal(3, 40, 9), ends(40, 25, 1)
    noisy = torch.where(mask[..., None], x, 50.0)
    longer, further = torch.cat([noisy, torch.full((3, 11, 9), -9.0)], 1), torch.nn.functional.pad(mask, (0, 11))
    given = [(x, mask), (noisy, mask), (longer, further)]
    first, *others = [stream(kind, causal=causal).train(training)(v, keep)[:, :40][mask] for v, keep in given]
    assert all(torch.allclose(first, other, atol=1e-5) for other in others)


@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_sequence_is_what_it_is_alone(kind):
    module, x = stream(kind).eval(), normal(2, 30, 9)
    with torch.no_grad():
        beside = module(x, ends(30, 17))[1, :17]
        alone = module(x[1:, :17], ends(17))[0]
    assert torch.allclose(beside, alone, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fusion", WITH_STREAMS)
def test_every_fusion_takes_every_temporal_module(fusion, kind):
    model, x, mask = build(fusion, kind), {n: normal(3, 40, d) for n, d in DIMS.items()}, ends(40, 25, 31)
    logits = model(x, mask)
    assert logits.shape == (3, 40, 2)
    logits[mask].square().sum().backward()
    # the first window of asformer is one frame, among which there is nothing to choose
    learning = {n: p for n, p in model.named_parameters() if not re.search(r"blocks\.0\.attention\.(query|key)\.", n)}
    assert not [name for name, p in learning.items() if p.grad is None or not p.grad.abs().any()]
    noisy = {name: torch.where(mask[..., None], v, 50.0) for name, v in x.items()}
    model.eval()
    with torch.no_grad():
        exact = model(x, mask)[mask]
        assert torch.allclose(model(noisy, mask)[mask], exact, atol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            coarse = model(x, mask)[mask].float()
    assert (exact - coarse).abs().max() < 0.05 * exact.std() + 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_every_temporal_module_learns_in_half_precision(kind):
    gradients = []
    for halved in (False, True):
        model, x = build("lfan", kind), {n: normal(2, 40, d) for n, d in DIMS.items()}
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=halved):
            logits = model(x, ends(40, 25))[ends(40, 25)]
        logits.float().square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    exact, coarse = gradients
    assert torch.nn.functional.cosine_similarity(exact, coarse, dim=0) > 0.98


class Largest(TorchDispatchMode):
    """Values of the largest tensor that anything computes."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.values = max([self.values, *(x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor))])
        return out


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_minutes_need_no_tensor_of_frames_by_frames(kind):
    torch.manual_seed(0)
    module, frames = TemporalStream("visual", 64, TemporalSettings(temporal=kind)).eval(), 2880
    with torch.no_grad(), Largest() as largest:
        module(normal(1, frames, 64), ends(frames))
    assert largest.values <= 1024 * frames


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_the_weights(kind):
    first, second = build("lfan", kind), build("lfan", kind)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_an_unknown_module_is_answered_with_the_known_ones():
    with pytest.raises(
        WaverError,
        match=r"options of can: temporal: Input should be 'tcn', 'bigru', 'mstcn', 'asformer', 'ssm', 'xl' or 'none'",
    ):
        method_config(FUSIONS, "can", {"temporal": "lstm"})


def test_only_the_tcn_needs_channels():
    for kind in KINDS[1:]:
        assert TemporalStream("pulse", 3, TemporalSettings(temporal=kind)).size > 0
    with pytest.raises(WaverError, match=r"give 'pulse' no channels"):
        TemporalStream("pulse", 3, TemporalSettings())


def test_models_of_before_there_was_a_choice_still_load():
    shared = {"kernel": 5, "input_dropout": 0.0, "causal": True}
    lfan = {"visual": (256, 256, 128, 128), "audio": (64, 64, 32, 32), "text": (256, 256, 128, 128)}
    wide = {"visual": (256, 256, 128, 128, 128), "audio": (128, 128, 64, 64), "text": (256, 256, 128, 128)}
    question = {"question": (16, 16)}
    old = {"channels": lfan | question, "dropout": 0.1, "heads": 2, "head_size": 16, **shared}
    assert method_config(FUSIONS, "lfan", old) == LfanConfig()
    old = {"channels": wide | question, "dropout": 0.2, "size": 128, **shared}
    assert method_config(FUSIONS, "can", old) == CanConfig()
    assert {name for name in build("lfan", "tcn").state_dict() if name.startswith("streams.audio.")} == {
        f"streams.audio.{part}"
        for part in (
            "tcn.blocks.0.first.convolution.bias",
            "tcn.blocks.0.first.convolution.parametrizations.weight.original0",
            "tcn.blocks.0.first.convolution.parametrizations.weight.original1",
            "tcn.blocks.0.second.convolution.bias",
            "tcn.blocks.0.second.convolution.parametrizations.weight.original0",
            "tcn.blocks.0.second.convolution.parametrizations.weight.original1",
            "tcn.blocks.0.residual.bias",
            "tcn.blocks.0.residual.weight",
            "norm.norm.bias",
            "norm.norm.num_batches_tracked",
            "norm.norm.running_mean",
            "norm.norm.running_var",
            "norm.norm.weight",
        )
    }


@pytest.mark.parametrize("fusion", WITH_STREAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_config_reads_back_as_itself(fusion, kind):
    config = method_config(FUSIONS, fusion, {**SMALL, "temporal": kind})
    assert method_config(FUSIONS, fusion, config.model_dump()) == config


@pytest.mark.parametrize("preset", sorted((ROOT / "config/presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_presets_options_are_known(preset):
    options = (yaml.safe_load(preset.read_text()).get("train") or {}).get("options", {})
    for fusion, values in options.items():
        config = method_config(FUSIONS, fusion, values)
        assert all(getattr(config, key) == value for key, value in values.items() if not isinstance(value, dict | list))
