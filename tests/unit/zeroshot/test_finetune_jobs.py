"""Jobs that fine-tune a model of text: who is learned from, what is left behind, and how it is asked."""

import errno
import json

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from checkout import ROOT
from tracing.executed import definitions, traced
from waver.assets.manifest import Installed
from waver.config.zeroshot import ZeroShotConfig
from waver.errors import WaverError
from waver.io.tables import ANSWERS, PREDICTIONS, PROMPT_ANSWERS, read_metadata, read_table, write_table
from waver.models.lora_adapter import merge_adapter
from waver.provenance import file_sha256
from waver.registry import ZERO_SHOT_MODELS
from waver.workflow.fingerprint import closure, followed
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.causal_lm import CausalLm, CausalLmConfig
from waver.zeroshot.finetune.job import finetune
from waver.zeroshot.finetune.samples import samples_of
from waver.zeroshot.finetune.training import AdapterTraining
from waver.zeroshot.items import Items, Sources
from waver.zeroshot.predictions import predict_answers
from waver.zeroshot.prompts.prompt_set import Prompt as Template
from waver.zeroshot.questions import Question
from waver.zeroshot.runner import ask_shard
from waver.zeroshot.tiny import byte_tokenizer

TWO = Answers(negative="Non-Ambivalent", positive="Ambivalent")
TD1 = {"label": "td1", "text": "Video transcript: {transcript}. Classify.", "answers": TWO.model_dump()}


SAID = {0: "no no no", 1: "yes yes"}


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    """A text model with its record."""
    folder = tmp_path_factory.mktemp("llm")
    tokenizer = byte_tokenizer([])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **ids, **sizes))
    with torch.no_grad():  # the library begins with weights so small that words hardly count
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    model.save_pretrained(folder)
    files = {path.name: file_sha256(path) for path in folder.iterdir()}
    record = Installed(
        name="llm.tiny",
        role="llm",
        set="tiny",
        title="/somewhere/tiny",
        licence="none",
        folder=str(folder),
        files=files,
    )
    (folder / "asset.json").write_text(record.model_dump_json())
    return folder / "asset.json"


def answers(path, change=lambda row: row):
    rows = []
    for number in range(22):
        label = number % 2
        split = "train" if number < 12 else "val" if number < 18 else "test"
        said = SAID[label] if split != "test" else "unread"
        row = {"video": f"v{number}", "participant": f"p{number}", "split": split, "question": 1, "label": label}
        row |= {"text": said, "words": 2, "duration_s": 1.0, "language": "en"}
        rows.append(change(row))
    write_table(path, rows, ANSWERS)
    return Sources(answers=path)


def run(sources, model, folder, seed=0, **recipe):
    options = {"models": ("causal_lm",), "epochs": 6, "rank": 4, "batch": 6, "lr": 0.02, "checkpointing": False}
    config = ZeroShotConfig(finetune={**options, **recipe}, options={"causal_lm": {"chat": False}})
    folder.mkdir(exist_ok=True)
    names = {"config": "adapter_config.json", "weights": "adapter_model.safetensors", "history": "history.jsonl"}
    outputs = {name: folder / file for name, file in names.items()}
    finetune([sources], model, "causal_lm", seed, TD1, config, False, "code", outputs)
    return folder


@pytest.fixture(scope="module")
def tuned(text_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    return run(answers(folder / "answers.parquet"), text_model, folder / "adapter")


def margins(text_model, adapter=None):
    model = CausalLm.load(text_model.parent, CausalLmConfig(chat=False), "float32")
    if adapter:
        merge_adapter(model.model, adapter)
    texts = [f"Video transcript: {SAID[label]}. Classify." for label in (0, 1)]
    (found,) = model.score([Item()], [[Prompt(text, "") for text in texts]], TWO, "first_token")
    return [one.margin for one in found]


@pytest.mark.slow
def test_a_job_learns_from_train_and_keeps_an_adapter_alone(text_model, tuned):
    negative, positive = margins(text_model, tuned)
    assert negative < -1 < 1 < positive
    assert abs(np.diff(margins(text_model))[0]) < 1
    assert sorted(path.name for path in tuned.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "history.jsonl"
    ]  # fmt: skip
    history = [json.loads(line) for line in (tuned / "history.jsonl").read_text().splitlines()]
    assert history[-1]["val_loss"] < history[0]["val_loss"]
    actual = (tuned / "adapter_config.json").read_text()
    assert json.loads(actual)["base_model_name_or_path"] == "tiny"
    assert "/" not in actual


@pytest.mark.slow
def test_a_tuned_model_is_asked_as_any_other(text_model, tuned, tmp_path):
    sources, config = answers(tmp_path / "answers.parquet"), ZeroShotConfig(options={"causal_lm": {"chat": False}})
    rows, about = {}, {}
    for name, adapter in (("plain", None), ("tuned", tuned / "adapter_model.safetensors")):
        output = tmp_path / "asked.parquet"  # the journal is shared: an answer of the other model does not count
        requested = {"td1": TD1}
        ask_shard(sources, text_model, "causal_lm", "video", requested, config, False, "code", output, adapter)
        rows[name], about[name] = read_table(output, PROMPT_ANSWERS), read_metadata(output)
    val = [row for row in rows["tuned"] if row["split"] == "val"]
    expected = margins(text_model, tuned)
    assert [row["positive"] - row["negative"] for row in val] == pytest.approx(expected * 3, abs=1e-4)
    assert rows["plain"][0]["positive"] != rows["tuned"][0]["positive"]
    assert "adapter" not in about["plain"]["model"]
    assert about["tuned"]["model"]["adapter"] == file_sha256(tuned / "adapter_model.safetensors")
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("none_predictions", "none_folds")}
    known = {"family": "causal_lm", "prompt_set": "released", "prompt": "td1", "label": "td1", "prompt_sha256": ""}
    made = {"model_set": "tiny", "code": "", "config": {}, "modalities": "T"}
    predict_answers([output], [], "causal_lm_tuned7", "video", "td1", (2, "random"), ("score", 1), outputs, known, made)
    actual = read_metadata(outputs["none_predictions"])
    assert (actual["method"], actual["seed"]) == ("causal_lm_tuned.td1.video", 7)
    assert len(read_table(outputs["none_predictions"], PREDICTIONS)) == 10
    assert read_table(outputs["none_folds"], PREDICTIONS) == []  # it has learned from these people


def test_another_seed_learns_something_else(text_model, tuned, tmp_path):
    sources = answers(tmp_path / "answers.parquet")
    other = run(sources, text_model, tmp_path / "other", seed=1, epochs=1)
    assert (other / "adapter_model.safetensors").read_bytes() != (tuned / "adapter_model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_job_is_repeated_bit_by_bit_and_test_decides_nothing(text_model, tuned, tmp_path):
    def relabelled(row):
        return {**row, "label": 1 - row["label"], "text": "other"} if row["split"] == "test" else row

    same = run(answers(tmp_path / "answers.parquet", relabelled), text_model, tmp_path / "adapter")
    assert (same / "adapter_model.safetensors").read_bytes() == (tuned / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: {**row, "participant": "p0"}, "1 participants are in train and in val"),
        (lambda row: {**row, "label": None if row["split"] == "train" else 1}, "both classes in train"),
        (lambda row: {**row, "label": None if row["split"] == "val" else row["label"]}, "labelled videos in val"),
    ],
)
def test_splits_that_cannot_be_learned_from_are_told(text_model, tmp_path, change, told):
    with pytest.raises(WaverError, match=told):
        run(answers(tmp_path / "answers.parquet", change), text_model, tmp_path / "adapter")


def test_answers_that_begin_alike_are_told(text_model, tmp_path):
    model = CausalLm.load(text_model.parent, CausalLmConfig(chat=False), "float32")
    alike = Answers(negative="maybe not", positive="maybe so")
    template = Template(**{**TD1, "answers": alike})
    question = Question("td1", template, alike)
    with pytest.raises(WaverError, match="begin with the same token"):
        samples_of(model, [answers(tmp_path / "answers.parquet")], question, ZeroShotConfig(), False)


def test_a_prompt_that_does_not_fit_leaves_the_video_out(text_model, tmp_path, caplog):
    model = CausalLm.load(text_model.parent, CausalLmConfig(chat=False), "float32")

    def long(row):
        return {**row, "text": "yes " * 600} if row["video"] == "v1" else row

    question = Question("td1", Template(**TD1), TWO)
    found = samples_of(model, [answers(tmp_path / "answers.parquet", long)], question, ZeroShotConfig(), False)
    assert len(found) == 17
    assert {one.split for one in found} == {"train", "val"}
    assert "v1 left out: the prompt has" in caplog.text
    assert "yes yes" not in caplog.text


def test_a_video_that_breaks_a_reader_is_left_out(text_model, tmp_path, monkeypatch, caplog):
    model = CausalLm.load(text_model.parent, CausalLmConfig(chat=False), "float32")
    plan, trouble = Items.plan, {"v1": ValueError("broken"), "v2": RuntimeError("avcodec")}

    def breaking(items, row):
        if problem := trouble.get(row["video"]):
            raise problem
        return plan(items, row)

    monkeypatch.setattr(Items, "plan", breaking)
    question, sources = Question("td1", Template(**TD1), TWO), [answers(tmp_path / "answers.parquet")]
    assert len(samples_of(model, sources, question, ZeroShotConfig(), False)) == 16
    assert "v1 left out" in caplog.text
    trouble["v3"] = OSError(errno.ENOSPC, "full")
    with pytest.raises(OSError, match="full"):  # a retry has to see the video
        samples_of(model, sources, question, ZeroShotConfig(), False)


@pytest.mark.slow
def test_a_killed_job_goes_on_and_ends_the_same(text_model, tuned, tmp_path, monkeypatch):
    sources = answers(tmp_path / "answers.parquet")
    whole = AdapterTraining.validate

    def killed(self, network):
        done = whole(self, network)
        if self.rate(0) and len((tmp_path / "adapter" / "history.part").read_text().splitlines()) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(AdapterTraining, "validate", killed)
    with pytest.raises(KeyboardInterrupt):
        run(sources, text_model, tmp_path / "adapter")
    monkeypatch.setattr(AdapterTraining, "validate", whole)
    again = run(sources, text_model, tmp_path / "adapter")
    assert (again / "adapter_model.safetensors").read_bytes() == (tuned / "adapter_model.safetensors").read_bytes()


def test_a_killed_job_does_not_go_on_with_other_recordings(text_model, tmp_path, monkeypatch):
    sources, keys = answers(tmp_path / "answers.parquet"), []

    def killed(training, job):
        keys.append(job.key)
        raise KeyboardInterrupt

    monkeypatch.setattr("waver.zeroshot.finetune.job.train", killed)
    for checksum in ("one", "one", "two"):
        monkeypatch.setattr(Items, "recording", lambda items, row, own=checksum: (own, None))
        with pytest.raises(KeyboardInterrupt):
            run(sources, text_model, tmp_path / "adapter")
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.slow
def test_every_definition_that_a_job_executes_is_in_its_fingerprint(text_model, tmp_path):
    sources = answers(tmp_path / "answers.parquet")
    traced(lambda: run(sources, text_model, tmp_path / "adapter", epochs=1), tmp_path / "trace")
    ran = definitions(tmp_path / "trace")
    found = closure([ZERO_SHOT_MODELS["causal_lm"].target], ROOT / "workflow/scripts/zeroshot_finetune.py")
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
