"""Links, names and rights of files: nothing is walked in circles, nothing that is there is called missing or a copy."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from bah_tree import put, video_path

from waver.config.model import Config
from waver.datasets.inventory import scan
from waver.errors import WaverError

LISTED = video_path("82568", 1)
ELSEWHERE = f"Copy/{LISTED.removeprefix('Videos/')}"


def told(found):
    return [(row["item"], row["reason"]) for row in found["set_aside"]]


def make_way(root, path):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    return root / path


def swap(root):
    os.rename(root / LISTED, make_way(root, ELSEWHERE))
    (root / LISTED).symlink_to(root / ELSEWHERE)


SAME = {
    "file to itself": lambda root: (root / "self.mp4").symlink_to("self.mp4"),
    "table to itself": lambda root: (root / "self.yml").symlink_to("self.yml"),
    "folder to itself": lambda root: (root / "Videos/self").symlink_to("self"),
    "to each other": lambda root: [(root / a).symlink_to(b) for a, b in (("a.mp4", "b.mp4"), ("b.mp4", "a.mp4"))],
    "to the parent": lambda root: (root / "Videos/up").symlink_to(".."),
    "to a folder above": lambda root: (root / "Videos/82567/all").symlink_to(root / "Videos"),
    "to a folder beside": lambda root: (root / "Videos/82568/Visite_2").symlink_to("Visite_1"),
    "backup": lambda root: (root / "backup").symlink_to("Videos"),
    "first of all": lambda root: (root / "A").symlink_to("Videos"),
    "the folder is the link": lambda root: (
        os.rename(root / "Videos", root / "disk"), (root / "Videos").symlink_to("disk")
    ),
    "hard link": lambda root: os.link(root / LISTED, make_way(root, ELSEWHERE)),
    "link to a file": lambda root: make_way(root, ELSEWHERE).symlink_to(root / LISTED),
    "the listed path is the link": swap,
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_links_are_no_copies_and_stop_nothing(run, release, clip, tmp_path, name):
    root = release.write(tmp_path / "root", clip)
    SAME[name](root)
    found = run(root)
    assert len(found["videos"]) == 6
    assert told(found) == []


def test_no_folder_is_walked_twice_from_within(tmp_path):
    put(tmp_path / "a/b/1.mp4", "")
    (tmp_path / "a/b/up").symlink_to("..")
    (tmp_path / "a/b/top").symlink_to(tmp_path)
    assert [file.path for file in scan(tmp_path)] == ["a/b/1.mp4"]


def test_of_two_files_neither_is_said_to_be_deleted(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    make_way(root, ELSEWHERE).write_bytes(clip + b"\0")
    found = run(root)
    assert told(found) == [("82568_Q1", "another copy of a recording that is already there")]
    assert "delete" not in str(found["set_aside"])


ABSENT = {
    "webm": (lambda path: path.rename(path.with_suffix(".webm")), "the file is there as .webm and listed as .mp4"),
    "mov": (lambda path: path.rename(path.with_suffix(".MOV")), "the file is there as .mov and listed as .mp4"),
    "folder": (
        lambda path: (path.unlink(), path.mkdir()), "what lies at its path is no file"
    ),
    "loose link": (
        lambda path: (path.unlink(), path.symlink_to("nowhere.mp4")),
        "what lies at its path is a link that leads to no file",
    ),
    "link to itself": (
        lambda path: (path.unlink(), path.symlink_to(path.name)),
        "what lies at its path is a link that leads to no file",
    ),
    "link to a folder": (
        lambda path: (path.unlink(), path.symlink_to("..")), "what lies at its path is no file"
    ),
    "nothing": (lambda path: path.unlink(), "video file is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
def test_why_a_listed_file_is_not_there(run, release, clip, tmp_path, name):
    root = release.write(tmp_path / "root", clip)
    change, reason = ABSENT[name]
    change(root / LISTED)
    found = run(root)
    assert told(found) == [("82568_Q1", reason)]
    assert len(found["videos"]) == 5


def test_videos_of_other_kinds_are_named(run, release, clip, tmp_path):
    root = release.write(tmp_path / "root", clip)
    for suffix in (".webm", ".mov"):
        (root / LISTED).with_suffix(suffix).write_bytes(clip)
    (root / "Videos/odd.mkv").write_bytes(clip)
    found = run(root)
    assert len(found["videos"]) == 6
    assert sorted(told(found)) == [
        ("82568_Q1", "a video file in .mov, which the release does not have"),
        ("82568_Q1", "a video file in .webm, which the release does not have"),
        ("Videos/odd.mkv", "a video file in .mkv, which the release does not have"),
    ]


@pytest.fixture
def closed(monkeypatch):
    """Folders that this account may not read; root, as which tests may run, may read all."""
    look, names = os.scandir, set()

    def scandir(folder):
        if os.path.basename(folder) in names:
            raise PermissionError(13, "Permission denied", str(folder))
        return look(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    return names


def test_what_cannot_be_read_is_not_missing(run, release, clip, tmp_path, closed):
    root = release.write(tmp_path / "root", clip)
    closed.add("82568")
    found = run(root)
    assert told(found) == [
        ("82568_Q1", "its folder cannot be read"),
        ("82568_Q2", "its folder cannot be read"),
        ("Videos/82568", "the folder cannot be read"),
    ]
    assert len(found["videos"]) == 4
    closed.add("split")
    with pytest.raises(WaverError, match=r"no split files below .*, where .* cannot be read; give the account"):
        run(root)
    closed.add("root")
    with pytest.raises(WaverError, match="cannot be read; give the account that runs Waver the right to read it"):
        run(root)


@pytest.mark.parametrize("name", ["video_annotation_transcript.yaml", "meta_data.yml", "split/val.txt"])
@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_a_file_of_the_release_that_is_none_stops_the_run(run, release, clip, tmp_path, name, kind):
    root = release.write(tmp_path / "root", clip)
    (root / name).unlink(missing_ok=True)
    if kind == "folder":
        (root / name).mkdir()
    elif kind == "link":
        (root / name).symlink_to("nowhere")
    else:
        os.mkfifo(root / name)
    with pytest.raises(WaverError, match=rf"{re.escape(name)} is .*; put the release's file in its place"):
        run(root)


def test_a_root_that_is_none(run, tmp_path):
    put(tmp_path / "file", "")
    (tmp_path / "self").symlink_to("self")
    for name in ("file", "self", "nowhere", "file/below"):
        with pytest.raises(WaverError, match=r"dataset\.root: .* folder; correct the path") as error:
            run(tmp_path / name)
        assert "Errno" not in str(error.value)


def test_a_line_that_cannot_be_used_lists_its_video_all_the_same(run, release, clip, tmp_path):
    release.splits["val"][0] = release.splits["val"][0].replace(",0,", ",2,")
    found = run(release.write(tmp_path / "root", clip))
    assert told(found) == [("82568_Q1", "split/val.txt, line 1: its label is none of the classes")]


def test_home_is_expanded(monkeypatch, run, release, clip, tmp_path):
    release.write(tmp_path / "home/BAH", clip)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = Config(dataset={"root": "~/BAH"}, models={"paths": {"word_encoder": "~/models/bert"}})
    assert config.dataset.root == str(tmp_path / "home/BAH")
    assert config.models.paths == {"word_encoder": str(tmp_path / "home/models/bert")}
    assert len(run(Path(config.dataset.root))["videos"]) == 6
