"""The conflict model held to its own numbers: reach, priors, terms and factors of the loss, the video's probability."""

import pytest
import torch

from waver.errors import WaverError
from waver.models.duration_hmm import KAPPAS
from waver.models.fusion.conflict.affect import AffectEncoder
from waver.models.fusion.conflict.model import Conflict
from waver.models.losses import frame_cross_entropy
from waver.records import load, method_config
from waver.registry import FUSIONS

DIMS = {"visual": 9, "audio": 6, "text": 11, "question": 19}
SHARES = {
    "f1_share": 0.5,
    "affect_share": 0.2,
    "smooth_share": 0.15,
    "conflict_share": 0.05,
    "video_share": 1.0,
    "anchor_share": 0.3,
}
SMALL = {"channels": dict.fromkeys(("visual", "audio", "text"), (12, 12)), "size": 16, "shared": 8, "heads": 2}


def build(**options):
    torch.manual_seed(0)
    return Conflict(dict(DIMS), method_config(FUSIONS, "conflict", {**SMALL, "video_head": True, **options})).eval()


def inputs():
    generator = torch.Generator().manual_seed(5)
    streams = {name: torch.randn(3, 50, size, generator=generator) for name, size in DIMS.items()}
    return (
        streams,
        torch.randint(0, 2, (3, 50), generator=generator),
        torch.arange(50) < torch.tensor([[50], [42], [9]]),
    )


def loss(weight=None, **options):
    streams, label, mask = inputs()
    # what questions 2, 4 and 7 ask for
    requested = torch.tensor([[1.0, 0.0, torch.nan], [1.0, 1.0, torch.nan], [1.0, 1.0, torch.nan]])
    targets = {"question": requested[:, None].expand(3, 50, 3)}
    with torch.no_grad():
        return float(build(**options).loss(streams, label, mask, weight, targets))


@pytest.mark.parametrize(("causal", "reach"), [(False, range(70, 131)), (True, range(100, 161))])
def test_level_one_reaches_61_steps_beside_the_baseline(causal, reach):
    torch.manual_seed(0)
    encoder = AffectEncoder(5, (8, 8, 8, 8), 5, 0.2, causal, norm=False).eval()
    hidden, mask = torch.randn(1, 200, 8), torch.ones(1, 200, dtype=torch.bool)
    other = hidden.clone()
    other[:, 100] += torch.randn(8)
    with torch.no_grad():
        for block in encoder.blocks:
            hidden, other = block(hidden, mask), block(other, mask)
    assert (hidden != other).any(-1)[0].nonzero().flatten().tolist() == list(reach)
    assert len(reach) == 61


def test_the_model_is_told_shares_unless_it_is_given_some_or_wants_none():
    seen = {"text+visual": 0.7, "audio+text": 0.2, "audio+visual": 0.0}
    informed = load(FUSIONS, "conflict").informed
    plain = method_config(FUSIONS, "conflict", {})
    assert (plain.pair_shares, informed(plain, seen).pair_shares) == ({}, seen)
    given = method_config(FUSIONS, "conflict", {"pair_shares": {"audio+text": 0.5}})
    assert informed(given, seen) == given
    for options in ({"prior": False}, {"pairs": False}):
        without = method_config(FUSIONS, "conflict", options)
        assert informed(without, seen) == without
    with pytest.raises(WaverError, match="is no pair such as"):
        method_config(FUSIONS, "conflict", {"pair_shares": {"visual+text": 0.5}})


def test_the_loss_is_the_sum_of_its_terms_by_their_factors():
    config = method_config(FUSIONS, "conflict", {})
    assert {name: getattr(config, name) for name in SHARES} == SHARES
    none = dict.fromkeys(SHARES, 0.0)
    bare = loss(**none)
    terms = {name: loss(**{**none, name: 1.0}) - bare for name in SHARES}
    assert all(term > 1e-4 for term in terms.values())
    assert loss() == pytest.approx(bare + sum(share * terms[name] for name, share in SHARES.items()), abs=1e-5)


def test_without_its_other_terms_the_loss_is_the_cross_entropy_of_frames():
    streams, label, mask = inputs()
    with torch.no_grad():
        logits = build()(streams, mask)
    assert loss(**dict.fromkeys(SHARES, 0.0)) == pytest.approx(
        float(frame_cross_entropy(logits, label, mask)), abs=1e-6
    )


def test_a_videos_probability_is_the_mean_of_both_heads():
    model, seen = build(), []
    model.video_head.register_forward_hook(lambda module, given, made: seen.append(made))
    streams, _, mask = inputs()
    with torch.no_grad():
        probability = model.video_margin(streams, mask).sigmoid()
    whole, alone = seen[0]
    torch.testing.assert_close(probability, 0.5 * whole.sigmoid() + 0.5 * alone.sigmoid())
    assert not torch.allclose(whole, alone, atol=1e-3)


def test_evidence_of_a_frame_counts_a_fourth_a_twelfth_or_a_24th():
    assert KAPPAS == (1 / 4, 1 / 12, 1 / 24)
