"""What users name, what they get ids for, and the data set that is made of it."""

from __future__ import annotations

import csv
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from waver.datasets.questions import Question, Questions
from waver.errors import ExcludedItem, WaverError
from waver.predict.given import MAPPING, Given, with_ids
from waver.predict.given_checks import in_ids, longer_transcripts, of_known_questions, still_there
from waver.predict.inputs import read_inputs, write_data_set
from waver.predict.transcript_files import Said, read_transcript

QUESTIONS = Questions(3, ((1, Question((("en", "Why?"), ("fr", "Pourquoi ?")), "ambivalent", ("positive",))),))


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_files_folders_and_lists_are_read_each_recording_once(tmp_path):
    folder, file = tmp_path / "more", tmp_path / "A B.MOV"
    touch(folder / "deep/b.webm", folder / "a.mp4", folder / "c.mp4", folder / "notes.txt", file)
    table = tmp_path / "list.csv"
    table.write_text("video;participant;question;language;transcript\nmore/a.mp4;Zoë/1;2;FR;a.vtt\nmore/c.mp4;;;;\n")
    found = read_inputs([table, folder, file], Given(Path(), "P0", 3, "en"), [])
    assert found == [
        Given(folder / "a.mp4", "Zoë%2F1", 2, "fr", tmp_path / "a.vtt"),
        Given(folder / "c.mp4", "P0", 3, "en"),
        Given(folder / "deep/b.webm", "P0", 3, "en"),
        Given(file, "P0", 3, "en"),
    ]


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "a.docx")
    table = tmp_path / "list.csv"
    table.write_text("video,question\na.mp4,1\na.docx,1\na.mp4,often\n,2\ngone.mp4,1\n")
    set_aside: list[dict[str, object]] = []
    found = read_inputs([table, tmp_path / "a.docx", tmp_path / "gone.mp4"], Given(Path()), set_aside)
    assert [one.file.name for one in found] == ["a.mp4"]
    assert [(row["item"], row["reason"]) for row in set_aside] == [
        ("input 1, line 3", "it is no recording of a kind that is read"),
        ("input 1, line 4", "question is no number from 1 to 127"),
        ("input 1, line 5", "no video is given"),
        ("input 1, line 6", "there is nothing at this path"),
        ("input 2", "it is no recording of a kind that is read"),
        ("input 3", "there is nothing at this path"),
    ]
    assert [row["path"] for row in set_aside] == ["a.docx", "a.mp4", "list.csv", "gone.mp4", "a.docx", "gone.mp4"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(WaverError, match="no recording is named"):
        read_inputs([tmp_path / "empty"], Given(Path()), [])
    (tmp_path / "empty/loose.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "empty/pipe.mov")
    found = read_inputs([tmp_path / "empty"], Given(Path()), [])
    assert [one.file.name for one in found] == ["loose.mp4", "pipe.mov"], "told when they are read, not passed over"


def test_a_line_that_cannot_count_is_told(tmp_path):
    touch(tmp_path / "a.mp4")
    (tmp_path / "list.csv").write_text("video,question\na.mp4,1\na.mp4,1\na.mp4,2\n")
    (tmp_path / "long.csv").write_text(f"video,participant\na.mp4,{'x' * 201}\n")
    set_aside: list[dict[str, object]] = []
    found = read_inputs([tmp_path / "list.csv", tmp_path, tmp_path / "long.csv"], Given(Path()), set_aside)
    assert [one.question for one in found] == [1]
    assert [(row["item"], row["path"]) for row in set_aside] == [
        ("input 1, line 4", "a.mp4"),
        ("input 3, line 2", "a.mp4"),
    ]


def test_results_inside_the_folder_of_recordings_are_no_recordings(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "results/recordings/recording_001.mp4", tmp_path / "results" / MAPPING)
    found = read_inputs([tmp_path], Given(Path()), [])
    assert [one.file for one in found] == [tmp_path / "a.mp4"]


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    touch(tmp_path / "a.mp4", tmp_path / "Anna/b.mp4")
    listed = os.scandir

    def scandir(path):
        if str(path).endswith("Anna"):
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    set_aside: list[dict[str, object]] = []
    assert len(read_inputs([tmp_path], Given(Path()), set_aside)) == 1
    assert [(row["item"], row["path"]) for row in set_aside] == [("input 1", "Anna")]


def test_ids_hold_no_name_of_a_file_and_stay(tmp_path):
    secret = tmp_path / "Anna-DESKTOP-77.mp4"
    first = with_ids([Given(tmp_path / "b.mp4", question=4), Given(secret)], tmp_path / "out")
    assert [one.recording for one in first] == ["recording_001", "recording_002"]
    again = with_ids([Given(tmp_path / "new.mp4"), Given(secret, "P1"), Given(tmp_path / "b.mp4")], tmp_path / "out")
    assert [(one.recording, one.file.name, one.participant, one.question) for one in again] == [
        ("recording_001", "b.mp4", "", 4),
        ("recording_002", secret.name, "P1", None),
        ("recording_003", "new.mp4", "", None),
    ]
    assert [one.owner for one in again] == ["recording_001", "P1", "recording_003"]
    mapping = tmp_path / "out" / MAPPING
    known = mapping.read_text()
    for damaged in ("recording,file\n../../etc,x\n", "", "\0", known + known.splitlines()[1]):
        mapping.write_text(damaged)
        with pytest.raises(WaverError, match=r"recordings\.csv cannot be read; restore it"):
            with_ids([], tmp_path / "out")
    mapping.write_text("".join(known.splitlines(True)[:-1]))
    (other,) = with_ids([Given(tmp_path / "other.mp4")], tmp_path / "out")[-1:]
    assert other.recording == "recording_004", "an id whose line was deleted is not another recording's"
    mapping.unlink()
    (tmp_path / "out/recordings").mkdir()
    with pytest.raises(WaverError, match="is gone; restore it"):
        with_ids([], tmp_path / "out")


def test_what_an_earlier_call_said_can_be_changed_and_taken_back(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    table, out = tmp_path / "list.csv", tmp_path / "out"
    head = "video,participant,question,language,transcript\n"

    def call(lines: str, known: Given) -> list[tuple[str, int | None, str | None, bool]]:
        table.write_text(head + lines)
        given = with_ids(read_inputs([table], known, []), out)
        assert not any(one.taken_back for one in given)
        return [(one.owner, one.question, one.language, one.transcript is not None) for one in given]

    first = [("P1", 4, "en", True), ("P9", 4, "fr", False)]
    assert call("a.mp4,P1,4,en,a.vtt\nb.mp4,,4,fr,\n", Given(Path(), "P9")) == first
    assert call("a.mp4,,,,\n", Given(Path())) == first
    changed = [("P2", 4, "en", True), ("P9", 5, "fr", False)]
    assert call("a.mp4,P2,,,\nb.mp4,,5,,\n", Given(Path())) == changed
    nothing = [("recording_001", None, "en", False), ("P9", 5, None, False)]
    assert call("a.mp4,-,-,,-\nb.mp4,,,-,\n", Given(Path())) == nothing
    everybody = Given(Path(), taken_back=frozenset({"participant", "language"}))
    assert call("a.mp4,P3,,,\nb.mp4,,,,\n", everybody) == [("P3", None, None, False), ("recording_002", 5, None, False)]


def test_data_set_has_links_questions_and_transcripts(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.mp4")
    (tmp_path / "said").mkdir()
    (tmp_path / "said/b.txt").write_text("Well,\n maybe.")
    (tmp_path / "said/c.srt").write_text("1\n00:01 --> nowhere\nhm\n")
    given = [
        Given(tmp_path / "a.mp4", "P%2F1", 1, "en", None, "recording_001"),
        Given(tmp_path / "b.mp4", "", None, None, None, "recording_002"),
        Given(tmp_path / "c.mp4", "", None, None, None, "recording_003"),
    ]
    set_aside: list[dict[str, object]] = []
    folder = tmp_path / "out"
    assert write_data_set(given, folder, QUESTIONS, tmp_path / "said", set_aside) == {"recording_002"}
    assert (folder / "recording_001.mp4").resolve() == (tmp_path / "a.mp4").resolve()
    assert [row["item"] for row in set_aside] == ["recording_003"]
    assert [list(row.values()) for row in rows(folder / "videos.csv")] == [
        ["P/1", "recording_001.mp4", "test", "1", "en"],
        ["recording_002", "recording_002.mp4", "test", "", ""],
        ["recording_003", "recording_003.mp4", "test", "", ""],
    ]
    assert [row["text"] for row in rows(folder / "transcripts.csv")] == ["Well, maybe."]
    # the last question decides the width of the context that a model was trained with
    requested = [(row["question"], row["language"]) for row in rows(folder / "questions.csv")]
    assert requested == [("1", "en"), ("1", "fr"), ("3", "en")]


def test_a_question_that_the_model_does_not_know_is_left_out_and_said(tmp_path):
    given = [Given(tmp_path / f"{number}.mp4", question=number, recording=f"recording_00{number}") for number in (3, 4)]
    set_aside: list[dict[str, object]] = []
    assert [one.question for one in of_known_questions(given, QUESTIONS, set_aside)] == [3, None]
    assert [(row["item"], row["remedy"]) for row in set_aside] == [
        ("recording_004", "give a number from 1 to 3, or none")
    ]


def test_a_transcript_is_of_one_recording(tmp_path):
    touch(tmp_path / "monday/q4.mp4", tmp_path / "tuesday/q4.mp4", tmp_path / "friday/q4.mp4")
    (tmp_path / "q4.txt").write_text("Maybe.")
    files = [tmp_path / day / "q4.mp4" for day in ("monday", "tuesday", "friday")]
    given = [Given(file, recording=f"recording_00{place}") for place, file in enumerate(files)]
    given[2] = replace(given[2], transcript=tmp_path / "q4.txt")
    set_aside: list[dict[str, object]] = []
    assert write_data_set(given, tmp_path / "out", QUESTIONS, tmp_path, set_aside) == {"recording_002"}
    assert [row["item"] for row in set_aside] == ["recording_000", "recording_001"]


def test_a_transcript_that_goes_on_after_the_end_is_told():
    videos = {name: {"duration_s": 4.0, "participant": "P"} for name in ("a", "b", "c")}
    spoken = {"a": [{"start_s": 3.9}], "b": [{"start_s": None}, {"start_s": 50.0}]}
    (actual,) = longer_transcripts(videos, spoken)
    assert (actual["item"], actual["reason"]) == ("b", "its transcript goes on at 50.0 s, and it ends at 4.0 s")


def test_what_the_reader_says_of_lines_is_said_of_recordings(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4")
    names = ("gone", "a", "b")
    given = [Given(tmp_path / f"{name}.mp4", recording=f"recording_{name}") for name in names]
    set_aside: list[dict[str, object]] = []
    there = still_there(given, set_aside)
    assert [(row["item"], row["reason"]) for row in set_aside] == [("recording_gone", "its file is no longer there")]
    reason, remedy = "the file is a copy of that of videos.csv, line 2", "keep one of the two lines"
    copy = {"item": "recording_b", "reason": reason, "remedy": remedy}
    (said,) = in_ids([copy], there)
    assert (said["reason"], said["remedy"]) == ("the file is a copy of that of recording_a", "it is predicted once")
    (said,) = in_ids([copy | {"reason": "transcripts.csv, line 3: it ends before it starts"}], there)
    assert said["reason"] == "its transcript: it ends before it starts"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", " I \n do ", [Said(None, None, "I do")]),
        ("a.txt", "  ", []),
        (
            "a.vtt",
            "WEBVTT\n\nNOTE no cue\n\none\n00:01.500 --> 01:00:03.000 align:start\n<v Anna>I <i>do</i>\nnot\n\n",
            [Said(1.5, 3603.0, "I do not")],
        ),
        ("a.srt", "1\r\n00:00:01,500 --> 00:00:03,000\r\nOui\r\n", [Said(1.5, 3.0, "Oui")]),
    ],
)
def test_transcripts_are_read(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text, newline="")
    assert read_transcript(path) == said


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("a.vtt", "WEBVTT\n\n1 --> 2\nx\n", "no line of speech with times"), ("a.doc", "", "of a kind that is not read")],
)
def test_transcripts_that_cannot_be_used(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(ExcludedItem, match=reason):
        read_transcript(tmp_path / name)
    with pytest.raises(ExcludedItem, match="cannot be read"):
        read_transcript(tmp_path / "gone.txt")


def test_a_transcript_of_digits_is_read_in_linear_time(tmp_path):
    (tmp_path / "a.vtt").write_text("9" * 10_000)
    started = time.process_time()
    assert read_transcript(tmp_path / "a.vtt") == []
    assert time.process_time() - started < 1
