from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shifted import Crowd, write_people
from waver.adaptation.base import predict
from waver.adaptation.source_model import balanced_rows, fit_source, load_sources, read_source_view, train_source
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.evaluation.metrics import avgf1
from waver.training.corpus import Normalisation, read_corpus

CONFIG = AdaptConfig(source_epochs=3)


def people(test_seed: int = 5) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    crowd, others = Crowd(0), Crowd(test_seed)
    train = [(f"8200{n}", "train", *crowd.frames(200, 0.2, shifted=False)) for n in range(4)]
    val = [("82004", "val", *crowd.frames(200, 0.2, shifted=False))]
    return [*train, *val, ("82005", "test", *others.frames(200, 0.2))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path, Path]:
    folder = tmp_path_factory.mktemp("source")
    indexes, packs = write_people(folder, people())
    train_source(indexes, packs, 0, CONFIG, folder / "model.pt")
    return indexes, packs, folder / "model.pt"


def test_learns_what_the_val_split_confirms(trained: tuple[list[Path], Path, Path]) -> None:
    indexes, packs, path = trained
    source = load_sources(path)[0]
    (first, second) = read_corpus(indexes, packs, "V", ("val",))
    features = np.concatenate([source.features(first), source.features(second)])
    probability = predict(source.model, torch.tensor(features)).softmax(dim=1)[:, 1].numpy()
    assert avgf1(probability, np.concatenate([first.label, second.label])) > 0.9


def test_normalisation_and_prior_are_the_train_splits(trained: tuple[list[Path], Path, Path]) -> None:
    indexes, packs, path = trained
    source = load_sources(path)[0]
    train = read_corpus(indexes, packs, "V", ("train",))
    fitted = Normalisation.fit(train)
    assert np.array_equal(source.normalisation.mean["visual"], fitted.mean["visual"])
    assert np.array_equal(source.normalisation.std["visual"], fitted.std["visual"])
    share = np.concatenate([sample.label for sample in train]).mean()
    assert source.model.prior.tolist() == pytest.approx([1 - share, share])


def test_repeats_bit_by_bit_and_never_reads_the_test_split(
    trained: tuple[list[Path], Path, Path], tmp_path: Path
) -> None:
    torch.manual_seed(99)
    indexes, packs = write_people(tmp_path, people(test_seed=6))
    train_source(indexes, packs, 0, CONFIG, tmp_path / "model.pt")
    assert (tmp_path / "model.pt").read_bytes() == trained[2].read_bytes()
    train_source(indexes, packs, 1, CONFIG, tmp_path / "other.pt")
    assert (tmp_path / "other.pt").read_bytes() != trained[2].read_bytes()


def test_keeps_the_epoch_that_does_best_on_val() -> None:
    crowd = Crowd(1)
    train, val = crowd.frames(300, 0.3, shifted=False), crowd.frames(100, 0.3)
    model, history = fit_source(train, val, 0, 6)
    probability = predict(model, torch.tensor(val[0])).softmax(dim=1)[:, 1].numpy()
    assert avgf1(probability, val[1]) == max(row["val_AVGF1"] for row in history)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]


def test_negatives_are_drawn_anew_and_as_many_as_positives() -> None:
    labels = torch.tensor([0] * 90 + [1] * 10)
    generator = torch.Generator().manual_seed(0)
    draws = [balanced_rows(labels, generator) for _ in range(2)]
    for rows in draws:
        assert labels[rows].sum() == 10
        assert len(rows.unique()) == len(rows) == 20
        assert set(range(90, 100)) <= set(rows.tolist())
    assert set(draws[0].tolist()) != set(draws[1].tolist())
    assert len(balanced_rows(1 - labels, generator)) == 20


def test_source_view_holds_the_train_split(trained: tuple[list[Path], Path, Path]) -> None:
    indexes, packs, path = trained
    view = read_source_view(indexes, packs, load_sources(path)[0])
    assert view.features.shape == (800, 16)
    assert view.features.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert np.bincount(view.participant).tolist() == [200] * 4
    assert view.labels.sum() == sum(label.sum() for _, split, _, label in people() if split == "train")


def test_a_shard_in_which_nobody_has_the_modality_gives_zeros(trained: tuple[list[Path], Path, Path]) -> None:
    indexes, packs, path = trained
    source = load_sources(path)[0]
    sample = read_corpus(indexes, packs, "V", ("test",))[0]
    nothing = {"visual": np.zeros((sample.frames, 0), np.float32)}
    blind = replace(sample, features=nothing, valid={"visual": np.zeros(sample.frames, bool)})
    features = source.features(blind)
    assert features.shape == source.features(sample).shape
    assert not features.any()


def test_split_without_positives_is_told(tmp_path: Path) -> None:
    crowd = Crowd(0)
    rows = [("82001", "train", *crowd.frames(50, 0.5)), ("82002", "val", *crowd.frames(50, 0.0))]
    indexes, packs = write_people(tmp_path, rows)
    with pytest.raises(WaverError, match=r"the val split .* 0 frames with"):
        train_source(indexes, packs, 0, CONFIG, tmp_path / "model.pt")
    with pytest.raises(WaverError, match="val split"):
        train_source(*write_people(tmp_path, rows[:1], name="001"), 0, CONFIG, tmp_path / "model.pt")


def test_no_source_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(WaverError, match="cannot be read"):
        load_sources(tmp_path / "nowhere.pt")
    torch.save({"format": 0}, tmp_path / "old.pt")
    with pytest.raises(WaverError, match="not a source model"):
        load_sources(tmp_path / "old.pt")
