from __future__ import annotations

import gc
import itertools
import json
import types
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from shifted import Crowd, states, target_of, write_people
from waver.adaptation import participants, runner
from waver.adaptation.base import LabelledTargetView, Needs, SourceModel, SourceView, TargetView
from waver.adaptation.participants import PROTOCOL_SEED
from waver.adaptation.protocol import Guard, split_frames
from waver.adaptation.source_model import load_sources, read_source_view, train_source
from waver.adaptation.split_table import FRAME_SPLITS, write_split_table
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.evaluation.metrics import avgf1
from waver.io.tables import PREDICTIONS, read_metadata, read_table

CONFIG = AdaptConfig(source_epochs=4)
GUARD = Guard(1.7, ("a word's vector sees its whole sentence",))
RECORD = {"model_set": "embedded", "config": "c", "code": "d"}


def people() -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    crowd = Crowd(0)
    rows = [
        (f"8200{n}", split, *crowd.frames(240, 0.4, shifted=False)) for n, split in enumerate(["train"] * 4 + ["val"])
    ]
    for participant, offset in (("82005", 0 * crowd.axis), ("82006", 8 * crowd.axis)):
        label = states(crowd.rng, 600, 0.35)
        rows.append((participant, "test", crowd.features(label, offset), label))
    calm = np.zeros(200, np.uint8)
    return [*rows, ("82007", "test", crowd.features(calm, 0 * crowd.axis), calm)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path, Path]:
    folder = tmp_path_factory.mktemp("people")
    indexes, packs = write_people(folder, people())
    train_source(indexes, packs, 0, CONFIG, folder / "model.pt")
    return indexes, packs, folder / "model.pt"


def adapt(place: tuple[list[Path], Path, Path], out: Path, method: str, protocol: str = "frame_random", **more: Any):
    runner.adapt_targets(*place, method, protocol, GUARD, more.pop("seed", 0), CONFIG, out, RECORD, **more)
    lines = Path(f"{out}.diagnostics.jsonl").read_text().splitlines()
    return read_table(out, PREDICTIONS), {line["participant"]: line for line in map(json.loads, lines)}


@pytest.mark.parametrize("protocol", ["frame_random", "block"])
def test_the_table_of_splits_holds_the_frames_that_are_scored_and_the_hashes_of_the_diagnostics(
    place, tmp_path, protocol
):
    rows, lines = adapt(place, tmp_path / "p.parquet", "source_only", protocol)
    write_split_table(*place[:2], ("test",), protocol, GUARD, tmp_path / "splits.parquet")
    table = read_table(tmp_path / "splits.parquet", FRAME_SPLITS)
    about = read_metadata(tmp_path / "splits.parquet")
    assert about["hash"] == {who: line["split_hash"] for who, line in lines.items() if "split_hash" in line}
    assert about["left_out"] == {who: line["left_out"] for who, line in lines.items() if "left_out" in line}
    assert about["left_out"].keys() == {"82007"}
    test = [(row["video"], row["frame"]) for row in table if row["part"] == "test"]
    assert sorted(test) == sorted((row["video"], row["frame"]) for row in rows)
    assert len({(row["video"], row["frame"]) for row in table}) == len(table)
    assert {row["part"] for row in table} == {"train", "val", "test"}
    with pytest.raises(WaverError, match="nobody whose frames are labelled has the id 99999"):
        write_split_table(*place[:2], ("test",), protocol, GUARD, tmp_path / "splits.parquet", ["99999"])


def scores(rows: list[dict[str, Any]]) -> dict[str, float]:
    truth = {participant: label for participant, _, _, label in people()}
    found = {}
    for participant in {row["participant"] for row in rows}:
        own = [row for row in rows if row["participant"] == participant]
        half = len(truth[participant]) // 2
        label = [truth[participant][row["frame"] + half * (row["video"][-1] == "2")] for row in own]
        found[participant] = avgf1(np.array([row["probability"] for row in own]), np.array(label))
    return found


@pytest.mark.slow
def test_oracle_beats_source_only_for_a_shifted_participant(place, tmp_path: Path) -> None:
    plain, _ = adapt(place, tmp_path / "a.parquet", "source_only")
    oracle, _ = adapt(place, tmp_path / "b.parquet", "oracle")
    shot, _ = adapt(place, tmp_path / "c.parquet", "shot")
    assert scores(plain)["82006"] < 0.5
    assert scores(oracle)["82006"] > scores(plain)["82006"] + 0.4
    assert scores(shot)["82006"] > scores(plain)["82006"] + 0.3
    assert scores(plain)["82005"] > 0.9
    assert scores(oracle)["82005"] > 0.9


@pytest.mark.parametrize("protocol", ["frame_random", "block"])
def test_table_holds_the_test_part_of_every_scored_participant(place, tmp_path: Path, protocol: str) -> None:
    out = tmp_path / "x.parquet"
    rows, lines = adapt(place, out, "source_only", protocol, seed=3)
    apart = {"guard_s": 1.7, "beyond": ["a word's vector sees its whole sentence"]}
    assert read_metadata(out) == {
        **RECORD, "method": "source_only", "modalities": "V", "level": "frame", "protocol": protocol, "seed": 3,
        "network": "bottleneck",
        **(apart if protocol == "block" else {}),
    }  # fmt: skip
    expected = []
    for participant in ("82005", "82006"):
        label = next(label for name, _, _, label in people() if name == participant)
        video = np.repeat([f"{participant}_Q1", f"{participant}_Q2"], 300)
        test = split_frames(label, video, protocol, participant, PROTOCOL_SEED, GUARD.seconds)["test"]
        expected += [(participant, video[row], row % 300) for row in test]
        line = lines[participant]
        assert line["test_positives"] == label[test].sum()
        assert line["test_positives"] + line["test_negatives"] == len(test)
    assert [(row["participant"], row["video"], row["frame"]) for row in rows] == expected
    assert {row["split"] for row in rows} == {"test"}
    for row in rows:
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-row["margin"])))


@pytest.mark.slow
def test_named_participants_alone_are_adapted_to_and_an_unknown_one_is_told(place, tmp_path: Path) -> None:
    everybody, _ = adapt(place, tmp_path / "a.parquet", "shot")
    rows, lines = adapt(place, tmp_path / "b.parquet", "shot", only=["82006"])
    assert rows == [row for row in everybody if row["participant"] == "82006"]
    assert set(lines) == {"82006"}
    assert adapt(place, tmp_path / "c.parquet", "shot", only=[]) == ([], {})
    with pytest.raises(WaverError, match=r"adapt\.participants: nobody .* has the id 82999 in the split"):
        adapt(place, tmp_path / "d.parquet", "shot", only=["82006", "82999"])


def test_participant_without_ambivalence_is_left_out_with_the_reason(place, tmp_path: Path) -> None:
    rows, lines = adapt(place, tmp_path / "x.parquet", "source_only")
    assert "82007" not in {row["participant"] for row in rows}
    assert "no frame with A/H" in lines["82007"]["left_out"]


@pytest.mark.slow
def test_diagnostics_tell_steps_time_and_rates(place, tmp_path: Path) -> None:
    rows, before = adapt(place, tmp_path / "a.parquet", "source_only")
    _, after = adapt(place, tmp_path / "b.parquet", "shot")
    for participant in ("82005", "82006"):
        plain, shot = before[participant], after[participant]
        assert plain["steps"] == 0
        assert shot["steps"] == 30 * -(-(shot["train_positives"] + shot["train_negatives"]) // 64)
        assert shot["seconds"] > 0
        assert (
            plain["predicted_positive_before"] == plain["predicted_positive_after"] == shot["predicted_positive_before"]
        )
        own = [row["probability"] > 0.5 for row in rows if row["participant"] == participant]
        assert plain["predicted_positive_after"] == pytest.approx(np.mean(own))
        assert plain["split_hash"] == shot["split_hash"]


@pytest.mark.slow
def test_seed_moves_the_method_and_never_the_split(place, tmp_path: Path) -> None:
    (rows, one), (others, two) = (adapt(place, tmp_path / f"{s}.parquet", "shot", seed=s) for s in (0, 1))
    assert [(row["video"], row["frame"]) for row in rows] == [(row["video"], row["frame"]) for row in others]
    assert [line.get("split_hash") for line in one.values()] == [line.get("split_hash") for line in two.values()]
    assert [row["margin"] for row in rows] != [row["margin"] for row in others]


def test_shard_without_targets_gives_an_empty_table(place, tmp_path: Path) -> None:
    indexes, packs = write_people(tmp_path, [row for row in people() if row[1] == "train"])
    rows, lines = adapt((indexes, packs, place[2]), tmp_path / "x.parquet", "shot")
    assert rows == []
    assert lines == {}
    assert read_metadata(tmp_path / "x.parquet")["method"] == "shot"


def test_video_without_frame_labels_is_not_used(place, tmp_path: Path) -> None:
    indexes, packs = write_people(tmp_path, people(), unlabelled=("82005_Q2", "82006_Q1", "82006_Q2"))
    rows, _ = adapt((indexes, packs, place[2]), tmp_path / "x.parquet", "source_only")
    assert {row["video"] for row in rows} == {"82005_Q1"}


def test_other_modalities_than_the_source_models_are_refused(place, tmp_path: Path) -> None:
    config = AdaptConfig(modalities="VA")
    with pytest.raises(WaverError, match="trained on V, the config has VA"):
        runner.adapt_targets(*place, "source_only", "block", GUARD, 0, config, tmp_path / "x.parquet", RECORD)


class Witness:
    """Keeps what it was given; adapts nothing."""

    needs: ClassVar[Needs]

    def __init__(self, **needs: bool) -> None:
        self.needs = Needs(**needs)  # type: ignore[misc]
        self.seen: list[tuple[TargetView, SourceView | None, int]] = []

    def adapt(self, model: SourceModel, target: TargetView, source: SourceView | None, seed: int) -> SourceModel:
        self.seen.append((target, source, seed))
        return model


class Listener:
    """A method of test-time adaptation that keeps the batches it was given, and predicts how many it was."""

    Config: ClassVar[type] = object
    batch = 50

    def __init__(self, reset: Literal["participant", "video"]) -> None:
        self.needs = Needs(stream=True, reset=reset)
        self.streams: list[list[torch.Tensor]] = []

    def begin(self, model: SourceModel, source: SourceView | None, seed: int) -> Listener:
        self.streams.append([])
        self.steps = 0
        return self

    def predict(self, features: torch.Tensor) -> torch.Tensor:
        self.streams[-1].append(features)
        self.steps += 1
        return torch.tensor([[0.0, float(self.steps)]]).repeat(len(features), 1)


def witness(place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **needs: bool) -> Witness:
    adapter = Witness(**needs)
    monkeypatch.setattr(runner, "build_adapter", lambda method, options: adapter)
    adapt(place, tmp_path / "x.parquet", "witness", source_indexes=place[0])
    assert len(adapter.seen) == 2
    return adapter


def test_each_need_and_nothing_more_is_handed_out(place, tmp_path: Path, monkeypatch) -> None:
    plain = witness(place, tmp_path, monkeypatch)
    assert [(type(view), source) for view, source, _ in plain.seen] == [(TargetView, None)] * 2
    assert len({seed for _, _, seed in plain.seen}) == 2
    labels = witness(place, tmp_path, monkeypatch, target_labels=True)
    assert [(type(view), source) for view, source, _ in labels.seen] == [(LabelledTargetView, None)] * 2
    sources = witness(place, tmp_path, monkeypatch, source=True)
    for view, source, _ in sources.seen:
        assert type(view) is TargetView
        assert source is not None
        assert source.features.shape == (960, 16)


@pytest.mark.parametrize("reset", ["participant", "video"])
def test_the_test_part_arrives_in_batches_in_the_order_of_time(reset: Literal["participant", "video"]) -> None:
    target, split = example()
    listener = Listener(reset)
    result = runner.adapt_one(listener, SourceModel(target.features.shape[1]), target, split, None, 0)
    batches = [batch for stream in listener.streams for batch in stream]
    assert np.array_equal(torch.cat(batches).numpy(), target.features[split["test"]])
    videos = target.video[split["test"]]
    borders = np.cumsum([0, *map(len, batches)])
    assert max(map(len, batches)) <= listener.batch
    for first, last in itertools.pairwise(borders):
        assert len(set(videos[first:last])) == 1
    assert len(listener.streams) == (1 if reset == "participant" else len(set(videos)))
    numbers = [number for stream in listener.streams for number, batch in enumerate(stream, 1) for _ in batch]
    assert result.logits[:, 1].tolist() == numbers
    assert result.diagnostics["steps"] == len(batches)


def test_a_method_of_a_stream_is_given_no_labels() -> None:
    target, split = example()
    with pytest.raises(ValueError, match="must not see labels"):
        runner.target_view(Needs(stream=True, target_labels=True), target, split)


def test_method_that_needs_source_frames_is_refused_without_them(place, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runner, "build_adapter", lambda method, options: Witness(source=True))
    with pytest.raises(WaverError, match="train split"):
        adapt(place, tmp_path / "x.parquet", "witness")


def reachable(start: object) -> list[np.ndarray]:
    """Every array that can be reached from an object by attributes, containers, closures and bases."""
    arrays, seen, waiting = [], set(), [start]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | types.ModuleType):
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            arrays.append(thing)
            waiting.append(thing.base)
        waiting.extend(gc.get_referents(thing))
    return arrays


def example() -> tuple[runner.Target, dict[str, np.ndarray]]:
    crowd = Crowd(4)
    label = states(crowd.rng, 800, 0.4)
    target = target_of(crowd.features(label, crowd.offset()), label)
    return target, participants.split_population(target, "frame_random", 0.0)


def test_labels_cannot_be_reached_through_an_unlabelled_view() -> None:
    target, split = example()
    view = runner.target_view(Needs(), target, split)
    assert not hasattr(view, "labels")
    arrays = reachable(view)
    assert len(arrays) >= 3
    lengths = {len(rows) for rows in split.values()} | {len(target.labels)}
    for array in arrays:
        assert not any(np.shares_memory(array, held) for held in (target.features, target.labels))
        assert array.dtype != np.uint8
        if array.ndim == 1 and len(array) in lengths:
            assert set(np.unique(array)) != {0, 1}
    assert any(
        array.dtype == np.uint8 for array in reachable(runner.target_view(Needs(target_labels=True), target, split))
    )


def test_other_labels_give_the_same_unlabelled_view() -> None:
    target, split = example()
    garbage = runner.Target(**{**vars(target), "labels": 1 - target.labels})
    one, other = (runner.target_view(Needs(), person, split) for person in (target, garbage))
    for name in ("features", "video", "frame"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_views_hold_their_rows_and_cannot_be_written() -> None:
    target, split = example()
    view = runner.target_view(Needs(target_labels=True), target, split)
    assert isinstance(view, LabelledTargetView)
    assert np.array_equal(view.features, target.features[split["train"]])
    assert np.array_equal(view.labels, target.labels[split["train"]])
    assert np.array_equal(view.val_labels, target.labels[split["val"]])
    assert not set(map(bytes, view.features)) & set(map(bytes, target.features[split["test"]]))
    with pytest.raises(ValueError, match="read-only"):
        view.features[0] = 0


def test_divergence_is_told(place, tmp_path: Path) -> None:
    config = AdaptConfig(source_epochs=4, options={"oracle": {"lr": 1e30, "select": "F1"}, "shot": {"lr": 1e30}})
    with pytest.raises(WaverError, match="lower the method's lr"):
        runner.adapt_targets(*place, "shot", "frame_random", GUARD, 0, config, tmp_path / "x.parquet", RECORD)


@pytest.mark.slow
def test_in_a_cross_validation_everybody_starts_from_a_model_that_never_saw_them(tmp_path: Path) -> None:
    config = AdaptConfig(targets="cross_validation", source_epochs=3)
    crowd = Crowd(0)
    known = [(f"8200{n}", "val" if n == 5 else "train", *crowd.frames(240, 0.4, shifted=False)) for n in range(6)]
    indexes, packs = write_people(tmp_path, [*known, ("82009", "test", *crowd.frames(240, 0.4))])
    fold_of = {participant: n % 3 for n, (participant, *_) in enumerate(known)}
    train_source(indexes, packs, 0, config, tmp_path / "model.pt", fold_of)
    sources = load_sources(tmp_path / "model.pt")
    assert [source.fold for source in sources] == [0, 1, 2]
    for source in sources:
        own = {name for name, fold in fold_of.items() if fold == source.fold}
        assert source.held_out == own
        assert not source.trained_on & own
        view = read_source_view(indexes, packs, source)
        assert len(view.features) == 240 * len(source.trained_on) == 480
    out = tmp_path / "eata.parquet"
    place = indexes, packs, tmp_path / "model.pt"
    runner.adapt_targets(*place, "eata", "frame_random", GUARD, 0, config, out, RECORD, source_indexes=indexes)
    rows = read_table(out, PREDICTIONS)
    assert {(row["participant"], row["split"], row["fold"]) for row in rows} == {
        (participant, split, fold_of[participant]) for participant, split, *_ in known
    }


def test_a_fold_without_ambivalence_is_told(tmp_path: Path) -> None:
    crowd = Crowd(0)
    rows = [(f"8200{n}", "train", *crowd.frames(60, 0.4 * (n != 1))) for n in range(3)]
    indexes, packs = write_people(tmp_path, rows)
    config = AdaptConfig(targets="cross_validation", source_epochs=1)
    with pytest.raises(WaverError, match=r"the validation part of fold 1 of 3 .* 0 frames with and 60"):
        train_source(indexes, packs, 0, config, tmp_path / "m.pt", {name: n for n, (name, *_) in enumerate(rows)})
