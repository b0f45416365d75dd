"""One job: videos and windows asked about with a tiny Video-LLaVA, killed, out of memory, and with a damaged file."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkout import ROOT
from tracing.executed import definitions, traced
from video_clips import number_of, write_clip
from waver.assets.manifest import install
from waver.config.zeroshot import ZeroShotConfig
from waver.datasets.folds import folds_of
from waver.errors import WaverError
from waver.features.clock import frame_clock
from waver.io.tables import (
    ANSWERS,
    FEATURE_INDEX,
    PACK_INDEX,
    PREDICTIONS,
    PROMPT_ANSWERS,
    VIDEOS,
    read_metadata,
    read_table,
    write_table,
)
from waver.io.zarr_store import new_store
from waver.registry import ZERO_SHOT_MODELS
from waver.workflow.fingerprint import closure, followed
from waver.zeroshot.families.base import Written
from waver.zeroshot.families.video_llava import VideoLlava
from waver.zeroshot.frames import full_frames
from waver.zeroshot.items import Sources
from waver.zeroshot.predictions import CERTAIN, predict_answers, spread_over_frames
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.runner import ask_shard
from waver.zeroshot.windows import whole_video, windows

SET = read_prompts("released")
QUESTIONS = {
    name: {**SET.prompts[name].model_dump(), "answers": SET.answers.model_dump()} for name in ("s", "td1", "td2")
}
LENGTHS = {"82001_Q1": 30, "82001_Q2": 41, "82002_Q1": 9}
CANARY = "Zanzibarine"
TIMES = {"seconds", "batch"}
"""Columns of PROMPT_ANSWERS in which two runs differ."""


@dataclass(frozen=True)
class Place:
    """A shard of three videos and a damaged one, and the model."""

    folder: Path
    model: Path

    @property
    def packs(self) -> Path:
        return self.folder / "packs.parquet"

    def ask(
        self,
        output: Path,
        granularity: str = "w8",
        questions: dict[str, dict[str, Any]] = QUESTIONS,
        faces: Path | None = None,
        videos: Path | None = None,
        **config: Any,
    ) -> list[dict[str, Any]]:
        settings = ZeroShotConfig(**{"batch": 2, "dtype": "float32", **config})
        table = videos or self.folder / "videos.parquet"
        sources = Sources(self.folder / "answers.parquet", table, self.folder, faces=faces)
        ask_shard(sources, self.model, "video_llava", granularity, questions, settings, False, "code", output)
        return read_table(output, PROMPT_ANSWERS)


def rows_of(schema: Any, values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with these values, all else made up."""
    plain = {field.name: {"bool": False, "string": ""}.get(str(field.type), 1) for field in schema}
    return [{**plain, **row} for row in values]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("asked")
    for video, frames in LENGTHS.items():
        write_clip(folder / f"{video}.mp4", np.arange(frames) / 24)
    (folder / "82001_Q3.mp4").write_bytes(b"no video" * 99)
    names = [*LENGTHS, "82001_Q3", "82003_Q1"]
    split = {video: "train" if video.startswith("82003") else "test" for video in names}
    rows = [
        {"video": video, "participant": video.split("_")[0], "split": split[video], "path": f"{video}.mp4",
         "text": f"I would, {CANARY} but {video}.", "checksum": video, "language": "en"}
        for video in names
    ]  # fmt: skip
    for schema, name in ((VIDEOS, "videos"), (ANSWERS, "answers")):
        own = [{key: value for key, value in row.items() if key in schema.names} for row in rows]
        write_table(folder / f"{name}.parquet", rows_of(schema, own), schema)
    lengths = [{"video": video, "frames": frames, "status": "ok"} for video, frames in LENGTHS.items()]
    write_table(folder / "packs.parquet", rows_of(PACK_INDEX, lengths), PACK_INDEX)
    install("tiny_video_llava", folder / "model", {})
    return Place(folder, folder / "model/asset.json")


@pytest.fixture(scope="module")
def answered(place, tmp_path_factory) -> tuple[Path, list[dict[str, Any]]]:
    output = tmp_path_factory.mktemp("answered") / "000.parquet"
    return output, place.ask(output, calibration=("none", "contextual"))


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.mark.slow
def test_every_window_of_the_wanted_splits_has_an_answer_to_every_prompt(answered):
    output, rows = answered
    spans = {(row["video"], row["start_frame"], row["end_frame"]) for row in rows}
    assert spans == {(v, w.start_frame, w.end_frame) for v, T in LENGTHS.items() for w in windows(T, 8)}
    assert len(rows) == 3 * len(spans)
    assert all(row["negative"] < 0 and row["positive"] < 0 and row["parsed"] is None for row in rows)
    about = read_metadata(output)
    assert (about["excluded"], about["window"], about["set"], about["decoding"]) == (1, 8, "tiny", "score")
    assert about["content_free"].keys() == QUESTIONS.keys()


@pytest.mark.parametrize("video", LENGTHS)
def test_a_window_shows_its_own_frames(place, video):
    path = place.folder / f"{video}.mp4"
    clock = frame_clock(path)
    for cut in (windows(clock.frames, 8), windows(clock.frames, 12, 5), [whole_video(clock.frames)]):
        shown = list(full_frames(path, clock, cut))
        assert [window for window, _ in shown] == cut
        assert all([number_of(one) for one in pictures] == window.frames.tolist() for window, pictures in shown)


@pytest.mark.slow
def test_a_killed_job_goes_on_after_its_last_batch(place, answered, tmp_path, monkeypatch):
    calls: list[int] = []
    score = VideoLlava.score

    def killed(model, items, *rest):
        calls.append(len(items))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(model, items, *rest)

    monkeypatch.setattr(VideoLlava, "score", killed)
    with pytest.raises(KeyboardInterrupt):
        place.ask(tmp_path / "000.parquet")
    with open(tmp_path / "000.journal.jsonl", "a") as journal:
        journal.write('{"key": "cut sho')
    found = place.ask(tmp_path / "000.parquet")
    assert timeless(found) == timeless(answered[1])
    assert sum(calls[:3]) + sum(calls[4:]) == len(found) / 3  # the batch that was killed is asked again
    count = len(calls)
    assert timeless(place.ask(tmp_path / "000.parquet")) == timeless(found)
    assert len(calls) == count


@pytest.mark.slow
def test_answers_that_a_prompt_no_longer_asks_for_are_not_taken_from_the_journal(place, tmp_path):
    before = place.ask(tmp_path / "000.parquet", "video")
    other = {**QUESTIONS, "td1": {**QUESTIONS["td1"], "answers": {"positive": "Yes", "negative": "No"}}}
    after = place.ask(tmp_path / "000.parquet", "video", other)
    changed = [one["prompt"] for one, same in zip(after, before, strict=True) if one["negative"] != same["negative"]]
    assert changed == ["td1"] * len(LENGTHS)


@pytest.mark.slow
def test_answers_about_other_faces_are_not_taken_from_the_journal(place, tmp_path):
    found = []
    for key, grey in (("one", 0), ("two", 250)):
        rows = []
        for video, frames in LENGTHS.items():
            rows.append({"video": video, "participant": video[:5], "status": "ok", "frames": frames, "key": key})
            with new_store(tmp_path / f"{key}/stores/{video[:5]}/{video}.zarr", key) as writer:
                writer.put("image", np.full((frames, 32, 32, 3), grey, np.uint8))
        write_table(tmp_path / key / "000.parquet", rows_of(FEATURE_INDEX, rows), FEATURE_INDEX)
        faces = tmp_path / key / "000.parquet"
        found.append(place.ask(tmp_path / "asked.parquet", "video", faces=faces, frames={"picture": "face"}))
    assert len(found[0]) == 3 * len(LENGTHS)
    for one, other in zip(*found, strict=True):
        assert one["positive"] != other["positive"]


def test_a_shard_without_a_readable_video_has_no_answers(place, tmp_path):
    write_table(tmp_path / "none.parquet", [], VIDEOS)
    assert place.ask(tmp_path / "000.parquet", videos=tmp_path / "none.parquet") == []


def test_more_frames_than_fit_are_refused_before_anything_is_asked(place, tmp_path):
    with pytest.raises(WaverError, match=r"zeroshot\.frames\.number is 900, and .* room for 739; give fewer"):
        place.ask(tmp_path / "000.parquet", "video", frames={"number": 900})


@pytest.mark.slow
def test_memory_that_does_not_suffice_halves_the_batch_for_good(place, answered, tmp_path, monkeypatch, caplog):
    score, sizes = VideoLlava.score, []

    def tight(model, items, *rest):
        sizes.append(len(items))
        if len(items) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return score(model, items, *rest)

    monkeypatch.setattr(VideoLlava, "score", tight)
    with caplog.at_level(logging.WARNING):
        found = place.ask(tmp_path / "000.parquet", batch=4)
    assert {row["batch"] for row in found} == {1}
    assert [size for size in sizes if size > 1] == [4, 2]
    assert "the memory does not suffice for 4 items at once; 2 from here on" in caplog.text
    for one, other in zip(found, answered[1], strict=True):
        assert one["positive"] == pytest.approx(other["positive"], abs=1e-5)


@pytest.mark.slow
def test_no_word_is_in_a_log_or_a_table(place, answered, tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        place.ask(tmp_path / "000.parquet", "video", decoding="generate", unparsable="score")
    written = [path for path in (*tmp_path.iterdir(), *answered[0].parent.iterdir()) if path.is_file()]
    assert len(written) >= 6
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]
    assert CANARY not in caplog.text
    assert not list(tmp_path.glob(".*.private.jsonl"))


def test_what_is_written_is_kept_only_where_the_config_asks(place, tmp_path):
    rows = place.ask(tmp_path / "000.parquet", "video", decoding="constrained", keep_answers=True)
    actual = [json.loads(line) for line in (tmp_path / ".000.private.jsonl").read_text().splitlines()]
    assert [(one["video"], one["prompt"]) for one in actual] == [(row["video"], row["prompt"]) for row in rows]
    journal = [json.loads(line) for line in (tmp_path / "000.journal.jsonl").read_text().splitlines()]
    assert [one["key"] for one in actual] == [one["key"] for one in journal]
    labels = {"Ambivalent": 1, "Non-Ambivalent": 0}
    assert [labels[one["text"].strip()] for one in actual] == [row["parsed"] for row in rows]


def test_what_was_kept_is_removed_by_the_next_job_that_keeps_nothing(place, tmp_path, monkeypatch):
    def quoting(model, items, asked, *_):
        return [[Written(f"Ambivalent, for {CANARY}.", 7) for _ in own] for own in asked]

    monkeypatch.setattr(VideoLlava, "generate", quoting)
    options = {"decoding": "generate", "unparsable": "drop"}
    place.ask(tmp_path / "000.parquet", "video", keep_answers=True, **options)
    holding = [path.name for path in tmp_path.iterdir() if CANARY.encode() in path.read_bytes()]
    assert holding == [".000.private.jsonl"]
    place.ask(tmp_path / "000.parquet", "video", keep_answers=False, **options)
    assert not [path.name for path in tmp_path.iterdir() if CANARY.encode() in path.read_bytes()]


def predict(packs: Path, asked: Path, folder: Path, granularity: str, **changes: Any) -> dict[str, Path]:
    known = {"family": "video_llava", "prompt_set": "released", "prompt": "td1", "label": "x", "prompt_sha256": "0"}
    outputs = {f"{name}_predictions": folder / f"{name}.parquet" for name in changes.pop("calibration", ("none",))}
    arguments = {"folding": None, "policy": ("score", 1), "record": {"modalities": "VT"}, **changes}
    predict_answers([asked], [packs], "video_llava", granularity, "td1", outputs=outputs, known=known, **arguments)
    return outputs


def test_a_window_answers_for_its_frames_and_calibration_subtracts_the_answer_about_nothing(place, answered, tmp_path):
    requested, rows = answered
    files = predict(place.packs, requested, tmp_path, "w8", calibration=("none", "contextual"))
    plain, free = (read_table(path, PREDICTIONS) for path in files.values())
    for video, frames in LENGTHS.items():
        own = [row for row in plain if row["video"] == video]
        assert [row["frame"] for row in own] == list(range(frames))
        margins = {row["start_frame"]: row["positive"] - row["negative"] for row in rows
                   if (row["video"], row["prompt"]) == (video, "td1")}  # fmt: skip
        assert [row["margin"] for row in own] == [margins[8 * (row["frame"] // 8)] for row in own]
    nothing = read_metadata(requested)["content_free"]["td1"]
    assert [row["margin"] for row in free] == pytest.approx([row["margin"] - nothing for row in plain])
    about = [read_metadata(path) for path in files.values()]
    assert [one["method"] for one in about] == ["video_llava.td1.w8", "video_llava.td1.w8.contextual"]
    record = about[0]["zeroshot"]
    assert (record["weights"], record["calls"], about[0]["level"]) == ("tiny random", len(rows) // 3, "frame")
    assert 0 < record["label_mass"] < 1
    assert record["tokens_per_call"] > 8 * 5


def test_the_answer_about_a_video_is_spread_over_its_frames(place, tmp_path):
    place.ask(tmp_path / "asked.parquet", "video")
    (whole,) = predict(place.packs, tmp_path / "asked.parquet", tmp_path, "video").values()
    spread_over_frames(whole, [place.packs], tmp_path / "frames.parquet")
    margins = {row["video"]: row["margin"] for row in read_table(whole, PREDICTIONS)}
    rows = read_table(tmp_path / "frames.parquet", PREDICTIONS)
    assert [(row["video"], row["frame"]) for row in rows] == [(v, f) for v in margins for f in range(LENGTHS[v])]
    assert all(row["margin"] == margins[row["video"]] for row in rows)
    about = read_metadata(tmp_path / "frames.parquet")
    assert (about["method"], about["level"], about["zeroshot"]["calls"]) == ("video_llava.td1.video", "frame", 0)


def test_a_word_is_a_certain_margin(place, tmp_path):
    place.ask(tmp_path / "asked.parquet", "video", decoding="constrained", splits=("train", "test"))
    files = predict(place.packs, tmp_path / "asked.parquet", tmp_path, "video", policy=("drop", 1))
    rows = read_table(files["none_predictions"], PREDICTIONS)
    assert {row["video"] for row in rows} == LENGTHS.keys()
    assert {abs(row["margin"]) for row in rows} == {CERTAIN}
    assert {row["frame"] for row in rows} == {None}


def test_folds_are_those_of_everybody_whoever_has_an_answer(place, tmp_path):
    people = [f"9{number:04}" for number in range(12)]
    rows = [
        {"video": f"{one}_Q1", "participant": one, "split": "train", "text": "", "language": "en"} for one in people
    ]
    write_table(tmp_path / "answers.parquet", rows_of(ANSWERS, rows), ANSWERS)
    numbers = {
        "negative": -1.0,
        "positive": -2.0,
        "mass": 0.5,
        "parsed": None,
        "prompt": "td1",
        "start_frame": None,
        "end_frame": None,
    }
    about = {"model": {}, "key": "x", "set": "tiny", "decoding": "score", "excluded": 3, "window": None}
    requested = [{**{key: row[key] for key in ("video", "participant", "split")}, **numbers} for row in rows[3:]]
    write_table(tmp_path / "asked.parquet", rows_of(PROMPT_ANSWERS, requested), PROMPT_ANSWERS, about)
    outputs = {"none_folds": tmp_path / "folds.parquet"}
    known = {"family": "x", "prompt_set": "released", "prompt": "td1", "label": "x", "prompt_sha256": "0"}
    arguments = [(3, "numbers"), ("score", 1), outputs, known, {"modalities": "T"}, [tmp_path / "answers.parquet"]]
    predict_answers([tmp_path / "asked.parquet"], [], "causal_lm", "video", "td1", *arguments)
    found = {row["participant"]: row["fold"] for row in read_table(outputs["none_folds"], PREDICTIONS)}
    everybody = folds_of(people, 3, "numbers")
    assert found == {one: everybody[one] for one in people[3:]}
    assert found != folds_of(people[3:], 3, "numbers")


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["zeroshot_ask", "zeroshot_predict", "zeroshot_spread"])
def test_every_definition_that_a_job_executes_is_in_its_fingerprint(place, answered, tmp_path, rule):
    """As tests/e2e/test_fingerprints.py does for the rules of its runs, in which nobody is asked."""
    if rule == "zeroshot_spread":
        place.ask(tmp_path / "asked.parquet", "video")
        (whole,) = predict(place.packs, tmp_path / "asked.parquet", tmp_path, "video").values()
    job = {
        "zeroshot_ask": lambda: place.ask(tmp_path / "000.parquet", "w24", decoding="generate"),
        "zeroshot_spread": lambda: spread_over_frames(whole, [place.packs], tmp_path / "frames.parquet"),
        "zeroshot_predict": lambda: predict(place.packs, answered[0], tmp_path, "w8"),
    }[rule]
    traced(job, tmp_path / "trace")
    methods = [ZERO_SHOT_MODELS["video_llava"].target] if rule == "zeroshot_ask" else []
    ran = definitions(tmp_path / "trace")
    found = closure(methods, ROOT / f"workflow/scripts/{rule}.py")
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
