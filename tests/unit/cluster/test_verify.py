"""``waver verify`` walks all stores."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest

from changed_stores import change_byte
from waver.cli import main
from waver.io.shard_job import run_shard, store_path
from waver.io.zarr_store import store_key

VIDEOS = [{"video": f"9000{i}_Q1", "participant": f"9000{i}", "checksum": str(i)} for i in range(4)]


@pytest.fixture
def stores(tmp_path):
    def compute(video, writer):
        writer.put("feature", np.zeros((50, 4), np.float32))
        return 50, ""

    run_shard(VIDEOS, tmp_path / "faces/stores", tmp_path / "faces/000.parquet", {}, compute)
    return [store_path(tmp_path / "faces/stores", video) for video in VIDEOS]


def test_it_is_content_with_whole_stores(stores, tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "4 stores, 4 of them whole\n"


def test_it_lists_what_is_wrong_and_removes_it_when_told(stores, tmp_path, capsys):
    change_byte(stores[0], stores[0].read_bytes().index(b"feature/c/0/0") + 20)
    other = stores[1].read_bytes()
    stores[1].unlink()
    os.truncate(stores[2], 0)
    stores[3].write_bytes(other)
    (tmp_path / "faces/stores/90009/90009_Q1.zarr/image/old.zarr").mkdir(parents=True)
    assert main(["verify", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert f"{stores[0]}: damaged: feature/c/0/0 is not as it was written\n" in output
    assert f"{stores[1]}: missing\n" in output
    assert f"{stores[2]}: damaged: it is empty\n" in output
    assert f"{stores[3]}: not the one that its index lists\n" in output
    assert "90009_Q1.zarr: a folder, of an earlier version of Waver\n" in output
    assert "5 stores, 0 of them whole\n" in output
    assert main(["verify", str(tmp_path), "--delete"]) == 1  # one is missing still
    assert [store_key(path) is None for path in stores] == [True] * 4
    assert not (tmp_path / "faces/stores/90009/90009_Q1.zarr").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "none does not exist; give a folder that holds stores" in capsys.readouterr().err


@pytest.fixture
def run(tmp_path):
    """Two files of a run as jobs record them, one of them published, and predictions."""
    digest = hashlib.sha256(b"whole").hexdigest()
    records = {
        "results/x/evaluate/scores.parquet": "results/x/evaluate/scores.parquet.provenance.json",
        "results/x/report/report.html": "logs/x/report_html/all.provenance.json",
        "predicted/a.csv": "predicted/run.json",
    }
    for file, record in records.items():
        for path in (file, record):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"whole")
        named = {"files": {"a.csv": digest}} if file.startswith("pred") else {"output": {file: digest}}
        (tmp_path / record).write_text(json.dumps(named))
    return tmp_path


@pytest.mark.parametrize("inside", [True, False])
def test_files_of_a_run_are_held_to_what_was_recorded(run, inside, monkeypatch, capsys):
    monkeypatch.chdir(run if inside else run.parent)
    base = "" if inside else f"{run.name}/"
    command = ["verify", f"{base}results/x", f"{base}predicted"]
    assert main(command) == 0
    assert "3 recorded files, 3 of them as they were written\n" in capsys.readouterr().out
    (run / "results/x/report/report.html").write_bytes(b"Whole")
    (run / "predicted/a.csv").unlink()
    assert main([*command, "--delete"]) == 1
    output = capsys.readouterr().out
    assert "report.html: it is not as it was written\n" in output
    assert "predicted/a.csv: missing\n" in output
    assert "3 recorded files, 1 of them as they were written\n" in output
    assert (run / "results/x/report/report.html").exists(), "an edited file is nobody's to delete"
    (run / "predicted/run.json").write_text("{")
    assert main(command) == 1
    assert "run.json cannot be read" in capsys.readouterr().err


def test_a_folder_with_nothing_to_verify_is_not_called_whole(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty")]) == 1
    assert "nothing in it has a recorded sum; give results/<run>" in capsys.readouterr().err
