"""What the stage of models that are asked wants for a config, and which configs it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from waver.config.model import load_config
from waver.config.section import overlaid
from waver.errors import WaverError
from waver.workflow.run import Run
from waver.workflow.stages.zeroshot import ZeroShot

CONFIG: dict[str, Any] = {
    "run": "x",
    "dataset": {"name": "d", "shards": 2},
    "train": {"folds": 0},
    "zeroshot": {"models": ["video_llava", "causal_lm"], "prompts": ["s", "td1"], "windows": [8]},
}
TRANSCRIPTS = {
    "dataset": {"source": "transcripts"},
    "features": {"speech": {"source": "given"}},
    "adapt": {"methods": []},
}
JOB = SimpleNamespace(prompted_model="video_llava", granularity="video", prompt="td1", shard="001")


def stage_of(changes: dict[str, Any] | None = None) -> ZeroShot:
    return ZeroShot(Run(load_config(overlaid(CONFIG, changes or {}))))


def job(**values: str) -> Any:
    return SimpleNamespace(**{**vars(JOB), **values})


def files(stage: ZeroShot) -> list[str]:
    return [path.removeprefix("results/x/zeroshot/").removesuffix(".parquet") for path in stage.predictions()]


def test_a_model_that_reads_alone_is_asked_what_quotes_somebody_once_a_video():
    seen = [f"video_llava/{granularity}/{prompt}/none" for granularity in ("video", "w8") for prompt in ("s", "td1")]
    assert files(stage_of()) == [*seen, "causal_lm/video/td1/none"]
    assert stage_of().questions(job(prompted_model="causal_lm")).keys() == {"td1"}


def test_words_of_a_window_are_asked_about_in_windows():
    found = files(stage_of({"zeroshot": {"transcript": {"scope": "window"}}}))
    assert "causal_lm/w8/td1/none" in found


def test_calibration_folds_and_frames_are_files_of_their_own():
    changes = {"calibration": ["none", "contextual"], "splits": ["train", "val"], "spread": True, "windows": []}
    found = files(stage_of({"zeroshot": {**changes, "models": ["causal_lm"]}, "train": {"folds": 5}}))
    names = ["none", "none.folds", "contextual", "contextual.folds"]
    assert found == [f"causal_lm/video/td1/{name}" for name in (*names, *(f"{name}.frames" for name in names))]
    assert stage_of().folding is None


def test_a_job_has_the_files_that_its_model_needs():
    stage = stage_of({"models": {"roles": {"video_llava": "tiny"}}})
    assert stage.model(job()) == ["resources/models/tiny_video_llava/asset.json"]
    assert stage.videos(job()) == ["resources/d/ingest/shards/001.videos.parquet"]
    assert stage.videos(job(prompted_model="causal_lm")) == []
    assert stage.speech(job()) == ["resources/d/features/speech/001.parquet"]
    assert stage_of({"features": {"speech": {"source": "given"}}}).speech(job()) == []
    assert stage.faces(job()) == []
    assert stage_of({"zeroshot": {"frames": {"picture": "face"}}}).faces(job()) != []


def test_answers_depend_on_what_decides_them():
    before = stage_of().recipe(JOB)
    same = {"windows": [24], "prompts": ["td2"], "unparsable": "score", "models": ["video_llava"], "video": True}
    same["spread"] = True
    assert stage_of({"zeroshot": {**same, "options": {"causal_lm": {"chat": False}}}}).recipe(JOB) == before
    for change in ({"frames": {"number": 4}}, {"decoding": "generate"}, {"options": {"video_llava": {}}}):
        assert stage_of({"zeroshot": change}).recipe(JOB) != before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"models": ["video_lava"]}, "zeroshot.models: 'video_lava' is not a known method; known are"),
        ({"models": ["causal_lm"], "prompts": ["s", "d1"]}, "causal_lm reads what was said, and no prompt in"),
        ({"models": ["causal_lm"], "video": False}, "would be asked the same about all windows of a video"),
        ({"prompts": ["td3"]}, "zeroshot.prompts has td3, which released lacks; choose among: s, d1, d2"),
        ({"prompt_set": "bah2030"}, "there is no bah2030; give the path of a .yaml file, or"),
        ({"windows": [0]}, "windows are lengths in frames, 1 or more"),
        ({"stride": 9}, "stride is longer than a window"),
        ({"calibration": ["contextual"], "decoding": "generate"}, "contextual needs scores; set decoding to score"),
        ({"video": False, "windows": []}, "asked about nothing: set video, or give windows"),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_is_refused_in_a_sentence(changes, told):
    with pytest.raises(WaverError, match=told):
        stage_of({"zeroshot": changes}).check(False)


def test_another_text_does_not_fill_the_row_of_a_published_prompt(tmp_path):
    file = tmp_path / "mine.yaml"
    own = "answers: {positive: Ambivalent, negative: Non-Ambivalent}\nprompts: {td1: {label: t, text: '{transcript}?'}}"
    file.write_text(own)
    changes = {"prompt_set": str(file), "prompts": ["td1"]}
    with pytest.raises(WaverError, match="td1 is the id of a published prompt"):
        stage_of({"zeroshot": changes}).check(False)
    file.write_text(own.replace("td1", "mine"))
    stage_of({"zeroshot": {**changes, "prompts": ["mine"]}}).check(False)


def test_transcripts_are_not_looked_at():
    with pytest.raises(WaverError, match="video_llava looks at videos, which transcripts lack; leave it out"):
        stage_of({**TRANSCRIPTS, "train": {"folds": 0, "runs": []}}).check(False)
