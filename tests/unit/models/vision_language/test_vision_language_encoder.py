"""The CLIP encoder: the same numbers as the transformers library's, and parts that can be learnt."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from tiny_clip import write_clip
from waver.errors import WaverError
from waver.models.vision_language.encoder import load_vision_language

TEXTS = ["a person with an expression of neutral", "a person, torn"]
SIDE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"), side=SIDE, width=64)


@pytest.fixture(scope="module")
def encoder(folder):
    return load_vision_language(folder)


def pixels(count=3):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_pictures_are_those_of_the_library(folder, encoder):
    clip = CLIPModel.from_pretrained(folder)
    seen = encoder.see(pixels())
    known = clip.vision_model(encoder.scaled(pixels())).pooler_output
    torch.testing.assert_close(seen.pre, known, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.pre @ encoder.image_projection, clip.visual_projection(known), atol=1e-5, rtol=1e-5)
    assert [tuple(tokens.shape) for tokens in seen.entering] == [(3, 17, 64)] * 2
    assert encoder.scale == pytest.approx(float(clip.logit_scale.exp()))


@torch.no_grad()
def test_texts_are_those_of_the_library_whatever_they_are_padded_to(folder, encoder):
    clip, tokenizer = CLIPModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    given = tokenizer(TEXTS, padding="max_length", return_tensors="pt")
    known = clip.text_model(**given).pooler_output
    torch.testing.assert_close(encoder.read_texts(TEXTS), known, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.read_texts(TEXTS[1:]), known[1:], atol=1e-5, rtol=1e-5)


def test_gradients_reach_prompts_and_nothing_of_the_encoder(encoder):
    tokens = encoder.tokens(TEXTS)
    embedded = encoder.embed(tokens.ids).clone().requires_grad_(True)
    deep = torch.randn(2, 64, requires_grad=True)
    visual = [torch.randn(2, 64, requires_grad=True) for _ in range(2)]
    text = encoder.read(embedded, tokens.end, [deep]) @ encoder.text_projection
    image = encoder.see(pixels(2), visual).pre @ encoder.image_projection
    (text @ image.T).sum().backward()
    assert embedded.grad is not None
    assert embedded.grad[0, 5].abs().sum() > 0
    # what stood at positions 1 and 2 is replaced before the second block, but was seen in the first
    assert all(prompt.grad is not None and prompt.grad.abs().sum() > 0 for prompt in (deep, *visual))
    assert all(parameter.grad is None for parameter in encoder.parameters())


@torch.no_grad()
def test_prompts_join_a_picture_and_deeper_ones_take_their_place(encoder):
    first, second = torch.randn(2, 2, 64)
    seen = encoder.see(pixels(1), [first, second])
    assert seen.entering[0].shape == (1, 19, 64)
    assert torch.equal(seen.entering[1][0, -2:], second)
    plain = encoder.see(pixels(1), [first])
    torch.testing.assert_close(plain.entering[1][0, :17], seen.entering[1][0, :17])
    assert not torch.equal(plain.pre, seen.pre)


@torch.no_grad()
def test_pictures_of_any_side_are_resized(encoder):
    grey = torch.full((2, 50, 50, 3), 51, dtype=torch.uint8)
    assert encoder.resized(grey).shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(encoder.resized(grey), torch.full((2, 3, SIDE, SIDE), 0.2))
    exact = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    torch.testing.assert_close(encoder.resized(exact)[0, 1], exact[0, :, :, 1] / 255)


def test_a_prompt_too_long_is_told(encoder):
    with pytest.raises(WaverError, match="82 tokens, CLIP takes 77; shorten it"):
        encoder.tokens(["a" * 80])


@pytest.mark.slow
def test_a_folder_without_clip_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WaverError, match="holds no CLIP checkpoint with a tokenizer"):
        load_vision_language(tmp_path)
