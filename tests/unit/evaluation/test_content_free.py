"""Controls see no person: what they are given, what they learn, what they write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_folder import FOLDS, Folder

from synthetic import DIMS, write_answers, write_packs
from waver.align.packs import write_pack
from waver.datasets.folds import folds_of
from waver.datasets.question_context import FRAME_SIZE, frame_context, question_one_hot, video_context
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.evaluation.control_names import CONTROLS, Control
from waver.evaluation.controls import predict_controls
from waver.io.tables import ANSWERS, PREDICTIONS, read_metadata, read_table, write_table

pytestmark = pytest.mark.slow

Guesses = dict[str, np.ndarray]
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


def _control(folder: Path, videos: list[Any], level: str, name: str = "content_free.standard") -> Guesses:
    """Probabilities of a control for each video, and what it wrote."""
    control, protocol = name.split(".")
    indexes, packs = _packs(folder, videos)
    answers = write_answers(folder / "answers.parquet", indexes)
    out = folder / f"{level}.parquet"
    outputs = {Control(control, level, protocol): out}
    predict_controls(indexes, packs, [answers], FOLDS * (protocol == "cv"), outputs, RECORD)
    found: dict[str, list[float]] = {}
    for row in read_table(out, PREDICTIONS):
        found.setdefault(row["video"], []).append(row["probability"])
    return {video: np.array(values) for video, values in found.items()}


def test_files(folder: Folder) -> None:
    fold_of = folder.folds()
    assert len(folder.controls) == len(CONTROLS) * 4
    for (control, level, protocol), path in folder.controls.items():
        about = read_metadata(path)
        assert (about["method"], about["level"], about["modalities"]) == (control, level, "")
        assert (about["protocol"], about["model_set"]) == (protocol, "embedded")
        rows = read_table(path, PREDICTIONS)
        judged = folder.rows("val", "test") if protocol == "standard" else folder.rows("train", "val")
        expected = {row["video"]: None if protocol == "standard" else fold_of[row["participant"]] for row in judged}
        assert {row["video"]: row["fold"] for row in rows} == expected
        if level == "video":
            assert sorted(row["video"] for row in rows) == sorted(expected)
            assert {row["frame"] for row in rows} == {None}
        else:
            frames = [(row["video"], frame) for row in judged for frame in range(row["frames"])]
            assert sorted((row["video"], row["frame"]) for row in rows) == sorted(frames)
        if protocol == "standard":
            assert list(dict.fromkeys(row["video"] for row in rows)) == list(expected)
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
        found = _control(tmp_path, videos, level)
        assert len(found) == 12
        for video, probability in found.items():
            assert (probability > 0.5).any() == video.endswith("Q4"), (level, video)
    frames = _control(tmp_path, videos, "frame")["9_Q4"]
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
        honest = _control(tmp_path / "a", videos(False), level)
        flipped = _control(tmp_path / "b", videos(True), level)
        for video, probability in honest.items():
            np.testing.assert_array_equal(probability, flipped[video])


def test_nothing_of_the_person_is_read(folder: Folder, tmp_path: Path) -> None:
    """Packs whose features are other noise give the same control."""
    labels = folder.labels()
    rows = folder.rows("train", "test")
    videos = [_video(row["video"], row["split"], row["question"], labels[row["video"]]) for row in rows]
    seen = _control(tmp_path / "a", videos, "frame")
    rng = np.random.default_rng(0)
    for _, arrays in videos:
        for name in ("visual", "audio", "text"):
            arrays[name] = rng.normal(size=arrays[name].shape).astype(np.float32)
    again = _control(tmp_path / "b", videos, "frame")
    assert seen.keys() == again.keys()
    for video in seen:
        np.testing.assert_array_equal(seen[video], again[video])


def test_features() -> None:
    rows = [
        {"question": 4, "duration_s": 2.0, "words": 5, "frames": 48},
        {"question": None, "duration_s": 0.0, "words": 0, "frames": 1},
    ]
    np.testing.assert_array_equal(question_one_hot(rows), [[0, 0, 0, 1, 0, 0, 0], [0] * 7])
    video = video_context(rows, timed=True)
    np.testing.assert_allclose(video[0], [0, 0, 0, 1, 0, 0, 0, np.log(6), np.log(2)])
    np.testing.assert_allclose(video[1], [0] * 8 + [np.log(1 / 24)])
    untimed = [{name: value for name, value in row.items() if name != "duration_s"} for row in rows]
    np.testing.assert_array_equal(video_context(untimed, timed=False), video[:, :8])
    frame = frame_context(rows)
    assert frame.shape == (49, FRAME_SIZE)
    np.testing.assert_array_equal(frame[:48, :9], np.repeat(video[:1], 48, axis=0))
    np.testing.assert_allclose(frame[:48, 9], np.arange(48) / 47)
    np.testing.assert_allclose(frame[:48, 10], np.arange(48) / 24)
    before_s, after_s = np.arange(48) / 24, 2 - np.arange(48) / 24
    place = frame[:48, 9]
    bends = [place < 0.1, place > 0.9, abs(place - 0.5), place**2, before_s < 2, after_s < 2]
    logs = [np.log(before_s + 0.5), np.log(after_s + 0.5)]
    np.testing.assert_allclose(frame[:48, 11:], np.column_stack([*bends, *logs]), atol=1e-12)
    np.testing.assert_allclose(frame[48, 9:11], 0)


def test_neighbours_tell_of_batches_and_nothing_else_does(tmp_path: Path) -> None:
    """People of near numbers were annotated alike: only the control that looks at numbers sees it."""
    batch = [
        _video(f"{n}_Q{q}", "train", 1, np.full(24, n // 25 % 2))
        for n in range(100, 300)
        if n % 25 != 10
        for q in range(1, 4)
    ]
    judged = [_video(f"{n}_Q1", "test", 1, np.zeros(24)) for n in (110, 135, 260, 285)]
    near = _control(tmp_path, [*batch, *judged], "video", "neighbours.standard")
    assert [bool(near[f"{n}_Q1"][0] > 0.5) for n in (110, 135, 260, 285)] == [False, True, False, True]
    plain = _control(tmp_path, [*batch, *judged], "video", "content_free.standard")
    assert len({round(float(p[0]), 6) for p in plain.values()}) == 1


def test_set_aside_and_unlabelled_videos(tmp_path: Path) -> None:
    videos = [_video(f"{n}_Q{n % 2 + 1}", "train", n % 2 + 1, np.full(48, n % 2)) for n in range(4)]
    videos.append(_video("90_Q1", "train", 1, np.ones(48), labelled=False, label=None))
    videos.append(_video("91_Q2", "test", 2, np.zeros(48), labelled=False, label=None))
    gone, arrays = _video("92_Q1", "test", 1, np.zeros(48))
    videos.append(({**gone, "status": "set_aside", "reason": "broken", "remedy": "none", "frames": 0}, arrays))
    for level in ("frame", "video"):
        found = _control(tmp_path, videos, level)
        assert list(found) == ["91_Q2", *(["92_Q1"] if level == "video" else [])]
        assert found["91_Q2"][0] > 0.8


def test_a_video_that_was_not_packed_is_predicted_all_the_same(folder: Folder, tmp_path: Path) -> None:
    """Words are counted in the transcript, else as recognised; without a length the others are timed less."""
    answers = read_table(folder.answers, ANSWERS)
    train = next(row for row in answers if row["split"] == "train")
    more = {"video": "90_Q2", "participant": "90", "split": "test", "question": 2, "label": None, "duration_s": None}
    write_table(tmp_path / "answers.parquet", [*answers, {**train, **more}], ANSWERS)
    out = tmp_path / "out.parquet"
    outputs = {Control("content_free", "video", "standard"): out}
    predict_controls(folder.indexes, folder.packs, [tmp_path / "answers.parquet"], 0, outputs, RECORD)
    found = {row["video"]: row["probability"] for row in read_table(out, PREDICTIONS)}
    assert found.keys() == {row["video"] for row in folder.rows("val", "test")} | {"90_Q2"}
    silent = [{**row, "words": 0, "text": ""} for row in answers]
    write_table(tmp_path / "silent.parquet", silent, ANSWERS)
    predict_controls(folder.indexes, folder.packs, [tmp_path / "silent.parquet"], 0, outputs, RECORD)
    assert out.read_bytes() == folder.controls["content_free", "video", "standard"].read_bytes()


@pytest.mark.parametrize("positive", [0, 1])
def test_one_class_in_train_is_all_the_control_can_say(tmp_path: Path, positive: int) -> None:
    videos = [_video(f"{n}_Q1", "train", 1, np.full(48, positive)) for n in range(3)]
    videos.append(_video("9_Q2", "test", 2, np.full(48, 1 - positive)))
    for level in ("frame", "video"):
        assert set(_control(tmp_path, videos, level)["9_Q2"] > 0.5) == {bool(positive)}


def test_without_labels_in_train_it_stops_with_a_sentence(tmp_path: Path) -> None:
    videos = [_video("9_Q1", "test", 1, np.zeros(48))]
    videos.append(_video("8_Q1", "train", 1, np.zeros(48), labelled=False, label=None))
    for level in ("frame", "video"):
        with pytest.raises(WaverError, match=f"no {level} of the training data has a label"):
            _control(tmp_path, videos, level)


def test_the_draw_of_frames_changes_little(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexes, packs = write_packs(tmp_path, {"train": 20, "test": 2}, questions=4, frames=150)
    out, answers = tmp_path / "out.parquet", [write_answers(tmp_path / "answers.parquet", indexes)]
    probability = []
    for most in (200_000, 8_000):
        monkeypatch.setattr("waver.evaluation.controls._FIT_FRAMES", most)
        predict_controls(indexes, packs, answers, 0, {Control("content_free", "frame", "standard"): out}, RECORD)
        probability.append([row["probability"] for row in read_table(out, PREDICTIONS)])
    everything, drawn = map(np.array, probability)
    assert not np.array_equal(everything, drawn)
    assert np.abs(everything - drawn).mean() < 0.05
    assert metrics.auroc(drawn, (everything > 0.5).astype(np.uint8)) > 0.9


def _crowd(seed: int = 0, flip: Any = (), answers: tuple[int, ...] = (1, 2, 4, 7)) -> list[Any]:
    """Twelve people of train and val, two of test; the labels of some are the other way round."""
    rng, rates = np.random.default_rng(seed), {1: 0.2, 2: 0.6, 4: 0.9, 7: 0.5}
    made = []
    for person in range(14):
        split = "test" if person > 11 else "val" if person % 4 == 3 else "train"
        for question in answers:
            positive = (rng.random() < rates[question]) != (str(person) in flip)
            frames = int(rng.integers(20, 60))
            label = np.zeros(frames)
            label[frames // 4 :] = positive
            made.append(_video(f"{person}_Q{question}", split, question, label))
    return made


@pytest.mark.parametrize("control", ["content_free", "question_prior"])
@pytest.mark.parametrize("level", ["frame", "video"])
def test_the_held_out_are_not_learnt_from(tmp_path: Path, level: str, control: str) -> None:
    """Turning a fold's labels round changes the predictions of the other folds only; those of test change none."""
    fold_of = folds_of([str(person) for person in range(12)], FOLDS)
    held_out = {person for person, fold in fold_of.items() if fold == 1}
    honest = _control(tmp_path / "a", _crowd(), level, f"{control}.cv")
    flipped = _control(tmp_path / "b", _crowd(flip=held_out), level, f"{control}.cv")
    assert len(honest) == 48
    changed = {video.split("_")[0] for video in honest if not np.array_equal(honest[video], flipped[video])}
    assert changed == set(fold_of) - held_out
    tested = _control(tmp_path / "c", _crowd(flip={"12", "13"}), level, f"{control}.cv")
    assert honest.keys() == tested.keys()
    for video in honest:
        np.testing.assert_array_equal(honest[video], tested[video])


def test_the_question_prior_knows_how_often_and_nothing_else(tmp_path: Path) -> None:
    """It is the model of the smoothed rates: in order, and on the same side of the prevalence."""
    videos = _crowd(seed=2)
    found = _control(tmp_path, videos, "video", "question_prior.cv")
    fold_of = folds_of([str(person) for person in range(12)], FOLDS)
    rows = [row for row, _ in videos if row["split"] != "test"]
    label, probability, stratum = [], [], []
    for fold in range(FOLDS):
        others = [row for row in rows if fold_of[row["participant"]] != fold]
        rate = {q: np.mean([row["label"] for row in others if row["question"] == q]) for q in (1, 2, 4, 7)}
        given = {q: {found[row["video"]][0] for row in rows
                     if row["question"] == q and fold_of[row["participant"]] == fold} for q in rate}  # fmt: skip
        assert all(len(values) == 1 for values in given.values())
        guess = {q: values.pop() for q, values in given.items()}
        for first in rate:
            for second in rate:
                assert (rate[first] < rate[second]) == (guess[first] < guess[second])
        for row in rows:
            if fold_of[row["participant"]] == fold:
                label.append(row["label"])
                probability.append(found[row["video"]][0])
                stratum.append(row["question"] + 10 * fold)
    scored = [np.array(values) for values in (probability, label, stratum)]
    assert metrics.auroc_within(*scored) == 0.5
    assert metrics.auroc_within(*scored[:2], scored[2] % 10) != 0.5


def test_without_folds_the_tables_of_the_folds_are_empty(folder: Folder, tmp_path: Path) -> None:
    for level in ("frame", "video"):
        out = tmp_path / f"{level}.parquet"
        outputs = {Control("content_free", level, "cv"): out}
        predict_controls(folder.indexes, folder.packs, [folder.answers], 1, outputs, RECORD)
        assert read_table(out, PREDICTIONS) == []
        assert read_metadata(out)["protocol"] == "cv"
