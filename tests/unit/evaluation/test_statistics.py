"""Statistics of the tables that real predictions files make, controls and folds among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scored_folder import Folder, prediction_rows, write_predictions

from waver.config.sections import EvaluateConfig
from waver.evaluation import calibration
from waver.evaluation.comparisons import COMPARED, COMPARISONS
from waver.evaluation.decomposition import DECOMPOSITION
from waver.evaluation.labels import frame_truth, video_truth
from waver.evaluation.method_tables import SPLITS, Table, arrange
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.predictions import read_predictions
from waver.evaluation.reliability import CALIBRATION
from waver.evaluation.scores import table_rows, write_statistics
from waver.io.tables import read_table

CONFIG = EvaluateConfig(bootstrap=100, least_group=1)
LEVELS = ("frame", "participant", "video")
Rows = list[dict[str, Any]]


def _guess(folder: Folder, skill: float) -> Any:
    labels, rng = folder.labels(), np.random.default_rng(0)

    def guess(row: dict[str, Any]) -> np.ndarray:
        label = labels[row["video"]]
        return 1 / (1 + np.exp(-3 * (skill * (label - 0.5) + rng.normal(size=len(label)))))

    return guess


@pytest.fixture(scope="module")
def tables(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    path, guess = tmp_path_factory.mktemp("predictions"), _guess(folder, 1.0)
    held_out = prediction_rows(folder.rows("train", "val"), guess, folder.folds())
    judged = prediction_rows(folder.rows("val", "test"), guess)
    some = [row for row in prediction_rows(folder.rows("test"), guess) if row["frame"] % 2]
    files = [
        *folder.controls.values(),
        write_predictions(path / "cv.parquet", held_out, "lfan", protocol="cv"),
        write_predictions(path / "standard.parquet", judged, "lfan"),
        write_predictions(path / "source.parquet", some, "source_only", protocol="block"),
        write_predictions(path / "shot.parquet", some, "shot", protocol="block"),
    ]
    truths = {
        "frame": frame_truth(folder.indexes, folder.packs, SPLITS),
        "video": video_truth([folder.answers], SPLITS),
    }
    return list(arrange(read_predictions(files, truths), truths, CONFIG.window_frames))


@pytest.fixture(scope="module")
def written(tables: list[Table], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    path = tmp_path_factory.mktemp("statistics")
    schemas = {"comparisons": COMPARISONS, "calibration": CALIBRATION, "decomposition": DECOMPOSITION}
    write_statistics([Paired(table, CONFIG) for table in tables], CONFIG, *(path / name for name in schemas))
    return {name: read_table(path / name, schema) for name, schema in schemas.items()}


def _places(rows: Rows) -> set[tuple[str, str, str]]:
    return {(row["level"], row["split"], row["protocol"]) for row in rows}


@pytest.mark.slow
def test_every_table_has_its_statistics(written: dict[str, Rows]) -> None:
    standard = {(level, split, "standard") for level in LEVELS for split in ("cv", "val", "test")}
    adapted = {(level, "test", "block") for level in ("frame", "participant")}
    assert _places(written["comparisons"]) == _places(written["decomposition"]) == standard | adapted
    assert _places(written["calibration"]) == {place for place in standard | adapted if place[0] != "participant"}


@pytest.mark.slow
def test_differences_are_those_of_the_scores_table(tables: list[Table], written: dict[str, Rows]) -> None:
    """Same items, same resamples."""
    compared = {
        (row["level"], row["split"], row["metric"]): (row["difference"], row["low"], row["high"])
        for row in written["comparisons"]
        if row["method"] == "lfan"
    }
    seen = 0
    for table in tables:
        for row in table_rows(Paired(table, CONFIG), {}, CONFIG):
            metric = row["metric"].removesuffix("_minus_content_free")
            if row["method"] == "lfan" and metric != row["metric"] and metric in COMPARED:
                assert compared[table.level, table.split, metric] == (row["value"], row["low"], row["high"])
                seen += 1
    assert seen >= 2 * 9


def test_adapted_models_are_held_against_their_source(written: dict[str, Rows]) -> None:
    rows = [row for row in written["comparisons"] if row["protocol"] == "block" and row["metric"] == "AVGF1"]
    pairs = {(row["level"], row["method"], row["reference"]) for row in rows if row["methods_in_family"]}
    expected = {("shot", "source_only"), ("shot", "content_free"), ("source_only", "content_free")}
    assert pairs == {(level, *pair) for level in ("frame", "participant") for pair in expected}
    assert {row["difference"] for row in rows if row["reference"] == "source_only"} == {0.0}


def test_temperature_of_val_and_test_is_that_of_the_train_splits_people(
    folder: Folder, tables: list[Table], written: dict[str, Rows]
) -> None:
    (table,) = [table for table in tables if (table.level, table.split) == ("frame", "cv")]
    (lfan,) = [predicted for predicted in table.methods if predicted.name.method == "lfan"]
    train = table.truth.split[lfan.item] == "train"
    margin = np.log(lfan.probability) - np.log1p(-lfan.probability)
    expected = calibration.temperature(margin[train], table.truth.label[lfan.item][train])
    assert expected > 1.5  # three times too bold
    rows = [row for row in written["calibration"] if row["method"] == "lfan" and row["level"] == "frame"]
    for split in ("val", "test"):
        here = [row for row in rows if row["split"] == split]
        assert [row["temperature"] for row in here] == pytest.approx([expected] * len(here), rel=1e-6)
        assert here[0]["log_loss_tempered"] < here[0]["log_loss"]
        assert here[0]["ECE_tempered"] < here[0]["ECE"]
    assert all(row["temperature"] is None for row in written["calibration"] if row["protocol"] == "block")
