"""Fixtures of a tiny release and of one run of ingest over it."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from bah_tree import SHARDS, TABLES, Release, video_path, write_clip

from waver.datasets import video_files
from waver.datasets.ingest import ingest
from waver.io import tables as schemas
from waver.io.tables import read_table


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path)
    return path.read_bytes()


class InThisThread:
    """Calls at once what a pool is given, so that one decoder process serves all tests of a file."""

    def __init__(self, _threads):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        done = Future()
        try:
            done.set_result(function(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done

    def shutdown(self, **_):
        pass


@pytest.fixture(autouse=True)
def _in_this_thread(monkeypatch):
    monkeypatch.setattr(video_files, "ThreadPoolExecutor", InThisThread)


@pytest.fixture
def run(tmp_path):
    """Ingest a root; gives the rows of every table."""

    def _run(root, layout="auto", out="out", shards=SHARDS, recorded=True, purpose="research"):
        folder = tmp_path / out
        paths = {name: folder / f"{name}.parquet" for name in TABLES}
        ingest(root, layout, shards, paths, folder / "shards", folder / "cache.json", recorded, purpose=purpose)
        return {name: read_table(path, getattr(schemas, name.upper())) for name, path in paths.items()}

    return _run


@pytest.fixture
def release():
    """Three participants, one a split, with two answers each; the second answer shows A/H."""
    made = Release()
    for split, participant in (("train", "82567"), ("val", "82568"), ("test", "82569")):
        made.add(split, video_path(participant, 1))
        made.add(split, video_path(participant, 2), (6, 18))
    return made
