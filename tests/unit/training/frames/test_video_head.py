"""A fusion's head for whole videos: one row a video of val and test, the margin that the model itself gives."""

import numpy as np
import pytest
import torch

from synthetic import write_packs
from waver.errors import WaverError
from waver.io.tables import PREDICTIONS, read_metadata, read_table
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint, save_checkpoint
from waver.training.frames.video_head import predict_video_head
from waver.training.frames.windows import Window, collate

OPTIONS = {"channels": {name: [8, 8] for name in ("visual", "audio", "text")}, "size": 8, "shared": 4, "heads": 2}
RECORD = {"method": "conflict.video-head", "modalities": "VAT", "seed": 0, "model_set": "embedded", "code": "c"}


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return write_packs(tmp_path_factory.mktemp("packs"), {"train": 2, "val": 1, "test": 1})


def untrained(packs, folder, **options):
    normalisation = Normalisation.fit(read_corpus(*packs, "VAT", ["train"]))
    torch.manual_seed(0)
    own = {**OPTIONS, **options}
    network = load(FUSIONS, "conflict")(normalisation.sizes, method_config(FUSIONS, "conflict", own))
    # windows much shorter than the videos: the head sees a video whole all the same
    save_checkpoint(
        folder / "model.pt", Checkpoint("conflict", "VAT", own, normalisation, network.state_dict(), 30, 15)
    )
    return network.eval(), normalisation


@pytest.mark.slow
def test_the_head_judges_whole_videos(packs, tmp_path):
    network, normalisation = untrained(packs, tmp_path, video_head=True)
    predict_video_head(*packs, tmp_path / "model.pt", tmp_path / "videos.parquet", RECORD)
    rows = read_table(tmp_path / "videos.parquet", PREDICTIONS)
    videos = read_corpus(*packs, "VAT", ["val", "test"])
    assert [(row["video"], row["split"]) for row in rows] == [(video.video, video.split) for video in videos]
    assert {(row["frame"], row["fold"]) for row in rows} == {(None, None)}
    for row, video in zip(rows, videos, strict=True):
        batch = collate([normalisation.apply(video)], [Window(0, 0, video.frames)])
        with torch.no_grad():
            assert row["margin"] == pytest.approx(float(network.video_margin(batch.streams, batch.mask)), abs=1e-5)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["margin"])))
    assert len({row["margin"] for row in rows}) == len(rows)
    assert read_metadata(tmp_path / "videos.parquet") == {**RECORD, "level": "video", "protocol": "standard"}


def test_a_model_without_a_head_is_told(packs, tmp_path):
    untrained(packs, tmp_path)
    with pytest.raises(WaverError, match="has no head for whole videos; train it with video_head: true"):
        predict_video_head(*packs, tmp_path / "model.pt", tmp_path / "videos.parquet", RECORD)
