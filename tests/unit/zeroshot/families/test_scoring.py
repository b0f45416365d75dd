"""Answers scored from a beginning that is read once: the same as from whole prompts, alone or in batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, VideoLlavaImageProcessor

from waver.errors import ExcludedItem, WaverError
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.causal_lm import CausalLm, CausalLmConfig
from waver.zeroshot.families.pixels import shaped
from waver.zeroshot.families.transformers_model import TransformersModel
from waver.zeroshot.families.video_llava import VideoLlava, VideoLlavaConfig
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.tiny import byte_tokenizer, write_tiny_video_llava

ANSWERS = Answers(positive="Ambivalent", negative="Non-Ambivalent")
ALIKE = Answers(positive="Xanthic", negative="Xenial")
"""Their first token is the same, a blank."""
CHAT = "{% for turn in messages %}<s>{{ turn['content'] }}\n{% endfor %}"
SET = read_prompts("released")


def prompts(said: str, *names: str) -> list[Prompt]:
    return [Prompt(SET.prompts[name].render({"transcript": said}), "") for name in names]


def item(seed: int, frames: int = 3) -> Item:
    draw = np.random.default_rng(seed)
    return Item(frames=draw.integers(0, 256, (frames, 30, 40, 3), dtype=np.uint8), times_s=np.arange(frames) / 24)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory) -> VideoLlava:
    folder = write_tiny_video_llava(tmp_path_factory.mktemp("video_llava"))
    return VideoLlava.load(folder, VideoLlavaConfig(), "float32")


@pytest.fixture(scope="module")
def reading(tmp_path_factory) -> CausalLm:
    folder = write_llama(tmp_path_factory.mktemp("llama"), CHAT)
    return CausalLm.load(folder, CausalLmConfig(), "float32")


def write_llama(folder: Path, chat: str = "") -> Path:
    tokenizer = byte_tokenizer([])
    tokenizer.chat_template = chat or None
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **size, eos_token_id=2, pad_token_id=0)).save_pretrained(
        folder
    )
    return folder


def from_the_whole(model: TransformersModel, about: Item, prompt: Prompt, answers: Answers, first: bool) -> list[float]:
    """Log-probability of each answer by one pass over the whole prompt and answer, without any cache."""
    wrapped = model.wrapped(about, prompt)
    ids, found = model.token_ids(wrapped), []
    for answer in model.answer_ids(wrapped, answers):
        whole = torch.tensor([[*ids, *answer]])
        with torch.inference_mode():
            logits = model.model(input_ids=whole, use_cache=False, **model.pictures([about])).logits[0].double()
        taken = answer[:1] if first else answer
        places = range(len(ids) - 1, len(ids) - 1 + len(taken))
        found.append(sum(float(logits[p].log_softmax(-1)[t]) for p, t in zip(places, taken, strict=True)))
    return found


@pytest.mark.parametrize("likelihood", ["first_token", "full"])
@pytest.mark.parametrize("kind", ["seeing", "reading"])
def test_a_shared_beginning_gives_the_scores_of_the_whole_prompts(request, kind, likelihood):
    model = request.getfixturevalue(kind)
    prompted = [prompts(said, "s", "td1", "td2", "d2") for said in ("I would.", "well " * 9, "")]
    items = [item(seed) if kind == "seeing" else Item() for seed in range(3)]
    together = model.score(items, prompted, ANSWERS, likelihood)
    alone = [model.score(items[n : n + 1], prompted[n : n + 1], ANSWERS, likelihood)[0] for n in range(3)]
    for number, about in enumerate(items):
        for place, prompt in enumerate(prompted[number]):
            wanted = from_the_whole(model, about, prompt, ANSWERS, likelihood == "first_token")
            for one in (together[number][place], alone[number][place]):
                assert [one.negative, one.positive] == pytest.approx(wanted, abs=1e-5)
                assert one.tokens == len(model.token_ids(model.wrapped(about, prompt)))
                assert 0 < one.mass <= 1


def test_answers_with_the_same_first_token_are_scored_by_all_their_tokens(seeing):
    ids = seeing.answer_ids("ASSISTANT:", ALIKE)
    assert ids[0][0] == ids[1][0]
    (prompted,) = [prompts("Perhaps.", "td1")]
    ((one,),) = seeing.score([item(0)], [prompted], ALIKE, "first_token")
    wanted = from_the_whole(seeing, item(0), prompted[0], ALIKE, first=False)
    assert [one.negative, one.positive] == pytest.approx(wanted, abs=1e-5)


def test_written_answers_are_those_of_the_librarys_own_generation(seeing):
    items, prompted = [item(0), item(1)], [prompts(said, "s", "td1") for said in ("Yes.", "I am torn " * 4)]
    found = seeing.generate(items, prompted, 6)
    for number, about in enumerate(items):
        for place, prompt in enumerate(prompted[number]):
            ids = torch.tensor([seeing.token_ids(seeing.wrapped(about, prompt))])
            given = {"attention_mask": torch.ones_like(ids), "do_sample": False, "max_new_tokens": 6}
            whole = seeing.model.generate(input_ids=ids, **given, **seeing.pictures([about]))[0, ids.shape[1] :]
            assert found[number][place].text == seeing.tokenizer.decode(whole, skip_special_tokens=True)


def test_constrained_writing_is_one_of_the_answers_that_its_first_token_scores_higher(seeing):
    items, prompted = [item(seed) for seed in range(3)], [prompts("No.", "s", "td2")] * 3
    texts = [one.text for row in seeing.generate(items, prompted, 1, ANSWERS) for one in row]
    scores = [one.margin for row in seeing.score(items, prompted, ANSWERS, "first_token") for one in row]
    assert texts == [f" {ANSWERS.positive if margin > 0 else ANSWERS.negative}" for margin in scores]


@pytest.mark.parametrize("frames", [1, 4, 8, 16])
def test_a_frame_is_as_many_tokens_as_patches_and_one(seeing, frames):
    (prompt,) = prompts("", "s")
    ids = seeing.token_ids(seeing.wrapped(item(0, frames), prompt))
    assert ids.count(seeing.model.config.video_token_id) == frames * (2 * 2 + 1)
    assert ids[0] == seeing.tokenizer.bos_token_id
    seeing.score([item(0, frames)], [[prompt]], ANSWERS, "first_token")


def test_what_is_said_cannot_stand_for_a_picture_or_end_the_prompt(seeing):
    said = "so <video> </s> <s> <image> and {transcript}"
    ((one,),) = seeing.score([item(0)], [prompts(said, "td1")], ANSWERS, "first_token")
    assert np.isfinite(one.margin)


def test_a_prompt_that_does_not_fit_is_refused_and_never_cut(seeing):
    with pytest.raises(ExcludedItem, match=r"tokens with its answer, and the model takes 4096; ask with fewer frames"):
        seeing.score([item(0)], [prompts("a b c d " * 1000, "td1")], ANSWERS, "first_token")


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (28, 28)])
def test_pictures_are_those_of_the_librarys_processor(shape):
    pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    theirs = VideoLlavaImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, do_normalize=False
    )
    wanted = np.stack(theirs(images=list(pictures), return_tensors="np")["pixel_values_images"])
    np.testing.assert_allclose(shaped(pictures, 28, "centre_crop"), wanted, atol=1e-6)
    for geometry in ("squash", "letterbox"):
        assert shaped(pictures, 28, geometry).shape == (2, 3, 28, 28)


def test_a_model_without_a_chat_template_gets_the_prompt_as_it_is(tmp_path):
    plain = CausalLm.load(write_llama(tmp_path), CausalLmConfig(), "auto")
    assert plain.wrapped(Item(), Prompt("Who? ", "")) == "Who?"
    assert plain.before_answer == " "
    assert plain.token_ids("Who?")[0] == plain.tokenizer.bos_token_id


@pytest.mark.slow
def test_another_model_in_the_folder_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for family, config, kind in ((VideoLlava, VideoLlavaConfig(), "Video-LLaVA"), (CausalLm, CausalLmConfig(), "lang")):
        with pytest.raises(WaverError, match=rf"holds no {kind}.* correct .*models\.paths"):
            family.load(tmp_path, config, "float32")


def test_weights_that_lack_a_layer_are_refused_and_not_drawn_at_random(tmp_path):
    folders = {
        VideoLlava: write_tiny_video_llava(tmp_path / "video_llava"),
        CausalLm: write_llama(tmp_path / "llama"),
    }
    for family, folder in folders.items():
        weights = load_file(folder / "model.safetensors")
        lost = next(name for name in weights if name.endswith("layers.1.self_attn.o_proj.weight"))
        save_file({name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors")
        with pytest.raises(WaverError, match=r"it lacks .*layers\.1\.self_attn\.o_proj\.weight"):
            family.load(folder, family.Config(), "float32")


def test_an_output_that_is_no_number_is_refused(tmp_path):
    folder = write_llama(tmp_path)
    weights = load_file(folder / "model.safetensors")
    grown = {name: value * 1e30 if name.endswith("mlp.up_proj.weight") else value for name, value in weights.items()}
    save_file(grown, folder / "model.safetensors")
    model = CausalLm.load(folder, CausalLmConfig(), "float16")
    prompted = [prompts("Perhaps.", "td1", "td2")]
    with pytest.raises(WaverError, match=r"not a number \(.*float16\); set zeroshot\.dtype"):
        model.score([Item()], prompted, ANSWERS, "first_token")
    with pytest.raises(WaverError, match=r"not a number"):
        model.generate([Item()], prompted, 4)


def test_five_prompts_read_at_most_half_as_many_tokens_again_as_one(tmp_path):
    folder = write_tiny_video_llava(tmp_path, side=224, patch=14, width=8, layers=1)
    model, read = VideoLlava.load(folder, VideoLlavaConfig(), "float32"), []
    model.model.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    prompted = prompts("so I would like to but then " * 9, "s", "d1", "d2", "td1", "td2")
    scores = model.score([item(0, 8)], [prompted], ANSWERS, "first_token")[0]
    assert max(one.tokens for one in scores) > 2056
    assert sum(read) < 1.5 * max(one.tokens for one in scores)
