"""CSV tables of a folder with hostile lines: each costs only itself, in linear time."""

from __future__ import annotations

import pytest
from bah_tree import SHARDS, TABLES, put, write_clip
from growth import LINEAR, growth

from waver.datasets.clean_text import composed, printable
from waver.datasets.folder.csv_table import read_csv
from waver.datasets.ingest import ingest
from waver.io import tables as schemas
from waver.io.tables import read_table

LISTING = "participant,video,split,question,label,language\nanna,a.mp4,train,1,1,en\n"


@pytest.fixture
def run(tmp_path):
    """Ingest a folder of one sound recording; gives the rows of every table."""

    def _run(listing: str, **others: str):
        root = tmp_path / "root"
        write_clip(root / "a.mp4")
        put(root / "videos.csv", listing)
        for name, text in others.items():
            put(root / f"{name}.csv", text)
        paths = {name: tmp_path / f"out/{name}.parquet" for name in TABLES}
        ingest(root, "auto", SHARDS, paths, tmp_path / "out/shards", tmp_path / "out/cache.json", reader="folder")
        return {name: read_table(path, getattr(schemas, name.upper())) for name, path in paths.items()}

    return _run


@pytest.mark.parametrize(
    "line",
    [
        f"x,{'b' * 140_000}.mp4,train", f"{'x' * 140_000},b.mp4,train", f"x,b.mp4,train,{'1' * 5000}",
        "x,b.mp4,train,1,99999999999", "x,b.mp4,train,-1", "x,b.mp4,train,1e9", "x,b.mp4,train,²", "x,b.mp4,train,.inf",
        "\0\x07,b.mp4,train", ",".join("x" * 5000), "x,http://127.0.0.1:9/b.mp4,train", "x,/dev/zero,train",
        "x,concat:a.mp4|b.mp4,train", "x,{b}.mp4,train", "x,a\x00.mp4,train", f"x,{'../' * 50}etc/passwd,train",
    ],
)  # fmt: skip
def test_a_line_of_the_listing(run, line):
    found = run(f"{LISTING}{line}\n")
    assert [row["video"] for row in found["videos"]] == ["a"]
    assert found["set_aside"]


@pytest.mark.parametrize("value", ["1e300", "inf", "nan", "-1", "1" * 5000, "1e9", "0x10", "１", "'", "{x}"])
def test_times_that_are_none(run, value):
    found = run(
        LISTING,
        segments=f"video,start_s,end_s\na.mp4,0.25,0.5\na.mp4,{value},{value}1\n",
        transcripts=f"video,start_s,end_s,text\na.mp4,0,0.5,well\na.mp4,0.5,{value},no\n",
    )
    assert [(row["start_frame"], row["end_frame"]) for row in found["segments"]][:1] == [(6, 12)]
    assert found["transcripts"][0]["text"] == "well"
    assert len(found["videos"]) == 1


def test_a_field_longer_than_csvs_own_limit(run):
    found = run(LISTING, transcripts=f"video,text\na.mp4,{'word ' * 30_000}\na.mp4,fine\n")
    assert [row["text"] for row in found["transcripts"]] == ["fine"]
    reasons = [row["reason"] for row in found["set_aside"]]
    assert reasons == ["transcripts.csv, line 2: it has a field of 150000 characters, more than 131072"]


def test_control_characters_are_removed(run):
    found = run(LISTING, transcripts="video,text\na.mp4,we\0ll\x07\x1b[31m\u2028no\x85yes\ufeff\n")
    assert found["transcripts"][0]["text"].isprintable() or "\u2028" in found["transcripts"][0]["text"]
    assert "\0" not in found["transcripts"][0]["text"]
    assert found["set_aside"] == []


@pytest.mark.slow
def test_many_segments_take_linear_time(run, tmp_path):
    found = {}

    def ingested(count):
        lines = "".join(f"a.mp4,{k / 1e5},{k / 1e5 + 1e-6}\n" for k in range(count))
        found[count] = run(LISTING, segments=f"video,start_s,end_s\n{lines}")["segments"]

    assert growth(ingested, 1_000, 10_000) < LINEAR
    assert found[10_000]


@pytest.mark.parametrize("text", ["\u0301\u0316" * 5_000, "a\u0301" * 5_000, "e\u0301" + "\u0323" * 9_999])
def test_marks_are_composed_in_linear_time(text):
    assert len(composed(text * 10)) <= len(text * 10)
    assert growth(composed, text, text * 10) < LINEAR


def test_letters_are_composed():
    assert composed("Zoe\u0308 \u1e0b\u0323") == "Zo\u00eb \u1e0d\u0307"


def test_printable_keeps_text():
    assert printable("a\r\nb\rc\td é 中 😀\u2028") == "a\nb\nc\td é 中 😀\u2028"
    assert printable("\0a\x1b\x7f\ud800\ufeff") == "a"


def test_the_limit_of_other_readers_is_left_as_it_was(tmp_path):
    import csv

    before = csv.field_size_limit()
    read_csv(put(tmp_path / "a.csv", "a\n1\n"), ["a"])
    assert csv.field_size_limit() == before
