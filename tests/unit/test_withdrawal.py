"""``waver forget``: nothing of the person is left, and nothing else is gone."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waver import withdrawal
from waver.cli import main
from waver.datasets.folder.listing import safe_id
from waver.withdrawal import mentions

WHO, OTHER = "80001", "80002"


def table(path: Path, *people: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"participant": list(people), "video": [f"{who}_Q1" for who in people]}), path)


def file(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people of the data set bah, in two shards: in the run one, whose models name nobody, and in the run three,
    of models that are asked. Another data set and run.
    """
    for who in (WHO, OTHER):
        for feature in ("faces", "words"):
            file(tmp_path / f"resources/bah/features/{feature}/stores/{who}/{who}_Q1.zarr")
    made = json.dumps({"input": ["resources/bah/align/000.parquet"]})
    for shard, people in (("000", (WHO, OTHER)), ("001", (OTHER,))):
        for index in ("features/faces", "features/answers", "align"):
            table(tmp_path / f"resources/bah/{index}/{shard}.parquet", *people)
        file(tmp_path / f"resources/bah/features/answers/stores/{shard}.zarr")
        file(tmp_path / f"resources/bah/align/packs/{shard}.zarr")
        file(tmp_path / f"resources/bah/align/{shard}.parquet.provenance.json", "{}")
        for model in ("llava", "llava.tuned"):
            table(tmp_path / f"results/three/zeroshot/{model}/video/{shard}.parquet", *people)
        file(tmp_path / f"results/three/zeroshot/llava/video/{shard}.parquet.provenance.json", made)
        file(tmp_path / f"results/three/zeroshot/llava/video/{shard}.journal.jsonl", "answers about who was ever in it")
    table(tmp_path / "results/three/zeroshot/llava/video/td1/none.parquet", OTHER)
    file(tmp_path / "results/three/zeroshot/llava.tuned/adapter/adapter_model.safetensors")
    file(tmp_path / "resources/bah/align/.001.parquet.part", "half written by a job that was killed")
    file(tmp_path / "resources/bah/align/packs/.001.zarr.part")
    file(tmp_path / "resources/bah/align/packs/002.zarr", "without an index that says of whom")
    table(tmp_path / "resources/bah/ingest/participants.parquet", WHO, OTHER)
    table(tmp_path / "resources/bah/ingest/shards/000.videos.parquet", WHO, OTHER)
    file(tmp_path / "resources/bah/train/resnet18/asset.json")
    file(tmp_path / "results/one/train/lfan/V/0/model.pt")
    file(tmp_path / "results/one/train/lfan/V/0/model.pt.provenance.json", made)
    file(tmp_path / "logs/one/ingest.log", f"{WHO} went well")
    file(tmp_path / "benchmarks/one/ingest.tsv")
    table(tmp_path / "resources/other/ingest/participants.parquet", OTHER)
    table(tmp_path / "results/two/predictions.parquet", OTHER)
    file(tmp_path / "logs/two/ingest.log")
    file(tmp_path / ".snakemake/log/today.snakemake.log", f"job of {WHO}")
    file(tmp_path / "data/split/train.txt", f"Videos/{OTHER}/a.mp4,1,x\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forget(*arguments: str) -> int:
    config = ["dataset={name: bah, root: data, source: release}", "run=one"]
    return main(["forget", *arguments, "--config", *config])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


KEPT = {
    "resources/bah/align/001.parquet",
    "resources/bah/align/001.parquet.provenance.json",
    "resources/bah/align/packs/001.zarr",
    "resources/bah/features/answers/001.parquet",
    "resources/bah/features/answers/stores/001.zarr",
    "resources/bah/features/faces/001.parquet",
    "results/three/zeroshot/llava/video/001.parquet",
    "results/three/zeroshot/llava/video/001.parquet.provenance.json",
    f"resources/bah/features/faces/stores/{OTHER}/{OTHER}_Q1.zarr",
    f"resources/bah/features/words/stores/{OTHER}/{OTHER}_Q1.zarr",
    "resources/other/ingest/participants.parquet",
    "results/two/predictions.parquet",
    "logs/two/ingest.log",
    "data/split/train.txt",
}


def test_a_small_number_in_a_log_is_nobodys_id(folder, capsys):
    before = files(folder)
    file(folder / "logs/one/features.log", "12/40 videos: ok")
    assert forget("12", "--delete") == 0
    assert files(folder) >= before
    assert "nothing here was made of this participant" in capsys.readouterr().out


def test_nothing_of_the_participant_is_left_and_nothing_else_is_gone(folder, capsys):
    assert forget(WHO, "--delete") == 0
    assert files(folder) == KEPT
    said = capsys.readouterr().out
    assert f"deleted: resources/bah/features/faces/stores/{WHO}\n" in said
    assert "deleted: results/one\n" in said
    assert "still names" not in said
    assert not list(mentions(WHO, folder))


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 11, 14, 17, 20, 22, 23, 24, 30])
def test_a_killed_command_is_continued(folder, monkeypatch, steps):
    """Whatever is deleted first, the rest is found again by what goes last."""
    done, remove = [], withdrawal.remove

    def killed(path):
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(remove(path))

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(withdrawal, "remove", killed)
        forget(WHO, "--delete")
    assert len(done) == min(steps, 24)
    assert forget(WHO, "--delete") == 0
    assert files(folder) == KEPT


def test_what_links_lead_to_is_deleted(folder, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    for path in ("results/one", f"resources/bah/features/faces/stores/{WHO}"):
        shutil.move(folder / path, disk / Path(path).name)
        (folder / path).symlink_to(disk / Path(path).name)
    assert forget(WHO, "--delete") == 0
    assert not list(disk.iterdir())
    assert not (folder / "results/one").is_symlink()


def test_models_are_found_after_ingest_has_deleted_the_stores(folder):
    for feature in ("faces", "words"):
        shutil.rmtree(folder / f"resources/bah/features/{feature}/stores/{WHO}")
    for path in ("features/faces/000.parquet", "ingest/participants.parquet", "ingest/shards/000.videos.parquet"):
        table(folder / "resources/bah" / path, OTHER)
    assert forget(WHO, "--delete") == 0
    assert not (folder / "results/one").exists()


def test_a_file_that_cannot_be_deleted_is_named(folder, monkeypatch, capsys):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert forget(WHO, "--delete") == 1
    assert "benchmarks/one cannot be deleted (Permission denied); see who owns it" in capsys.readouterr().err


def test_without_delete_it_is_listed_alone(folder, capsys):
    before = files(folder)
    assert forget(WHO) == 0
    assert files(folder) == before
    assert "would be deleted (give --delete): results/one\n" in capsys.readouterr().out


def test_somebody_unknown_costs_nothing(folder, capsys):
    before = files(folder)
    assert forget("8000", "--delete") == 0
    assert files(folder) == before
    assert "nothing here was made of this participant" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["split/val.txt", f"Videos/{WHO}/Visite_1/{WHO}_Question_1.mp4"])
def test_a_data_set_that_still_names_the_participant_is_refused(folder, capsys, where):
    file(folder / "data" / where, f"Videos/{WHO}/b.mp4,0,y\n")
    before = files(folder)
    assert forget(WHO, "--delete") == 1
    assert files(folder) == before
    assert "take the participant out of them first" in capsys.readouterr().err


def test_no_file_is_deleted_under_a_running_workflow(folder, capsys):
    file(folder / ".snakemake/locks/0.input.lock")
    before = files(folder)
    assert forget(WHO, "--delete") == 1
    assert files(folder) == before
    assert "a workflow runs in" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "*"])
def test_an_id_is_one_name_and_no_pattern(folder, name, capsys):
    before = files(folder)
    assert forget(name, "--delete") == (0 if name in ("*", "a/b") else 1)
    assert files(folder) == before


def test_an_id_within_another_is_no_mention(tmp_path):
    file(tmp_path / "a.csv", "180001,x80001,800011")
    assert not list(mentions(WHO, tmp_path))
    file(tmp_path / "b.csv", "video,80001_Q3")
    assert [path.name for path in mentions(WHO, tmp_path)] == ["b.csv"]


@pytest.mark.parametrize("written", ["Zoe/7", "Zoe:7", ".zoe", "Zoe & 7"])
def test_an_id_that_cannot_name_a_file_is_given_as_it_is_written(folder, capsys, written):
    """The reader of folders makes ``Zoe%2F7`` of ``Zoe/7``."""
    stored = safe_id(written)
    table(folder / "resources/bah/ingest/participants.parquet", stored, OTHER)
    file(folder / f"resources/bah/features/faces/stores/{stored}/x.zarr")
    file(folder / "data/videos.csv", f"{written},a.mp4")
    assert forget(written, "--delete") == 1
    assert "take the participant out of them first" in capsys.readouterr().err
    (folder / "data/videos.csv").unlink()
    assert forget(written, "--delete") == 0
    assert not (folder / f"resources/bah/features/faces/stores/{stored}").exists()
    assert (folder / f"resources/bah/features/faces/stores/{OTHER}").exists()
