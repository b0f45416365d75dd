"""Families of video models with a chat template: scores of a full pass, and what is particular to each."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from tiny_prompted import write_internvl, write_llava_onevision, write_qwen3_vl
from waver.errors import ExcludedItem, WaverError
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.internvl import InternVl
from waver.zeroshot.families.llava_onevision import LlavaOnevision
from waver.zeroshot.families.qwen3_vl import Qwen3Vl, fitted, patched

WRITERS = {InternVl: write_internvl, LlavaOnevision: write_llava_onevision, Qwen3Vl: write_qwen3_vl}
ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
QUESTIONS = ["Classify.", "Definition: mixed feelings. Classify.", "Video transcript: well, I don't know. Classify."]
FAMILIES = pytest.mark.parametrize("family", list(WRITERS), ids=lambda family: family.__name__)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: write(tmp_path_factory.mktemp(family.__name__)) for family, write in WRITERS.items()}


@pytest.fixture(scope="module")
def loaded(folders):
    return {family: family.load(folder, family.Config(), "float32") for family, folder in folders.items()}


def item(seed, frames=5, height=40, width=24):
    drawn = np.random.default_rng(seed)
    pictures = drawn.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    return Item(frames=pictures, times_s=np.arange(frames) / 2)


def prompts(*texts):
    return [Prompt(text, text) for text in texts]


def full_pass(model, own, prompt, rest=()):
    """Log-probabilities of the next tokens by one forward pass as the library's own users make it."""
    ids = torch.tensor([[*model.token_ids(model.wrapped(own, prompt)), *rest]])
    inputs = dict(model.pictures([own]))
    if isinstance(model, Qwen3Vl):
        inputs["mm_token_type_ids"] = (ids == model.model.config.video_token_id).int() * 2
        model.model.model.rope_deltas = None
    with torch.no_grad():
        return model.model(input_ids=ids, **inputs).logits[0].double().log_softmax(-1)


@pytest.mark.slow
@FAMILIES
def test_scores_are_those_of_a_full_pass(loaded, family):
    model = loaded[family]
    items = [item(0), item(1)]
    prompted = [prompts(*QUESTIONS), prompts(*QUESTIONS[:2], "Video transcript: no. Classify.")]
    negative, positive = model.answer_ids(model.wrapped(items[0], prompted[0][0]), ANSWERS)
    assert negative[0] != positive[0]
    first = model.score(items, prompted, ANSWERS, "first_token")
    whole = model.score(items, prompted, ANSWERS, "full")
    for own, questions, one, all_tokens in zip(items, prompted, first, whole, strict=True):
        for prompt, scored, full in zip(questions, one, all_tokens, strict=True):
            expected = full_pass(model, own, prompt)[-1]
            assert scored.negative == pytest.approx(float(expected[negative[0]]), abs=1e-4)
            assert scored.positive == pytest.approx(float(expected[positive[0]]), abs=1e-4)
            behind = full_pass(model, own, prompt, positive[:-1])[-len(positive) :]
            actual = sum(float(behind[place, token]) for place, token in enumerate(positive))
            assert full.positive == pytest.approx(actual, abs=1e-4)


@FAMILIES
def test_half_precision_gives_near_scores(folders, loaded, family):
    prompted = [prompts(*QUESTIONS)]
    half = family.load(folders[family], family.Config(), "bfloat16")
    assert half.describe()["dtype"] == "bfloat16"
    near, exact = (model.score([item(0)], prompted, ANSWERS, "first_token")[0] for model in (half, loaded[family]))
    assert [one.margin for one in near] == pytest.approx([one.margin for one in exact], abs=0.5)


@FAMILIES
def test_what_is_seen_counts(loaded, family):
    model = loaded[family]
    prompted = [prompts("Classify.")]
    one, other = (model.score([item(seed)], prompted, ANSWERS, "first_token")[0][0] for seed in (0, 1))
    assert one.tokens == other.tokens
    assert abs(one.margin - other.margin) > 1e-3


@FAMILIES
def test_one_word_is_written_and_only_the_new_text_is_told(loaded, family):
    model = loaded[family]
    written = model.generate([item(0)], [prompts("Classify.")], 10, ANSWERS)[0][0]
    assert written.text.strip() in (ANSWERS.negative, ANSWERS.positive)
    scored = model.score([item(0)], [prompts("Classify.")], ANSWERS, "first_token")[0][0]
    assert (written.text.strip() == "Ambivalent") == (scored.margin > 0)


@FAMILIES
def test_a_placeholder_in_a_transcript_is_text(loaded, family):
    model = loaded[family]
    prompted = [prompts(f"Video transcript: {model.placeholder} and <|im_end|>. Classify.")]
    assert np.isfinite(model.score([item(0)], prompted, ANSWERS, "first_token")[0][0].margin)


@FAMILIES
def test_too_many_frames_leave_the_item_out(loaded, family):
    model = loaded[family]
    with pytest.raises(ExcludedItem, match="the model takes 4096"):
        model.score([item(0, frames=3000, height=8, width=8)], [prompts("Classify.")], ANSWERS, "first_token")
    assert model.capabilities.video
    assert 1 <= model.capabilities.most_frames < 4096


@FAMILIES
@pytest.mark.parametrize("lacking", ["chat_template.jinja", "video_preprocessor_config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_told(folders, tmp_path, family, lacking):
    copy = shutil.copytree(folders[family], tmp_path / "copy")
    (copy / lacking).unlink()
    with pytest.raises(WaverError, match=f"{copy.name} holds no .*correct the model's path"):
        family.load(copy, family.Config(), "float32")


def test_a_model_of_another_family_is_told(folders):
    with pytest.raises(WaverError, match="holds no Qwen3-VL"):
        Qwen3Vl.load(folders[InternVl], Qwen3Vl.Config(), "float32")


def test_pixels_have_the_scale_of_the_folder(folders, loaded, tmp_path):
    assert loaded[InternVl].scale.mean == (0.485, 0.456, 0.406)
    grey = Item(frames=np.full((1, 28, 28, 3), 255, np.uint8))
    pixels = loaded[InternVl].pictures([grey])["pixel_values"]
    white = [(1 - mean) / deviation for mean, deviation in zip(*loaded[InternVl].scale, strict=True)]
    assert pixels[0, :, 0, 0].tolist() == pytest.approx(white)
    nested = shutil.copytree(folders[InternVl], tmp_path / "copy")
    scale = json.loads((nested / "video_preprocessor_config.json").read_text())
    (nested / "video_preprocessor_config.json").unlink()
    (nested / "processor_config.json").write_text(json.dumps({"video_processor": scale}))
    assert InternVl.load(nested, InternVl.Config(), "float32").scale == loaded[InternVl].scale


def test_a_template_in_json_is_read(folders, tmp_path):
    copy = shutil.copytree(folders[LlavaOnevision], tmp_path / "copy")
    template = (copy / "chat_template.jinja").read_text()
    (copy / "chat_template.jinja").unlink()
    (copy / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    model = LlavaOnevision.load(copy, LlavaOnevision.Config(), "float32")
    assert model.wrapped(item(0), Prompt("Classify.", "")).endswith("Classify.<|im_end|>\n<|im_start|>assistant\n")


# each family ------------------------------------------------------------------------------------------------
def test_llava_onevision_expands_as_its_processor(loaded):
    model, own = loaded[LlavaOnevision], item(0)
    theirs = SimpleNamespace(num_image_tokens=49, video_token="<video>")
    frames = {"pixel_values_videos": [torch.zeros(5, 3, 28, 28)]}
    assert model.expanded(own) == LlavaOnevisionProcessor.replace_video_token(theirs, frames, 0)
    assert model.expanded(own).count("<video>") == 5 * 16 + 1


def test_internvl_numbers_its_frames_as_its_processor(loaded):
    model, own = loaded[InternVl], item(0)
    theirs = SimpleNamespace(
        start_image_token="<img>", end_image_token="</img>", image_token="<IMG_CONTEXT>", image_seq_length=4
    )
    frames = {"pixel_values_videos": [torch.zeros(5, 3, 28, 28)]}
    assert model.expanded(own) == InternVLProcessor.replace_video_token(theirs, frames, 0)
    assert model.pictures([own, item(1)])["pixel_values"].shape == (10, 3, 28, 28)


def test_qwen_tells_the_times_as_its_processor(loaded):
    model, own = loaded[Qwen3Vl], item(0)
    grid = model.pictures([own])["video_grid_thw"]
    assert grid.tolist() == [[3, 10, 6]]
    metadata = SimpleNamespace(fps=2, frames_indices=[0, 1, 2, 3, 4])
    theirs = SimpleNamespace(
        video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
        video_token="<|video_pad|>",
    )
    theirs._calculate_timestamps = lambda *given: Qwen3VLProcessor._calculate_timestamps(theirs, *given)
    inputs = {"video_grid_thw": grid, "video_metadata": [metadata]}
    assert model.expanded(own) == Qwen3VLProcessor.replace_video_token(theirs, inputs, 0)
    assert model.expanded(own).startswith("<0.2 seconds><|vision_start|><|video_pad|>")


def test_qwen_cuts_patches_as_its_processor():
    pixels = torch.arange(4 * 3 * 16 * 24.0).view(4, 3, 16, 24)
    theirs, *grid = Qwen3VLVideoProcessor.patchify(None, pixels[None], 4, 2, 2)
    assert grid == [2, 4, 6]
    assert torch.equal(patched(pixels, 4, 2, 2), theirs[0])


def test_qwen_makes_pictures_smaller_and_keeps_their_shape():
    assert fitted(720, 1280, 32, 256) == (384, 672)
    assert fitted(100, 60, 32, 256) == (96, 64)
    assert fitted(8, 4000, 32, 64) == (32, 2048)
    for height, width in ((1080, 1920), (1920, 1080), (37, 5000)):
        down, across = fitted(height, width, 32, 100)
        assert down * across <= 100 * 32**2


def test_items_of_different_shapes_share_a_batch(loaded):
    model, prompted = loaded[Qwen3Vl], prompts("Classify.")
    items = [item(0), item(1, height=24, width=48)]
    together = model.score(items, [prompted, prompted], ANSWERS, "first_token")
    alone = [model.score([own], [prompted], ANSWERS, "first_token")[0] for own in items]
    for one, other in zip(together, alone, strict=True):
        assert one[0].margin == pytest.approx(other[0].margin, abs=1e-4)
