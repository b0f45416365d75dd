"""Parts of the conflict model: features of conflict, terms of its loss, augmentation, statistics of a track."""

import numpy as np
import pytest
import torch
from torch import nn

from waver.evaluation.metrics import avgf1
from waver.models.fusion.conflict.affect import baseline, pooled, steps_of
from waver.models.fusion.conflict.augmentation import with_absences, with_dimensions_dropped, with_gaps, with_noise
from waver.models.fusion.conflict.evidence import WITHIN, pair_features, pair_size, within_features
from waver.models.fusion.conflict.gates import Context, Gate, positions
from waver.models.fusion.conflict.losses import (
    affect_loss,
    balanced_frame_loss,
    conflict_loss,
    smooth_loss,
    soft_macro_f1,
    video_loss,
)
from waver.models.fusion.conflict.video_head import track_statistics

PARTS = ("difference", "product", "affect")


def pointed(batch=2, steps=5, size=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    direction = nn.functional.normalize(torch.randn(batch, steps, size, generator=generator), dim=-1)
    return torch.cat([direction, torch.rand(batch, steps, 3, generator=generator)], -1)


def test_a_step_averages_the_frames_that_are_seen():
    x = torch.arange(10.0)[None, :, None]
    seen = torch.tensor([[True, True, False, True, False, False, False, False, True, True]])
    assert pooled(x, seen, 4).flatten().tolist() == pytest.approx([4 / 3, 0.0, 8.5])
    assert steps_of(seen, 4).tolist() == [[True, False, True]]
    assert torch.equal(pooled(x, torch.ones_like(seen), 1), x)
    hidden = torch.full_like(x, torch.nan).masked_scatter(seen[..., None], x[seen])
    assert torch.equal(pooled(hidden, seen, 4), pooled(x, seen, 4))


def test_the_baseline_is_the_mean_of_seen_steps():
    x, seen = torch.tensor([[[1.0], [5.0], [3.0]]]), torch.tensor([[True, False, True]])
    assert baseline(x, seen, causal=False).flatten().tolist() == [2.0]
    assert baseline(x, seen, causal=True).flatten().tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("parts", [PARTS, ("difference",), ("product", "affect")])
def test_a_pair_is_the_same_from_both_sides(parts):
    first, second = pointed(seed=0), pointed(seed=1)
    features = pair_features(first, second, parts)
    assert torch.equal(features, pair_features(second, first, parts))
    assert features.shape[-1] == pair_size(4, parts)
    assert pair_size(64, PARTS) == 132


def test_opposite_modalities_conflict_and_equal_ones_do_not():
    happy, sad = torch.tensor([1.0, 0.0, 0.2]), torch.tensor([0.0, 1.0, 0.7])
    point = nn.functional.normalize(torch.ones(4), dim=0)
    one, other = torch.cat([point, happy]), torch.cat([-point, sad])
    assert pair_features(one, other, ("product",))[-1].item() == pytest.approx(2)
    assert pair_features(one, other, ("affect",)).tolist() == pytest.approx([1, 1, 0.7])
    assert pair_features(one, one, ("difference", "affect")).tolist() == pytest.approx([0, 0, 0, 0, 0, 0, 0.2])


def within_by_loops(affect, frames, causal):
    """The same as ``within_features``, of one video, a step at a time."""
    rows = np.zeros((len(affect), len(WITHIN)))
    valence = affect[:, 0] - affect[:, 1]

    def mean(values, first, last):
        part = values[max(first, 0) : max(min(last, frames - 1) + 1, 0)]
        return part.mean(0) if len(part) else None

    for t in range(frames):
        for i, w in enumerate((3, 6, 12)):
            first, last = (t - 2 * w, t) if causal else (t - w, t + w)
            p, n, _ = mean(affect, first, last)
            part = valence[max(first, 0) : min(last, frames - 1) + 1]
            before = mean(valence, t - 4 * w, t - 2 * w - 1) if causal else mean(valence, t - 2 * w, t - 1)
            after = mean(valence, t - 2 * w + 1, t) if causal else mean(valence, t + 1, t + 2 * w)
            turned = 0 if before is None or after is None else abs(before - after)
            rows[t, 4 * i : 4 * i + 4] = min(p, n), (p + n) / 2 - abs(p - n), turned, max(part.var(), 1e-6) ** 0.5
    return rows


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("frames", [1, 2, 20, 60])
def test_within_features_are_those_of_a_plain_loop(frames, causal):
    affect = torch.rand(1, 60, 3, generator=torch.Generator().manual_seed(frames))
    mask = torch.arange(60)[None] < frames
    found = within_features(affect, mask, causal)[0, :frames].numpy()
    assert found == pytest.approx(within_by_loops(affect[0].numpy(), frames, causal)[:frames], abs=1e-5)


def test_mixed_feelings_are_not_the_same_as_none():
    column = {name: i for i, name in enumerate(WITHIN)}
    mask = torch.ones(1, 40, dtype=torch.bool)
    mixed, none = (within_features(torch.full((1, 40, 3), level), mask, False)[0, 20] for level in (0.9, 0.1))
    for sign in ("kaplan_12", "griffin_12"):
        assert mixed[column[sign]].item() == pytest.approx(0.9)
        assert none[column[sign]].item() == pytest.approx(0.1)


@pytest.mark.parametrize(("start", "bias"), [(0.69, 0.8001), (0.165, -1.6215), (0.043, -3.0), (0.5, 0.0), (0.99, 3.0)])
def test_a_gate_starts_at_the_logit_of_its_prior(start, bias):
    assert Gate(8, start).second.bias.item() == pytest.approx(bias, abs=1e-3)


def test_positions_are_sines_and_cosines():
    found = positions(50, 6, torch.device("cpu"))
    assert found.shape == (50, 6)
    assert found[7].tolist() == pytest.approx(
        [f(7 / 1e4 ** (2 * i / 6)) for i in range(3) for f in (np.sin, np.cos)], abs=1e-5
    )


def test_context_without_layers_leaves_time_alone():
    context, x = Context(8, 2, 0, 0.0, causal=False), torch.randn(1, 5, 8)
    changed = torch.cat([x[:, :2], torch.randn(1, 3, 8)], 1)
    mask = torch.ones(1, 5, dtype=torch.bool)
    assert torch.equal(context(x, mask)[:, :2], context(changed, mask)[:, :2])


def test_soft_f1_of_decided_frames_is_the_macro_f1():
    rng = np.random.default_rng(0)
    guess, label = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    assert soft_macro_f1(torch.tensor(guess).float(), torch.tensor(label).float()).item() == pytest.approx(
        avgf1(guess.astype(float), label.astype(np.uint8)), abs=1e-6
    )


def test_the_frame_loss_weighs_positives_by_the_root_of_the_classes_ratio():
    logits, label = torch.randn(2, 9, 2), torch.randint(0, 2, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.bool)
    plain = balanced_frame_loss(logits, label, mask, None, 0.0)
    assert plain.item() == pytest.approx(nn.functional.cross_entropy(logits.flatten(0, 1), label.flatten()).item())
    # 76,515 of 501,970 training frames of the papers
    weight = torch.tensor([501_970 / 2 / 425_455, 501_970 / 2 / 76_515])
    one_sided = balanced_frame_loss(logits, torch.ones_like(label), mask, weight, 0.0)
    assert (one_sided / balanced_frame_loss(logits, torch.ones_like(label), mask, None, 0.0)).item() == pytest.approx(
        2.358, abs=1e-3
    )
    assert balanced_frame_loss(logits, label, mask, None, 0.5) > plain


def test_a_steady_track_costs_nothing_and_a_jump_at_most_sixteen():
    mask = torch.tensor([[True] * 6 + [False] * 2])
    assert smooth_loss(torch.full((1, 8), 1.3), mask).item() == 0
    jumping = torch.tensor([[-90.0, 90.0, -90.0, 90.0, -90.0, 90.0, 0.0, 0.0]])
    assert smooth_loss(jumping, mask).item() == pytest.approx(16)
    assert smooth_loss(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool)).item() == 0


def test_agreement_is_asked_for_outside_of_conflict():
    mask, label = torch.tensor([[True, True, False]]), torch.tensor([[1.0, 0.0, 1.0]])
    apart = {("visual", "text"): torch.tensor([[1.0, 0.0, 0.0]])}
    together = {("visual", "text"): torch.tensor([[0.0, 1.0, 0.0]])}
    starts = {("visual", "text"): 0.69, ("visual", "audio"): 0.043}
    assert conflict_loss(apart, label, mask, starts).item() == 0
    assert conflict_loss(together, label, mask, starts).item() == pytest.approx((0.5 + 1) / 2)
    both = {**together, ("visual", "audio"): torch.tensor([[1.0, 0.0, 0.0]])}
    share = 0.69 / (0.69 + 0.043)
    expected = (max(0, 0.5 - (1 - share)) + share) / 2
    assert conflict_loss(both, label, mask, starts).item() == pytest.approx(expected)
    assert conflict_loss({}, label, mask, {}).item() == 0


def test_affect_counts_only_where_something_is_known():
    track = torch.tensor([[[0.8, 0.3, 0.5], [0.1, 0.1, 0.1]]])
    target = torch.tensor([[[1.0, torch.nan, torch.nan], [torch.nan] * 3]])
    assert affect_loss({"text": track}, {"text": target}).item() == pytest.approx(-np.log(0.8))
    assert affect_loss({"text": track}, {"audio": target}) is None
    assert affect_loss({"text": track}, {"text": torch.full_like(target, torch.nan)}) is None


def test_smoothed_video_labels_want_no_certainty():
    label = torch.tensor([1])
    losses = [video_loss(torch.tensor([margin]), label).item() for margin in (2.0, float(np.log(0.975 / 0.025)), 9.0)]
    assert losses[1] == min(losses)


def test_statistics_of_a_track_leave_padding_out():
    track = torch.tensor([[0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1]])
    found = track_statistics(track, torch.ones(1, 8, dtype=torch.bool))[0]
    assert found.tolist() == pytest.approx([0.7, 0.12**0.5, 0.9, 1.6 / 7], abs=1e-5)
    longer = torch.cat([track, torch.full((1, 5), 0.99)], 1)
    mask = torch.arange(13)[None] < 8
    assert torch.allclose(track_statistics(longer, mask)[0], found, atol=1e-6)


def test_augmentation_does_what_its_numbers_say():
    torch.manual_seed(0)
    streams = {"visual": torch.ones(200, 40, 3), "text": torch.ones(200, 40, 3)}
    streams["text"][:, :5] = 0
    mask = torch.ones(200, 40, dtype=torch.bool)
    noisy = with_noise(streams, 0.05)
    assert (noisy["visual"] - 1).std().item() == pytest.approx(0.05, rel=0.05)
    assert not noisy["text"][:, :5].any()
    dropped = with_dimensions_dropped(streams, 0.25)["visual"]
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 40, -1))
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)
    gaps = with_gaps(streams, mask, 0.1)["visual"]
    assert (gaps == 0).all(-1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert ((gaps[:, 1:] == 0).all(-1) & (gaps[:, :-1] != 0).all(-1)).sum(1).max() == 1
    absent = with_absences(streams, "text", 0.25)
    assert torch.equal(absent["text"], streams["text"])
    gone = (absent["visual"] == 0).all(-1)
    assert torch.equal(gone.all(1), gone.any(1))
    assert gone.all(1).float().mean().item() == pytest.approx(0.25, abs=0.1)
