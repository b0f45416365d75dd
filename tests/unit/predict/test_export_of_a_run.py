"""What a run predicted, exported: of those who allowed it, under names that tell nobody."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pympi import Eaf
from test_model_folder import place  # noqa: F401  the working folder of a small run

from waver.align.packs import read_packs
from waver.cli import main
from waver.datasets.consent import learner_mark
from waver.io.site_secret import site_secret
from waver.io.tables import PACK_INDEX, PARTICIPANTS, PREDICTIONS, VIDEOS, read_table, read_tables, write_table
from waver.predict.given import ANY_ID, read_mapping
from waver.predict.model_folder import load_model_folder
from waver.predict.predicted_files import read_predicted
from waver.predict.segments import frames_of_spans
from waver.training.corpus import read_corpus
from waver.training.frames.checkpoint import load_checkpoint
from waver.training.frames.predict import margin_of, predict


@pytest.fixture(scope="module")
def run(place: Path) -> Path:  # noqa: F811
    """The run, with a person of val who allowed publication, and the tables of videos."""
    data = place / "resources/tiny"
    people = read_table(data / "ingest/participants.parquet", PARTICIPANTS)
    allowed = next(row["participant"] for row in people if row["split"] == "val")
    rows = [row | {"consent_publication": row["participant"] == allowed, "consent_challenge": False} for row in people]
    write_table(data / "ingest/participants.parquet", rows, PARTICIPANTS)
    for index in sorted((data / "align").glob("*.parquet")):
        known = [{name: row.get(name) for name in VIDEOS.names} for row in read_table(index, PACK_INDEX)]
        about = {"source_frames": 1, "source_fps": 24.0, "has_audio": True, "checksum": ""}
        videos = [row | about | {"path": f"DESKTOP/{row['video']}.mp4"} for row in known]
        write_table(data / f"ingest/shards/{index.stem}.videos.parquet", videos, VIDEOS)
    return place


def export(run: Path, out: Path, *more: str) -> list[str]:
    assert main(["export", str(run / "results/tiny"), "--out", str(out), *more]) == 0
    return sorted(file.name for file in out.glob("*.eaf"))


@pytest.mark.slow
def test_a_publication_shows_those_who_allowed_it_and_names_nobody(run: Path, tmp_path: Path, capsys) -> None:
    names = export(run, tmp_path / "out")
    assert len(names) == 2
    assert all(name.startswith("P-") and name.endswith(("_Q1.eaf", "_Q2.eaf")) for name in names)
    assert "6 left out, whose participants did not allow publication" in capsys.readouterr().out
    people = read_table(run / "resources/tiny/ingest/participants.parquet", PARTICIPANTS)
    for file in (tmp_path / "out").iterdir():
        text = f"{file.name} {pq.read_schema(file).metadata}" if file.suffix == ".parquet" else file.read_text()
        assert not any(f"{row['participant']}_Q" in text or f'"{row["participant"]}"' in text for row in people)
        assert "DESKTOP" not in text
        assert "MEDIA_URL" not in text
    assert export(run, tmp_path / "again") == names, "pseudonyms stay"
    assert not (tmp_path / "out/private").exists()
    assert export(run, tmp_path / "challenge", "--purpose", "challenge") == []


@pytest.mark.slow
def test_internal_files_hold_everybody_as_predicted(run: Path, tmp_path: Path) -> None:
    names = export(run, tmp_path / "out", "--purpose", "internal", "--media", str(tmp_path / "data"))
    assert len(names) == 8
    table = read_table(run / "results/tiny/train/lfan/VAT/3/predictions.parquet", PREDICTIONS)
    indexes = sorted((run / "resources/tiny/align").glob("*.parquet"))
    labels = {one.video: one.arrays["label"] for one in read_packs(indexes, indexes[0].with_name("packs"), ("label",))}
    for name, files in read_predicted(tmp_path / "out").items():
        own = [row["probability"] for row in table if row["video"] == name]
        assert np.array_equal(files.probability, np.array(own, np.float32))
        assert files.annotated is not None
        assert np.array_equal(frames_of_spans(files.annotated, len(own)), labels[name] > 0)
        linked = Eaf(str(tmp_path / f"out/{name}.eaf")).get_linked_files()[0]["RELATIVE_MEDIA_URL"]
        assert linked == f"../data/DESKTOP/{name}.mp4"
    pages = sorted(file.stem for file in (tmp_path / "out").glob("*.html"))
    assert pages == sorted([*(name.removesuffix(".eaf") for name in names), "index"])
    page = (tmp_path / f"out/{pages[0]}.html").read_text(encoding="utf-8")
    assert f'src="../data/DESKTOP/{pages[0]}.mp4"' in page
    assert "places that annotators marked" in page
    added = pq.read_table(next((tmp_path / "out").glob("*_frames.parquet")))
    assert "visual_adds" not in added.column_names
    export(run, tmp_path / "unlinked", "--purpose", "internal", "--format", "vtt")
    assert {one.file for one in read_mapping(tmp_path / "unlinked/private/recordings.csv", ANY_ID)} == {Path()}
    with (tmp_path / "out/private/recordings.csv").open(encoding="utf-8") as stream:
        listed = {row["recording"]: row["participant"] for row in csv.DictReader(stream)}
    rows = read_tables(indexes, PACK_INDEX)
    assert listed == {row["video"]: row["participant"] for row in rows if row["split"] != "train"}


@pytest.mark.slow
def test_what_each_modality_adds_is_the_margin_less_that_without_it(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", "--purpose", "internal", "--format", "tables", "--contributions")
    model = load_checkpoint(run / "results/tiny/train/lfan/VAT/3/model.pt")
    indexes = sorted((run / "resources/tiny/align").glob("*.parquet"))
    (sample, *_) = read_corpus(indexes, indexes[0].with_name("packs"), "VAT", ["test"])
    blind = replace(sample, valid={**sample.valid, "audio": np.zeros(sample.frames, bool)})
    whole, without = (margin_of(predict(model, [one])[sample.video]) for one in (sample, blind))
    table = pq.read_table(tmp_path / f"out/{sample.video}_frames.parquet")
    assert np.allclose(table["audio_adds"].to_numpy(), whole - without, atol=1e-5)
    assert np.abs(whole - without).max() > 0


def test_what_cannot_be_exported_is_one_sentence(run: Path, tmp_path: Path, capsys) -> None:
    arguments = ["export", str(run / "results/tiny"), "--out", str(tmp_path / "out")]
    for more, actual in (
        (["--format", "eaf,docx"], "--format docx is not known"),
        (["--media", "x"], "give --purpose internal with it"),
        (["--format", "pages"], "pages show a person"),
        (["--method", "can/V"], "has no model can/V"),
    ):
        assert main([*arguments, *more]) == 1
        assert actual in capsys.readouterr().err
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_folder_tells_its_site_alone_whom_it_learnt_from(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(run)
    assert main(["export-model", "--model", "results/tiny", "--out", str(tmp_path / "m")]) == 0
    people = read_table(run / "resources/tiny/ingest/participants.parquet", PARTICIPANTS)
    learnt = {row["participant"] for row in people if row["split"] != "test"}
    secret = site_secret(run / ".waver/secret")
    assert len(learnt) == 7
    marks = load_model_folder(tmp_path / "m").about["learnt_from"]
    assert set(marks) == {learner_mark(one, secret) for one in learnt}
    assert marks == sorted(marks), "their order, that of the table of participants, would tell whose is whose"
