"""A folder whose recordings were annotated in ELAN: files beside them in place of lines of ``segments.csv``."""

from __future__ import annotations

from pathlib import Path

import pytest
from bah_tree import SHARDS, TABLES, put, write_clip
from pympi.Elan import Eaf

from waver.datasets.ingest import ingest
from waver.datasets.inventory import inventory
from waver.errors import WaverError
from waver.io import tables as schemas
from waver.io.tables import read_table

LISTING = "participant,video,split,label\nann,a/one.mp4,train,\nbob,b.mp4,val,0\ncy,c.mp4,test,\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for frames, name in enumerate(("a/one", "b", "c"), start=24):
        write_clip(tmp_path / f"root/{name}.mp4", frames)
    put(tmp_path / "root/videos.csv", LISTING)
    return tmp_path / "root"


def ingested(root: Path) -> dict[str, list[dict[str, object]]]:
    paths = {name: root.parent / f"out/{name}.parquet" for name in TABLES}
    ingest(root, "auto", SHARDS, paths, root.parent / "out/shards", root.parent / "out/cache.json", reader="folder")
    return {name: read_table(path, getattr(schemas, name.upper())) for name, path in paths.items()}


def annotated(path: Path, tier: str, *said: tuple[int, int, str], cues: tuple[tuple[int, int, str], ...] = ()) -> None:
    """As a person's ELAN leaves it: the tiers of a group's own, and the empty one that ELAN begins with."""
    eaf = Eaf()
    for name, found in ((tier, said), ("cue_face", cues)):
        eaf.add_tier(name)
        for one in found:
            eaf.add_annotation(name, *one)
    eaf.to_file(str(path))


def test_files_beside_the_recordings_say_where_there_is_ah(root: Path) -> None:
    before = inventory(root)
    put(root / "tiers.yaml", "eva: {tier: Codes, positive: [ambivalent], cues: [cue_face]}\n")
    annotated(root / "a/one.eaf", "Codes", (250, 500, "ambivalent"), (600, 700, "joy"), cues=((300, 400, "Frown"),))
    annotated(root / "c.eaf", "Codes")
    assert inventory(root) != before, "the next run reads them"
    found = ingested(root)
    assert found["set_aside"] == []
    (row,) = found["segments"]
    assert (row["video"], row["start_s"], row["end_s"], row["start_frame"], row["end_frame"]) == (
        "a__one", 0.25, 0.5, 6, 12,
    )  # fmt: skip
    assert "Frown" in str(row["cues"])
    assert {one["video"]: one["annotated_frames"] for one in found["videos"]} == {"a__one": 24, "b": 25, "c": None}
    assert {one["video"]: one["label"] for one in found["answers"]} == {"a__one": 1, "b": 0, "c": None}


def test_what_cannot_be_used_is_said_and_the_recordings_stay(root: Path) -> None:
    put(root / "segments.csv", "video,start_s,end_s\na/one.mp4,0.5,0.75\n")
    annotated(root / "a/one.eaf", "AH_reviewed", (250, 500, "A/H"))
    annotated(root / "b.eaf", "AH_reviewed", (250, 500, "A/H"))
    annotated(root / "c.eaf", "AH_reviewed", (250, 500, "A/H"), (600, 700, "unsure"))
    found = ingested(root)
    assert [(row["item"], row["path"]) for row in found["set_aside"]] == [
        ("a__one", "a/one.eaf"), ("b", "b.eaf"), ("c", "c.eaf"),
    ]  # fmt: skip
    assert [(row["video"], row["start_s"]) for row in found["segments"]] == [("a__one", 0.5)]
    assert len(found["videos"]) == 3
    (root / "segments.csv").unlink()
    annotated(root / "b.eaf", "Codes", (250, 500, "A/H"))
    put(root / "c.eaf", "<ANNOTATION_DOCUMENT")
    found = ingested(root)
    assert [(row["video"], row["start_s"]) for row in found["segments"]] == [("a__one", 0.25)]
    assert [row["reason"] for row in found["set_aside"]] == [
        "its annotation file lacks the tier with the segments", "its annotation file cannot be read",
    ]  # fmt: skip


def test_a_list_of_several_coders_is_refused(root: Path) -> None:
    put(root / "tiers.yaml", "eva: {tier: A}\nmax: {tier: B}\n")
    with pytest.raises(WaverError, match="names 2 coders; leave the one whose tier the models are to learn from"):
        ingested(root)
