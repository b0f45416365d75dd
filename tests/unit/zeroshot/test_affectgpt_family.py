"""AffectGPT asked: its prompt as released, its inputs, and scores of a full pass."""

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor

from tiny_affectgpt import SIDE, write_affectgpt
from waver.models.affectgpt.network import PLACES
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.affectgpt import (
    CLIP_SAMPLES,
    NO_TRANSCRIPT,
    AffectGptConfig,
    AffectGptFamily,
    face_pixels,
    sound_clips,
)
from waver.zeroshot.families.base import Item, Prompt

ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
SAID = Prompt("Video transcript: well. Classify.", "Classify. ", "well <FaceHere> {question}")
SILENT = Prompt("Classify.", "Classify. ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_affectgpt(tmp_path_factory.mktemp("affectgpt"))


@pytest.fixture(scope="module")
def family(folder):
    return AffectGptFamily.load(folder, AffectGptConfig(), "float32")


def item(seed, seconds=0.5):
    drawn = np.random.default_rng(seed)
    faces = drawn.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    return Item(faces, np.arange(8) / 24, drawn.normal(size=int(seconds * 16000)).astype(np.float32))


def test_the_prompt_is_the_released_one(family):
    expected = (
        "###Human: The audio and video merged info is: <Multi><MultiHere></Multi>. The audio content is as follows: "
        "<Audio><AudioHere></Audio>. Meanwhile, we uniformly sample raw frames from the video and extract faces from "
        "these frames: <Video><FaceHere></Video>. The subtitle of this video is: <Subtitle>well</Subtitle>. Now, "
        "please answer my question based on all the provided information. Classify. ###Assistant: "
    )
    assert family.wrapped(item(0), Prompt("", "Classify. ", "well")) == expected
    assert f"<Subtitle>{NO_TRANSCRIPT}</Subtitle>" in family.wrapped(item(0), SILENT)
    ids = family.token_ids(family.wrapped(item(0), SILENT))
    assert [ids.count(place) for place in family.model.places] == [1, 1, 1]


def test_scores_are_those_of_a_full_pass(family):
    items, requested = [item(0), item(1)], [[SAID, SILENT]] * 2
    scored = family.score(items, requested, ANSWERS, "first_token")
    written = family.score(items, requested, ANSWERS, "full")
    for own, of_prompts, of_answers in zip(items, scored, written, strict=True):
        for prompt, one, whole in zip([SAID, SILENT], of_prompts, of_answers, strict=True):
            rest = family.tokenizer("Ambivalent", add_special_tokens=False)["input_ids"]
            ids = [*family.token_ids(family.wrapped(own, family._defused(prompt))), *rest]
            with torch.no_grad():
                logits = family.model(torch.tensor([ids]), **family.pictures([own])).logits[0].double().log_softmax(-1)
            start = len(ids) - len(rest) - 1
            actual = [float(logits[start + place, token]) for place, token in enumerate(rest)]
            assert one.positive == pytest.approx(actual[0], abs=1e-4)
            assert whole.positive == pytest.approx(sum(actual), abs=1e-4)
    assert abs(scored[0][0].margin - scored[1][0].margin) > 1e-5


def test_half_precision_gives_near_scores(folder, family):
    half = AffectGptFamily.load(folder, AffectGptConfig(), "bfloat16")
    near, exact = (one.score([item(0)], [[SILENT]], ANSWERS, "first_token")[0][0] for one in (half, family))
    assert near.margin == pytest.approx(exact.margin, abs=0.1)
    assert half.describe()["dtype"] == "bfloat16"


def test_an_answer_ends_where_another_turn_would_begin(family):
    hash_token = family.tokenizer("###", add_special_tokens=False)["input_ids"][0]
    assert hash_token in family._ends()
    assert family.generate([item(0)], [[SILENT]], 20, ANSWERS)[0][0].text in (ANSWERS.negative, ANSWERS.positive)


def test_the_order_of_the_faces_does_not_count_and_their_choice_does(family):
    own = item(0)
    turned = Item(own.frames[::-1].copy(), own.times_s, own.sound)
    fewer = Item(own.frames[[0] * 8], own.times_s, own.sound)
    tokens = [family.pictures([one])["tokens"][0, PLACES.index("<FaceHere>")] for one in (own, turned, fewer)]
    torch.testing.assert_close(tokens[0], tokens[1], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(tokens[0], tokens[2], atol=1e-2)


def test_clips_of_sound_are_spread_over_the_answer_and_scaled_together():
    ramp = np.arange(10 * CLIP_SAMPLES, dtype=np.float32)
    clips = sound_clips(ramp)
    assert clips.shape == (8, CLIP_SAMPLES)
    raw = np.stack([ramp[s : s + CLIP_SAMPLES] for s in np.linspace(0, 9 * CLIP_SAMPLES, 8).astype(int)])
    theirs = Wav2Vec2FeatureExtractor()(torch.from_numpy(raw), sampling_rate=16000, return_tensors="np").input_values
    np.testing.assert_allclose(clips, theirs[0], atol=1e-4)


def test_a_short_sound_is_followed_by_silence():
    clips = sound_clips(np.ones(100, np.float32))
    assert np.ptp(clips[:, :100]) == 0
    assert len(np.unique(clips)) == 2
    assert np.isfinite(sound_clips(np.zeros(0, np.float32))).all()


def test_faces_are_on_the_scale_of_clip():
    pixels = face_pixels(np.full((2, 256, 256, 3), 255, np.uint8), SIDE)
    assert pixels.shape == (2, 3, SIDE, SIDE)
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([1.9303, 2.0749, 2.1459], abs=1e-4)
