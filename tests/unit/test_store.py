"""The reading interface: what others get of the stores, and of whom."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from checkout import ROOT
from waver.align import packs
from waver.align.packs import write_pack
from waver.errors import WaverError
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, PARTICIPANTS, VIDEOS, write_table
from waver.io.zarr_store import new_store
from waver.store import open_data

VIDEO = {"1_Q1": ("train", 30), "1_Q2": ("train", 24), "2_Q1": ("train", 20), "3_Q1": ("test", 26)}
"""Split and frames; the first participant may be published, the third used in challenges."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Derived data of three participants; the second video has no sound, the last one no frame labels."""
    top = tmp_path_factory.mktemp("derived")
    people = [
        {**dict.fromkeys(PARTICIPANTS.names), "participant": one, "split": split,
         "consent_publication": one == "1", "consent_challenge": one == "3"}
        for one, split in (("1", "train"), ("2", "train"), ("3", "test"))
    ]  # fmt: skip
    write_table(top / "ingest/participants.parquet", people, PARTICIPANTS)
    rows = [
        {**dict.fromkeys(VIDEOS.names), "video": name, "participant": name[0], "split": split, "question": 1,
         "label": 1, "path": name, "source_frames": frames, "source_fps": 24.0, "duration_s": frames / 24,
         "has_audio": True, "checksum": name}
        for name, (split, frames) in VIDEO.items()
    ]  # fmt: skip
    write_table(top / "ingest/videos.parquet", rows, VIDEOS)
    for feature, size in (("visual", 8), ("audio", 4)):
        index = []
        for name, (_, frames) in VIDEO.items():
            there = (name, feature) != ("1_Q2", "audio")
            row = {"video": name, "participant": name[0], "status": "ok" if there else "set_aside", "frames": frames}
            index.append({**row, "key": "k", "note": "", "reason": None, "remedy": None})
            if there:
                with new_store(store_path(top / f"features/{feature}/stores", row), "k") as writer:
                    writer.put("feature", np.full((frames, size), int(name[0]), np.float32))
                    writer.put("valid", np.ones(frames, bool))
        write_table(top / f"features/{feature}/000.parquet", index, FEATURE_INDEX)
    packed = []
    for row in rows:
        frames = VIDEO[row["video"]][1]
        about = {name: row[name] for name in ("video", "participant", "split", "question", "label", "duration_s")}
        about |= {"status": "ok", "frames": frames, "words": 0, "positive_frames": 3, "note": "", "reason": None}
        about |= {"remedy": None, "labelled": row["video"] != "3_Q1"}
        label = (np.arange(frames) < 3).astype(np.uint8)
        packed.append((about, {"label": label, "source_frame": np.arange(frames, dtype=np.int32)}))
    write_pack(top / "align/packs/000.zarr", top / "align/000.parquet", packed, "key")
    return top


def test_a_video_is_opened_as_arrays_with_its_labels(folder):
    data = open_data(folder)
    assert data.features == ("audio", "visual")
    video = data.video("1_Q1")
    assert video.features == ("audio", "visual")
    assert {name: values.shape for name, values in video.arrays("visual").items()} == {
        "feature": (30, 8),
        "valid": (30,),
    }
    assert list(video.arrays("audio", "feature")) == ["feature"]
    assert video.open("visual")["feature"][2:5].shape == (3, 8)
    assert (video.frame_labels() == (np.arange(30) < 3)).all()
    assert [one.video for one in data.participant("1")] == ["1_Q1", "1_Q2"]
    with pytest.raises(WaverError, match="1_Q2 has no audio; it has visual"):
        data.video("1_Q2").arrays("audio")
    assert open_data(folder, "challenge").video("3_Q1").frame_labels() is None


@pytest.mark.parametrize(("purpose", "who"), [("publication", "1"), ("challenge", "3"), ("research", "123")])
def test_those_alone_are_opened_who_allowed_it(folder, purpose, who):
    data = open_data(folder, purpose)
    assert {video.participant for video in data.videos} == set(who)
    assert {row["participant"] for row in data.rows("visual")} == set(who)
    assert {item["participant"] for item in data.torch("visual")} == set(who)
    for other in set("123") - set(who):
        for open_it, name in ((data.participant, other), (data.video, f"{other}_Q1")):
            with pytest.raises(WaverError, match=f"the participant did not allow {purpose}"):
                open_it(name)


def test_the_default_is_what_may_be_published(folder):
    assert open_data(folder).purpose == "publication"


def test_what_is_not_there_is_told(folder, tmp_path):
    data = open_data(folder)
    for open_it, name, what in ((data.video, "9_Q1", "video 9_Q1"), (data.participant, "9", "participant 9")):
        with pytest.raises(WaverError, match=f"has no {what}"):
            open_it(name)
    with pytest.raises(WaverError, match="has no such feature; it has audio, visual"):
        next(data.rows("faces"))
    with pytest.raises(WaverError, match="give resources/<dataset> of a finished run"):
        open_data(tmp_path)
    with pytest.raises(WaverError, match="is no purpose; give publication, challenge or research"):
        open_data(folder, "fun")


def test_a_torch_data_set_has_the_videos_with_all_that_is_asked_for(folder, caplog):
    made = open_data(folder, "research").torch("visual/feature", "audio", "label", split="train")
    assert len(made) == 2
    assert "1 of 3 videos lack some of visual/feature, audio, label" in caplog.text
    loader = torch.utils.data.DataLoader(made, batch_size=None, num_workers=0)
    first = next(iter(loader))
    assert {name: tuple(v.shape) for name, v in first.items() if torch.is_tensor(v)} == {
        "visual/feature": (30, 8), "audio/feature": (30, 4), "audio/valid": (30,), "label": (30,),
    }  # fmt: skip
    assert (first["video"], first["split"], first["question"], first["video_label"]) == ("1_Q1", "train", 1, 1)
    assert first["label"].sum() == 3


def test_a_pack_is_opened_once_for_the_labels_of_all_its_videos(folder, monkeypatch):
    opened = []
    open_pack = packs.open_store
    monkeypatch.setattr(packs, "open_store", lambda path: opened.append(path) or open_pack(path))
    data = open_data(folder, "research")
    for _ in range(2):
        for row in data.rows("label", split="train"):
            assert row["label"].sum() == 3
            row["label"][:] = 9
    assert len(opened) == 1
    index = folder / "align/000.parquet"
    assert list(data.labels(index, "train")) == ["1_Q1", "1_Q2", "2_Q1"]
    assert list(open_data(folder).labels(index, "train")) == ["1_Q1", "1_Q2"], "of those alone who allowed it"


def test_without_the_library_of_hugging_face_a_sentence_names_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(WaverError, match=r"not installed; install it in an environment of your own \(pip install"):
        open_data(folder).hugging_face("visual")


def test_a_hugging_face_data_set_has_the_same_rows(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    # the tests have a folder of that name
    if not hasattr(pytest.importorskip("datasets", reason="the library is not installed"), "Dataset"):
        pytest.skip("the library is not installed")
    made = open_data(folder, "research").hugging_face("visual/feature", "label", split="train")
    assert made["video"] == ["1_Q1", "1_Q2", "2_Q1"]
    assert np.array(made[1]["visual/feature"]).shape == (24, 8)


def test_the_notebook_and_the_page_run(folder, monkeypatch, capsys):
    """Every code cell of the notebook, in order, and the example of the page, with this data in place of the demo's."""
    book = json.loads((ROOT / "docs/notebooks/stores.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    page = (ROOT / "docs/stores.md").read_text()
    example = page[page.index("from waver.store import") :].split("```")[0]
    assert [cell["outputs"] for cell in book["cells"] if cell["cell_type"] == "code"] == [[]] * len(cells)
    work = folder / "work/resources"
    work.mkdir(parents=True)
    (work / "demo").symlink_to(folder)
    monkeypatch.chdir(work.parent)
    for code in ("\n".join(cells), example):
        assert "resources/demo" in code
        exec(compile(code, "notebook", "exec"), {})
    assert capsys.readouterr().out
