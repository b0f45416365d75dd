import shutil

import numpy as np
import pytest

from synthetic import CUES, DIMS, write_packs
from waver.align.packs import FRAME_ARRAYS, read_packs, write_pack
from waver.errors import WaverError


def test_a_split_is_read_whole_and_alone(tmp_path):
    indexes, packs = write_packs(tmp_path)
    videos = list(read_packs(indexes, packs, ["visual", "text", "label"], splits=["val"]))
    assert {video.row["split"] for video in videos} == {"val"}
    assert len(videos) == 6
    for video in videos:
        assert video.arrays["visual"].shape == (video.row["frames"], DIMS["visual"])
        assert video.arrays["text"].shape == (video.row["frames"], DIMS["text"])
        assert video.arrays["text_valid"].all()
        assert video.arrays["label"].sum() == video.row["positive_frames"]


def test_words_of_the_second_video_are_its_own(tmp_path):
    indexes, packs = write_packs(tmp_path, {"train": 2}, shards=1)
    videos = list(read_packs(indexes, packs, ["text", "word_of_frame"]))
    first, second = videos[0], videos[1]
    assert second.arrays["word_of_frame"][0] == first.row["words"]
    assert np.array_equal(second.arrays["text"][0], second.arrays["text"][7])
    assert not np.array_equal(second.arrays["text"][0], second.arrays["text"][8])


def test_a_pack_without_a_usable_video_is_empty_and_readable(tmp_path):
    write_pack(tmp_path / "packs/000.zarr", tmp_path / "000.parquet", [], key="k")
    assert list(read_packs([tmp_path / "000.parquet"], tmp_path / "packs", ["visual", "text"])) == []


def test_a_video_without_a_modality_has_zeros_that_are_not_valid(tmp_path):
    indexes, packs = write_packs(tmp_path / "whole", {"train": 2}, questions=1, shards=1)
    videos = []
    for number, video in enumerate(read_packs(indexes, packs, [*FRAME_ARRAYS, "text"])):
        arrays = {name: values for name, values in video.arrays.items() if name != "text_valid"}
        if number == 0:
            frames = video.row["frames"]
            nobody = np.full(frames, -1, np.int32)
            arrays |= {"text": np.zeros((0, 0), np.float32), "word_of_frame": nobody}
            arrays |= {"audio": np.zeros((frames, 0), np.float32), "audio_valid": np.zeros(frames, bool)}
        else:
            arrays |= {"text": arrays["text"][::8], "word_of_frame": np.arange(video.row["frames"]) // 8}
        videos.append((dict(video.row), arrays))
    write_pack(tmp_path / "packs/000.zarr", tmp_path / "000.parquet", videos, key="k")
    first, second = read_packs([tmp_path / "000.parquet"], tmp_path / "packs", ["audio", "audio_valid", "text"])
    assert not first.arrays["audio"].any()
    assert not first.arrays["audio_valid"].any()
    assert not first.arrays["text_valid"].any()
    assert second.arrays["audio_valid"].all()
    assert second.arrays["text_valid"].all()


def test_what_a_video_lacks_is_filled(tmp_path):
    whole, packs = write_packs(tmp_path / "whole", {"train": 2}, questions=1, shards=1)
    first, second = read_packs(whole, packs, ["cues", "visual", "visual_valid", "label", "source_frame"])
    kept = {name: first.arrays[name] for name in ("label", "source_frame")}
    write_pack(tmp_path / "packs/000.zarr", tmp_path / "000.parquet",
               [(dict(first.row), kept), (dict(second.row), dict(second.arrays))], key="k")  # fmt: skip
    found = list(read_packs([tmp_path / "000.parquet"], tmp_path / "packs", [*FRAME_ARRAYS, "text"]))
    frames = first.row["frames"]
    assert {name: values.shape for name, values in found[0].arrays.items() if values.ndim == 2} == {
        "visual": (frames, DIMS["visual"]), "audio": (frames, 0), "cues": (frames, CUES), "text": (frames, 0),
        "visual_affect": (frames, 3), "audio_affect": (frames, 3), "text_affect": (frames, 3),
    }  # fmt: skip
    for name, values in found[0].arrays.items():
        if name.endswith("_affect"):
            assert np.isnan(values).all()
        elif name not in kept:
            assert not (values > 0).any()
    assert (found[0].arrays["word_of_frame"] == -1).all()
    np.testing.assert_array_equal(found[1].arrays["cues"], second.arrays["cues"])
    assert not found[1].arrays["cues_valid"].any()


def test_a_pack_of_another_index_is_refused(tmp_path):
    indexes, packs = write_packs(tmp_path, shards=2)
    shutil.copy(packs / "001.zarr", packs / "000.zarr")
    with pytest.raises(WaverError, match=r"000\.zarr was not written with .*000\.parquet"):
        list(read_packs(indexes, packs, ["label"]))
