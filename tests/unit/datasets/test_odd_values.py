"""One odd value costs its own entry, with file and line; nothing is rounded, repeated, dropped or taken silently."""

from __future__ import annotations

import textwrap

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from bah_tree import annotation_entry, by_video, person, put, video_path, write_clip

from video_clips import constant_rate
from video_clips import write_clip as write_timed
from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.frame_labels import FrameSources, frame_truth, on_frames_of
from waver.datasets.bah.yaml_entries import read_document
from waver.datasets.ingest import ingest

QUIET, SHOWN = video_path("82568", 1), video_path("82568", 2)
FILE = "video_annotation_transcript.yaml"


def entry_text(field: str, written: str, *without: str) -> str:
    entry = {key: value for key, value in annotation_entry(SHOWN, (6, 18)).items() if key not in (field, *without)}
    return textwrap.indent(yaml.dump(entry), "  ") + f"  {field}: {written}\n"


@pytest.fixture
def with_entry(run, release, clip, tmp_path):
    """Ingest a release whose entry of SHOWN is a text, at the end of the annotation."""

    def _run(text, key=SHOWN):
        root = release.write(tmp_path / "root", clip)
        others = yaml.dump({path: entry for path, entry in release.annotation.items() if path != SHOWN})
        put(root / FILE, f"{others}{key}:\n{text}\n")
        return run(root), others.count("\n") + 1

    return _run


EXCLUDED = {
    "certainty_ah": ("[1.0e+30]", "['1e30']", "[.inf]", "[.nan]", "[1000]", "[2.5]", "[true]", "[2025-01-01]", "[-1]",
                     "[2025-02-30]", "[[2]]", "{a: 1}"),
    "global_ah": (".inf", "1.0e+30", "0.5", "1.5", "2", "-1", "[1]", "{}", "2025-01-01", "2025-02-30", "'1.0'"),
    "fr_detailed_ah": ("[[.inf, 17]]", "[[6.5, 17]]", "[[.nan, 3]]", "[[6, 1.0e+30]]", "[[2025-02-30, 3]]"),
    "time_detailed_ah": ("[[.inf, 17]]", "[[.nan, 3]]", "[[-1.0, 3]]", "[[0.75, 0.25]]"),
    "all_cues": ("[.inf]", "[{audio: .nan}]", "[{audio: 2025-01-01}]", "[{audio: 2025-02-30}]"),
    "transcript": ("{chunks: ['hello']}", "{chunks: [1]}", "{chunks: hello}", "[hello]", "{text: [a, b]}",
                   "{chunks: [{text: [a, b]}]}", "{chunks: [{text: no}]}", "12", "{chunks: [null]}"),
    "annotator_id": ("&a [*a]", "*nothing", "2025-13-45", "[" * 30_000, "{" * 30_000),
    "frame_annotation": (f"[[{SHOWN}/frame-{'9' * 20}.jpg, 1]]", f"[[{SHOWN}/frame-0.jpg, 0.5]]",
                         f"[[{SHOWN}/frame-0.jpg, [1]]]", f"[[{SHOWN}/frame-1.5.jpg, 1]]", "{frame-0: 1}"),
}  # fmt: skip


@pytest.mark.parametrize(("field", "written"), [(field, one) for field, given in EXCLUDED.items() for one in given])
def test_one_odd_value_costs_its_entry(with_entry, field, written):
    found, line = with_entry(entry_text(field, written))
    assert sorted(by_video(found["videos"])) == ["82567_Q1", "82567_Q2", "82568_Q1", "82569_Q1", "82569_Q2"]
    (row,) = found["set_aside"]
    assert row["item"] == "82568_Q2"
    assert row["reason"].startswith(f"{FILE}, line ")
    assert int(row["reason"].split("line ")[1].split(":")[0]) >= line
    for pythons in ("'", "takes", "object", "argument", "invalid", "Error"):
        assert pythons not in row["reason"]


@pytest.mark.parametrize("written", ["[2]", "[2.0]", "['2']", "2", "[null]", "[high]", "[]"])
def test_what_is_a_certainty_or_a_word(with_entry, written):
    found, _ = with_entry(entry_text("certainty_ah", written))
    assert found["set_aside"] == []
    segment = next(row for row in found["segments"] if row["video"] == "82568_Q2")
    assert segment["certainty"] == (2 if "2" in written else None)


TWICE = {
    "video": (f"{textwrap.indent(yaml.dump(annotation_entry(SHOWN)), '  ')}{SHOWN}:\n  global_ah: 1", "is there twice"),
    "label": ("  global_ah: 0\n  global_ah: 1", "gives a value twice"),
    "within": ("  transcript: {text: yes, text: no}", "gives a value twice"),
    "spelling": (f"  global_ah: 0\n{SHOWN.removeprefix('Videos/')}:\n  global_ah: 1", "is there twice"),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_key_twice_is_never_the_last(with_entry, name):
    text, reason = TWICE[name]
    found, _ = with_entry(text)
    assert "82568_Q2" not in by_video(found["videos"])
    assert len(found["videos"]) == 5
    assert {row["item"] for row in found["set_aside"]} == {"82568_Q2"}
    assert reason in str(found["set_aside"])


def test_an_entry_twice_with_one_content_is_used(with_entry):
    text = textwrap.indent(yaml.dump(annotation_entry(SHOWN, (6, 18))), "  ")
    found, _ = with_entry(f"{text}{SHOWN.removeprefix('Videos/')}:\n{text}")
    assert len(found["videos"]) == 6
    assert found["set_aside"] == []


def test_a_key_that_is_a_list_costs_itself():
    found = read_document("a: 1\n? [b]\n: 2\nc: 3\n")
    assert (found["a"], found["c"], len(found)) == (1, 3, 3)


def test_a_person_twice_has_no_age_and_no_consent(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    record = {key: value for key, value in person(Age=30).items() if not key.startswith("Use in")}
    with open(root / "meta_data.yml", "a") as file:
        file.write(yaml.dump({"82568": record, "82569": {**person(), "Gender": ["Male"]}}).replace("'82569'", "82570"))
    found = run(root)
    one = next(row for row in found["participants"] if row["participant"] == "82568")
    assert (one["age"], one["sex"], one["consent_publication"]) == (None, None, False)
    assert {row["participant"] for row in found["set_aside"]} == {"82568"}


def test_a_list_is_not_taken_for_its_print(run, release, clip, tmp_path):
    release.metadata["82568"] = person(Gender=["Male"], Age=[51], **{"Birth country": {"a": 1}})
    found = run(release.write(tmp_path / "root", clip))
    one = next(row for row in found["participants"] if row["participant"] == "82568")
    assert (one["sex"], one["age"], one["birth_country"], one["consent_publication"]) == (None, None, None, True)


NO_FRAMES = ("frame_annotation", "fr_detailed_ah", "time_detailed_ah")
USELESS = {
    "after the end, frames": ("fr_detailed_ah", "[[30, 40]]"),
    "after the end, seconds": ("time_detailed_ah", "[[6, 17]]"),
    "between two frames": ("time_detailed_ah", "[[0.05, 0.06]]"),
    "no pairs": ("fr_detailed_ah", "[[6]]"),
    "a number": ("fr_detailed_ah", "6"),
    "a text": ("time_detailed_ah", "6-17"),
    "a table": ("time_detailed_ah", "{6: 17}"),
}


@pytest.mark.parametrize("name", USELESS)
def test_a_positive_video_without_usable_segments_is_not_negative(with_entry, name):
    field, written = USELESS[name]
    found, _ = with_entry(entry_text(field, written, *NO_FRAMES))
    assert "82568_Q2" not in by_video(found["videos"])
    assert [row["item"] for row in found["set_aside"]] == ["82568_Q2"]


def test_a_segment_that_is_left_out_is_told(with_entry):
    found, _ = with_entry(entry_text("fr_detailed_ah", "[[6, 17], [30, 40]]", *NO_FRAMES))
    assert by_video(found["videos"])["82568_Q2"]["annotated_frames"] == 24
    assert [row["reason"] for row in found["set_aside"]] == [
        "an interval of its annotation begins after the end of the video and is left out"
    ]


def test_a_positive_line_of_the_split_without_intervals_is_not_negative(with_entry):
    found, _ = with_entry(entry_text("fr_detailed_ah", "[]", *NO_FRAMES, "global_ah"))
    assert by_video(found["videos"])["82568_Q2"]["annotated_frames"] is None


def test_one_time_that_is_none_costs_no_words(with_entry):
    chunks = "{chunks: [{text: well, timestamp: [0, .nan]}, {text: 'yes', timestamp: [0.25, 0.5]}]}"
    found, _ = with_entry(entry_text("transcript", chunks))
    assert by_video(found["answers"])["82568_Q2"]["text"] == "well yes"
    assert by_video(found["videos"])["82568_Q2"]["label"] == 1


def test_a_transcript_file_that_is_none_is_told(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    for path, text in ((QUIET, "chunks: ['hello']\n"), (SHOWN, "chunks: [\n")):
        put(root / f"transcription/{path}/a.yml", text)
    found = run(root)
    assert len(found["videos"]) == 6
    assert [row["item"] for row in found["set_aside"]] == ["82568_Q1", "82568_Q2"]
    assert by_video(found["answers"])["82568_Q1"]["text"] == "From the annotation."


def test_an_annotation_on_24_fps_is_read_on_that_grid(tmp_path, run, release, clip):
    """30 frames a second, 2 s; 48 labels, of which the second half is A/H."""
    root = release.write(tmp_path / "root", clip)
    write_timed(root / SHOWN, constant_rate(30, 60), "mpeg4")
    release.annotation[SHOWN] = annotation_entry(SHOWN, (24, 48), 48)
    put(root / FILE, yaml.dump(release.annotation))
    found = run(root)
    assert by_video(found["videos"])["82568_Q2"]["annotated_frames"] == 60
    segment = next(row for row in found["segments"] if row["video"] == "82568_Q2")
    assert (segment["start_frame"], segment["end_frame"], segment["certainty"]) == (30, 60, 2)


@pytest.mark.parametrize(("fps", "seconds"), [(30, 7), (25, 10), (15, 5), (60, 3), (29.97, 60), (12, 9)])
def test_grids(fps, seconds):
    pts_s = np.arange(round(fps * seconds)) / fps
    slots = np.zeros(round(24 * seconds), np.uint8)
    slots[24:60] = 1
    by_time = ((pts_s * 24 + 1e-6).astype(int) >= 24) & ((pts_s * 24 + 1e-6).astype(int) < 60)
    on_grid = Annotation("v", labels=slots, intervals=((24, 60),))
    assert on_frames_of(on_grid, len(pts_s), lambda: pts_s).labels.tolist() == by_time.tolist()
    assert frame_truth("k", None, FrameSources({"k": slots}), len(pts_s), lambda: pts_s).tolist() == by_time.tolist()
    seconds_and_slots = Annotation("v", intervals=((24, 60),), times=((1.0, 2.5),))
    found = on_frames_of(seconds_and_slots, len(pts_s), lambda: pts_s)
    assert frame_truth("k", found, FrameSources(), len(pts_s), lambda: pts_s).tolist() == by_time.tolist()
    neither = Annotation("v", labels=np.zeros(round(31 * seconds) + 9, np.uint8))
    assert on_frames_of(neither, len(pts_s), lambda: pts_s) is neither
    own = Annotation("v", labels=np.zeros(len(pts_s), np.uint8), intervals=((3, 5),))
    assert on_frames_of(own, len(pts_s), lambda: pts_s) is own


def test_segments_of_a_folder_that_its_video_does_not_have(tmp_path):
    root, out = tmp_path / "root", tmp_path / "out"
    for number, name in enumerate("abc"):
        write_clip(root / f"{name}.mp4", 24 + number)
    put(root / "videos.csv", "participant,video,split,label\nx,a.mp4,train,1\ny,b.mp4,val,1\nz,c.mp4,test,1\n")
    put(root / "segments.csv", "video,start_s,end_s\na.mp4,5,9\nb.mp4,0.25,0.5\nb.mp4,5,9\nc.mp4,0.05,0.06\n")
    put(root / "questions.csv", "question,text\n1,What?\n1,Why?\n")
    tables = {
        name: out / f"{name}.parquet" for name in ("participants", "videos", "answers", "segments", "transcripts")
    }
    excluded = out / "set_aside.parquet"
    ingest(root, "auto", 2, {**tables, "set_aside": excluded}, out / "shards", out / "cache.json", reader="folder")
    assert pq.read_table(tables["videos"])["video"].to_pylist() == ["b"]
    assert sorted(pq.read_table(excluded)["reason"].to_pylist()) == [
        "a segment begins after the end of the video and is left out",
        "no segment has a frame of the video",
        "no segment has a frame of the video",
        "questions.csv, line 3: its question has a text in this language already",
    ]
