import hashlib
import os
import shutil

import pytest
from bah_tree import FRAMES, Release, annotation_entry, by_video, frame_list, person, put, video_path, write_clip

from waver.datasets.video_probe import probe_video
from waver.errors import WaverError
from waver.io.tables import read_metadata

ANNOTATION = "video_annotation_transcript.yaml"


def reasons(found):
    return {row["item"]: row["reason"] for row in found["set_aside"]}


def test_a_sound_release(run, release, clip, tmp_path):
    release.metadata["82568"] = person(publication="No")
    root = release.write(tmp_path / "root", clip)
    found = run(root)
    assert read_metadata(tmp_path / "out/participants.parquet") == {"layout": "bah300"}
    assert found["set_aside"] == []
    assert [(row["participant"], row["split"], row["consent_publication"]) for row in found["participants"]] == [
        ("82567", "train", True),
        ("82568", "val", False),
        ("82569", "test", True),
    ]
    video = by_video(found["videos"])["82568_Q2"]
    assert (video["split"], video["question"], video["label"]) == ("val", 2, 1)
    assert video["path"] == video_path("82568", 2)
    assert (video["source_frames"], video["annotated_frames"], video["has_audio"]) == (FRAMES, FRAMES, False)
    assert video["duration_s"] == pytest.approx(1.0)
    assert video["source_fps"] == pytest.approx(24.0)
    assert video["checksum"] == hashlib.sha256(clip).hexdigest()
    assert video["language"] == "en"
    segment = found["segments"][1]
    assert (segment["video"], segment["start_frame"], segment["end_frame"]) == ("82568_Q2", 6, 18)
    assert (segment["certainty"], segment["cues"]) == (2, '{"audio": "Pause", "facial": "Frown"}')
    assert len(found["videos"]) == len(found["answers"]) == 6
    assert len(found["segments"]) == 3
    assert by_video(found["answers"])["82568_Q2"] == {
        "video": "82568_Q2",
        "participant": "82568",
        "split": "val",
        "question": 2,
        "label": 1,
        "text": "From the annotation.",
        "words": 3,
        "duration_s": pytest.approx(1.0),
        "language": "en",
    }


def test_texts_that_are_no_cue_are_told_as_a_number(run, release, clip, tmp_path, caplog):
    for entry in release.annotation.values():
        entry["all_cues"] = [{**cues, "facial": "Frown, Bea looks away"} for cues in entry["all_cues"]]
    run(release.write(tmp_path / "root", clip))
    message = "3 of 9 texts of cues are no cue of the codebook and count as nothing: facial 3 (column cues of "
    assert message in caplog.text
    assert "segments.parquet" in caplog.text
    assert "Bea" not in caplog.text


def test_names_spelt_differently_everywhere(run, clip, tmp_path):
    release = Release()
    spaced, plain = video_path("82567", 1, separator=" "), video_path("82567", 1)
    release.add("train", spaced, (6, 18))
    release.annotation = {plain.removeprefix("Videos/"): annotation_entry(plain, (6, 18))}
    release.clips = {video_path("82567", 1, copy="-DESKTOP-NQ55E0P"): FRAMES}
    found = run(release.write(tmp_path / "root", clip))
    assert found["set_aside"] == []
    assert found["videos"][0]["path"] == video_path("82567", 1, copy="-DESKTOP-NQ55E0P")
    assert found["videos"][0]["annotated_frames"] == FRAMES
    assert len(found["segments"]) == 1


def test_the_copy_that_the_split_names_is_taken(run, release, clip, tmp_path):
    copy = video_path("82567", 1, copy="-DESKTOP-NQ55E0P")
    release.clips[copy] = FRAMES
    found = run(release.write(tmp_path / "root", clip))
    assert by_video(found["videos"])["82567_Q1"]["path"] == video_path("82567", 1)
    assert [(row["path"], row["reason"]) for row in found["set_aside"]] == [
        (copy, "another copy of a recording that is already there")
    ]


def test_what_does_not_fit_is_set_aside_and_the_rest_goes_on(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    (root / video_path("82567", 1)).write_bytes(b"")
    (root / video_path("82567", 2)).unlink()
    (root / video_path("82568", 1)).write_bytes(b"this is no video at all" * 100)
    for extra in (video_path("82999", 1), video_path("82569", 2).replace("15-46", "18-18"), "Videos/odd.mp4"):
        (root / extra).parent.mkdir(parents=True, exist_ok=True)
        (root / extra).write_bytes(clip)
    found = run(root)
    assert [row["video"] for row in found["videos"]] == ["82568_Q2", "82569_Q1", "82569_Q2"]
    told = reasons(found)
    assert told.pop("82568_Q1")  # in the words of whatever reads videos
    assert told == {
        "82567_Q1": "the video file is empty (0 bytes)",
        "82567_Q2": "video file is missing",
        "82569_Q2": "another recording of the same participant and question than the one the split file lists",
        "82999_Q1": "no split file lists this video",
        "Videos/odd.mp4": "the file's name does not follow the release",
    }
    assert all(row["remedy"] and row["stage"] == "ingest" for row in found["set_aside"])
    assert str(root) not in str(found["set_aside"])
    assert {row["video"] for row in found["transcripts"]} >= {"82567_Q1", "82567_Q2", "82568_Q1"}
    answers = by_video(found["answers"])
    assert {video for video, row in answers.items() if row["duration_s"] is None} == {
        "82567_Q1",
        "82567_Q2",
        "82568_Q1",
    }
    assert {video: (row["label"], row["words"]) for video, row in answers.items()} == {
        f"{person}_Q{question}": (question - 1, 3) for person in (82567, 82568, 82569) for question in (1, 2)
    }


def test_a_file_cut_short_is_set_aside(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    path = root / video_path("82567", 1)
    write_clip(path, frames=240, index_first=True)
    os.truncate(path, path.stat().st_size * 9 // 10)
    found = run(root)
    assert "82567_Q1" not in by_video(found["videos"])
    assert reasons(found) == {"82567_Q1": probe_video(path).truncated}


def test_annotation_that_does_not_fit(run, release, clip, tmp_path):
    stranger = video_path("82700", 3)
    release.annotation[stranger] = annotation_entry(stranger)
    release.annotation[video_path("82567", 1)]["frame_annotation"].pop(5)
    del release.annotation[video_path("82568", 1)]
    found = run(release.write(tmp_path / "root", clip))
    assert reasons(found) == {
        "82700_Q3": "annotation of a video that no split file lists",
        "82567_Q1": f"{ANNOTATION}, line 1: its frame annotation lacks or repeats frames (at 5)",
    }
    assert by_video(found["videos"])["82568_Q1"]["annotated_frames"] is None
    assert len(found["videos"]) == 5


def test_the_released_label_stands(run, release, clip, tmp_path, caplog):
    caplog.set_level("INFO")
    path = video_path("82567", 2)
    release.annotation[path]["frame_annotation"] = frame_list(path, None)
    found = run(release.write(tmp_path / "root", clip))
    assert by_video(found["videos"])["82567_Q2"]["label"] == by_video(found["answers"])["82567_Q2"]["label"] == 1
    assert "82567_Q2" not in {row["video"] for row in found["segments"]}
    assert "82567_Q2: released label 1, its frames say otherwise" in caplog.text
    assert not found["set_aside"]


def test_an_answer_without_a_released_label_gets_that_of_its_frames(run, release, clip, tmp_path):
    release.splits = {
        split: [line.replace(",1,", ",,").replace(",0,", ",,") for line in lines]
        for split, lines in release.splits.items()
    }
    for entry in release.annotation.values():
        del entry["global_ah"]
    del release.annotation[video_path("82569", 2)]
    found = run(release.write(tmp_path / "root", clip))
    labels = {video: row["label"] for video, row in by_video(found["answers"]).items()}
    assert labels == {
        "82567_Q1": 0, "82567_Q2": 1, "82568_Q1": 0, "82568_Q2": 1, "82569_Q1": 0, "82569_Q2": None,
    }  # fmt: skip
    assert {row["label"] for row in found["videos"]} == {None}


def test_two_answers_to_one_question(run, release, clip, tmp_path):
    path = video_path("82567", 1)
    later = path.replace("15-46", "18-18")
    release.splits["train"] += [f"{later},0,Again.", f"{path},0,Twice."]
    release.clips[later] = FRAMES
    found = run(release.write(tmp_path / "root", clip))
    assert {row["path"]: row["reason"] for row in found["set_aside"]} == {
        later: "a second answer of this participant to the same question",
        path: "listed twice",
    }
    assert by_video(found["videos"])["82567_Q1"]["path"] == path


def test_metadata_that_is_missing_is_no_consent(run, release, clip, tmp_path, caplog):
    del release.metadata["82568"]
    root = release.write(tmp_path / "root", clip)
    row = next(row for row in run(root)["participants"] if row["participant"] == "82568")
    assert (row["consent_publication"], row["consent_challenge"], row["age"]) == (False, False, None)
    assert "of 1 participants, e.g. 82568" in caplog.text
    (root / "meta_data.yml").unlink()
    assert not any(row["consent_publication"] for row in run(root)["participants"])


def test_transcripts_come_from_the_best_source(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    own = video_path("82567", 1, separator="_")
    stem = own.rpartition("/")[2].removesuffix(".mp4")
    chunk = "chunks:\n- language: french\n  text: ' Oui, non.'\n  timestamp: !!python/tuple [0.0, null]\ntext: ''\n"
    put(root / f"transcription/{own}/{stem}.yml", chunk)
    broken = video_path("82567", 2)
    put(root / f"transcription/{broken}/{broken.rpartition('/')[2][:-4]}.yml", "chunks: [")
    found = run(root)
    rows = by_video(found["transcripts"])
    assert rows["82567_Q1"] == {
        "video": "82567_Q1",
        "chunk": 0,
        "start_s": 0.0,
        "end_s": pytest.approx(1.0),  # the open end is the video's
        "text": "Oui, non.",
        "language": "fr",
    }
    assert rows["82567_Q2"]["text"] == "From the annotation."
    assert by_video(found["videos"])["82567_Q1"]["language"] == "fr"
    for entry in release.annotation.values():
        del entry["transcript"]
    row = by_video(run(release.write(root, clip))["transcripts"])["82568_Q1"]
    assert (row["text"], row["start_s"], row["language"]) == ("Well, yes, no.", None, None)


def test_without_annotation_the_frame_level_split_decides(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    (root / "video_annotation_transcript.yaml").unlink()
    path = video_path("82567", 2)
    lines = [f"{frame},{label}" for frame, label in frame_list(path, (3, 5))]
    put(root / "split-frames/train.txt", "\n".join(lines))
    found = run(root)
    assert [(row["video"], row["start_frame"], row["end_frame"]) for row in found["segments"]] == [("82567_Q2", 3, 5)]
    annotated = {row["video"]: row["annotated_frames"] for row in found["videos"]}
    assert (annotated["82567_Q2"], annotated["82568_Q2"]) == (FRAMES, None)


def test_seconds_become_frames_by_the_files_own_times(run, release, clip, tmp_path):
    entry = release.annotation[video_path("82567", 2)]
    del entry["frame_annotation"], entry["fr_detailed_ah"]
    root = release.write(tmp_path / "root", clip)
    found = run(root)
    segment = next(row for row in found["segments"] if row["video"] == "82567_Q2")
    times_s = probe_video(root / video_path("82567", 2)).pts_s
    assert (segment["start_frame"], segment["end_frame"]) == (6, 18)
    assert times_s[6] == pytest.approx(0.25)


@pytest.mark.parametrize("layout", ["auto", "abaw8"])
def test_the_challenge_layout(run, clip, tmp_path, layout):
    root, video = tmp_path / "root", "82557/Visite 1/82557_Question_1_2024-08-22 14-46-11_Video.mp4"
    (root / video).parent.mkdir(parents=True)
    (root / video).write_bytes(clip)
    frames = "".join(f"  - [{video}/frame-{number}.jpg, {int(number > 19)}]\n" for number in range(FRAMES))
    put(root / "annotation.yml", f"{video}:\n  frame_annotation:\n{frames}  global_ah: 1\n")
    put(root / "train.txt", f"{video},1,Hm\n")
    found = run(root, layout)
    assert read_metadata(tmp_path / "out/participants.parquet") == {"layout": "abaw8"}
    assert [(row["video"], row["path"], row["label"]) for row in found["videos"]] == [("82557_Q1", video, 1)]
    assert [(row["start_frame"], row["end_frame"]) for row in found["segments"]] == [(20, 24)]


@pytest.mark.parametrize(
    "place", ["split", "folds/fold-0", "folds/BAH_DB/split-0", "dataset-splits/video-level/BAH_DB/split-0", "."]
)
def test_split_files_in_their_several_places(run, release, clip, tmp_path, place):
    root = release.write(tmp_path / "root", clip)
    (root / "split").rename(root / "elsewhere")
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val", "test"):
        put(root / place / f"{split}.txt", (root / f"elsewhere/{split}.txt").read_text())
    (root / "video_annotation_transcript.yaml").rename(root / "video_annotation.yaml")
    assert len(run(root)["segments"]) == 3


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        (lambda root: shutil.rmtree(root), "is no folder; correct the path"),
        (lambda root: shutil.rmtree(root / "split"), "no split files below"),
        (lambda root: put(root / "split/train.txt", "\n"), None),
        (lambda root: [put(path, "a,1,b\n") for path in (root / "split").iterdir()], "names a video"),
        (lambda root: put(root / "meta_data.yml", "'82567': [\n"), r"meta_data.yml, line \d"),
        (lambda root: put(root / "video_annotation_transcript.yaml", "a: [\nb: 1\n"), r"_transcript.yaml, line \d"),
        (
            lambda root: put(root / "split/val.txt", f"{video_path('82567', 3)},0,a\n"),
            "82567 are in more than one split",
        ),
    ],
)
def test_what_stops_the_job(run, release, clip, tmp_path, bend, message):
    root = release.write(tmp_path / "root", clip)
    bend(root)
    if message is None:
        assert len(run(root)["participants"]) == 2
    else:
        with pytest.raises(WaverError, match=message):
            run(root)


def test_an_unknown_layout_is_named(run, release, clip, tmp_path):
    with pytest.raises(WaverError, match="unknown layout 'bah1000'"):
        run(release.write(tmp_path / "root", clip), "bah1000")
