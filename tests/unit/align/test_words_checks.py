"""Frames in which nobody speaks, between words."""

import numpy as np

from synthetic import write_packs
from waver.align.packs import FRAME_ARRAYS, read_packs, write_pack


def test_a_frame_without_a_word_has_zeros_and_each_word_its_own_frames(tmp_path):
    indexes, packs = write_packs(tmp_path / "whole", {"train": 1}, questions=1, shards=1)
    (video,) = read_packs(indexes, packs, [*FRAME_ARRAYS, "text"])
    frames = video.row["frames"]
    vectors = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    word = np.full(frames, -1, np.int32)
    word[3:9], word[20:21] = 0, 1
    arrays = {name: values for name, values in video.arrays.items() if name != "text_valid"}
    arrays |= {"text": vectors, "word_of_frame": word}
    write_pack(tmp_path / "packs/000.zarr", tmp_path / "000.parquet", [(dict(video.row), arrays)], key="k")
    (read,) = read_packs([tmp_path / "000.parquet"], tmp_path / "packs", ["text"])
    assert (read.arrays["text"][3:9] == vectors[0]).all()
    assert (read.arrays["text"][20] == vectors[1]).all()
    assert not read.arrays["text"][word < 0].any()
    assert np.array_equal(read.arrays["text_valid"], word >= 0)
