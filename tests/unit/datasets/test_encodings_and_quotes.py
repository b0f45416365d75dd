"""Tables in other encodings or with broken quotes cost the rows that cannot be read, and no other row."""

from __future__ import annotations

import pytest
from bah_tree import SHARDS, TABLES, annotation_entry, by_video, put, video_path, write_clip
from growth import LINEAR, growth

from waver.datasets.folder.csv_table import read_csv
from waver.datasets.ingest import ingest
from waver.datasets.text_files import decoded
from waver.io import tables as schemas
from waver.io.tables import read_table

HEADER = "participant,video,split,question,label,language,consent_publications\n"
LISTING = HEADER + "anna,a.mp4,train,1,1,en,yes\nbo,b.mp4,val,2,0,en,yes\nZoé,c.mp4,test,1,1,fr,yes\n"
OTHERS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig")
QUOTES = "its quotes are not closed, or stand inside a field"
LATIN = "it has characters that are not UTF-8"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate("abc"):
        write_clip(folder / f"{name}.mp4", 24 + number)
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


@pytest.fixture
def folder(tmp_path, clips):
    """Ingest a folder of three recordings; gives the rows of every table."""

    def _run(listing: bytes = LISTING.encode(), **others: bytes):
        root = tmp_path / "root"
        for name, content in [
            *clips,
            ("videos.csv", listing),
            *((f"{name}.csv", text) for name, text in others.items()),
        ]:
            put(root / name, "").write_bytes(content)
        paths = {name: tmp_path / f"out/{name}.parquet" for name in TABLES}
        ingest(root, "auto", SHARDS, paths, tmp_path / "out/shards", tmp_path / "out/cache.json", reader="folder")
        return {name: read_table(path, getattr(schemas, name.upper())) for name, path in paths.items()}

    return _run


def reasons(found):
    return sorted(row["reason"] for row in found["set_aside"])


def words(found):
    return {row["video"]: row["text"] for row in found["answers"] if row["text"]}


@pytest.mark.parametrize("encoding", OTHERS)
@pytest.mark.parametrize("text", ["a,é\nwörd,ā\n", "video,text\n" + "a.mp4,été ā\n" * 3000])
def test_other_encodings_are_read(encoding, text):
    assert decoded(text.encode(encoding)) == text


def test_a_listing_in_another_encoding_costs_what_cannot_be_read(folder):
    assert reasons(folder(LISTING.encode("utf-16"))) == []
    found = folder(LISTING.encode("cp1252"))
    assert sorted(by_video(found["videos"])) == ["a", "b"]
    assert reasons(found) == [f"videos.csv, line 4: {LATIN}"]


BROKEN = {
    "not closed": ('a.mp4,"well\nb.mp4,no\nc.mp4,yes\n', {"b": "no", "c": "yes"}, [2], QUOTES),
    "at the end": ('a.mp4,well\nb.mp4,no\nc.mp4,"yes\n', {"a": "well", "b": "no"}, [4], QUOTES),
    "inside": ('a.mp4,"we"ll"\nb.mp4,no\nc.mp4,yes\n', {"b": "no", "c": "yes"}, [2], QUOTES),
    "closed by the next": ('a.mp4,"well\nb.mp4,"\nc.mp4,yes\n', {"c": "yes"}, [2, 3], QUOTES),
    "opened in each": ('a.mp4,"well\nb.mp4,"no"\nc.mp4,yes\n', {"b": "no", "c": "yes"}, [2], QUOTES),
    "before the path": ('"a.mp4,well\nb.mp4,no\nc.mp4,yes\n', {"b": "no", "c": "yes"}, [2], QUOTES),
    "two lines, good": ('a.mp4,"well\nand ""so"""\nb.mp4,no\n', {"a": 'well\nand "so"', "b": "no"}, [], QUOTES),
    "Latin": ("a.mp4,w\xe9ll\nb.mp4,no\n", {"b": "no"}, [2], LATIN),
    "zeros": ("a.mp4,we\0ll\nb.mp4,no\n", {"a": "well", "b": "no"}, [], LATIN),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_costs_itself_alone(folder, name):
    text, said, lines, reason = BROKEN[name]
    found = folder(transcripts=f"video,text\n{text}".encode("latin-1"))
    assert words(found) == said
    assert reasons(found) == [f"transcripts.csv, line {line}: {reason}" for line in lines]
    assert len(found["videos"]) == 3


@pytest.mark.parametrize("table", ["segments", "transcripts", "questions"])
@pytest.mark.parametrize("text", [b'"video,text\na.mp4,well\n', b"", b"\x80\x81,\xff\n", b"\n"])
def test_a_table_without_a_first_line_costs_itself_alone(folder, table, text):
    found = folder(**{table: text})
    assert len(found["videos"]) == 3
    assert reasons(found) == ["the table cannot be read, and none of its lines is used"]


@pytest.mark.parametrize(
    "line", ['anna,b.mp4,"train,1,1,en,no', '"anna,b.mp4,train,1,1,en,no', "anna,b.mp4,train,1,1,en,y\xe9s"]
)
def test_a_line_that_cannot_be_read_is_no_consent(folder, line):
    found = folder(f"{HEADER}anna,a.mp4,train,1,1,en,yes\n{line}\nbo,c.mp4,val,1,1,en,yes\n".encode("latin-1"))
    assert {row["participant"]: row["consent_publication"] for row in found["participants"]} == {
        "anna": False, "bo": True,
    }  # fmt: skip
    assert sorted(by_video(found["videos"])) == ["a", "c"]


@pytest.mark.parametrize("line", ["b,.mp4,anna,train,no", '"b,.mp4,anna,train,no', 'b.mp4,an"na,anna,train,no'])
def test_a_line_with_moved_columns_is_no_consent_of_whom_it_names(folder, line):
    header = "video,participant,split,consent_publications\n"
    found = folder(f"{header}a.mp4,anna,train,yes\n{line}\nc.mp4,bo,val,yes\n".encode())
    assert {row["participant"]: row["consent_publication"] for row in found["participants"]} == {
        "anna": False, "bo": True,
    }  # fmt: skip


def test_a_name_that_cannot_be_read_may_be_anybodys_that_fits(folder):
    rows = [f"Zo\xeb,{name}.mp4,train,1,1,en,{answer}\n" for name, answer in (("a", "yes"), ("b", "no"))]
    others = "Zoe,c.mp4,train,1,1,en,yes\n"
    found = folder(f"{HEADER}{others}{rows[0]}".encode() + rows[1].encode("latin-1"))
    assert {row["participant"]: row["consent_publication"] for row in found["participants"]} == {
        "Zoe": False, "Zo\xeb": False,
    }  # fmt: skip
    assert f"videos.csv, line 4: {LATIN}" in reasons(found)
    assert all("\ufdd0" not in str(row) for row in found["set_aside"])


def test_many_broken_rows_take_linear_time(tmp_path):
    def read(count):
        return read_csv(put(tmp_path / "t.csv", "video,text\n" + 'a.mp4,"well\n' * count), ("video", "text"))

    assert len(read(100)) == 100
    assert growth(read, 1_000, 10_000) < LINEAR


FILES = ("split/val.txt", "video_annotation_transcript.yaml", "meta_data.yml")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_release_in_another_encoding(run, release, clip, tmp_path, name, encoding):
    root = release.write(tmp_path / "root", clip)
    usual = run(root, out="usual")
    (root / name).write_bytes((root / name).read_text().encode(encoding))
    assert run(root) == usual


def test_a_release_in_latin_costs_what_cannot_be_read(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    for name, old in zip(FILES, ("Well", "From the", "Canada"), strict=True):
        text = (root / name).read_text()
        (root / name).write_bytes(text.replace(old, f"{old}é", 1).encode("latin-1"))
    found = run(root)
    assert sorted(by_video(found["videos"])) == ["82567_Q2", "82568_Q2", "82569_Q1", "82569_Q2"]
    told = {row["item"]: row["reason"] for row in found["set_aside"]}
    assert sorted(told) == ["82567", "82567_Q1", "82568_Q1"]
    assert told["82568_Q1"] == f"split/val.txt, line 1: {LATIN}"
    assert told["82567_Q1"].endswith("its annotation has text that is not UTF-8")
    person = next(row for row in found["participants"] if row["participant"] == "82567")
    assert (person["birth_country"], person["sex"], person["consent_publication"]) == (None, "Male", True)


def test_consent_that_is_not_utf_8_is_no(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    text = (root / "meta_data.yml").read_text().replace("Use in publications: 'Yes'", "Use in publications: Yesé")
    (root / "meta_data.yml").write_bytes(text.encode("latin-1"))
    found = run(root)
    assert [row["consent_publication"] for row in found["participants"]] == [False] * 3


def test_a_quote_in_a_segment_table_swallows_no_video(run, release, clip, tmp_path):
    first, second = video_path("82568", 1), video_path("82568", 2)
    for path in (first, second):
        release.annotation[path] = {"global_ah": annotation_entry(path)["global_ah"]}
    root = release.write(tmp_path / "root", clip)
    head = "video,segment_id,label,num_frames,start_frame,end_frame\n"
    put(root / "segments_val.csv", f'{head}"{first},0,0,24,0,23\n{second},0,1,10,0,9\n{second},0,0,14,10,23\n')
    found = run(root)
    assert [(row["start_frame"], row["end_frame"]) for row in found["segments"] if row["video"] == "82568_Q2"] == [
        (0, 10)
    ]
    assert reasons(found) == ["segments_val.csv, line 2: no row of a segment table"]
