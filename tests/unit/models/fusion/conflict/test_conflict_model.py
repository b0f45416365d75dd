"""The conflict model: sizes, who sees whom, what each switch does, what it explains."""

import itertools

import pytest
import torch

from waver.errors import WaverError
from waver.models.fusion.conflict.evidence import WITHIN
from waver.models.fusion.conflict.model import Conflict
from waver.records import method_config
from waver.registry import FUSIONS

PAPER = {"V": ("visual", 512), "A": ("audio", 128), "T": ("text", 768)}
DIMS = {"visual": 9, "audio": 6, "text": 11}
UNUSED = 128 * 64
"""A modality's projection into the shared space, which a model of one modality has no use for."""
SMALL = {"channels": dict.fromkeys((*DIMS, "cues"), (12, 12)), "size": 16, "shared": 8, "heads": 2}


def build(dims=DIMS, seed=0, **options):
    torch.manual_seed(seed)
    return Conflict(dict(dims), method_config(FUSIONS, "conflict", {**SMALL, **options})).eval()


def inputs(dims=DIMS, batch=3, frames=50, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(batch, frames, size, generator=generator) for name, size in dims.items()}


def whole(batch=3, frames=50):
    return torch.ones(batch, frames, dtype=torch.bool)


@pytest.mark.parametrize(
    ("modalities", "count"),
    [
        ("VAT", 1_080_861),
        ("VT", 880_534),
        ("AT", 781_462),
        ("VA", 715_414),
        ("T", 606_352 - UNUSED),
        ("V", 540_304 - UNUSED),
        ("A", 441_232 - UNUSED),
    ],
)
def test_parameter_counts_with_the_papers_features(modalities, count):
    dims = dict(PAPER[letter] for letter in modalities)
    model = Conflict(dims, method_config(FUSIONS, "conflict", {"video_head": True, "input_norm": True}))
    assert sum(p.numel() for p in model.parameters()) == count


def test_parameter_counts_of_the_parts():
    def count(module):
        return sum(p.numel() for p in module.parameters())

    model = Conflict(dict(PAPER.values()), method_config(FUSIONS, "conflict", {"video_head": True, "input_norm": True}))
    level_one = {name: count(encoder) for name, encoder in model.encoders.items()}
    assert level_one == {"visual": 203_011, "audio": 103_939, "text": 269_059}
    assert count(model.directions) == 24_576
    assert count(model.pairs) == 25_920 + 24_960
    assert count(model.withins) == 1_536 + 12_672
    assert count(model.project) == 49_536
    assert count(model.gates) == 66_056
    assert count(model.context.layers) == 264_960
    assert count(model.video_head) == 16_577 + 8_841 + 8_577
    same = Conflict(
        dict.fromkeys(DIMS, 768), method_config(FUSIONS, "conflict", {"video_head": True, "input_norm": True})
    )
    assert count(same) == 1_312_029


def test_without_the_norm_of_the_input_its_parameters_are_gone_and_strength_is_seen():
    plain, normed = build(), build(input_norm=True)
    fewer = sum(p.numel() for p in normed.parameters()) - sum(p.numel() for p in plain.parameters())
    assert fewer == 2 * sum(DIMS.values())
    streams = inputs()
    twice = {name: 2 * x for name, x in streams.items()}
    assert torch.allclose(normed(streams, whole()), normed(twice, whole()), atol=1e-3)
    assert not torch.allclose(plain(streams, whole()), plain(twice, whole()), atol=1e-2)


def test_level_one_sees_no_other_modality():
    model, streams = build(), {name: x.requires_grad_() for name, x in inputs().items()}
    reading = model.read(streams, whole())
    (reading.affect["visual"].sum() + reading.hidden["visual"].sum()).backward()
    assert streams["visual"].grad.abs().sum() > 0
    assert streams["text"].grad is None
    assert streams["audio"].grad is None


@pytest.mark.parametrize(
    ("options", "affect_learns", "encoder_learns"),
    [({}, True, True), ({"stop_gradient": True}, False, True), ({"strict": True}, False, False)],
)
def test_what_level_one_learns_from_frame_labels(options, affect_learns, encoder_learns):
    model = build(**options)
    logits = model(inputs(), whole())
    assert torch.equal(logits, build()(inputs(), whole()))
    logits.square().sum().backward()
    learns = [p.grad is not None and bool(p.grad.any()) for e in model.encoders.values() for p in e.affect.parameters()]
    assert learns == [affect_learns] * 6
    projections = [e.project.weight.grad for e in model.encoders.values()]
    assert [g is not None and bool(g.any()) for g in projections] == [encoder_learns] * 3


@pytest.mark.slow
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("pool", [1, 4])
def test_thirty_masked_frames_change_nothing(causal, pool):
    model, streams, mask = build(causal=causal, pool=pool, video_head=True), inputs(), whole()
    longer = {name: torch.cat([x, torch.randn(3, 30, x.shape[2])], 1) for name, x in streams.items()}
    padded = torch.cat([mask, torch.zeros(3, 30, dtype=torch.bool)], 1)
    with torch.no_grad():
        assert (model(longer, padded)[:, :50] - model(streams, mask)).abs().max() < 1e-5
        assert (model.video_margin(longer, padded) - model.video_margin(streams, mask)).abs().max() < 1e-5
    before, after = model.explain(streams, mask), model.explain(longer, padded)
    for name, track in after.items():
        assert torch.allclose(track[:, :50], before[name], atol=1e-5), name
        assert not track[:, 50:].any(), name
    label, tail = torch.randint(0, 2, (3, 50)), torch.randint(0, 2, (3, 30))
    losses = [model.loss(streams, label, mask), model.loss(longer, torch.cat([label, tail], 1), padded)]
    assert torch.allclose(*losses, atol=1e-5)


def test_a_causal_model_sees_no_later_step():
    model, streams, mask = build(causal=True, pool=4), inputs(), whole()
    later = {name: torch.cat([x[:, :24], torch.randn(3, 26, x.shape[2])], 1) for name, x in streams.items()}
    for before, after in zip(*(model.explain(s, mask).values() for s in (streams, later)), strict=True):
        assert torch.allclose(before[:, :24], after[:, :24], atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(model(streams, mask)[:, :24], model(later, mask)[:, :24], atol=1e-6)
        assert not torch.allclose(build()(streams, mask)[:, :24], build()(later, mask)[:, :24], atol=1e-4)


def test_a_step_is_the_mean_of_its_frames_and_its_logit_theirs():
    model, streams, mask = build(), inputs(frames=48), whole(frames=48)
    order = torch.arange(48).reshape(12, 4).flip(1).flatten()
    with torch.no_grad():
        logits = model(streams, mask)
        shuffled = model({name: x[:, order] for name, x in streams.items()}, mask)
    assert torch.allclose(logits, shuffled, atol=1e-5)
    assert torch.equal(logits[:, ::4], logits[:, 3::4])
    assert not torch.equal(logits[:, ::4][:, 1:], logits[:, ::4][:, :-1])


@pytest.mark.parametrize("order", itertools.permutations(DIMS))
def test_the_order_of_the_streams_does_not_matter(order):
    dims, streams = {name: DIMS[name] for name in order}, inputs()
    with torch.no_grad():
        logits = build(dims)({name: streams[name] for name in order}, whole())
        assert torch.equal(logits, build()(streams, whole()))


def test_a_modality_that_a_video_lacks_is_as_if_the_model_had_none():
    streams = inputs()
    streams["audio"] = torch.zeros_like(streams["audio"])
    model, fewer = build(), build({name: DIMS[name] for name in ("visual", "text")})
    fewer.load_state_dict({name: model.state_dict()[name] for name in fewer.state_dict()})
    with torch.no_grad():
        assert torch.allclose(model(streams, whole()), fewer(streams, whole()), atol=1e-6)
    found = model.explain(streams, whole())
    for name in ("gate/audio", "gate/within:audio", "gate/audio+text", "gate/visual+audio", "conflict/audio+text"):
        assert not found[name].any()
    assert found["gate/visual+text"].all()


def test_the_question_is_context_and_in_no_conflict():
    dims = {**DIMS, "question": 19}
    model, streams = build(dims), inputs(dims)
    other = {**streams, "question": torch.randn(3, 50, 19)}
    assert not any("question" in name for name in model.explain(streams, whole()))
    before, after = model.explain(streams, whole()), model.explain(other, whole())
    for name in before:
        # it moves the gates, and nothing that the modalities show
        assert torch.equal(before[name], after[name]) != name.startswith("gate/"), name
    with torch.no_grad():
        assert not torch.allclose(model(streams, whole()), model(other, whole()), atol=1e-4)


NAMES = {name: tuple(p.shape) for name, p in build().state_dict().items()}
PAIRS = ("pairs.", "directions.", "gates.visual+audio.", "gates.visual+text.", "gates.audio+text.")


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({"pairs": False}, PAIRS),
        ({"within": False}, ("withins.", "gates.within:")),
        ({"gates": False}, ("gates.",)),
        ({"causal": True}, ()),
        ({"prior": False}, ()),
        ({"stop_gradient": True}, ()),
        ({"strict": True}, ()),
    ],
)
def test_a_switch_takes_away_what_it_names_and_nothing_else(options, gone):
    left = {name: tuple(p.shape) for name, p in build(**options).state_dict().items()}
    assert left == {name: shape for name, shape in NAMES.items() if not (gone and name.startswith(gone))}


@pytest.mark.parametrize(
    ("parts", "size"), [(["difference"], 8), (["difference", "product"], 17), (["difference", "product", "affect"], 20)]
)
def test_pairs_are_compared_by_the_parts_named(parts, size):
    left = {name: tuple(p.shape) for name, p in build(pair_parts=parts).state_dict().items()}
    changed = {name for name in NAMES if left[name] != NAMES[name]}
    pairs = {f"pairs.{pair}.first.weight" for pair in ("visual+audio", "visual+text", "audio+text")}
    assert left.keys() == NAMES.keys()
    assert changed == (pairs if size != 20 else set())
    assert {left[name][1] for name in pairs} == {size}


def test_the_prior_moves_the_gates_of_pairs_alone():
    seen = {"text+visual": 0.69, "audio+text": 0.165, "audio+visual": 0.0}
    first, second = build(pair_shares=seen).state_dict(), build(prior=False).state_dict()
    nothing_known = build().state_dict()
    assert all(torch.equal(nothing_known[name], second[name]) for name in second)
    changed = {name: first[name].item() for name in first if not torch.equal(first[name], second[name])}
    assert changed == pytest.approx(
        {
            "gates.visual+text.second.bias": 0.8001,
            "gates.audio+text.second.bias": -1.6215,
            "gates.visual+audio.second.bias": -3.0,
        },
        abs=1e-3,
    )


@pytest.mark.parametrize(("anchor", "gone"), [("visual", "visual"), ("audio", "audio"), ("text", "text")])
def test_the_anchor_has_no_gate_and_the_others_have(anchor, gone):
    gates = set(build(anchor=anchor).gates)
    assert {name for name in DIMS if name in gates} == set(DIMS) - {gone}


def test_the_anchor_falls_back_to_what_there_is():
    assert build({"visual": 9, "audio": 6}).anchor == "visual"
    assert build({"audio": 6}, anchor="visual").anchor == "audio"
    assert build({"question": 19}).anchor is None


def test_a_stream_of_cues_is_one_more_modality():
    dims = {**DIMS, "cues": 7}
    model = build(dims)
    assert {"visual+cues", "audio+cues", "text+cues", "cues", "within:cues"} <= set(model.gates)
    assert model.gates["text+cues"].second.bias.item() == 0
    assert model(inputs(dims), whole()).shape == (3, 50, 2)


def test_explanations_have_names_and_shapes():
    found = build().explain(inputs(), whole())
    pairs = ["visual+audio", "visual+text", "audio+text"]
    gates = [*pairs, *(f"within:{name}" for name in DIMS), "visual", "audio"]
    expected = {f"affect/{name}": (3, 50, 3) for name in DIMS}
    expected |= {f"within/{name}": (3, 50, len(WITHIN)) for name in DIMS}
    expected |= {f"conflict/{pair}": (3, 50) for pair in pairs} | {f"gate/{name}": (3, 50) for name in gates}
    assert {name: tuple(x.shape) for name, x in found.items()} == expected
    assert all(x.dtype == torch.float32 and not x.requires_grad for x in found.values())
    for name, x in found.items():
        assert x.max() <= 1, name
        assert x.min() >= (-0.5 if name.startswith("within") else 0), name


def test_one_modality_has_conflict_within_alone():
    found = build({"text": 11}).explain(inputs({"text": 11}), whole())
    assert set(found) == {"affect/text", "within/text", "gate/within:text"}


def test_training_noise_gaps_and_absences_are_drawn_in_training_alone():
    options = {"noise": 0.5, "gap": 0.3, "absence": 0.5, "dropout": 0.0}
    model, plain = build(**options), build(dropout=0.0)
    with torch.no_grad():
        assert torch.equal(model(inputs(), whole()), plain(inputs(), whole()))
        model.train()
        first, second = (model(inputs(), whole()) for _ in range(2))
    assert not torch.allclose(first, second, atol=1e-4)


def test_video_questions_to_a_model_without_that_head_are_refused():
    with pytest.raises(WaverError, match="video_head"):
        build().video_margin(inputs(), whole())
    with pytest.raises(WaverError, match="needs a modality"):
        build({"question": 19}, video_head=True)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(WaverError, match="no multiple of heads"):
        build(size=18, heads=4)
    with pytest.raises(WaverError, match="no channels"):
        build({"body": 4})


def test_every_parameter_learns_from_the_models_own_loss():
    dims = {**DIMS, "question": 19}
    model, label = build(dims, video_head=True), torch.randint(0, 2, (3, 50))
    model.loss(inputs(dims), label, whole(), torch.tensor([0.6, 2.5])).backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle
