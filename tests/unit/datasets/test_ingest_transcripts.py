"""A data set of split files, transcripts and segment tables, without video files."""

import csv
import io

import pytest
from bah_tree import SHARDS, by_video, put, video_path

from waver.datasets.sharding import shard_of
from waver.io import tables as schemas
from waver.io.tables import read_table

# half-open runs in source frames; the table is inclusive
RUNS = {("82567", 1): [(0, 48, 0)], ("82567", 2): [(0, 20, 0), (20, 60, 1)], ("82568", 1): [(0, 30, 1), (30, 72, 0)]}
TEXTS = {
    ("82567", 1): "Well, I am not sure that it is in my hands.",
    ("82567", 2): "Je ne sais pas, c'est que je dois le faire.",
    ("82568", 1): "No, and yes.",
    ("82569", 1): "I want to, but I have not.",
    ("82569", 2): "",
}


def segments(runs):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["video", "start_frame", "end_frame", "label"])
    for (participant, question), parts in runs.items():
        for start, end, label in parts:
            writer.writerow([video_path(participant, question), start, end - 1, label])
    return out.getvalue()


@pytest.fixture
def root(tmp_path):
    """Train and val with segments, test with transcripts alone and, once, without a label."""
    folder = tmp_path / "root"
    labels = {("82567", 1): 0, ("82567", 2): 1, ("82568", 1): 1, ("82569", 1): 1, ("82569", 2): ""}
    for split, person in (("train", "82567"), ("val", "82568"), ("test", "82569")):
        own = {key: text for key, text in TEXTS.items() if key[0] == person}
        lines = [f"{video_path(*key)},{labels[key]},{text}" for key, text in own.items()]
        put(folder / f"video_level_{split}.txt", "\n".join(lines) + "\n")
        runs = {key: parts for key, parts in RUNS.items() if key[0] == person}
        if runs:
            put(folder / f"segments_{split}.csv", segments(runs))
    return folder


def test_a_labelled_video_counts_as_its_labelled_frames(run, root):
    found = run(root, recorded=False)
    videos = by_video(found["videos"])
    assert {name: (row["source_frames"], row["label"]) for name, row in videos.items()} == {
        "82567_Q1": (48, 0),
        "82567_Q2": (60, 1),
        "82568_Q1": (72, 1),
    }
    for row in videos.values():
        assert row["annotated_frames"] == row["source_frames"]
        assert row["source_fps"] == 24
        assert row["duration_s"] == row["source_frames"] / 24
        assert row["has_audio"] is False
    assert len({row["checksum"] for row in videos.values()}) == 3
    spans = [(row["video"], row["start_frame"], row["end_frame"]) for row in found["segments"]]
    assert spans == [("82567_Q2", 20, 60), ("82568_Q1", 0, 30)]
    assert found["set_aside"] == []


def test_a_split_without_segments_has_answers_and_no_videos(run, root):
    found = run(root, recorded=False)
    answers = by_video(found["answers"])
    assert set(answers) == {f"{person}_Q{question}" for person, question in TEXTS}
    assert not [row for row in found["videos"] if row["split"] == "test"]
    assert answers["82569_Q1"] == {
        "video": "82569_Q1",
        "participant": "82569",
        "split": "test",
        "question": 1,
        "label": 1,
        "text": "I want to, but I have not.",
        "words": 7,
        "duration_s": None,
        "language": "en",
    }
    assert (answers["82569_Q2"]["label"], answers["82569_Q2"]["words"], answers["82569_Q2"]["language"]) == (
        None,
        0,
        None,
    )
    assert answers["82567_Q2"]["language"] == "fr"
    assert answers["82567_Q2"]["duration_s"] == 2.5
    assert {row["participant"]: row["split"] for row in found["participants"]}["82569"] == "test"
    assert {row["video"] for row in found["transcripts"]} == set(answers) - {"82569_Q2"}


def test_video_files_that_lie_there_are_not_looked_at(run, root, clip):
    first = run(root, recorded=False)
    path = root / video_path("82567", 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(clip)
    (root / video_path("82999", 1)).parent.mkdir(parents=True)
    (root / video_path("82999", 1)).write_bytes(b"")
    assert run(root, recorded=False) == first


def test_shards_are_byte_stable_and_a_label_changes_one(run, root, tmp_path):
    folder = tmp_path / "out/shards"

    def contents():
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    whole = run(root, recorded=False)
    before = contents()
    names = ("videos", "answers", "segments", "transcripts")
    assert set(before) == {f"{shard:03d}.{name}.parquet" for shard in range(SHARDS) for name in names}
    for name in names:
        rows = [
            row
            for shard in range(SHARDS)
            for row in read_table(folder / f"{shard:03d}.{name}.parquet", getattr(schemas, name.upper()))
        ]
        assert sorted(map(str, rows)) == sorted(map(str, whole[name]))
    run(root, recorded=False)
    assert contents() == before
    checksum = by_video(whole["videos"])["82567_Q2"]["checksum"]
    moved = {**RUNS, ("82567", 2): [(0, 21, 0), (21, 60, 1)]}
    put(root / "segments_train.csv", segments({key: parts for key, parts in moved.items() if key[0] == "82567"}))
    again = run(root, recorded=False)
    assert by_video(again["videos"])["82567_Q2"]["checksum"] != checksum
    changed = {name for name, content in contents().items() if content != before[name]}
    own = shard_of("82567", SHARDS)
    assert changed == {f"{own}.videos.parquet", f"{own}.segments.parquet"}


def test_public_split_files_without_a_video(run, bah_files):
    found = run(bah_files)
    assert len(found["participants"]) == 168
    assert found["videos"] == []
    assert {row["reason"] for row in found["set_aside"]} == {"video file is missing"}
    assert len(found["set_aside"]) == len({row["video"] for row in found["transcripts"]}) == 726
    splits = {row["participant"]: row["split"] for row in found["participants"]}
    positive = {"train": 0, "val": 0}
    for row in found["segments"]:
        positive[splits[row["video"].split("_")[0]]] += row["end_frame"] - row["start_frame"]
    assert positive == {"train": 65_282, "val": 15_157}
    assert len(found["answers"]) == 726
    assert {row["duration_s"] for row in found["answers"]} == {None}


def test_public_split_files_as_a_data_set_of_transcripts(run, bah_files):
    found = run(bah_files, recorded=False)
    assert (len(found["participants"]), len(found["answers"]), len(found["videos"])) == (168, 726, 726)
    assert found["set_aside"] == []
    assert sum(row["source_frames"] for row in found["videos"]) == 456_936
    videos, answers = by_video(found["videos"]), by_video(found["answers"])
    assert videos.keys() == answers.keys()
    for video, row in videos.items():
        assert row["annotated_frames"] == row["source_frames"]
        assert row["duration_s"] == answers[video]["duration_s"] == pytest.approx(row["source_frames"] / 24)
        assert (row["label"], row["has_audio"]) == (answers[video]["label"], False)
    positive = {
        split: sum(row["label"] for row in answers.values() if row["split"] == split) for split in ("train", "val")
    }
    assert positive == {"train": 340, "val": 59}
    assert all(row["words"] == len(row["text"].split()) > 0 for row in answers.values())
    languages = [row["language"] for row in answers.values()]
    assert [languages.count(code) for code in ("en", "fr", None)] == [716, 7, 3]
