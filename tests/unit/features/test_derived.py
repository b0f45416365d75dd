"""Modalities that a function derives from other features."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from waver.errors import WaverError
from waver.features.derived import checked, extract_derived
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, read_table, write_table
from waver.io.zarr_store import new_store, read_store

FUNCTIONS = """
import numpy as np
def loudness(sources):
    level = np.asarray(sources["audio"]["prosody"][:, :1])
    return level - np.asarray(sources["cues"]["feature"][:, :1]), np.asarray(sources["audio"]["valid"][:])
def broken(sources):
    return np.zeros((3, 1)), np.ones(3, bool)
"""
VIDEOS = ("1_Q1", "1_Q2", "2_Q1")


@pytest.fixture
def function(tmp_path, monkeypatch) -> str:
    """Name of a module of functions, for this test."""
    (tmp_path / "derived_here.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "derived_here", raising=False)
    return "derived_here"


def sources(folder: Path, without: dict[str, str] | None = None, keys: str = "k") -> dict[str, Path]:
    """Stores and indexes of sound and cues; ``without``: feature -> a video that was set aside."""
    found = {}
    for feature, array in (("audio", "prosody"), ("cues", "feature")):
        found[feature] = folder / feature / "000.parquet"
        rows = []
        for number, video in enumerate(VIDEOS, start=1):
            lost = (without or {}).get(feature) == video
            row = {"video": video, "participant": video[0], "status": "set_aside" if lost else "ok", "frames": 6,
                   "key": f"{keys}-{video}", "note": "", "reason": "no" if lost else None, "remedy": None}  # fmt: skip
            rows.append(row)
            if lost:
                continue
            with new_store(store_path(folder / feature / "stores", row), row["key"]) as writer:
                writer.put(array, np.full((6, 3), number * (2 if feature == "audio" else 1), np.float32))
                writer.put("valid", np.arange(6) > 1)
        write_table(found[feature], rows, FEATURE_INDEX)
    return found


def derive(folder: Path, function: str, given: dict[str, Path], code: str = "code") -> list[dict[str, object]]:
    extract_derived("loudness", function, given, folder / "stores", folder / "000.parquet", code)
    return read_table(folder / "000.parquet", FEATURE_INDEX)


def test_a_video_has_what_the_function_makes_of_its_sources_and_zeros_where_nothing_is_known(tmp_path, function):
    rows = derive(tmp_path / "loudness", f"{function}:loudness", sources(tmp_path))
    assert [(row["video"], row["status"], row["frames"], row["note"]) for row in rows] == [
        (video, "ok", 6, "") for video in VIDEOS
    ]
    for number, row in enumerate(rows, start=1):
        found = read_store(store_path(tmp_path / "loudness/stores", row), "feature", "valid")
        assert found["feature"].dtype == np.float32
        np.testing.assert_array_equal(found["feature"], [[0], [0], *[[number]] * 4])
        np.testing.assert_array_equal(found["valid"], np.arange(6) > 1)


def test_a_video_that_a_source_lacks_does_not_appear(tmp_path, function):
    rows = derive(tmp_path / "loudness", f"{function}:loudness", sources(tmp_path, {"cues": "1_Q2"}))
    assert [row["video"] for row in rows] == ["1_Q1", "2_Q1"]


@pytest.mark.parametrize("change", ["code", "sources"])
def test_a_store_is_kept_until_the_code_or_a_source_changes(tmp_path, function, change):
    folder, name = tmp_path / "loudness", f"{function}:loudness"
    first = [row["key"] for row in derive(folder, name, sources(tmp_path))]
    written = {path: path.stat().st_mtime_ns for path in (folder / "stores").rglob("*.zarr")}
    assert [row["key"] for row in derive(folder, name, sources(tmp_path))] == first
    assert {path: path.stat().st_mtime_ns for path in (folder / "stores").rglob("*.zarr")} == written
    given = sources(tmp_path, keys="other" if change == "sources" else "k")
    later = derive(folder, name, given, "other code" if change == "code" else "code")
    assert not {row["key"] for row in later} & set(first)


def test_a_function_that_returns_something_else_ends_the_job(tmp_path, function, caplog):
    with pytest.raises(WaverError, match=r"none of the 3 videos .*unexpected ValueError\); see the traceback"):
        derive(tmp_path / "loudness", f"{function}:broken", sources(tmp_path))
    assert "float64 and bool, expected float32 and bool" in caplog.text


@pytest.mark.parametrize(
    ("values", "valid", "told"),
    [
        (np.zeros(3, np.float32), np.ones(3, bool), "movement has shape"),
        (np.zeros((4, 2), np.float32), np.ones(3, bool), "movement has shape"),
        (np.full((3, 2), np.nan, np.float32), np.ones(3, bool), "not finite"),
    ],
)
def test_what_packs_could_not_hold_is_refused(values, valid, told):
    with pytest.raises(ValueError, match=told):
        checked("movement", values, valid)


def test_what_is_not_known_may_be_anything(tmp_path):
    values = np.array([[np.nan], [1]], np.float32)
    assert checked("movement", values, np.array([False, True]))[0] is values
