import numpy as np

from synthetic import DIMS, write_packs
from waver.align.packs import read_packs


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
