"""T3AL and TPT: check values."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from tiny_clip import write_clip
from vision_language_place import SMALL
from waver.adaptation.methods.vision_language.t3al import (
    T3al,
    above_the_mean,
    byol,
    chosen_frames,
    moving_average,
)
from waver.adaptation.methods.vision_language.tpt import Tpt
from waver.adaptation.vision_language.base import Frames, start_of
from waver.models.vision_language.encoder import load_vision_language


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    encoder = load_vision_language(write_clip(tmp_path_factory.mktemp("clip"), side=32, width=64))
    return start_of(encoder, SMALL)


def frames(start, count=6, views=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    pre = torch.randn(count, 64, generator=draw)
    raw = (pre @ start.encoder.image_projection).detach()
    others = raw[:, None] + torch.randn(count, views, 16, generator=draw) * raw.std()
    others[:, 0] = raw
    seen = functional.normalize(others, dim=-1)
    return Frames(pre, raw, seen, torch.zeros(0, 1, 1, 3), 0, torch.arange(count), list(range(count)))


def nearest(start, given):
    return start.scale * given.feature @ start.weights("template")


# T3AL -----------------------------------------------------------------------------------------------
def test_byol_values():
    halves = torch.cat([torch.ones(4), torch.zeros(4)])
    assert float(byol(halves, halves)) == pytest.approx(0.3)
    same = functional.normalize(torch.randn(1, 512), dim=1).expand(4, 512)
    assert float(byol(same, same)) == pytest.approx(1.9875, abs=2e-3)


@pytest.mark.parametrize("window", [1, 4, 5, 20])
def test_a_moving_average_keeps_length_and_constants(window):
    assert torch.allclose(moving_average(torch.full((30,), 2.0), window), torch.full((30,), 2.0))
    ramp = moving_average(torch.arange(30.0), window)
    assert len(ramp) == 30
    assert torch.allclose(ramp[10:20].diff(), torch.ones(9), atol=1e-5)


def test_frames_are_chosen_from_the_best_quarter_even_of_short_videos():
    config = T3al.Config(jitter=0)
    chosen = chosen_frames(torch.arange(40.0), config, torch.Generator())
    assert chosen.tolist() == [30, 33, 36, 39]
    assert chosen_frames(torch.arange(3.0), config, torch.Generator()).tolist() == [2] * 4
    moved = chosen_frames(torch.arange(40.0), T3al.Config(), torch.Generator().manual_seed(0))
    assert (moved - chosen).abs().max() <= 10


def test_a_constant_curve_has_no_segment():
    assert (above_the_mean(torch.full((9,), 3.0)) < 0).all()
    assert (above_the_mean(torch.tensor([0.0, 0.0, 1.0])) > 0).tolist() == [False, False, True]


def test_without_steps_it_is_the_likeness_to_the_class_less_the_background(start):
    given = frames(start, 30)
    stream = T3al(T3al.Config(steps=0, window=1, gate=False)).begin(start, {}, torch.zeros(0, 16), 0)
    logits = stream.predict(given)
    seen = given.raw - given.raw.mean(0)
    likeness = functional.normalize(seen, dim=-1) @ start.weights("template")[:, 1]
    assert (logits[:, 1] - logits[:, 0]).argsort().tolist() == likeness.argsort().tolist()
    score = (likeness - likeness.min()) / (likeness.max() - likeness.min())
    assert ((logits[:, 1] > logits[:, 0]) == (score > score.mean())).float().mean() > 0.95


def test_videos_start_alike_unless_as_released(start):
    first, second = frames(start, 30), frames(start, 30, seed=1)
    options = {"steps": 3, "lr": 0.01, "gate": False}
    kept = T3al(T3al.Config(**options)).begin(start, {}, torch.zeros(0, 16), 0)
    alone = kept.predict(second)
    kept.predict(first)
    assert torch.equal(kept.predict(second), alone)
    method = T3al(T3al.Config(**options, released_restore=True))
    leaking = method.begin(start, {}, torch.zeros(0, 16), 0)
    leaking.predict(first)
    assert not torch.allclose(leaking.predict(second), alone)
    assert method.sees.reset == "participant"


def test_the_gate_closes_a_video_of_the_other_class(start):
    text = start.weights("template")
    given = frames(start, 30)
    shut = dataclasses.replace(given)
    whole = functional.normalize(given.raw.mean(0), dim=0) @ text
    logits = T3al(T3al.Config(steps=0)).begin(start, {}, torch.zeros(0, 16), 0).predict(shut)
    assert bool((logits[:, 1] > logits[:, 0]).any()) == bool(whole[1] > whole[0])


# TPT ------------------------------------------------------------------------------------------------
def test_without_steps_tpt_is_clip(start):
    given = frames(start)
    stream = Tpt(Tpt.Config(steps=0)).begin(start, {}, torch.zeros(0, 16), 0)
    torch.testing.assert_close(stream.predict(given), nearest(start, given), atol=1e-4, rtol=1e-4)


def test_frames_at_once_are_frames_one_by_one(start):
    given = frames(start)
    together = Tpt(Tpt.Config(share=0.4)).begin(start, {}, torch.zeros(0, 16), 0).predict(given)
    assert not torch.allclose(together, nearest(start, given), atol=1e-3)
    single = Tpt(Tpt.Config(share=0.4)).begin(start, {}, torch.zeros(0, 16), 0)
    parts = []
    for number in range(len(given)):
        one = {name: getattr(given, name)[number : number + 1] for name in ("pre", "raw", "views", "frame", "seeds")}
        parts.append(single.predict(dataclasses.replace(given, **one)))
    torch.testing.assert_close(torch.cat(parts), together, atol=1e-3, rtol=1e-4)
    assert single.steps == 6


def test_a_small_step_lowers_the_entropy_and_prompts_may_go_on(start):
    given = frames(start, 1)
    same = dataclasses.replace(given, views=given.views[:, :1])
    before = nearest(start, given).softmax(1).max()
    stream = Tpt(Tpt.Config(lr=1e-4, reset="participant")).begin(start, {}, torch.zeros(0, 16), 0)
    once, twice = stream.predict(same).softmax(1).max(), stream.predict(same).softmax(1).max()
    assert before < once < twice
    fresh = Tpt(Tpt.Config(lr=1e-4)).begin(start, {}, torch.zeros(0, 16), 0)
    assert torch.equal(fresh.predict(same), fresh.predict(same))
