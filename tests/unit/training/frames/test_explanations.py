"""What the conflict model shows of its reasons: every frame of val and test, the same as the model itself says."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from synthetic import write_packs
from waver.errors import WaverError
from waver.io.tables import read_metadata
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation, read_corpus
from waver.training.frames.checkpoint import Checkpoint, save_checkpoint
from waver.training.frames.explanations import explain_videos, video_tracks
from waver.training.frames.windows import collate, windows_of

OPTIONS = {
    "conflict": {
        "channels": {name: [8, 8] for name in ("visual", "audio", "text")},
        "size": 8,
        "shared": 4,
        "heads": 2,
    },
    "lfan": {"channels": {name: [8, 8] for name in ("visual", "audio", "text")}},
}
TRACKS = {
    "gate/visual+text", "conflict/audio+text", "affect/text/hesitant", "affect/visual/positive",
    "within/audio/kaplan_12", "gate/within:text", "gate/audio",
}  # fmt: skip


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return write_packs(tmp_path_factory.mktemp("packs"), {"train": 2, "val": 1, "test": 1})


def untrained(packs, folder, fusion, window=200, stride=1):
    normalisation = Normalisation.fit(read_corpus(*packs, "VAT", ["train"]))
    torch.manual_seed(0)
    network = load(FUSIONS, fusion)(normalisation.sizes, method_config(FUSIONS, fusion, OPTIONS[fusion]))
    checkpoint = Checkpoint(
        fusion, "VAT", OPTIONS[fusion], normalisation, network.state_dict(), window, window // 2, stride
    )
    save_checkpoint(folder / "model.pt", checkpoint)
    return network.eval(), checkpoint


@pytest.mark.parametrize("stride", [1, 2])
def test_every_frame_of_val_and_test_has_every_track(packs, tmp_path, stride):
    untrained(packs, tmp_path, "conflict", stride=stride)
    explain_videos(*packs, tmp_path / "model.pt", tmp_path / "e.parquet", {"fusion": "conflict"})
    table, videos = pq.read_table(tmp_path / "e.parquet"), read_corpus(*packs, "VAT", ["val", "test"])
    assert table["video"].to_pylist() == [video.video for video in videos for _ in range(video.frames)]
    assert table["frame"].to_pylist() == [frame for video in videos for frame in range(video.frames)]
    assert set(table.column_names) >= TRACKS
    for name in TRACKS:
        values = table[name].to_numpy()
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.std() > 0, name
    assert read_metadata(tmp_path / "e.parquet") == {"fusion": "conflict"}


def test_windows_that_overlap_are_averaged(packs, tmp_path):
    video = read_corpus(*packs, "VAT", ["val"])[0]
    network, checkpoint = untrained(packs, tmp_path, "conflict", window=60)
    found = video_tracks(network, video, checkpoint)["conflict/visual+text"]
    seen = checkpoint.normalisation.apply(video)
    total, count = np.zeros(video.frames), np.zeros(video.frames)
    for window in windows_of([video.frames], 60, 30):
        batch = collate([seen], [window])
        shown = network.explain(batch.streams, batch.mask)["conflict/visual+text"][0]
        total[window.start : window.stop] += shown.numpy()
        count[window.start : window.stop] += 1
    assert count.min() == 1
    assert count.max() > 1
    assert np.allclose(found, total / count, atol=1e-6)


def test_a_fusion_without_reasons_is_told(packs, tmp_path):
    untrained(packs, tmp_path, "lfan")
    with pytest.raises(WaverError, match="lfan does not explain itself"):
        explain_videos(*packs, tmp_path / "model.pt", tmp_path / "e.parquet", {})
