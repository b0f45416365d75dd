"""Controls see no person: what they are given, what they learn, what they write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_folder import Folder

from synthetic import DIMS, write_packs
from waver import metrics
from waver.align.packs import write_pack
from waver.errors import WaverError
from waver.evaluation.controls import frame_features, predict_controls, video_features
from waver.store.tables import PREDICTIONS, read_metadata, read_table

RECORD = {"model_set": "embedded", "config": {}, "code": "0"}


def _video(video: str, split: str, question: int | None, truth: np.ndarray, **more: Any) -> tuple[dict[str, Any], Any]:
    frames = len(truth)
    row = {
        "video": video,
        "participant": video.split("_")[0],
        "split": split,
        "question": question,
        "label": int(truth.any()),
        "duration_s": frames / 24,
        "status": "ok",
        "frames": frames,
        "words": frames // 10,
        "positive_frames": int(truth.sum()),
        "labelled": True,
        "note": "",
        "reason": None,
        "remedy": None,
        **more,
    }
    arrays = {name: np.zeros((frames, size), np.float32) for name, size in DIMS.items()}
    arrays["text"] = arrays["text"][:1]
    arrays |= {"visual_valid": np.ones(frames, bool), "audio_valid": np.ones(frames, bool)}
    arrays |= {"word_of_frame": np.zeros(frames, np.int32), "source_frame": np.arange(frames, dtype=np.int32)}
    return row, {**arrays, "label": truth.astype(np.uint8)}


def _packs(folder: Path, videos: list[Any]) -> tuple[list[Path], Path]:
    write_pack(folder / "packs" / "000.zarr", folder / "000.parquet", videos, "test")
    return [folder / "000.parquet"], folder / "packs"


def _content_free(folder: Path, videos: list[Any], level: str) -> dict[str, np.ndarray]:
    out = folder / f"{level}.parquet"
    predict_controls(*_packs(folder, videos), {f"content_free.{level}": out}, RECORD)
    found: dict[str, list[float]] = {}
    for row in read_table(out, PREDICTIONS):
        found.setdefault(row["video"], []).append(row["probability"])
    return {video: np.array(values) for video, values in found.items()}


def test_files(folder: Folder) -> None:
    judged = folder.rows("val", "test")
    for name, path in folder.controls.items():
        control, level = name.split(".")
        about = read_metadata(path)
        assert (about["method"], about["level"], about["modalities"]) == (control, level, "")
        assert (about["protocol"], about["model_set"]) == ("standard", "embedded")
        rows = read_table(path, PREDICTIONS)
        if level == "video":
            assert [row["video"] for row in rows] == [row["video"] for row in judged]
            assert {row["frame"] for row in rows} == {None}
        else:
            frames = [(row["video"], frame) for row in judged for frame in range(row["frames"])]
            assert [(row["video"], row["frame"]) for row in rows] == frames
        probability = np.array([row["probability"] for row in rows])
        margin = np.array([row["margin"] for row in rows])
        np.testing.assert_allclose(probability, 1 / (1 + np.exp(-margin)))
        decided = {"all_negative": {False}, "all_positive": {True}}
        if control in decided:
            assert set(probability > 0.5) == decided[control]


def test_the_question_is_learnt_and_balanced(tmp_path: Path) -> None:
    # a tenth of all frames is positive, all of them in question 4: unbalanced, none would be predicted
    videos = []
    for person in range(12):
        for question in (1, 4, 7):
            label = np.zeros(96)
            label[:40] = question == 4
            split = "train" if person < 8 else "test"
            videos.append(_video(f"{person}_Q{question}", split, question, label))
    for level in ("frame", "video"):
        found = _content_free(tmp_path, videos, level)
        assert len(found) == 12
        for video, probability in found.items():
            assert (probability > 0.5).any() == video.endswith("Q4"), (level, video)
    frames = _content_free(tmp_path, videos, "frame")["9_Q4"]
    assert frames[0] > 0.5 > frames[-1]


def test_only_train_is_fitted(tmp_path: Path) -> None:
    def videos(flip: bool) -> list[Any]:
        made = []
        for person in range(9):
            for question in (1, 2):
                split = ("train", "val", "test")[person % 3]
                positive = (question == 2) != (flip and split != "train")
                made.append(_video(f"{person}_Q{question}", split, question, np.full(48, positive)))
        return made

    for level in ("frame", "video"):
        honest = _content_free(tmp_path / "a", videos(False), level)
        flipped = _content_free(tmp_path / "b", videos(True), level)
        for video, probability in honest.items():
            np.testing.assert_array_equal(probability, flipped[video])


def test_nothing_of_the_person_is_read(folder: Folder, tmp_path: Path) -> None:
    """Packs whose features are other noise give the same control."""
    labels = folder.labels()
    rows = folder.rows("train", "test")
    videos = [_video(row["video"], row["split"], row["question"], labels[row["video"]]) for row in rows]
    seen = _content_free(tmp_path / "a", videos, "frame")
    rng = np.random.default_rng(0)
    for _, arrays in videos:
        for name in ("visual", "audio", "text"):
            arrays[name] = rng.normal(size=arrays[name].shape).astype(np.float32)
    again = _content_free(tmp_path / "b", videos, "frame")
    assert seen.keys() == again.keys()
    for video in seen:
        np.testing.assert_array_equal(seen[video], again[video])


def test_features() -> None:
    rows = [
        {"question": 4, "duration_s": 2.0, "words": 5, "frames": 48},
        {"question": None, "duration_s": 0.0, "words": 0, "frames": 1},
    ]
    video = video_features(rows)
    np.testing.assert_allclose(video[0], [0, 0, 0, 1, 0, 0, 0, np.log(2), np.log(6)])
    np.testing.assert_allclose(video[1], [0] * 7 + [np.log(1 / 24), 0])
    frame = frame_features(rows)
    assert frame.shape == (49, 11)
    np.testing.assert_allclose(frame[:48, 9], np.arange(48) / 47)
    np.testing.assert_allclose(frame[:48, 10], np.arange(48) / 24)
    np.testing.assert_allclose(frame[48, 9:], 0)


def test_set_aside_and_unlabelled_videos(tmp_path: Path) -> None:
    videos = [_video(f"{n}_Q{n % 2 + 1}", "train", n % 2 + 1, np.full(48, n % 2)) for n in range(4)]
    videos.append(_video("90_Q1", "train", 1, np.ones(48), labelled=False, label=None))
    videos.append(_video("91_Q2", "test", 2, np.zeros(48), labelled=False, label=None))
    gone, arrays = _video("92_Q1", "test", 1, np.zeros(48))
    videos.append(({**gone, "status": "set_aside", "reason": "broken", "remedy": "none", "frames": 0}, arrays))
    for level in ("frame", "video"):
        found = _content_free(tmp_path, videos, level)
        assert list(found) == ["91_Q2"]
        assert found["91_Q2"][0] > 0.8


@pytest.mark.parametrize("positive", [0, 1])
def test_one_class_in_train_is_all_the_control_can_say(tmp_path: Path, positive: int) -> None:
    videos = [_video(f"{n}_Q1", "train", 1, np.full(48, positive)) for n in range(3)]
    videos.append(_video("9_Q2", "test", 2, np.full(48, 1 - positive)))
    for level in ("frame", "video"):
        assert set(_content_free(tmp_path, videos, level)["9_Q2"] > 0.5) == {bool(positive)}


def test_without_labels_in_train_it_stops_with_a_sentence(tmp_path: Path) -> None:
    videos = [_video("9_Q1", "test", 1, np.zeros(48))]
    videos.append(_video("8_Q1", "train", 1, np.zeros(48), labelled=False, label=None))
    for level in ("frame", "video"):
        with pytest.raises(WaverError, match=f"no {level} of the train split"):
            _content_free(tmp_path, videos, level)


def test_the_draw_of_frames_changes_little(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexes, packs = write_packs(tmp_path, {"train": 20, "test": 2}, questions=4, frames=150)
    out = tmp_path / "out.parquet"
    probability = []
    for most in (200_000, 8_000):
        monkeypatch.setattr("waver.evaluation.controls._FIT_FRAMES", most)
        predict_controls(indexes, packs, {"content_free.frame": out}, RECORD)
        probability.append([row["probability"] for row in read_table(out, PREDICTIONS)])
    everything, drawn = map(np.array, probability)
    assert not np.array_equal(everything, drawn)
    assert np.abs(everything - drawn).mean() < 0.05
    assert metrics.auroc(drawn, (everything > 0.5).astype(np.uint8)) > 0.9
