"""Predictions files of any method, put on the items of the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored_folder import Folder, prediction_rows, write_predictions

from recorded import recorded
from waver.errors import WaverError
from waver.evaluation.labels import UNKNOWN, Truth, frame_truth, video_truth
from waver.evaluation.predictions import Method, Predicted, read_predictions, restrict, to_videos
from waver.io.tables import ANSWERS, PREDICTIONS, read_table, write_table


@pytest.fixture(scope="module")
def truths(folder: Folder) -> dict[str, Truth]:
    splits = ("val", "test")
    return {
        "frame": frame_truth(folder.indexes, folder.packs, splits),
        "video": video_truth([folder.answers], splits),
    }


@pytest.mark.slow
def test_truth(folder: Folder, truths: dict[str, Truth]) -> None:
    labels, frames, videos = folder.labels(), truths["frame"], truths["video"]
    rows = folder.rows("val", "test")
    assert len(frames.label) == sum(row["frames"] for row in rows)
    for row in rows:
        start = frames.start[row["video"]]
        part = slice(start, start + row["frames"])
        np.testing.assert_array_equal(frames.label[part], labels[row["video"]])
        assert set(frames.people[frames.participant[part]]) == {row["participant"]}
        assert set(frames.question[part]) == {row["question"]}
        assert set(frames.split[part]) == {row["split"]}
        assert videos.label[videos.start[row["video"]]] == row["label"]


@pytest.mark.slow
def test_videos_are_all_that_are_listed(folder: Folder, tmp_path: Path) -> None:
    rows = read_table(folder.answers, ANSWERS)
    changed = [row["video"] for row in folder.rows("test")[:2]]
    new = dict(zip(changed, (0, None), strict=True))
    rows = [{**row, "label": new.get(row["video"], row["label"])} for row in rows]
    rows.append({**rows[-1], "video": "99_Q1", "participant": "99", "split": "test", "question": None, "label": 1})
    write_table(tmp_path / "a.parquet", rows[::2], ANSWERS)
    write_table(tmp_path / "b.parquet", rows[1::2], ANSWERS)
    truth = video_truth([tmp_path / "a.parquet", tmp_path / "b.parquet"], ("test",))
    assert [truth.label[truth.start[video]] for video in [*new, "99_Q1"]] == [0, UNKNOWN, 1]
    assert truth.question[truth.start["99_Q1"]] == UNKNOWN
    assert set(truth.start) == {row["video"] for row in folder.rows("test")} | {"99_Q1"}
    assert len(truth.label) == len(truth.start)


def test_one_method_on_two_networks_is_two_lines(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rows, paths = prediction_rows(folder.rows("test"), lambda row: np.full(row["frames"], 0.5)), []
    for network in ("bottleneck", "can"):
        path = tmp_path / f"{network}.parquet"
        paths.append(write_predictions(path, rows, "tent", protocol="block", network=network))
    found = read_predictions(paths, truths)
    assert [one.name.columns["network"] for one in found] == ["bottleneck", "can"]
    assert [one.seeds for one in found] == [1, 1]


def test_seeds_are_averaged_and_shards_joined(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rows = folder.rows("test")
    paths = []
    for seed, probability in ((3, 0.2), (4, 0.8), (5, 0.8)):
        for shard in range(2):
            part = prediction_rows(rows[shard::2], lambda row, p=probability: np.full(row["frames"], p))
            path = tmp_path / f"{seed}.{shard}.parquet"
            paths.append(write_predictions(path, part, "shot", seed=seed, protocol="block"))
    (found,) = read_predictions(paths[::-1], truths)
    assert found.name == Method("shot", "V", "block", "embedded")
    assert found.seeds == 3
    np.testing.assert_allclose(found.probability, 0.6)
    np.testing.assert_allclose(found.margin, 0.0)
    assert set(found.fold) == {-1}
    np.testing.assert_array_equal(found.item, np.flatnonzero(truths["frame"].split == "test"))


def test_what_is_known_of_a_model_is_read_with_its_predictions(
    folder: Folder, truths: dict[str, Truth], tmp_path: Path
) -> None:
    rows = prediction_rows(folder.rows("val"), lambda row: np.full(row["frames"], 0.3))
    model = recorded("lfan", "V", "w24", window=96)
    known = {name: value for name, value in model.own_record.items() if name != "method"}
    paths = [write_predictions(tmp_path / f"{n}.parquet", rows, "lfan.w24", **known, seed=n) for n in (0, 1)]
    with pytest.raises(WaverError, match=r"0\.parquet does not say all that is known of its model"):
        read_predictions(paths, truths)
    (found,) = read_predictions(paths, truths, [recorded("lfan", "V").record, model.record])
    assert (found.name.method, found.name.model, found.seeds) == ("lfan.w24", model, 2)
    assert found.name.columns == {
        "fusion": "lfan", "variant": "w24", "window_frames": 96, "changed": '{"window": 96}', "video_head": False,
        "network": None,
    }  # fmt: skip
    paths.append(write_predictions(tmp_path / "other.parquet", rows, "lfan.w24", **known | {"window_frames": 24}))
    with pytest.raises(WaverError, match=r"other\.parquet is of another model than other predictions of its name"):
        read_predictions(paths, truths, [model.record])


def test_what_differs_in_more_than_the_seed_stays_apart(
    folder: Folder, truths: dict[str, Truth], tmp_path: Path
) -> None:
    rows = prediction_rows(folder.rows("val"), lambda row: np.full(row["frames"], 0.3))
    kinds = [{}, {"modalities": "VT"}, {"model_set": "paper"}, {"protocol": "block"}]
    paths = [write_predictions(tmp_path / f"{n}.parquet", rows, "lfan", **kind) for n, kind in enumerate(kinds)]
    assert len({found.name for found in read_predictions(paths, truths)}) == 4


def test_rows_in_any_order_and_of_other_splits(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    guess = {row["video"]: rng.random(row["frames"]) for row in folder.rows("train", "val", "test")}
    rows = prediction_rows(folder.rows("train", "val", "test"), lambda row: guess[row["video"]])
    shuffled = [rows[number] for number in rng.permutation(len(rows))]
    (found,) = read_predictions([write_predictions(tmp_path / "p.parquet", shuffled, "can")], truths)
    truth = truths["frame"]
    assert len(found.item) == len(truth.label)
    for video, start in truth.start.items():
        np.testing.assert_array_equal(found.probability[start : start + truth.length[video]], guess[video])


def test_faults_are_told_with_the_file(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rows = prediction_rows(folder.rows("val")[:1], lambda row: np.full(row["frames"], 0.3))
    path = tmp_path / "p.parquet"
    faults = {
        "twice": [*rows, rows[0]],
        "does not have": [{**rows[0], "frame": 100_000}],
        "outside 0 to 1": [{**rows[0], "probability": float("nan")}],
    }
    for message, wrong in faults.items():
        write_predictions(path, wrong, "can")
        with pytest.raises(WaverError, match=f"p.parquet .*{message}"):
            read_predictions([path], truths)
    again = write_predictions(tmp_path / "q.parquet", rows, "can")
    with pytest.raises(WaverError, match="twice"):
        read_predictions([write_predictions(path, rows, "can"), again], truths)
    write_table(path, rows, PREDICTIONS)
    with pytest.raises(WaverError, match="has no method in its metadata"):
        read_predictions([path], truths)


def test_margins_are_averaged_and_folds_kept(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rows, fold_of = folder.rows("val"), folder.folds()
    paths = []
    for seed, margin in ((0, -1.0), (1, 4.0)):
        guessed = prediction_rows(rows, lambda row, m=margin: np.full(row["frames"], 1 / (1 + np.exp(-m))), fold_of)
        guessed = [{**row, "margin": margin} for row in guessed]
        paths.append(write_predictions(tmp_path / f"{seed}.parquet", guessed, "can", seed=seed, protocol="cv"))
    (found,) = read_predictions(paths, truths)
    np.testing.assert_allclose(found.margin, 1.5)
    held_out = [fold_of[person] for person in truths["frame"].people[truths["frame"].participant[found.item]]]
    np.testing.assert_array_equal(found.fold, held_out)
    some = found.take(found.fold == held_out[0])
    assert 0 < len(some.item) == len(some.probability) == len(some.margin) < len(found.item)
    assert set(some.fold) == {held_out[0]}


def test_seeds_of_other_folds_are_not_averaged(folder: Folder, truths: dict[str, Truth], tmp_path: Path) -> None:
    rows, fold_of = folder.rows("val"), folder.folds()
    paths = []
    for seed in (0, 1):
        folds = {person: (fold + seed) % 3 for person, fold in fold_of.items()}
        guessed = prediction_rows(rows, lambda row: np.full(row["frames"], 0.3), folds)
        paths.append(write_predictions(tmp_path / f"{seed}.parquet", guessed, "can", seed=seed, protocol="cv"))
    with pytest.raises(WaverError, match=r"1\.parquet was cross-validated on other folds"):
        read_predictions(paths, truths)


def _predicted(name: Method, probability: np.ndarray, fold: np.ndarray) -> Predicted:
    """Predictions of all frames."""
    return Predicted(name, "frame", 1, np.arange(len(probability)), probability, np.zeros(len(probability)), fold)


def test_videos_from_frames(folder: Folder, truths: dict[str, Truth]) -> None:
    frames, videos = truths["frame"], truths["video"]
    probability = np.random.default_rng(0).random(len(frames.label))
    name = Method("can", "V", "standard", "embedded")
    fold = (frames.participant % 3).astype(np.int8)
    everything = _predicted(name, probability, fold)
    found = to_videos(everything, frames, videos, 24)
    assert len(found.item) == len(videos.label)
    for video, start in frames.start.items():
        part = probability[start : start + frames.length[video]]
        best = max(part[first : first + 24].mean() for first in range(len(part) - 23))
        assert found.probability[np.flatnonzero(found.item == videos.start[video])[0]] == pytest.approx(best)
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-found.margin)))
    np.testing.assert_array_equal(frames.people[found.fold], frames.people[videos.participant[found.item] % 3])


def test_videos_not_predicted_whole_are_left_out(folder: Folder, truths: dict[str, Truth]) -> None:
    frames, videos = truths["frame"], truths["video"]
    name = Method("can", "V", "standard", "embedded")
    everything = _predicted(name, np.full(len(frames.label), 0.5), np.full(len(frames.label), -1, np.int8))
    first, second = list(frames.start)[:2]
    less = restrict(everything, np.setdiff1d(everything.item, [frames.start[second] + 5]))
    found = to_videos(less, frames, videos, 24)
    assert videos.start[first] in found.item
    assert videos.start[second] not in found.item
