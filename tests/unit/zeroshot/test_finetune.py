"""Fine-tuning of asked models: what changes, what the loss is of, and what is kept."""

import copy

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import VideoLlavaForConditionalGeneration

from checkout import ROOT
from tiny_affectgpt import write_affectgpt
from tracing.executed import definitions, traced
from waver.config.zeroshot import FinetuneConfig
from waver.errors import WaverError
from waver.models.lora import LoraLinear
from waver.models.lora_adapter import merge_adapter, save_adapter
from waver.registry import ZERO_SHOT_MODELS
from waver.training.trainer import Meter, train
from waver.workflow.fingerprint import closure, followed
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.affectgpt import AffectGptConfig, AffectGptFamily
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.video_llava import VideoLlava, VideoLlavaConfig
from waver.zeroshot.finetune.samples import Sample
from waver.zeroshot.finetune.training import AdapterTraining
from waver.zeroshot.tiny import write_tiny_video_llava

TWO = Answers(negative="Non-Ambivalent", positive="Ambivalent")
RECIPE = FinetuneConfig(epochs=2, rank=2, alpha=4, dropout=0, batch=4, at_once=2, lr=1e-2, checkpointing=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_video_llava(tmp_path_factory.mktemp("video_llava"))


@pytest.fixture
def family(folder):
    return VideoLlava.load(folder, VideoLlavaConfig(), "float32")


def shown(seed):
    pictures = np.random.default_rng(seed).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    return Item(pictures, np.arange(2) / 24)


def samples(family, labels=(0, 1, 0, 1, 0, 1), split="train"):
    found = []
    for number, label in enumerate(labels):
        item = shown(number)
        ids, answers = family.prepared(item, Prompt("well " * (number + 1), ""), TWO)
        first = answers[0][0], answers[1][0]
        found.append(Sample(f"{split} {number}", split, label, ids, first, dict(family.pictures([item]))))
    return found


def everything(family):
    return [*samples(family), *samples(family, (0, 1), "val")]


def gradients(training, numbers):
    training.network.train()
    training.network.zero_grad()
    training.backward(numbers, Meter(training.device))
    return [parameter.grad.clone() for parameter in training.network.parameters()]


# what changes -----------------------------------------------------------------------------------------------
def test_layers_of_the_language_model_alone_change(folder, family):
    before = copy.deepcopy(family.model.state_dict())
    training = AdapterTraining(family, everything(family), RECIPE, 0)
    changed = [name for name, part in family.model.named_modules() if isinstance(part, LoraLinear)]
    assert len(changed) == 2 * 7
    assert all(name.startswith("model.language_model.layers.") for name in changed)
    learning = {name for name, parameter in family.model.named_parameters() if parameter.requires_grad}
    assert {name.rpartition(".")[0].rpartition(".")[0] for name in learning} == set(changed)
    assert sum(p.numel() for p in training.network.parameters()) == sum(
        p.numel() for p in family.model.parameters() if p.requires_grad
    )
    train(training)
    after = {name.replace(".linear.", "."): value for name, value in family.model.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert any(bool(parameter.any()) for parameter in training.network.up.parameters())


def test_the_loss_is_of_the_first_token_of_the_answer_and_counts_each_video_once(folder, family):
    training = AdapterTraining(family, everything(family), RECIPE, 0)
    plain = VideoLlavaForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    own = samples(family)[:3]
    expected = 0.0
    for sample in own:
        with torch.no_grad():  # one prompt alone, without padding
            output = plain(input_ids=torch.tensor([sample.ids]), **sample.pictures)
        expected += float(cross_entropy(output.logits[0, -1], torch.tensor(sample.first[sample.label])))
    training.network.eval()
    assert training._loss(own).item() == pytest.approx(expected, abs=1e-4)


def test_memory_options_leave_the_gradients_alone(family):
    everyone = everything(family)
    training = AdapterTraining(family, everyone, RECIPE, 0)
    for up in training.network.up.parameters():
        torch.nn.init.normal_(up, std=0.1)
    expected = gradients(training, [0, 1, 2, 3])
    training._config = RECIPE.model_copy(update={"at_once": 4})
    for one, other in zip(expected, gradients(training, [0, 1, 2, 3]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
    family.model.activation_checkpointing_enable({"use_reentrant": False})
    for one, other in zip(expected, gradients(training, [0, 1, 2, 3]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
    assert any(bool(gradient.any()) for gradient in expected)


def test_what_stays_is_not_trained_on_the_way(family):
    training = AdapterTraining(family, everything(family), RECIPE, 0)
    training.network.train()
    assert family.model.model.language_model.training
    assert not family.model.model.video_tower.training
    training.network.eval()
    assert not family.model.model.language_model.training


def test_the_language_model_of_affectgpt_learns_too(tmp_path):
    family = AffectGptFamily.load(write_affectgpt(tmp_path), AffectGptConfig(), "float32")
    item = Item(np.zeros((8, 64, 64, 3), np.uint8), np.arange(8) / 24, np.ones(800, np.float32))
    ids, answers = family.prepared(item, Prompt("", "Classify.", "well"), TWO)
    first, pictures = (answers[0][0], answers[1][0]), dict(family.pictures([item]))
    own = [
        Sample(f"{split} {label}", split, label, ids, first, pictures) for split in ("train", "val") for label in (0, 1)
    ]
    recipe = RECIPE.model_copy(update={"checkpointing": True})
    training = AdapterTraining(family, own, recipe, 0)
    assert any(bool(gradient.any()) for gradient in gradients(training, [0, 1]))
    changed = [name for name, part in family.model.named_modules() if isinstance(part, LoraLinear)]
    assert len(changed) == 14
    assert all(name.startswith("language_model.") for name in changed)


def test_half_precision_weights_learn_by_factors_of_full_precision(folder):
    family = VideoLlava.load(folder, VideoLlavaConfig(), "bfloat16")
    training = AdapterTraining(family, everything(family), RECIPE, 0)
    assert {parameter.dtype for parameter in training.network.parameters()} == {torch.float32}
    found = gradients(training, [0, 1])
    assert all(bool(gradient.isfinite().all()) for gradient in found)
    assert any(bool(gradient.any()) for gradient in found)


def test_both_classes_are_drawn_equally_often(family):
    everyone = [*samples(family, (0, 0, 0, 0, 0, 1, 1)), *samples(family, (0, 1), "val")]
    training = AdapterTraining(family, everyone, RECIPE, 0)
    drawn = [number for batch in training.batches(1) for number in batch]
    assert len(drawn) == 10 == training.steps * RECIPE.batch - 2
    assert sorted(number for number in drawn if number < 5) == [0, 1, 2, 3, 4]
    assert {drawn.count(5), drawn.count(6)} == {2, 3}
    assert [*training.batches(1)] == [*training.batches(1)] != [*training.batches(2)]


@pytest.mark.slow
def test_what_is_kept_scores_as_what_was_learned(folder, family, tmp_path):
    training = AdapterTraining(family, everything(family), RECIPE, 0)
    train(training)
    ask = lambda model: model.score([shown(0)], [[Prompt("well", "")]], TWO, "full")[0][0]  # noqa: E731
    learned = ask(family)
    save_adapter(family.model, training.settings, tmp_path / "adapter", "tiny")
    fresh = VideoLlava.load(folder, VideoLlavaConfig(), "float32")
    assert abs(ask(fresh).margin - learned.margin) > 1e-3
    merge_adapter(fresh.model, tmp_path / "adapter")
    assert ask(fresh).margin == pytest.approx(learned.margin, abs=1e-4)
    theirs = VideoLlava.load(folder, VideoLlavaConfig(), "float32")
    theirs.model = PeftModel.from_pretrained(theirs.model, tmp_path / "adapter").merge_and_unload()
    assert ask(theirs).margin == pytest.approx(learned.margin, abs=1e-4)


def test_a_model_whose_positions_have_axes_is_refused(family, monkeypatch):
    class Axes(VideoLlava):
        def positions(self, items):
            raise AssertionError

    family.__class__ = Axes
    with pytest.raises(WaverError, match="have several axes"):
        AdapterTraining(family, everything(family), RECIPE, 0)


@pytest.mark.slow
def test_every_definition_that_is_executed_is_in_the_fingerprint_of_its_job(folder, tmp_path):
    def learn():
        own = VideoLlava.load(folder, VideoLlavaConfig(), "float32")
        gradients(AdapterTraining(own, everything(own), RECIPE, 0), [0])

    traced(learn, tmp_path / "trace")
    ran = definitions(tmp_path / "trace")
    found = closure([ZERO_SHOT_MODELS["video_llava"].target], ROOT / "workflow/scripts/zeroshot_finetune.py")
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
