"""One odd or hostile entry of a release costs only itself, in little time and memory, and is told by file and line."""

from __future__ import annotations

import os
import resource
import time

import pytest
import yaml
from bah_tree import annotation_entry, by_video, person, put, video_path

from waver.datasets.bah.annotation import read_annotation
from waver.datasets.bah.splits import read_frame_split, read_split
from waver.datasets.transcripts import read_transcript
from waver.errors import WaverError

BAD, GOOD = video_path("82568", 1), video_path("82569", 2)


def nested(levels: int, write: str) -> str:
    """``levels`` lists or tables, each of nine aliases to the one before."""
    lines = ["  a0: &a0 {x: 1}"]
    for level in range(1, levels + 1):
        lines.append(f"  a{level}: &a{level} " + write.format(", ".join([f"*a{level - 1}"] * 9)))
    return "\n".join([*lines, f"  all_cues: [{{language: *a{levels}}}]"])


EXCLUDED = {
    "dashes": "  frame_annotation:\n" + "- " * 3200 + "\n",
    "dashes on lines": "  frame_annotation:\n" + "  - \n" * 800,
    "blanks": "  frame_annotation:\n  -" + " " * 5000 + f"[{BAD}/frame-5.jpg" + " " * 5000 + ", 1]\n",
    "aliases": nested(10, "[{}]"),
    "merged": nested(10, "{{<<: [{}]}}"),
    "itself": "  fr_detailed_ah: &a [*a]",
    "nowhere": "  fr_detailed_ah: *nothing",
    "deep": "  all_cues: " + "[" * 500 + "]" * 500,
    "segment of 1e9": "  fr_detailed_ah: [[0, 1000000000]]",
    "segment of 5,000 digits": f"  fr_detailed_ah: [[0, {'9' * 5000}]]",
    "segment of 5,000 hexadecimal digits": f"  fr_detailed_ah: [[0, 0x{'f' * 5000}]]",
    "negative segment": "  fr_detailed_ah: [[-9, -3]]",
    "endless segment": "  fr_detailed_ah: [[0, .inf]]",
    "segment of no number": "  fr_detailed_ah: [[.nan, 3]]",
    "segment of a date": "  fr_detailed_ah: [[2025-01-01, 2025-01-02]]",
    "endless time": "  time_detailed_ah: [[0, .inf]]",
    "negative time": "  time_detailed_ah: [[-5.0, 3.0]]",
    "time of 5,000 digits": f"  time_detailed_ah: [[0, '{'9' * 5000}']]",
    "time of a table": "  time_detailed_ah: [[{a: 1}, 3]]",
    "label": "  global_ah: 99999999999",
    "endless label": "  global_ah: .inf",
    "label of a name": "  global_ah: Jane Roe 555-0199",
    "label of a list": "  global_ah: [1]",
    "no date": "  annotator_id: 2025-13-45",
    "unknown tag": "  all_cues: !somebody [1]",
    "python": "  all_cues: !!python/object/apply:os.system ['touch canary']",
    "python, named": "  all_cues: !!python/name:os.system ''",
    "forged frames": "  frame_annotation: !waver/frames 0",
    "binary": "  all_cues: !!binary aGFsbG8=",
    "key of a list": "  all_cues: {? [a] : b}",
    "frames of another": f"  frame_annotation:\n  - [{GOOD}/frame-0.jpg, 1]",
    "frames far away": f"  frame_annotation:\n  - [{BAD}/frame-999999999.jpg, 1]",
    "frames of 5,000 digits": f"  frame_annotation:\n  - [{BAD}/frame-{'9' * 5000}.jpg, 1]",
    "negative frames": f"  frame_annotation: [[{BAD}/frame--1.jpg, 1], [{BAD}/frame-0.jpg, 1]]",
    "frame labels": f"  frame_annotation: [[{BAD}/frame-0.jpg, 257]]",
    "surrogate": "  transcript: {text: \"a\\uD800b\"}",
    "syntax": "  global_ah: [0",
    "quote": "  annotator_id: 'a",
    "text": "  just text",
    "list": "  [1, 2]",
}  # fmt: skip
MOST_S = 15.0
"""CPU seconds, ten times what the slowest takes on a machine that does nothing else."""
KEPT = {
    "certainty": "  global_ah: 0\n  certainty_ah: [99999999999, .inf, .nan, 0x" + "f" * 90 + "]",
    "chunk": "  global_ah: 0\n  transcript: {chunks: [1, null, [2], {text: 'yes'}]}",
    "chunks": "  global_ah: 0\n  transcript: {chunks: {a: 1}, text: yes}",
    "times": "  transcript: {chunks: [{text: a, timestamp: [.inf, -1]}, {text: b, timestamp: [1, 1e9]}]}",
    "language": "  global_ah: 0\n  transcript: {chunks: [{text: a, language: [x]}]}",
    "cues": "  global_ah: 0\n  all_cues: [{1: a, b: {2: x, c: y}}, .nan]",
    "escapes": "  global_ah: 0\n  transcript: {text: \"a\\uFFFEb\\0c\\x07\"}",
    "control": "  global_ah: 0\n  annotator_id: 'a\0\x07\x7fb'",
    "empty": "",
}  # fmt: skip


def with_entry(text: str) -> str:
    """A whole annotation file with an entry for BAD between two sound ones."""
    first, last = (yaml.dump({path: annotation_entry(path, (6, 18))}) for path in (video_path("82567", 2), GOOD))
    return f"{first}{BAD}:\n{text}\n{last}"


@pytest.fixture
def bounded():
    """Whatever the entry, it takes little time and no memory to speak of."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    yield
    assert time.process_time() - started < MOST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("name", EXCLUDED)
@pytest.mark.usefixtures("bounded")
def test_an_entry_that_cannot_be_used_costs_only_itself(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    first, bad, last = read_annotation(put(tmp_path / "annotation.yaml", with_entry(EXCLUDED[name])))
    assert (first.problem, last.problem) == (None, None)
    assert len(first.labels) == len(last.labels) == 24
    assert bad.path == BAD
    assert bad.problem is not None
    for content in ("Jane", "555", "9999", "somebody", "touch", "hallo", "ffff"):
        assert content not in str(bad.problem)
    assert not os.path.exists("canary")


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.usefixtures("bounded")
def test_what_is_not_needed_may_be_odd(run, release, clip, tmp_path, name):
    root = release.write(tmp_path / "root", clip)
    usual = run(root, out="usual")
    text = yaml.dump({path: entry for path, entry in release.annotation.items() if path != BAD})
    put(root / "video_annotation_transcript.yaml", f"{text}{BAD}:\n{KEPT[name]}\n")
    found = run(root)
    for table in ("videos", "answers", "segments", "transcripts"):
        others = [[row for row in rows[table] if row["video"] != "82568_Q1"] for rows in (usual, found)]
        assert others[0] == others[1], table
    assert "82568_Q1" in by_video(found["answers"])
    said = by_video(found["answers"])["82568_Q1"]["text"]
    assert said.isprintable()


def test_an_excluded_entry_is_told_with_file_and_line(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    put(root / "video_annotation_transcript.yaml", with_entry("  all_cues: !somebody [1]"))
    found = run(root)
    line = with_entry("").split(BAD)[0].count("\n") + 2
    reasons = {row["item"]: row["reason"] for row in found["set_aside"]}["82568_Q1"]
    assert reasons == f"video_annotation_transcript.yaml, line {line}: its annotation has a tag that is not known"
    assert "82568_Q1" not in by_video(found["videos"])
    assert len(found["videos"]) == 5


@pytest.mark.parametrize("text", ["[" * 60_000, "{" * 60_000, "- " * 60_000, "? " * 40_000, "a: [" * 20_000])
@pytest.mark.usefixtures("bounded")
def test_a_file_of_brackets_is_refused_at_once(tmp_path, text):
    with pytest.raises(WaverError, match=r"annotation\.yaml, line 1"):
        read_annotation(put(tmp_path / "annotation.yaml", text))


@pytest.mark.parametrize("levels", [3, 10])
@pytest.mark.usefixtures("bounded")
def test_transcripts_and_metadata_are_bounded_too(run, release, clip, tmp_path, levels):
    release.metadata["82567"] = person()
    root = release.write(tmp_path / "root", clip)
    bomb = nested(levels, "[{}]").replace("\n  ", "\n").strip()
    put(root / f"transcription/{BAD}/a.yml", f"chunks: [{{text: &x [1]}}]\n{bomb}\n")
    with open(root / "meta_data.yml", "a") as metadata:
        metadata.write(f"'82568':\n{nested(levels, '[{}]')}\n'99999': !somebody x\n")
    found = run(root)
    allowed = {row["participant"]: row["consent_publication"] for row in found["participants"]}
    assert allowed == {"82567": True, "82568": False, "82569": True}
    assert len(found["videos"]) == 6


@pytest.mark.usefixtures("bounded")
def test_lines_of_split_files(tmp_path):
    digits = "9" * 5000
    lines = [
        f"Videos/{digits}/Visite_1/{digits}_Question_1_2024-10-02_15-46-11_Video.mp4,1,x",
        f"{BAD},{digits},x", f"{BAD},²,x", "/" * 3000 + ".mp4", "," * 3000, f"{BAD.replace('_1/', f'_{digits}/')},1,",
        f"{GOOD},1,a\0b\x07" + "x" * 200_000,
    ]  # fmt: skip
    entries, bad = read_split(put(tmp_path / "train.txt", "\n".join(lines)), "train", {"0": 0, "1": 1}, tmp_path)
    assert [entry.path for entry in entries] == [GOOD]
    assert entries[0].transcript.startswith("abx")
    assert digits not in str([row["reason"] for row in bad])


@pytest.mark.usefixtures("bounded")
def test_lines_of_frame_splits(tmp_path):
    file = tmp_path / "frames.txt"
    lines = [f"{GOOD}/frame-{number}.jpg,{label}" for number, label in ((0, 1), ("²", 1), ("9" * 5000, 0), (1, "²"))]
    file.write_bytes("\n".join(lines).encode() + b"\n\xff\xfe/frame-1.jpg,1\n")
    assert [labels.tolist() for labels in read_frame_split(file, {"0": 0, "1": 1}).values()] == [[1]]


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
def test_many_intervals_and_many_chunks_take_linear_time(run, release, clip, tmp_path):
    release.annotation[BAD] |= {"fr_detailed_ah": [[k, k] for k in range(0, 20_000, 2)], "frame_annotation": None}
    root = release.write(tmp_path / "root", clip)
    assert len([row for row in run(root)["segments"] if row["video"] == "82568_Q1"]) == 12
    chunks = [{"text": "a", "timestamp": (None, 1.0)}] * 20_000
    assert len(read_transcript({"chunks": chunks}, 5.0)) == 20_000


@pytest.mark.slow
def test_names_and_files_that_are_none(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    usual = run(root, out="usual")
    latin = os.fsencode(root) + b"/R\xe9sultats/" + video_path("82999", 1).removeprefix("Videos/").encode()
    os.makedirs(os.path.dirname(latin))
    for path in (latin, os.fsencode(root) + b"/\xff.mp4"):
        with open(path, "wb") as file:
            file.write(clip)
    os.mkfifo(root / "pipe.mp4")
    os.mkfifo(root / "class_id.yaml")
    (root / "zero.mp4").symlink_to("/dev/zero")
    (root / "a\nb{x}.mp4").write_bytes(clip)
    for one in "abcdefgh":
        (root / f"links/{one}").mkdir(parents=True)
        for other in "abcdefgh":
            (root / f"links/{one}/{other}").symlink_to(root / f"links/{other}")
    found = run(root)
    actual = [row["item"] for row in found["set_aside"]]
    assert sorted(actual) == [
        "R\\xe9sultats/" + video_path("82999", 1).removeprefix("Videos/"),
        "\\xff.mp4",
        "a\nb{x}.mp4",
    ]
    for table in ("videos", "answers", "segments", "transcripts", "participants"):
        assert usual[table] == found[table]
