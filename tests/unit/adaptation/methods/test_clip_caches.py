"""TDA, DPE, ReTA, EB-CaP and TTA-CaP: check values, and the traps of two classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from waver.adaptation.methods.vision_language import prototypes as clusters
from waver.adaptation.methods.vision_language.dpe import ADAMW, Dpe, Prototypes, average
from waver.adaptation.methods.vision_language.eb_cap import EbCap, EnergyCaches, VariedCache, sample_towards, thresholds
from waver.adaptation.methods.vision_language.reta import (
    PromptSets,
    Reta,
    disagreement,
    prompt_sets,
    refined_logits,
    spread_from,
    within,
)
from waver.adaptation.methods.vision_language.tda import Tda, TwoCaches
from waver.adaptation.methods.vision_language.tta_cap import (
    CachedStream,
    TtaCap,
    frechet,
    majority,
    personal_prototypes,
)
from waver.adaptation.vision_language.base import Frames
from waver.adaptation.vision_language.confidence import Cache, certain_views, marginal_entropy
from waver.adaptation.vision_language.people import PeopleCache, alignment
from waver.adaptation.vision_language.runner import predict_people

D, SCALE = 12, 8.0


def unit(*shape, seed=0):
    return functional.normalize(torch.randn(*shape, D, generator=torch.Generator().manual_seed(seed)), dim=-1)


def frames(features, views=None, video=0):
    count = len(features)
    plain = functional.normalize(features, dim=-1)[:, None]
    return Frames(
        features, features, plain if views is None else views, torch.zeros(0, 1, 1, 3), video,
        torch.arange(count), list(range(count)),
    )  # fmt: skip


def weights():
    return unit(2, seed=1).T


def base(features):
    return SCALE * functional.normalize(features, dim=-1) @ weights()


# shared ---------------------------------------------------------------------------------------------
def test_marginal_entropy_is_that_of_the_mean_prediction():
    logits = torch.randn(5, 6, 3) * 4
    mean = logits.softmax(-1).mean(1)
    torch.testing.assert_close(marginal_entropy(logits), -(mean * mean.log()).sum(1), atol=1e-6, rtol=1e-5)


def test_certain_views_are_those_of_least_entropy_and_at_least_one():
    logits = torch.tensor([[0.0, 0.1], [0.0, 9.0], [0.0, 5.0], [3.0, 0.0]])
    assert certain_views(logits, 0.5).tolist() == [1, 2]
    assert certain_views(logits, 0.1).tolist() == [1]


def test_a_full_cache_keeps_the_most_certain():
    cache = Cache(2)
    for key in (0.5, 0.3, 0.4, 0.9, 0.1):
        cache.insert(1, torch.full((1, D), key), key, torch.zeros(1, 2))
    assert [item[1] for item in cache.items[1]] == [0.1, 0.3]


# TDA ------------------------------------------------------------------------------------------------
def test_tda_adds_alpha_to_the_class_of_a_frame_in_its_cache():
    config = Tda.Config(neg_capacity=0)
    feature = unit(1)
    added = TwoCaches(weights(), SCALE, config).predict(frames(feature)) - base(feature)
    label = int(base(feature).argmax())
    assert added[0, label] == pytest.approx(2.0, abs=1e-5)
    assert added[0, 1 - label] == 0


def test_tda_without_caches_is_clip_and_its_negative_cache_moves_no_margin():
    features = unit(60)
    empty = TwoCaches(weights(), SCALE, Tda.Config(capacity=0, neg_capacity=0))
    torch.testing.assert_close(empty.predict(frames(features)), base(features))
    streams = [
        TwoCaches(weights(), SCALE, Tda.Config(neg_alpha=alpha, neg_mask_binary=binary))
        for alpha, binary in ((0.0, False), (5.0, False), (5.0, True))
    ]
    margins = [logits[:, 1] - logits[:, 0] for logits in (stream.predict(frames(features)) for stream in streams)]
    assert (streams[1].negative.key < torch.inf).any()
    torch.testing.assert_close(margins[0], margins[1], atol=1e-5, rtol=0)
    assert (margins[0] - margins[2]).abs().max() > 0.1


def test_tda_is_the_release_as_a_dictionary_of_lists():
    features, config = unit(200, seed=3), Tda.Config()
    stream, caches = TwoCaches(weights(), SCALE, config), ({}, {})
    for number, feature in enumerate(features):
        x, logits = feature[None], SCALE * feature[None] @ weights()
        p = logits.softmax(1)
        nats = float(-(p * p.log()).sum())
        label = int(logits.argmax())
        for cache, size, admitted in ((caches[0], 3, True), (caches[1], 2, 0.2 < nats < 0.5)):
            if admitted:
                own = cache.setdefault(label, [])
                if len(own) < size:
                    own.append((x, nats, p))
                elif nats < own[-1][1]:
                    own[-1] = (x, nats, p)
                own.sort(key=lambda item: item[1])
        for label, own in caches[0].items():
            for key, _, _ in own:
                logits[0, label] += 2.0 * math.exp(-5.0 * (1 - float(x @ key.T)))
        for own in caches[1].values():
            for key, _, shown in own:
                logits -= 0.117 * math.exp(-(1 - float(x @ key.T))) * ((shown > 0.03) & (shown < 1.0))
        got = stream.predict(frames(features[number : number + 1]))
        torch.testing.assert_close(got, logits, atol=1e-4, rtol=1e-4)


# DPE, ReTA ------------------------------------------------------------------------------------------
def test_dpe_without_rates_is_tda_with_the_mean_of_each_class():
    features = unit(40, seed=4)
    stream = Prototypes(weights(), SCALE, Dpe.Config(text_lr=0, image_lr=0, capacity=1, alpha=2.0, confident=0))
    single = TwoCaches(weights(), SCALE, Tda.Config(capacity=1, neg_capacity=0))
    torch.testing.assert_close(stream.predict(frames(features)), single.predict(frames(features)), atol=1e-4, rtol=1e-4)
    assert stream.steps == 40


def test_running_mean_and_first_step_of_the_optimiser():
    value, averaged = torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)
    for new in (1.0, 2.0, 3.0):
        average(value, averaged, torch.full((2, 1), new), torch.tensor([True, False]))
    assert value[:, 0].tolist() == [pytest.approx(1.5), 0]
    assert averaged.tolist() == [3, 0]
    parameter = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.AdamW([parameter], 6e-4, **ADAMW)
    parameter.grad = torch.tensor([0.01])
    optimiser.step()
    assert parameter.item() == pytest.approx(-5.4545e-4, rel=1e-4)


def test_alignment_of_a_single_class_is_nothing_and_of_two_a_cross_entropy():
    images, texts = unit(3, 2, seed=2).mT, unit(3, 2, seed=3).mT
    present = torch.tensor([[True, False], [False, True], [True, True]])
    got = alignment(images, texts, present)
    assert got[:2].tolist() == [0, 0]
    cosines = images[2].T @ texts[2] / 0.01
    torch.testing.assert_close(got[2], functional.cross_entropy(cosines, torch.arange(2)))


def test_reta_of_one_set_is_dpe_whose_cache_does_not_move():
    features = unit(30, seed=5)
    text = prompt_sets(weights().T[:, None], 1)
    torch.testing.assert_close(text[:, 0], weights())
    ours = PromptSets(text, SCALE, Reta.Config(sets=1, mix=1, refine=0, capacity=1))
    theirs = Prototypes(weights(), SCALE, Dpe.Config(image_lr=0, capacity=1))
    one, other = ours.predict(frames(features)), theirs.predict(frames(features))
    torch.testing.assert_close(one[:, 1] - one[:, 0], other[:, 1] - other[:, 0], atol=1e-4, rtol=1e-4)
    assert ours.averaged == theirs.averaged > 0


def test_sets_of_prompts_grow_from_the_least_typical():
    sentences = unit(2, 9, seed=6)
    text = prompt_sets(sentences, 3)
    assert text.shape == (D, 3, 2)
    torch.testing.assert_close(text[:, 2, 1], functional.normalize(sentences[1].mean(0), dim=0))
    likeness = sentences[0] @ sentences[0].T
    order = (likeness.sum(1) - 1).argsort()
    torch.testing.assert_close(text[:, 0, 0], functional.normalize(sentences[0][order[:3]].mean(0), dim=0))


def test_the_gaussian_is_flat_for_equal_prompts_and_for_the_own_class():
    views, label = unit(1, 4, seed=7), torch.tensor([1])
    equal = weights()[:, None].expand(1, D, 3, 2)
    torch.testing.assert_close(spread_from(views, equal, label - 1), torch.zeros(1, 4, 2), atol=1e-12, rtol=0)
    torch.testing.assert_close(refined_logits(views, equal, label, SCALE), SCALE * views @ weights())
    spread = spread_from(views, prompt_sets(unit(2, 9, seed=8), 3)[None], label)[0]
    assert torch.allclose(spread[:, 1], torch.zeros(4), atol=1e-7)
    assert (spread[:, 0] > 0).all()


def test_disagreement_of_three_sets_takes_four_values():
    text = torch.stack([prompt_sets(unit(2, 9, seed=1000 + seed), 3) for seed in range(200)])
    feature = torch.cat([unit(1, seed=seed) for seed in range(200)])
    last = text[:, :, -1]
    label = (feature[:, None] @ last)[:, 0].argmax(dim=1)
    found = {round(value, 6) for value in disagreement(feature, text, last, label).log().tolist()}
    known = {round(math.log(value), 6) for value in (1, 1.5, 2, 3)}
    assert {0.0} < found <= known


@pytest.mark.parametrize("rank", [1, 2])
def test_a_frame_is_seen_in_the_directions_that_the_classes_span(rank):
    columns = unit(5, 2, seed=12).mT.double()
    columns[:, :, 1] = columns[:, :, 0] if rank == 1 else columns[:, :, 1]
    points = unit(5, seed=13).double()
    basis = torch.linalg.svd(columns, full_matrices=False)[0][:, :, :rank]
    torch.testing.assert_close(within(points, columns), (points[:, None] @ basis @ basis.mT)[:, 0])


# people at once -------------------------------------------------------------------------------------
def test_a_cache_of_people_is_that_of_each():
    draw = torch.Generator().manual_seed(0)
    together, alone = PeopleCache(3, 2, 3, D), [Cache(3) for _ in range(3)]
    for step in range(60):
        count = 3 if step < 40 else 2
        label = torch.randint(0, 2, (count,), generator=draw)
        feature, key = torch.randn(count, D, generator=draw), torch.randint(0, 20, (count,), generator=draw) / 20
        probability, wanted = torch.rand(count, 2, generator=draw), torch.rand(count, generator=draw) < 0.7
        together.insert(label, feature, key, probability, wanted)
        for one in torch.nonzero(wanted).squeeze(1).tolist():
            alone[one].insert(int(label[one]), feature[one][None], float(key[one]), probability[one][None])
    for one, cache in enumerate(alone):
        for label, items in cache.items.items():
            assert torch.equal(together.feature[one, label, : len(items)], torch.cat([item[0] for item in items]))
            assert together.key[one, label, : len(items)].tolist() == pytest.approx([item[1] for item in items])
            assert torch.equal(together.probability[one, label, : len(items)], torch.cat([i[2] for i in items]))


class Sentences:
    """What methods read of a Start."""

    scale = 20.0

    def sentences(self, prompts):
        return unit(2, 9, seed=8)

    def weights(self, prompts):
        return functional.normalize(self.sentences(prompts).mean(dim=1), dim=-1).T


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "config"),
    [
        (Tda, {"neg_mask_binary": True}),
        (Tda, {"views": True, "share": 0.5}),
        (Dpe, {"steps": 2, "text_lr": 1e-2, "image_lr": 1e-2, "confident": 0.3}),
        (Reta, {"share": 0.4, "lr": 1e-2, "confident": 0.3}),
    ],
)
def test_people_adapted_at_once_are_people_adapted_alone(method, config):
    adapter, lengths = method(method.Config(**config)), (14, 40, 1, 27)
    people = [unit(length, 6, seed=20 + number) for number, length in enumerate(lengths)]
    together, steps, chosen = predict_people(adapter, Sentences(), [iter(views) for views in people], lengths)
    for views, found, taken, kept in zip(people, together, steps, chosen, strict=True):
        stream = adapter.begin(Sentences(), {}, torch.zeros(0, D), 0)
        one = stream.predict(frames(views[:, 0], views)).detach()
        torch.testing.assert_close(found, one, atol=1e-5, rtol=1e-5)
        assert kept.points()[-1] == {"done": 1.0, "frames": stream.chosen}
        assert 0 < stream.chosen <= len(views)
        assert taken == int(stream.steps) == len(views) * (0 if method is Tda else config.get("steps", 1))
    still = Sentences().scale * people[1][:, 0] @ Sentences().weights("ensemble")
    assert (together[1] - still).abs().max() > 0.1


# EB-CaP ---------------------------------------------------------------------------------------------
def test_eb_cap_without_weights_is_clip():
    stream = EnergyCaches(weights(), SCALE, EbCap.Config(sampled=0, positive=0, negative=0))
    torch.testing.assert_close(stream.predict(frames(unit(20))), base(unit(20)))


def test_a_chain_follows_the_energy_and_ends_in_its_class():
    classes = unit(2, seed=1)
    features = functional.normalize(classes.repeat(3, 1) + 0.1 * unit(6, seed=9), dim=1)
    noise = torch.randn(6, 20, 2, 3, D, generator=torch.Generator().manual_seed(0))
    labels = (features @ classes.T).argmax(1)
    one = sample_towards(features, classes, noise[:, :1], 0.01, 0.1)
    many = sample_towards(features, classes, noise, 0.01, 0.1)
    for number, label in enumerate(labels.tolist()):
        assert torch.equal(one[number, label], many[number, label])  # it is of its class: one step is enough
    x = features[:, None, None].expand(6, 2, 3, D).clone().requires_grad_(True)
    energy = -(functional.normalize(x, dim=-1) * classes[None, :, None]).sum()
    (gradient,) = torch.autograd.grad(energy, x)
    moved = x - 0.005 * gradient + 0.1 * 0.1 * noise[:, 0]
    torch.testing.assert_close(one, functional.normalize(moved, dim=-1).detach(), atol=1e-6, rtol=1e-5)


def test_a_varied_cache_refuses_what_it_knows_and_thresholds_follow_the_video():
    cache = VariedCache(2, 2, certain=True)
    for feature, nats in ((unit(1), 0.5), (unit(1), 0.1), (-unit(1), 0.4)):
        cache.offer(1, feature, nats)
    assert [nats for _, nats in cache.items[1]] == [0.5, 0.4]
    cache.offer(1, unit(1, seed=3), 0.6)
    assert [nats for _, nats in cache.items[1]] == [0.5, 0.4]
    assert thresholds([0.1] * 4, EbCap.Config()) == (0.5, 0.8)
    assert thresholds([0.1, 0.3] * 3, EbCap.Config()) == pytest.approx((0.1, 0.3))


# TTA-CaP --------------------------------------------------------------------------------------------
def test_frechet_distance():
    zero, one = torch.zeros(1), torch.ones(1)
    # standard deviations 1 and 2, variances 1 and 4
    assert float(frechet(zero, one, torch.tensor([[3.0]]), torch.tensor([[4.0]]))) == pytest.approx(10)
    assert float(frechet(zero, one, zero[None], one[None])) == 0


def test_tta_cap_without_weights_is_clip_and_equal_parts_change_nothing():
    features, config = unit(20, seed=2), TtaCap.Config(source=0, positive=0, negative=0)
    static = [unit(4, seed=3), unit(4, seed=4)]
    stream = CachedStream(weights(), SCALE, static, config)
    torch.testing.assert_close(stream.predict(frames(features)), base(features))
    same = unit(1)
    label = int(base(same).argmax())
    static = [same, -same] if label == 0 else [-same, same]
    stream = CachedStream(weights(), SCALE, static, TtaCap.Config(negative=0, certain=1))
    for _ in range(5):
        torch.testing.assert_close(stream.predict(frames(same)), base(same))
    assert len(stream.positive.items[label]) == 5


def test_gates_on_a_scripted_stream():
    calm, torn = torch.eye(D)[:1], torch.eye(D)[1:2]
    stream = CachedStream(torch.eye(D)[:2].T, 100.0, [calm, torn], TtaCap.Config(history=3))
    first = stream.predict(frames(calm))
    torch.testing.assert_close(first, 100 * calm @ torch.eye(D)[:2].T)
    for feature in (calm, torn, torn):  # the first torn frame is alone against two
        stream.predict(frames(feature))
    assert {label: len(own) for label, own in stream.positive.items.items()} == {0: 2, 1: 1}
    # a frame between the classes is ambiguous, and its prototypes do not lead
    between = CachedStream(torch.eye(D)[:2].T, 1.0, [calm, torn], TtaCap.Config())
    between.predict(frames(calm + 0.99 * torn))
    assert not between.positive.items
    assert not between.negative.items
    assert majority([0, 1]) == 1
    assert majority([0, 1, 0]) == 0


def test_a_class_that_the_nearest_lack_comes_from_the_next():
    fitted = {
        "mean": torch.tensor([[0.0], [1.0], [2.0]]), "variance": torch.ones(3, 1),
        "prototype": torch.tensor([[1.0], [2.0], [3.0]]), "owner": torch.tensor([0, 1, 2]),
        "label": torch.tensor([0, 0, 1]),
    }  # fmt: skip
    found = personal_prototypes(fitted, torch.zeros(4, 1), TtaCap.Config(nearest=1))
    assert [one.flatten().tolist() for one in found] == [[1.0], [3.0]]


def test_prototypes_are_the_middles_of_dense_clusters():
    draw = np.random.default_rng(0)
    centres = np.eye(6)[:2]
    points = np.concatenate([centre + draw.normal(0, 0.02, (40, 6)) for centre in centres])
    feature = functional.normalize(torch.from_numpy(points).float(), dim=1)
    found = clusters.medoids(feature, 1000, 2, 0)
    assert (found @ torch.eye(6)[:2].float().T).max(0).values.min() > 0.99
    few = clusters.medoids(feature[:5], 1000, 2, 0)
    assert len(few) == 1
    assert any(torch.equal(few[0], one) for one in feature[:5])
    assert len(clusters.medoids(feature[:1].expand(30, 6), 1000, 2, 0)) == 1
