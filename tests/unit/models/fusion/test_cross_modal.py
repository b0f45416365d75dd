"""MT and JMT: the published counts and defects of the released variant, and what the corrected one does instead."""

import pytest
import torch
from torch import nn

from waver.errors import WaverError
from waver.modalities import modality_names
from waver.models.fusion import cross_modal
from waver.models.fusion.cross_modal import Attention, CrossModalConfig, Encoder, EncoderLayer, stream_pairs
from waver.models.fusion.jmt import Jmt
from waver.models.fusion.mt import Mt
from waver.records import load, method_config
from waver.registry import FUSIONS

DIMS = {"visual": 512, "audio": 128, "text": 768}
TINY = {"visual": 7, "audio": 5, "text": 6}
BOTH = ("mt", "jmt")


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def full(fusion, modalities, **options):
    dims = {name: DIMS[name] for name in modality_names(modalities)}
    return load(FUSIONS, fusion)(dims, method_config(FUSIONS, fusion, options))


def tiny(fusion, modalities="VAT", seed=0, **options):
    torch.manual_seed(seed)
    small = {"channels": dict.fromkeys(TINY, (8, 8)), "size": 12, "hidden": 10, **options}
    dims = {name: TINY[name] for name in modality_names(modalities)}
    return load(FUSIONS, fusion)(dims, method_config(FUSIONS, fusion, small))


def streams(modalities="VAT", batch=3, frames=30, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(batch, frames, TINY[name], generator=generator) for name in modality_names(modalities)}


def normal_streams():
    """Twelve streams of 2 x 9 frames."""
    return torch.randn(2, 9, 12, 12, generator=torch.Generator().manual_seed(0))


def whole(x):
    return torch.ones(next(iter(x.values())).shape[:2], dtype=torch.bool)


def live(module):
    """Parameters that a gradient reaches."""
    return sum(p.numel() for p in module.parameters() if p.grad is not None and p.grad.abs().any())


@pytest.mark.parametrize(
    ("fusion", "fusion_alone", "visual_audio", "with_unused_text"),
    [("jmt", 901_888, 3_738_818, 6_347_586), ("mt", 538_112, 3_375_042, 5_983_810)],
)
def test_the_released_variant_has_the_published_counts(fusion, fusion_alone, visual_audio, with_unused_text):
    model = full(fusion, "VA", variant="released")
    assert parameters(model.fusion) == fusion_alone
    assert parameters(model) == visual_audio
    assert parameters(full(fusion, "VAT", variant="released")) == with_unused_text


@pytest.mark.parametrize(
    ("fusion", "alive", "dead"),
    [
        ("jmt", 472_064, {"encoders.visual", "cross.visual_audio", "cross.audio_visual", "cross.joint_visual",
                          "cross.visual_joint", "cross.joint_audio"}),
        ("mt", 439_168, {"cross.visual_audio", "join"}),
    ],
)  # fmt: skip
def test_most_of_the_released_fusion_never_learns(fusion, alive, dead):
    torch.manual_seed(0)
    model = full(fusion, "VAT", variant="released")
    x = {name: torch.randn(2, 12, size) for name, size in DIMS.items()}
    model(x, whole(x)).square().sum().backward()
    assert live(model.fusion) == alive
    idle = {name for name, p in model.fusion.named_parameters() if p.grad is None or not p.grad.any()}
    assert {".".join(name.split(".")[: 1 if name.startswith("join") else 2]) for name in idle} == dead
    assert live(model.streams["text"]) == 0
    assert live(model.streams["visual"]) > 0


@pytest.mark.parametrize("fusion", BOTH)
def test_dead_weights_change_no_released_logit(fusion):
    model, x = tiny(fusion, variant="released").eval(), streams()
    before = model(x, whole(x))
    before.sum().backward()
    with torch.no_grad():
        dead = [parameter for parameter in model.parameters() if parameter.grad is None]
        for parameter in dead:
            parameter.normal_()
        assert dead
        assert torch.equal(model(x, whole(x)), before)
        model.fusion.mixer.layers[0].forward_part[0].weight.normal_()
        assert not torch.equal(model(x, whole(x)), before)


@pytest.mark.parametrize("fusion", BOTH)
def test_the_released_variant_ignores_text_and_the_corrected_one_does_not(fusion):
    x = streams()
    changed = {**x, "text": torch.randn(3, 30, 6)}
    for variant, same in (("released", True), ("corrected", False)):
        model = tiny(fusion, variant=variant).eval()
        with torch.no_grad():
            assert torch.equal(model(x, whole(x)), model(changed, whole(x))) is same


@pytest.mark.parametrize("fusion", BOTH)
def test_samples_leak_into_each_other_only_in_the_released_variant(fusion):
    x = streams()
    changed = {name: torch.cat([v[:2], 3 * torch.randn_like(v[2:])]) for name, v in x.items()}
    first = {name: v[:1] for name, v in x.items()}
    for variant, leaks in (("released", True), ("corrected", False)):
        model = tiny(fusion, variant=variant).eval()
        with torch.no_grad():
            before, after = model(x, whole(x))[0], model(changed, whole(x))[0]
            alone = model(first, whole(first))[0]
        assert (not torch.equal(before, after)) is leaks
        assert (not torch.allclose(before, alone, atol=1e-6)) is leaks


@pytest.mark.parametrize(("modalities", "mt", "jmt"), [("V", 0, 0), ("VT", 2, 6), ("VAT", 6, 12)])
def test_numbers_of_streams(modalities, mt, jmt):
    names = modality_names(modalities)
    pairs, more = stream_pairs(names, joint=False), stream_pairs(names, joint=True)
    assert (len(set(pairs)), len(set(more))) == (mt, jmt)
    assert (len(tiny("mt", modalities).fusion.pairs), len(tiny("jmt", modalities).fusion.pairs)) == (mt, jmt)
    assert all(asks != answers for asks, answers in more)


def test_streams_of_two_modalities_stand_in_the_released_order():
    assert stream_pairs(["visual", "audio"], joint=True) == [
        ("visual", "audio"), ("audio", "visual"), ("joint", "visual"), ("visual", "joint"), ("joint", "audio"),
        ("audio", "joint"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fusion", "modalities", "count"),
    [
        ("jmt", "VA", 3_738_818),  # nothing is left out, nothing added
        ("mt", "VA", 3_375_042 - 32_896),  # without the joint layer that is never called
        # 5 encoders, 12 attentions and the last one, joint 384 -> 128, audio 64 -> 128
        ("jmt", "VAT", 2_379_648 + 439_872 + 2_608_512 + 640 + 17_026 + 5 * 99_584 + 13 * 66_048 + 49_280 + 8_320),
        ("mt", "VAT", 2_379_648 + 439_872 + 2_608_512 + 640 + 17_026 + 4 * 99_584 + 7 * 66_048 + 8_320),
        # one modality: its encoder and the head
        ("jmt", "A", 439_872 + 128 + 8_320 + 99_584 + 17_026),
        ("mt", "T", 2_608_512 + 256 + 99_584 + 17_026),
    ],
)
def test_counts_of_the_corrected_variant(fusion, modalities, count):
    assert parameters(full(fusion, modalities)) == count


@pytest.mark.parametrize("fusion", BOTH)
@pytest.mark.parametrize("readout", ["last", "mean", "concat"])
@pytest.mark.parametrize("modalities", ["A", "VT", "VAT"])
def test_every_parameter_of_the_corrected_variant_learns(fusion, readout, modalities):
    model, x = tiny(fusion, modalities, readout=readout, layers=2), streams(modalities)
    model(x, whole(x)).square().sum().backward()
    assert live(model) == parameters(model)


@pytest.mark.parametrize("readout", ["mean", "concat"])
def test_other_readouts_keep_to_their_sample_and_frames(readout):
    model, x = tiny("jmt", readout=readout).eval(), streams()
    mask = torch.arange(30)[None] < torch.tensor([[30], [20], [11]])
    noisy = {name: torch.where(mask[..., None], v, 40.0) for name, v in x.items()}
    with torch.no_grad():
        assert torch.allclose(model(x, mask)[mask], model(noisy, mask)[mask], atol=1e-5)
        short = {name: v[2:, :11] for name, v in x.items()}
        assert torch.allclose(model(short, whole(short))[0], model(noisy, mask)[2, :11], atol=1e-5)


def test_all_streams_side_by_side_go_through_1024_outputs():
    model = full("jmt", "VAT", readout="concat")
    assert (model.fusion.side_by_side.in_features, model.fusion.side_by_side.out_features) == (12 * 128, 1024)
    assert model.head.hidden.in_features == 1024


def test_an_encoder_is_the_usual_post_norm_layer():
    torch.manual_seed(0)
    ours, theirs = EncoderLayer(128, 1, 128), nn.TransformerEncoderLayer(128, 1, 128, 0.0, batch_first=True)
    assert parameters(ours) == parameters(theirs) == parameters(Encoder(CrossModalConfig())) == 99_584
    attention = theirs.self_attn
    for own, weight, bias in (
        (ours.attention.query, attention.in_proj_weight[:128], attention.in_proj_bias[:128]),
        (ours.attention.key_value, attention.in_proj_weight[128:], attention.in_proj_bias[128:]),
        (ours.attention.output, attention.out_proj.weight, attention.out_proj.bias),
        (ours.forward_part[0], theirs.linear1.weight, theirs.linear1.bias),
        (ours.forward_part[2], theirs.linear2.weight, theirs.linear2.bias),
    ):
        own.load_state_dict({"weight": weight.detach(), "bias": bias.detach() + 0.1})
        bias.data += 0.1
    x, mask = torch.randn(2, 9, 128), torch.arange(9)[None] < torch.tensor([[9], [5]])
    expected = theirs(x, src_key_padding_mask=~mask)
    assert torch.allclose(ours(x, mask)[mask], expected[mask], atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_follows_the_equation_and_starts_as_published(heads):
    torch.manual_seed(0)
    ours, theirs = Attention(128, heads), nn.MultiheadAttention(128, heads, batch_first=True)
    assert parameters(ours) == 66_048
    drawn, published = ours.key_value.weight, theirs.in_proj_weight
    assert drawn.abs().max().item() == pytest.approx(published.abs().max().item(), rel=1e-2)
    assert drawn.std().item() == pytest.approx(published.std().item(), rel=1e-2)
    assert not ours.query.bias.any()
    theirs.load_state_dict({
        "in_proj_weight": torch.cat([ours.query.weight, drawn]),
        "in_proj_bias": torch.cat([ours.query.bias, ours.key_value.bias]),
        "out_proj.weight": ours.output.weight,
        "out_proj.bias": ours.output.bias,
    })  # fmt: skip
    x, source = torch.randn(2, 7, 128), torch.randn(2, 11, 128)
    keep = torch.arange(11)[None] < torch.tensor([[11], [4]])
    assert torch.allclose(ours(x, source, keep), theirs(x, source, source, key_padding_mask=~keep)[0], atol=1e-5)


def test_streams_mix_within_one_frame_of_one_sample():
    fusion = tiny("jmt").fusion.eval()
    x = normal_streams()
    y = x.clone()
    y[1, 4, 0] += 2  # the first stream; the last one is read
    with torch.no_grad():
        changed = (fusion.mix(x) != fusion.mix(y)).any(-1)
    assert changed.nonzero().tolist() == [[1, 4]]


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_more_frames_than_a_gpu_takes_at_once_are_mixed_in_parts(monkeypatch, readout):
    fusion, x = tiny("jmt", readout=readout).fusion.eval(), normal_streams()
    with torch.no_grad():
        at_once = fusion.mix(x)
        monkeypatch.setattr(cross_modal, "FRAMES_AT_ONCE", 7)
        assert torch.allclose(fusion.mix(x), at_once, atol=1e-6)


@pytest.mark.parametrize("fusion", BOTH)
def test_the_order_of_frames_is_known_from_the_temporal_module_alone(fusion):
    x, order = streams(), torch.randperm(30, generator=torch.Generator().manual_seed(3))
    permuted = {name: v[:, order] for name, v in x.items()}
    for temporal, blind in (("none", True), ("tcn", False)):
        model = tiny(fusion, temporal=temporal).eval()
        with torch.no_grad():
            assert torch.allclose(model(x, whole(x))[:, order], model(permuted, whole(x)), atol=1e-5) is blind


def test_mistakes_in_options_are_told():
    with pytest.raises(WaverError, match=r"the released jmt needs visual and audio, and audio is not among"):
        tiny("jmt", "VT", variant="released")
    with pytest.raises(WaverError, match=r"options of mt: .*set readout to last"):
        method_config(FUSIONS, "mt", {"variant": "released", "readout": "mean"})
    with pytest.raises(WaverError, match=r"size 128 cannot be divided among 3 heads"):
        method_config(FUSIONS, "jmt", {"heads": 3})


def test_a_whole_video_is_seen_in_one_pass():
    assert (Mt.whole_video, Jmt.whole_video) == (True, True)
