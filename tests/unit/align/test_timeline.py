from pathlib import Path
from typing import Any

import numpy as np
import pytest

from waver.align.packs import FRAME_ARRAYS, read_packs
from waver.align.timeline import align_pack
from waver.config.sections import AlignConfig
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, SEGMENTS, VIDEOS, read_table, write_table
from waver.io.zarr_store import new_store, store_key

pytestmark = pytest.mark.slow

THINGS = ("faces", "visual", "audio", "words", "cues")
EXPRESSIONS = ["angry", "happy", "sad"]


class Shard:
    """Stores and tables of a shard, written at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.videos: list[dict[str, Any]] = []
        self.segments: list[dict[str, Any]] = []
        self.features: dict[str, list[dict[str, Any]]] = {thing: [] for thing in THINGS}
        self.unknown_expressions: set[str] = set()

    def add(self, question: int, source_frame: np.ndarray, *, without: str = "", longer: dict[str, int] | None = None,
            segments: list[tuple[int, int]] | None = None, **changes: Any) -> None:  # fmt: skip
        """A video whose features carry its question; ``without`` names things that were set aside."""
        frames, video = len(source_frame), f"82001_Q{question}"
        recorded = int(source_frame[-1]) + 1
        self.videos.append({
            "video": video, "participant": "82001", "split": "train", "question": question, "path": f"{video}.mp4",
            "label": 1, "source_frames": recorded, "source_fps": 30.0, "duration_s": frames / 24, "has_audio": True,
            "annotated_frames": recorded, "language": "en", "checksum": video,
        } | changes)  # fmt: skip
        for number, (start, end) in enumerate(segments or []):
            self.segments.append({
                "video": video, "segment": number, "start_frame": start, "end_frame": end, "certainty": None,
                "cues": None,
            })  # fmt: skip
        for thing in THINGS:
            self._feature(thing, video, question, source_frame, (longer or {}).get(thing, 0), thing in without.split())

    def _feature(self, thing, video, question, source_frame, longer, aside) -> None:
        row = {"video": video, "participant": "82001", "status": "ok", "frames": len(source_frame),
               "key": f"{thing}-{video}", "note": "", "reason": None, "remedy": None}  # fmt: skip
        if aside:
            row |= {"status": "set_aside", "frames": 0, "reason": f"no {thing} here", "remedy": "none"}
        self.features[thing].append(row)
        if aside:
            return
        frames = len(source_frame) + longer
        arrays = {
            "faces": {"source_frame": source_frame.astype(np.int32)},
            "visual": {"feature": np.full((frames, 3), question, np.float32), "valid": np.ones(frames, bool),
                       "expression": np.tile(np.array([[0.1, 0.7, 0.2]], np.float32), (frames, 1))},
            "audio": {"feature": np.full((frames, 2), -question, np.float32), "valid": np.ones(frames, bool),
                      "source_frame": source_frame.astype(np.int32)},
            "words": {"vector": np.arange(8, dtype=np.float32).reshape(2, 4) + 10 * question,
                      "word_of_frame": (np.arange(frames) >= frames // 2).astype(np.int32)},
            "cues": {"feature": np.full((frames, 5), 2 * question, np.float32), "valid": np.ones(frames, bool),
                     "audio_affect": np.tile(np.array([[np.nan, np.nan, 0.5]], np.float32), (frames, 1)),
                     "text_affect": np.full((frames, 3), 0.25, np.float32)},
        }[thing]  # fmt: skip
        if video in self.unknown_expressions:
            arrays.pop("expression", None)
        with new_store(self.folder / thing / "82001" / f"{video}.zarr", row["key"]) as writer:
            for name, values in arrays.items():
                writer.put(name, values)
            if "expression" in arrays:
                writer.attributes.update(expressions=EXPRESSIONS)

    def align(self, tolerance: int = 2, things: tuple[str, ...] = THINGS) -> list[dict[str, Any]]:
        folder = self.folder
        write_table(folder / "videos.parquet", self.videos, VIDEOS)
        write_table(folder / "segments.parquet", self.segments, SEGMENTS)
        for thing, rows in self.features.items():
            write_table(folder / f"{thing}.parquet", rows, FEATURE_INDEX)
        align_pack(
            folder / "videos.parquet", folder / "segments.parquet",
            {thing: folder / f"{thing}.parquet" for thing in things}, {thing: folder / thing for thing in things},
            folder / "packs" / "000.zarr", folder / "000.parquet", AlignConfig(tolerance_frames=tolerance), "code",
        )  # fmt: skip
        return read_table(folder / "000.parquet", PACK_INDEX)

    def read(self) -> list[Any]:
        return list(read_packs([self.folder / "000.parquet"], self.folder / "packs", (*FRAME_ARRAYS, "text")))


@pytest.fixture
def shard(tmp_path):
    return Shard(tmp_path)


def thirty_fps(frames: int) -> np.ndarray:
    """Source frames of a 30 fps recording on the 24 fps clock."""
    return np.round(np.arange(frames) * 30 / 24).astype(np.int32)


def test_labels_go_through_the_source_frames(shard):
    source = thirty_fps(48)
    shard.add(1, source, segments=[(15, 30), (45, 46)])
    row = shard.align()[0]
    video = shard.read()[0]
    expected = ((source >= 15) & (source < 30)) | (source == 45)
    np.testing.assert_array_equal(video.arrays["label"], expected)
    np.testing.assert_array_equal(video.arrays["source_frame"], source)
    assert row["positive_frames"] == expected.sum() == 13
    assert (row["status"], row["frames"], row["words"], row["labelled"], row["note"]) == ("ok", 48, 2, True, "")


def test_videos_lie_end_to_end_and_come_back_apart(shard):
    shard.add(1, np.arange(24))
    shard.add(2, np.arange(30))
    rows = shard.align()
    assert [row["offset"] for row in rows] == [0, 24]
    for question, video in enumerate(shard.read(), start=1):
        assert (video.arrays["visual"] == question).all()
        assert (video.arrays["audio"] == -question).all()
        assert (video.arrays["cues"] == 2 * question).all()
        assert video.arrays["cues_valid"].all()
        assert video.arrays["text"][0, 0] == 10 * question
        assert video.arrays["text"][-1, 0] == 10 * question + 4


def test_a_missing_modality_is_empty_and_invalid(shard):
    shard.add(1, np.arange(24), without="audio words")
    shard.add(2, np.arange(24), without="faces visual")
    rows = shard.align()
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert [row["note"] for row in rows] == ["no audio; no words", "no visual"]
    first, second = shard.read()
    assert not first.arrays["audio_valid"].any()
    assert not first.arrays["audio"].any()
    assert not first.arrays["text_valid"].any()
    assert (first.arrays["word_of_frame"] == -1).all()
    assert first.arrays["visual_valid"].all()
    assert second.arrays["audio_valid"].all()
    assert not second.arrays["visual_valid"].any()
    np.testing.assert_array_equal(second.arrays["source_frame"], np.arange(24))


def test_a_video_with_nothing_is_set_aside_and_the_rest_goes_on(shard):
    shard.add(1, np.arange(24), without="faces visual audio words cues")
    shard.add(2, np.arange(24))
    rows = shard.align()
    assert [row["status"] for row in rows] == ["set_aside", "ok"]
    assert "no usable modality" in rows[0]["reason"]
    assert "no audio here" in rows[0]["reason"]
    assert [video.video for video in shard.read()] == ["82001_Q2"]


def test_cues_alone_are_no_video(shard):
    shard.add(1, np.arange(24), without="visual audio words")
    shard.add(2, np.arange(24))
    rows = shard.align()
    assert [row["status"] for row in rows] == ["set_aside", "ok"]
    assert "no usable modality" in rows[0]["reason"]


def test_a_video_without_cues_goes_on(shard):
    shard.add(1, np.arange(24), without="cues")
    shard.add(2, np.arange(24))
    rows = shard.align()
    assert [(row["status"], row["note"]) for row in rows] == [("ok", "no cues"), ("ok", "")]
    first, second = shard.read()
    assert first.arrays["cues"].shape == (24, 5)
    assert not first.arrays["cues_valid"].any()
    assert np.isnan(first.arrays["audio_affect"]).all()
    assert np.isnan(first.arrays["text_affect"]).all()
    assert not np.isnan(first.arrays["visual_affect"][:, :2]).any()
    assert second.arrays["cues_valid"].all()


def test_targets_of_affect_come_from_faces_and_cues(shard):
    shard.unknown_expressions = {"82001_Q2"}
    for question in (1, 2, 3):
        shard.add(question, np.arange(24), without="visual" if question == 3 else "")
    shard.align()
    first, second, third = shard.read()
    np.testing.assert_array_equal(first.arrays["visual_affect"], np.tile(np.float32([0.7, 0.2, np.nan]), (24, 1)))
    np.testing.assert_array_equal(first.arrays["audio_affect"], np.tile(np.float32([np.nan, np.nan, 0.5]), (24, 1)))
    assert (first.arrays["text_affect"] == 0.25).all()
    for other in (second, third):
        assert np.isnan(other.arrays["visual_affect"]).all()
        assert (other.arrays["text_affect"] == 0.25).all()


def test_words_alone_have_no_clock(shard):
    shard.add(1, np.arange(24), without="faces visual audio")
    shard.add(2, np.arange(24))
    assert "source frame" in shard.align()[0]["reason"]


def test_of_a_data_set_without_video_files_every_labelled_frame_has_its_slot(shard):
    shard.add(1, np.arange(24), segments=[(3, 9)], source_fps=24.0, has_audio=False)
    shard.add(2, np.arange(30), without="words")
    rows = shard.align(things=("words",))
    assert [row["status"] for row in rows] == ["ok", "set_aside"]
    assert "no usable modality (words: no words here)" in rows[1]["reason"]
    assert (rows[0]["frames"], rows[0]["words"], rows[0]["positive_frames"]) == (24, 2, 6)
    assert rows[0]["note"] == "no visual; no audio; no cues"
    (video,) = read_packs([shard.folder / "000.parquet"], shard.folder / "packs", ("source_frame", "label", "text"))
    np.testing.assert_array_equal(video.arrays["source_frame"], np.arange(24))
    np.testing.assert_array_equal(np.flatnonzero(video.arrays["label"]), np.arange(3, 9))
    assert video.arrays["text_valid"].all()
    assert len(video.arrays["text"]) == 24


@pytest.mark.parametrize("extra", [-2, 2])
def test_features_within_the_tolerance_are_mended(shard, extra):
    shard.add(1, np.arange(24), longer={"visual": extra, "audio": extra, "words": extra, "cues": extra})
    row = shard.align()[0]
    video = shard.read()[0]
    assert row["status"] == "ok"
    assert "visual 2 frames" in row["note"]
    kept = 24 + min(extra, 0)
    for name in ("visual_valid", "audio_valid", "text_valid", "cues_valid"):
        assert video.arrays[name][:kept].all()
        assert not video.arrays[name][kept:].any()
    for name in ("visual_affect", "audio_affect", "text_affect"):
        assert (~np.isnan(video.arrays[name][:kept])).any(axis=1).all()
        assert np.isnan(video.arrays[name][kept:]).all()
    assert all(len(video.arrays[name]) == 24 for name in FRAME_ARRAYS)


def test_features_beyond_the_tolerance_are_set_aside(shard):
    shard.add(1, np.arange(24), longer={"audio": 3})
    shard.add(2, np.arange(24))
    row = shard.align()[0]
    assert row["status"] == "set_aside"
    assert "27" in row["reason"]
    assert "24" in row["reason"]


def test_an_annotation_one_frame_short_carries_on(shard):
    shard.add(1, np.arange(24), annotated_frames=23, segments=[(20, 23)])
    row = shard.align()[0]
    assert row["note"] == "annotation 1 frames shorter than the video"
    np.testing.assert_array_equal(np.flatnonzero(shard.read()[0].arrays["label"]), [20, 21, 22, 23])


def test_an_annotation_of_another_length_is_set_aside(shard):
    shard.add(1, np.arange(24), annotated_frames=29)
    shard.add(2, np.arange(24))
    row = shard.align()[0]
    assert row["status"] == "set_aside"
    assert "29 frames and the video 24" in row["reason"]
    assert shard.align(tolerance=5)[0]["status"] == "ok"


def test_a_video_without_annotation_is_unlabelled(shard):
    shard.add(1, np.arange(24), annotated_frames=None)
    row = shard.align()[0]
    assert (row["status"], row["labelled"], row["positive_frames"]) == ("ok", False, 0)


def test_the_index_is_stable_and_the_key_follows_its_inputs(shard):
    shard.add(1, np.arange(24), segments=[(3, 5)])
    shard.align()
    index, pack = shard.folder / "000.parquet", shard.folder / "packs" / "000.zarr"
    before, key = index.read_bytes(), store_key(pack)
    shard.align()
    assert index.read_bytes() == before
    assert store_key(pack) == key
    shard.segments[0]["end_frame"] = 6
    shard.align()
    assert store_key(pack) != key


def test_a_shard_without_a_usable_video(shard):
    shard.add(1, np.arange(24), without="faces visual audio words")
    assert shard.align()[0]["status"] == "set_aside"
    assert shard.read() == []
