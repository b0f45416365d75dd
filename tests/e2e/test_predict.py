"""``waver predict`` beside a finished run: a recording of the data set gets what the workflow predicted of it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from conftest import Workspace
from waver.io.tables import read_metadata
from waver.provenance import file_sha256

SECRET = "Anna-DESKTOP-7"
TWICE = """
import sys
from waver.cli import main
print("ended:", main(sys.argv[1:]), main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def predicted(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, str]:
    """The output folder of two calls, the workflow's id of the recording, and what the calls said."""
    folder = tmp_path_factory.mktemp("predict")
    videos = pq.read_table(finished.folder / "resources/tiny/ingest/videos.parquet").to_pylist()
    known = next(row for row in videos if row["split"] == "test" and row["has_audio"])
    source = finished.folder / "data" / known["path"]
    (folder / f"{SECRET}.mp4").symlink_to(source)
    (folder / "broken.mp4").write_bytes(source.read_bytes()[:3000])
    with (folder / "list.csv").open("w", newline="") as stream:
        rows = [["video", "participant", "question", "language"]]
        rows += [
            [f"{SECRET}.mp4", known["participant"], known["question"], known["language"]],
            ["broken.mp4", "", 1, ""],
        ]
        csv.writer(stream).writerows(rows)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(finished.folder / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TWICE, "predict", "--model", str(finished.results), str(folder / "list.csv")]
    command += ["--out", str(folder / "out"), "--method", "lfan/VAT", "--seed", "0"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "out", str(known["video"]), result.stdout, result.stderr


def test_frames_are_those_of_the_workflow(predicted, finished):
    out, video, _, _ = predicted
    run = pq.read_table(finished.results / "train/lfan/VAT/0/predictions.parquet").to_pydict()
    expected = [p for name, p in zip(run["video"], run["probability"], strict=True) if name == video]
    frames = pq.read_table(out / "recording_001_frames.parquet")
    assert np.abs(np.array(frames["p_ah"]) - np.array(expected)).max() < 1e-5
    assert np.array(frames["visual_valid"]).any()
    with (out / "recording_001_frames.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["frame"] for row in rows] == [str(number) for number in range(len(expected))]
    fields = json.loads((out / "frames.schema.json").read_text())["fields"]
    assert [field["name"] for field in fields] == list(rows[0])


def test_what_cannot_be_read_is_listed_and_a_second_call_does_nothing(predicted):
    out, _, said, progress = predicted
    assert said.endswith("ended: 2 2\n")
    assert "recording_002 (broken.mp4): " in said
    with (out / "set_aside.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["item"] == "recording_002"
    assert row["remedy"]
    done = [line.split(": ")[1].split(",")[0] for line in progress.splitlines() if line.startswith("[1/1]")]
    assert done[0].startswith("done in")
    assert done[1:] == ["up to date"]
    assert progress.splitlines()[0] == "waver predict: reading the model and the recordings"


def test_the_control_stands_beside_the_prediction_and_a_band_in_place_of_a_yes(predicted):
    out, _, said, _ = predicted
    (row,) = json.loads((out / "summary.json").read_text())
    assert row["band"] in ("unlikely", "unclear", "likely")
    assert 0 < row["p_content_free"] < 1
    assert row["question_only_says"] in ("unlikely", "likely")
    assert row["guess_says_the_same"] == (row["question_only_says"] == row["band"])
    assert f"recording_001: {row['band']}" in said
    assert "the question alone says" in said


def test_no_output_but_the_private_list_names_the_users_file(predicted):
    out = predicted[0]
    named = [path for path in out.rglob("*") if path.is_file() and not path.is_symlink() and SECRET in content(path)]
    assert named == [out / "private/recordings.csv"]
    assert {path.stat().st_mode & 0o077 for path in out.rglob("*") if not path.is_symlink()} == {0}


def content(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


def test_the_record_holds_the_hash_of_every_result(predicted, finished):
    out = predicted[0]
    record = json.loads((out / "run.json").read_text())
    left_out = {"run.json", "frames.schema.json", "segments.schema.json"}
    results = {path.name for path in out.iterdir() if path.is_file()} - left_out
    assert set(record["files"]) == results
    assert all(file_sha256(out / name) == sha256 for name, sha256 in record["files"].items())
    model = finished.results / "train/lfan/VAT/0/model.pt"
    assert record["model"]["sha256"] == file_sha256(model)
    assert read_metadata(out / "recording_001_frames.parquet")["model_sha256"] == file_sha256(model)
