"""What prompts tell of a video: its cues against the person's other videos; and which files a job reads for that."""

from __future__ import annotations

import numpy as np
import pytest

from checkout import ROOT
from tracing.executed import definitions, traced
from waver.datasets.answers import Answer
from waver.errors import WaverError
from waver.io.tables import FEATURE_INDEX, write_table
from waver.io.zarr_store import new_store
from waver.registry import CUE_DESCRIBERS
from waver.workflow.fingerprint import closure, followed
from waver.workflow.flow import checked_flow
from waver.zeroshot.described_cues import DescribedCues
from waver.zeroshot.windows import Window

FRAMES = 240
WORDS = ["Maybe", "I", "should,", "but", "never."]


def index(folder, feature, videos):
    about = {"participant": "1", "status": "ok", "frames": FRAMES, "key": "key", "note": "", "reason": None}
    rows = [{**about, "video": video, "remedy": None} for video in videos]
    path = folder / feature / "000.parquet"
    write_table(path, rows, FEATURE_INDEX)
    return path


def row(video):
    return {"video": video, "participant": video[0], "duration_s": FRAMES / 24}


@pytest.fixture
def shard(tmp_path):
    """Two videos of one person, who turns the head aside from 4 s to 6 s of the first; a word every second."""
    for video, excluded in (("1_Q1", 0.5), ("1_Q2", 0.0)):
        points = np.tile(np.array([[-10, 0], [10, 0], [0, 12], [-8, 24], [8, 24]], np.float32), (FRAMES, 1, 1))
        points[:, 2, 0] += np.sin(np.arange(FRAMES) / 9)
        points[96:144, 2, 0] += 20 * excluded
        with new_store(tmp_path / f"faces/stores/1/{video}.zarr", "key") as writer:
            writer.put("landmarks", points)
            writer.put("valid", np.ones(FRAMES, bool))
        start_s = np.arange(1, 6, dtype=np.float32)
        with new_store(tmp_path / f"speech/stores/1/{video}.zarr", "key") as writer:
            writer.put("start_s", start_s)
            writer.put("end_s", start_s + np.float32(0.5))
            writer.put("measured", np.ones(len(WORDS), bool))
            writer.attributes.update(words=WORDS, language="en")
    indexes = {feature: index(tmp_path, feature, ["1_Q1", "1_Q2"]) for feature in ("faces", "speech")}
    return DescribedCues([row("1_Q1"), row("1_Q2"), row("2_Q1")], [], indexes, 0.5)


def test_cues_and_timeline_are_those_of_the_video(shard):
    actual = shard.of("1_Q1", None)
    assert any("turns the head aside" in line and line.startswith("4.") for line in actual["cues"].splitlines())
    assert '1.0-1.5 s: hedges with "Maybe"' in actual["cues"]
    assert actual["timeline"].splitlines()[0] == '0-2 s, says "Maybe": hedging'
    assert len(actual["timeline"].splitlines()) == 5
    assert "head" not in shard.of("1_Q2", None)["cues"]


def test_a_window_is_told_with_some_seconds_around_it(shard):
    actual = shard.of("1_Q1", Window(96, 120, np.zeros(8, np.int32)))  # 4 s to 5 s, and half a second around it
    assert "Maybe" not in actual["cues"]
    assert "turns the head aside" in actual["cues"]
    assert [line.split(",")[0] for line in actual["timeline"].splitlines()] == ["2-4 s", "4-6 s"]


def test_a_video_without_stores_is_told_as_silence(shard):
    assert shard.of("2_Q1", None)["cues"] == ""
    assert shard.of("2_Q1", None)["timeline"].startswith("0-2 s, says nothing")


def test_without_recordings_the_words_alone_are_told():
    answer = Answer("1_Q1", "1", "test", 1, 1, "Maybe I should.", 3, None, "en")
    actual = DescribedCues([], [answer], {}, 0.0).of("1_Q1", None)
    assert set(actual) == {"cues"}
    assert 'hedges with "Maybe"' in actual["cues"]


def test_what_tells_cues_is_in_the_fingerprint_of_a_job_whose_prompts_tell_them(shard, tmp_path):
    traced(lambda: shard.of("1_Q1", None), tmp_path / "trace")
    ran = {one for one in definitions(tmp_path / "trace") if followed(one)}
    script = ROOT / "workflow/scripts/zeroshot_ask.py"
    assert ran - set(closure([CUE_DESCRIBERS["cues"].target], script)) == set()
    assert ran - set(closure([], script))  # which other jobs do not depend on


# the workflow -----------------------------------------------------------------------------------------
def flow(dataset, prompts, **asked):
    zeroshot = {"models": ["causal_lm"], "prompt_set": "textual", "prompts": prompts, **asked}
    config = {"run": "x", "dataset": dataset, "zeroshot": zeroshot, "features": {"speech": {"source": "given"}}}
    nothing = {"train": {"runs": []}, "adapt": {"methods": []}}
    return checked_flow({**config, **nothing}, load=False)


class Job(dict):
    """Wildcards of a job."""

    __getattr__ = dict.__getitem__


def job():
    return Job(prompted_model="causal_lm", granularity="video", prompt="cues", shard="000")


def names(paths):
    return [path.split("/")[-2] for path in paths]


def test_a_prompt_that_tells_cues_needs_the_features_that_they_are_found_in(tmp_path):
    recorded = flow({"source": "demo"}, ["cues"]).zeroshot
    assert names(recorded.described_cues(job())) == ["faces", "visual", "audio", "speech", "cues"]
    assert recorded.videos(job())
    assert set(recorded.tables()) == {"conditions", "cue_scores"}
    assert recorded.record(job())["modalities"] == "VAT"
    spoken = flow({"source": "demo"}, ["td1"], prompt_set="released").zeroshot
    assert spoken.described_cues(job()) == []
    assert set(spoken.tables()) == {"conditions", "cue_scores"}
    assert spoken.ask_code(job()) != recorded.ask_code(job())


def test_transcripts_have_cues_of_words_and_no_timeline(tmp_path):
    (tmp_path / "video_level_train.txt").write_text("")
    transcripts = {"source": "transcripts", "layout": "bah224", "root": str(tmp_path)}
    stage = flow(transcripts, ["cues"]).zeroshot
    assert stage.described_cues(job()) == []
    assert set(stage.tables()) == {"conditions"}
    with pytest.raises(WaverError, match="a timeline needs recordings"):
        flow(transcripts, ["cues", "timeline"])
