"""A folder of videos with CSV tables, friendly and hostile."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from bah_tree import FRAMES, SHARDS, TABLES, by_video, put, write_clip

from waver.datasets.answers import read_answers
from waver.datasets.ingest import ingest
from waver.datasets.questions import questions_of
from waver.datasets.sharding import shard_of
from waver.errors import WaverError
from waver.io import tables as schemas
from waver.io.tables import read_metadata, read_table

HEADER = "participant,video,split,question,label,consent_publications\n"
LINES = "anna,anna/1.mp4,train,1,1,yes\nanna,anna/2.mp4,train,2,0,yes\nbo,bo.mp4,val,9,,no\n"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Bytes of clips that differ, by their number of frames."""
    folder = tmp_path_factory.mktemp("clips")
    found = {}
    for frames in range(FRAMES, FRAMES + 4):
        write_clip(folder / f"{frames}.mp4", frames)
        found[frames] = (folder / f"{frames}.mp4").read_bytes()
    return list(found.values())


@pytest.fixture
def run(tmp_path, clips):
    """Ingest a folder with a listing; gives the rows of every table."""

    def _run(listing: str | bytes, *videos: str, **others: str):
        root = tmp_path / "root"
        for name, clip in zip(videos, clips, strict=False):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(clip)
        root.mkdir(exist_ok=True)
        (root / "videos.csv").write_bytes(listing if isinstance(listing, bytes) else listing.encode())
        for name, text in others.items():
            put(root / f"{name}.csv", text)
        paths = {name: tmp_path / f"out/{name}.parquet" for name in TABLES}
        ingest(root, "auto", SHARDS, paths, tmp_path / "out/shards", tmp_path / "out/cache.json", reader="folder")
        return {name: read_table(path, getattr(schemas, name.upper())) for name, path in paths.items()}

    return _run


def reasons(found):
    return " | ".join(row["reason"] for row in found["set_aside"])


def test_recordings_with_all_tables(run, tmp_path):
    found = run(
        HEADER + LINES, "anna/1.mp4", "anna/2.mp4", "bo.mp4",
        segments="video,start_s,end_s\nanna/1.mp4,0.5,99\nanna/1.mp4,0.25,0.75\nbo.mp4,0,0.25\n",
        transcripts='video,start_s,end_s,text\nanna/1.mp4,0.5,1,"no, yes"\nanna/1.mp4,0,0.5,Well\n',
        questions="question,language,kind,text,affect\n1,en,joy,What do you like?,positive\n1,fr,,Quoi ?,\n",
    )  # fmt: skip
    assert found["set_aside"] == []
    assert [(r["participant"], r["split"], r["consent_publication"]) for r in found["participants"]] == [
        ("anna", "train", True),
        ("bo", "val", False),
    ]
    videos = by_video(found["videos"])
    assert list(videos) == ["anna__1", "anna__2", "bo"]
    assert [row["annotated_frames"] for row in videos.values()] == [FRAMES, FRAMES + 1, FRAMES + 2]
    assert [row["label"] for row in videos.values()] == [1, 0, None]
    assert by_video(found["answers"])["bo"]["label"] == 1
    spans = [(r["video"], r["segment"], r["start_frame"], r["end_frame"]) for r in found["segments"]]
    assert spans == [("anna__1", 0, 6, FRAMES), ("bo", 0, 0, 6)]
    assert by_video(found["answers"])["anna__1"]["text"] == "Well no, yes"
    answers = tmp_path / "out/answers.parquet"
    questions = questions_of(answers)
    assert (questions.count, questions.text(1), questions.text(1, "fr")) == (9, "What do you like?", "Quoi ?")
    assert (questions.question(1).kind, questions.question(1).affect, questions.text(9)) == ("joy", ("positive",), "")
    assert {answer.questions.count for answer in read_answers([answers])} == {9}


def test_certainty_and_cues_of_segments(run):
    lines = "anna/1.mp4,0,0.25,3,frown;smile,,fl\nanna/1.mp4,0.25,0.5,1,Smile,Pause,\nbo.mp4,0,0.25,,a nod,,\n"
    found = run(
        HEADER + LINES, "anna/1.mp4", "anna/2.mp4", "bo.mp4",
        segments=f"video,start_s,end_s,certainty,facial,audio,inconsistencies\n{lines}",
    )  # fmt: skip
    first, second = found["segments"]
    # two lines that meet are one segment, as sure as its less certain part
    assert (first["video"], first["certainty"]) == ("anna__1", 1)
    assert first["cue_names"] == ["facial: Frown", "facial: Smile", "audio: Pause", "inconsistencies: FL"]
    assert (second["certainty"], second["cues"], second["cue_names"]) == (None, '{"facial": "a nod"}', None)


def test_a_certainty_that_is_none_excludes_its_line(run):
    found = run(
        HEADER + LINES, "anna/1.mp4", "anna/2.mp4", "bo.mp4",
        segments="video,start_s,end_s,certainty\nanna/1.mp4,0,0.5,sure\n",
    )  # fmt: skip
    assert found["segments"] == []
    assert "certainty is no number from 0 to 127" in reasons(found)


def test_a_shard_holds_the_rows_of_its_participants_whatever_they_are_called(run, tmp_path):
    people = ["P/01", "P_01", "Zoë Q", "../x", "a_Q1", "%2F", "12"]
    found = run(HEADER + "".join(f"{who},{n}.mp4,train,1,0,yes\n" for n, who in enumerate(people)), "0.mp4", "2.mp4")
    ids = {row["participant"] for row in found["participants"]}
    assert len(ids) == len(people)
    assert "Zoë Q" in ids
    assert not [one for one in ids if "/" in one or one.startswith(".")]
    seen = set()
    for number in range(SHARDS):
        table = tmp_path / f"out/shards/{number:03d}.answers.parquet"
        rows = read_table(table, schemas.ANSWERS)
        seen |= {row["participant"] for row in rows}
        assert all(shard_of(row["participant"], SHARDS) == f"{number:03d}" for row in rows)
        assert read_metadata(table)["questions"]["count"] == 1
    assert seen == ids


@pytest.mark.parametrize(
    "listing",
    [
        codecs.BOM_UTF8 + (HEADER + LINES).encode(),
        (HEADER + LINES).replace(",", ";").replace("\n", "\r\n").encode(),
        (HEADER + LINES).replace(",", "\t").upper().replace("ANNA", "anna").replace("BO", "bo").replace("MP4", "mp4"),
        (HEADER + LINES).replace("anna/", "./anna\\"),
    ],
    ids=["byte order mark", "semicolons", "capitals", "backslashes"],
)
def test_a_table_may_be_written_in_many_ways(run, listing):
    found = run(listing, "anna/1.mp4", "anna/2.mp4", "bo.mp4")
    assert found["set_aside"] == []
    assert [row["video"] for row in found["videos"]] == ["anna__1", "anna__2", "bo"]
    assert [row["consent_publication"] for row in found["participants"]] == [True, False]


def test_quotes_and_accents_in_any_form(run):
    found = run('participant,video,split\n"Roy, Zoe\u0308","a, b.mov",test\n', "a, b.mov")
    assert [row["participant"] for row in found["participants"]] == ["Roy%2C Zoë"]
    assert [(row["path"], row["question"], row["label"]) for row in found["videos"]] == [("a, b.mov", None, None)]


BAD = {
    "x,,train": "no video is given",
    "x,1.mp4,dev": "its split is none of",
    "x,../1.mp4,train": "leads out of the folder",
    "x,C:\\1.mp4,train": "leads out of the folder",
    "x,1.mp4,train,one": "question is no number from 1 to 127",
    "x,1.mp4,train,128": "question is no number",
    "x,1.mp4,train,1,2": "label is no number from 0 to 1",
    "x,1.mp4,train,1,1,yes,more": "it has 7 fields, the header 6",
    "x,bo.mp4,val": "its id is that of videos.csv, line 4",
    "x,gone.mp4,val": "video file is missing",
    "x,copy.mp4,val": "the file is a copy of that of videos.csv, line 4",
    "x,empty.mp4,val": "the video file is empty",
    f"x,{'y' * 201}.mp4,val": "more than 200 bytes",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items(), ids=BAD.values())
def test_a_line_that_cannot_be_used_is_excluded_and_the_rest_goes_on(run, clips, tmp_path, line, reason):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/copy.mp4").write_bytes(clips[2])
    (tmp_path / "root/empty.mp4").touch()
    found = run(HEADER + LINES + line + "\n", "anna/1.mp4", "anna/2.mp4", "bo.mp4")
    assert reason in reasons(found)
    assert len(found["set_aside"]) == 1
    assert [row["video"] for row in found["videos"]] == ["anna__1", "anna__2", "bo"]


BAD_TABLES = {
    "segments": ("video,start_s,end_s\nno.mp4,0,1\nanna/1.mp4,1,1\nanna/1.mp4,x,2\nanna/2.mp4,0,1\n", 4),
    "transcripts": ("video;text;start_s;end_s\nno.mp4;hm;;\nbo.mp4;hm;2;1\nbo.mp4;fine;0,5;nan\n", 3),
    "questions": ("question,text,affect\n,What?,\n2,Why?,happy\n", 2),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_lines_of_the_other_tables_are_excluded_alone(run, name):
    text, excluded = BAD_TABLES[name]
    found = run(HEADER + LINES, "anna/1.mp4", "anna/2.mp4", "bo.mp4", **{name: text})
    assert len(found["set_aside"]) == excluded
    assert all(f"{name}.csv, line " in row["reason"] and row["remedy"] for row in found["set_aside"])
    assert len(found["videos"]) == 3
    assert found["segments"] == found["transcripts"] == []


@pytest.mark.parametrize("words", ["", "Yes ", "y", "True", "no", "maybe"])
def test_consent_is_a_plain_yes_in_every_line(run, words):
    lines = f"anna,1.mp4,train,1,1,yes\nanna,2.mp4,train,2,1,{words}\n"
    assert run(HEADER + lines)["participants"][0]["consent_publication"] == (words in ("Yes ", "True"))


@pytest.mark.parametrize("split", ["train", "elsewhere"])
def test_a_no_counts_in_a_line_that_cannot_be_used_too(run, split):
    lines = f"a,1.mp4,train,1,1,yes\na,2.mp4,{split},2,1,no\n"
    assert run(HEADER + lines)["participants"][0]["consent_publication"] is False


@pytest.mark.parametrize("other", ["ANNA", "anna ", "an na", "Ａnna", "anna\u200b"])
def test_a_no_under_a_near_id_counts_for_both(run, other):
    found = run(HEADER + f"anna,1.mp4,train,1,1,yes\n{other},2.mp4,train,2,1,no\n")
    assert [row["consent_publication"] for row in found["participants"]] == [False] * len(found["participants"])
    assert "given in two ways" in reasons(found)


def test_without_the_column_nobody_consented(run):
    assert [r["consent_publication"] for r in run("participant,video,split\na,1.mp4,train\n")["participants"]] == [
        False
    ]


STOPS = {
    "two splits": (HEADER + LINES + "anna,3.mp4,test,1,1,yes\n", "participants anna are in more than one split"),
    "no column": ("who,video,split\na,1.mp4,train\n", "has no column participant"),
    "other column": (
        "participant,video,split,consent\na,1.mp4,train,yes\n",
        r"columns with unknown names \(number 4\)",
    ),
    "no line": (HEADER, "lists no usable recording"),
    "empty": ("", "has no column participant, video, split"),
    "open quote": (HEADER + '"anna,1.mp4,train\n', "is no CSV table"),
    "Latin-1": ((HEADER + "Zoë,1.mp4,train\n").encode("latin-1"), "is not in UTF-8; save it again"),
}


@pytest.mark.parametrize(("listing", "sentence"), STOPS.values(), ids=STOPS)
def test_what_stops_the_job_names_the_file(run, listing, sentence):
    with pytest.raises(WaverError, match=sentence) as error:
        run(listing)
    assert "videos.csv" in str(error.value)


def test_a_folder_without_the_table_and_a_reader_that_nobody_knows(run, tmp_path):
    with pytest.raises(WaverError, match=r"videos\.csv cannot be read"):
        ingest(tmp_path, "auto", 1, {}, Path(), Path(), reader="folder")
    with pytest.raises(WaverError, match=r"set dataset\.source to release"):
        ingest(tmp_path, "auto", 1, {}, Path(), Path(), recorded=False, reader="folder")
    with pytest.raises(WaverError, match="'folders' is not a known reader; known are bah, folder"):
        ingest(tmp_path, "auto", 1, {}, Path(), Path(), reader="folders")
