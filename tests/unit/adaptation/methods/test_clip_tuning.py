"""CLIP-AUTT and PromptAlign: check values."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from tiny_clip import write_clip
from vision_language_place import SMALL
from waver.adaptation.methods.tta.norms import entropy
from waver.adaptation.methods.vision_language.clip_au import SHARPNESS, action_texts, chunks_of
from waver.adaptation.methods.vision_language.clip_autt import ClipAutt, certain_window, clip_of
from waver.adaptation.methods.vision_language.prompt_align import PromptAlign, alignment
from waver.adaptation.vision_language.base import Frames, SourceFrames, start_of
from waver.models.vision_language.encoder import load_vision_language

NONE = torch.zeros(0, 16)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    encoder = load_vision_language(write_clip(tmp_path_factory.mktemp("clip"), side=32, width=64))
    return start_of(encoder, SMALL)


@pytest.fixture(scope="module")
def source(start):
    """Two classes that differ in brightness, three videos."""
    draw = torch.Generator().manual_seed(0)
    labels = (torch.arange(60) // 15 % 2).to(torch.uint8)
    pictures = torch.randint(0, 100, (60, 32, 32, 3), generator=draw) + 100 * labels[:, None, None, None]
    pictures = pictures.to(torch.uint8)
    with torch.no_grad():
        raw = start.encoder.see(start.encoder.resized(pictures)).pre @ start.encoder.image_projection
    video = torch.arange(60) // 20
    return SourceFrames(raw, labels, video, video, lambda rows: pictures[rows])


def frames(source, rows):
    raw = source.raw[rows]
    plain = functional.normalize(raw, dim=-1)[:, None]
    numbers = list(range(len(raw)))
    return Frames(raw, raw, plain, source.pictures(rows), 0, torch.tensor(numbers), numbers)


# CLIP-AUTT ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def au(start, source):
    return ClipAutt(ClipAutt.Config(epochs=80)).fit(start, source, 0)


def test_chunks_have_one_label_and_one_video():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 0, 0])
    video = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1])
    made = SourceFrames(torch.zeros(9, 2), labels, video, video, None)
    assert [rows.tolist() for rows in chunks_of(made, 3, 2)] == [[0, 2], [3], [4], [6], [7]]


def test_without_steps_clip_autt_is_clip_au(start, source, au):
    given = frames(source, torch.arange(12))
    config = ClipAutt.Config(steps=0)
    stream = ClipAutt(config).begin(start, au, NONE, 0)
    logits = stream.predict(given)
    encoder = start.encoder
    with torch.no_grad():
        read = (encoder.read_texts(action_texts(config.prefix)) @ encoder.text_projection).cpu()
        described = functional.normalize(stream._head.adapter(read), dim=-1)
        video = functional.gelu(stream._head.temporal(given.raw[::2].T[None])).mean(2)
        known = stream._head.head(SHARPNESS * functional.normalize(video, dim=1) @ described.T)
    assert len(described) == 47
    torch.testing.assert_close(logits, known.expand(12, -1), atol=1e-4, rtol=1e-4)
    assert stream.steps == 0


def test_the_head_learns_the_source(start, source, au):
    stream = ClipAutt(ClipAutt.Config(steps=0, chunk=15)).begin(start, au, NONE, 0)
    said = [bool(stream.predict(frames(source, torch.arange(n, n + 15)))[0].argmax()) for n in (0, 15, 30, 45)]
    assert said == [False, True, False, True]


@pytest.mark.slow
def test_clips_begin_anew_and_steps_lower_the_entropy(start, source, au):
    first, second = frames(source, torch.arange(12)), frames(source, torch.arange(20, 32))
    stream = ClipAutt(ClipAutt.Config(steps=3)).begin(start, au, NONE, 0)
    alone = stream.predict(second)
    stream.predict(first)
    assert torch.equal(stream.predict(second), alone)
    before = ClipAutt(ClipAutt.Config(steps=0)).begin(start, au, NONE, 0).predict(second)
    assert float(entropy(alone)[0]) < float(entropy(before)[0])


def test_the_most_certain_window_of_a_long_clip(start, source, au):
    head = ClipAutt(ClipAutt.Config()).begin(start, au, NONE, 0)._head
    actions = torch.randn(47, 16)
    clip = source.raw[:20]
    assert torch.equal(certain_window(head, clip[:16], actions, 16), clip[None, :16])
    best = certain_window(head, clip, actions, 16)
    with torch.no_grad():
        all_windows = [float(entropy(head(clip[None, n : n + 16], actions))) for n in range(5)]
    assert torch.equal(best[0], clip[all_windows.index(min(all_windows)) :][:16])
    rows = torch.arange(100.0)[:, None]
    assert clip_of(rows, ClipAutt.Config()).shape == (20, 1)
    assert clip_of(rows[:9], ClipAutt.Config())[:, 0].tolist() == [0, 2, 4, 6, 8]


# PromptAlign ----------------------------------------------------------------------------------------
OPTIONS = {"crops": 4, "share": 0.5, "source_frames": 6, "source_epochs": 1}


@pytest.fixture(scope="module")
def aligned(start, source):
    return PromptAlign(PromptAlign.Config(**OPTIONS)).fit(start, source, 0)


def test_statistics_are_those_of_the_source_with_prompts(start, source, aligned):
    stream = PromptAlign(PromptAlign.Config(**OPTIONS)).begin(start, aligned, NONE, 0)
    assert aligned["mean.0"].shape == aligned["variance.1"].shape == (16 + 1 + 2, 64)
    with torch.no_grad():
        tokens = start.encoder.see(start.encoder.resized(source.pictures(torch.arange(60))), stream._first.visual())
    whole = [tokens.entering[layer] for layer in (0, 1)]
    moments = [(one.mean(0), one.var(0, unbiased=False)) for one in whole]
    assert float(alignment(whole, moments)) == 0
    far = [(mean + 1, variance) for mean, variance in moments]
    assert float(alignment(whole, far)) == pytest.approx(1.0, rel=1e-3)
    # twelve of these frames were drawn
    assert float(alignment(whole, stream._aims.values())) < 0.3 * float(whole[0].abs().mean() * 2)


def test_without_steps_it_is_maple_and_frames_are_episodes(start, source, aligned):
    given = frames(source, torch.arange(4))
    still = PromptAlign(PromptAlign.Config(**OPTIONS, steps=0)).begin(start, aligned, NONE, 0)
    with torch.no_grad():
        seen = start.encoder.see(start.encoder.resized(given.pictures), still._first.visual())
        feature = functional.normalize(seen.pre @ start.encoder.image_projection, dim=-1)
        known = start.scale * feature @ still._first.classes(start.encoder).T
    torch.testing.assert_close(still.predict(given), known, atol=1e-3, rtol=1e-3)
    tuned = PromptAlign(PromptAlign.Config(**OPTIONS)).begin(start, aligned, NONE, 0)
    together = tuned.predict(given)
    assert not torch.allclose(together, known, atol=1e-3)
    last = {name: getattr(given, name)[3:] for name in ("pre", "raw", "views", "pictures", "frame", "seeds")}
    torch.testing.assert_close(tuned.predict(dataclasses.replace(given, **last)), together[3:], atol=1e-3, rtol=1e-3)


def test_frames_between_take_the_last_prompts(start, source, aligned):
    given = frames(source, torch.arange(4))
    stream = PromptAlign(PromptAlign.Config(**OPTIONS, every=2)).begin(start, aligned, NONE, 0)
    stream.predict(given)
    assert stream.steps == 2
