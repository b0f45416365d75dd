"""Fine-tuned models in the flow: what they are called, what they need, and who may be scored."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from waver.config.model import load_config
from waver.config.section import overlaid
from waver.errors import WaverError
from waver.report.formatting import method_name
from waver.workflow.flow import Flow
from waver.workflow.run import Run
from waver.zeroshot.records import PromptedModel

CONFIG: dict[str, Any] = {
    "run": "x",
    "dataset": {"name": "d", "shards": 2},
    "features": {"speech": {"source": "given"}},
    "train": {"runs": [], "folds": 3},
    "models": {"roles": {"video_llava": "tiny"}},
    "zeroshot": {
        "models": ["video_llava"],
        "prompts": ["s", "td1"],
        "splits": ["train", "val", "test"],
        "windows": [8],
        "finetune": {"models": ["video_llava"], "seeds": [0, 1]},
    },
}


def flow_of(changes: dict[str, Any] | None = None) -> Flow:
    return Flow(Run(load_config(overlaid(CONFIG, changes or {}))))


def wildcards(name: str) -> Any:
    return SimpleNamespace(prompted_model=name, granularity="video", shard="000", prompt="td1")


def test_names_in_paths_tell_model_and_seed():
    assert PromptedModel.of("video_llava") == ("video_llava", "video_llava", None)
    assert PromptedModel.of(PromptedModel.tuned("video_llava", 12)) == ("video_llava_tuned", "video_llava", 12)


def test_a_tuned_model_is_asked_what_it_learned_and_scored_on_its_seeds():
    flow = flow_of()
    tuned = [path for path in flow.zeroshot.predictions() if "_tuned" in path]
    assert tuned == [f"results/x/zeroshot/video_llava_tuned{seed}/video/td1/none.parquet" for seed in (0, 1)]
    assert "results/x/zeroshot/video_llava/video/td1/none.folds.parquet" in flow.zeroshot.predictions()
    assert [name for name in flow.zeroshot.methods() if "_tuned" in name] == ["video_llava_tuned.td1.video"] * 2
    assert set(tuned) <= set(flow.predictions())


def test_a_tuned_model_needs_its_adapter_and_nobody_is_asked_from_whom_it_learned():
    stage = flow_of().zeroshot
    assert stage.adapter(wildcards("video_llava")) == []
    assert stage.adapter(wildcards("video_llava_tuned1")) == [
        "results/x/zeroshot/video_llava_tuned1/adapter/adapter_model.safetensors"
    ]
    assert stage.model(wildcards("video_llava_tuned1")) == stage.model(wildcards("video_llava"))
    assert stage.base(wildcards("video_llava_tuned1")) == "video_llava"
    assert list(stage.recipe(wildcards("video_llava_tuned1"))["splits"]) == ["val", "test"]
    assert list(stage.recipe(wildcards("video_llava"))["splits"]) == ["train", "val", "test"]
    assert list(stage.questions(wildcards("video_llava_tuned1"))) == ["td1"]


def test_what_is_learned_depends_on_its_own_part_of_the_config():
    def tuned(changes: dict[str, Any] | None = None) -> Any:
        part = flow_of(changes).zeroshot.finetune
        return part.recipe(wildcards("video_llava_tuned0")), part.question(wildcards("video_llava_tuned0"))

    for same in ({"batch": 1}, {"models": []}, {"windows": []}, {"finetune": {"seeds": [5]}}, {"decoding": "generate"}):
        assert tuned({"zeroshot": same}) == tuned()
    for other in ({"frames": {"number": 4}}, {"finetune": {"rank": 2}}, {"prompt_set": "bah2025"}):
        assert tuned({"zeroshot": other}) != tuned()


def test_every_shard_is_learned_from():
    part = flow_of().zeroshot.finetune
    videos = part.every("videos")(wildcards("video_llava_tuned0"))
    assert len(videos) == 2
    assert part.every("faces")(wildcards("video_llava_tuned0")) == []
    assert part.seed(wildcards("video_llava_tuned1")) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"models": ["openai"]}, "zeroshot.finetune.models: openai is not in this process"),
        ({"models": ["video_lava"]}, "zeroshot.finetune.models: 'video_lava' is not a known method"),
        ({"prompt": "td9"}, "has td9, which released lacks"),
        ({"models": ["causal_lm"], "prompt": "s"}, "zeroshot.finetune.prompt: s quotes nothing, and causal_lm reads"),
    ],
)
def test_a_mistake_is_named(changes, told):
    with pytest.raises(WaverError, match=re.escape(told)):
        flow_of({"zeroshot": {"finetune": changes}}).zeroshot.check(load=False)


def test_a_tuned_model_has_somebody_to_be_asked_about():
    with pytest.raises(WaverError, match=r"zeroshot\.splits: a fine-tuned model is not asked about train"):
        flow_of({"zeroshot": {"splits": ["train"]}}).zeroshot.check(load=False)


def test_a_server_elsewhere_is_refused_before_anything_runs():
    there = {"models": ["openai"], "options": {"openai": {"base_url": "https://models.example.org/v1"}}}
    flow_of({"zeroshot": there}).zeroshot.check(load=False)
    with pytest.raises(WaverError, match="another computer, and recordings of participants stay on this one"):
        flow_of({"zeroshot": there}).zeroshot.check(load=True)


def test_a_prompt_that_tells_cues_is_not_learned(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "answers: {positive: Ambivalent, negative: Non-Ambivalent}\n"
        "prompts:\n  s: {label: s, text: Classify.}\n  td1: {label: t, text: '{cues} Classify.'}\n"
    )
    with pytest.raises(WaverError, match=r"zeroshot\.finetune\.prompt: td1 tells cues"):
        flow_of({"zeroshot": {"prompt_set": str(file)}}).zeroshot.check(load=False)


def test_tables_name_a_tuned_model():
    assert method_name("video_llava_tuned.td1.video", "VT") == "Video-LLaVA V+T, fine-tuned, prompt td1, whole videos"
