"""Conditions: whether their answers vary, and a threshold that val chose."""

from __future__ import annotations

import numpy as np
import pytest

from checkout import ROOT
from prompted_predictions import asked_record, write_asked
from synthetic import write_answers, write_packs
from tracing.executed import definitions, traced
from waver.config.sections import EvaluateConfig
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.evaluation.bootstrap import Sample
from waver.io.tables import PACK_INDEX, PREDICTIONS, read_arrow, read_metadata, read_table, read_tables, write_arrow
from waver.workflow.fingerprint import closure, followed
from waver.zeroshot.condition_scores import CONDITIONS, best_threshold, records_of, score_conditions
from waver.zeroshot.records import Condition

CONFIG = EvaluateConfig(bootstrap=100, least_group=3)
VIDEO, WINDOWS = Condition("video_llava", "td1"), Condition("video_llava", "s", 24)
QUIET = Condition("video_llava", "d2")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Rows of conditions over 5 people of val and 6 of test: one that knows the label, two that answer alike."""
    folder = tmp_path_factory.mktemp("conditions")
    indexes, packs = write_packs(folder, {"val": 5, "test": 6}, questions=4, frames=48)
    labels = {row["video"]: int(row["video"][-1]) % 2 for row in read_tables(indexes, PACK_INDEX)}
    answers = write_answers(folder / "answers.parquet", indexes, label=labels)

    def knowing(row, items):
        return np.full(items, -5.0 + 2.0 * labels[row["video"]])

    paths = [
        write_asked(folder, indexes, VIDEO, knowing, calls=20, label_mass=0.5),
        write_asked(folder, indexes, WINDOWS, lambda row, items: np.linspace(-1, 1, items), unparsable=0.1),
        write_asked(folder, indexes, QUIET, lambda row, items: np.full(items, 4.0)),
    ]
    output = folder / "conditions.parquet"
    traced(lambda: score_conditions(paths, indexes, packs, [answers], CONFIG, output), folder / "trace")
    rows = read_table(output, CONDITIONS)
    return {(row["method"], row["level"], row["split"]): row for row in rows}, (indexes, packs, answers, paths)


def test_a_threshold_from_val_shows_what_half_hides(place):
    rows, _ = place
    row = rows[VIDEO.method, "video", "test"]
    assert (row["positive_share"], row["collapsed"]) == (0.0, True)
    assert row["AVGF1"] == pytest.approx(1 / 3)  # half of the videos are positive, and none is called so
    assert row["threshold"] == pytest.approx(1 / (1 + np.exp(4.0)))
    assert row["AVGF1_tuned"] == row["low_tuned"] == 1.0
    assert row["positive_share_tuned"] == 0.5


def test_no_threshold_is_tuned_on_what_it_is_scored_on(place):
    rows, _ = place
    row = rows[VIDEO.method, "video", "val"]
    assert row["threshold"] is row["AVGF1_tuned"] is row["positive_share_tuned"] is None
    assert row["AVGF1"] == pytest.approx(1 / 3)


def test_frames_have_scores_and_so_have_the_videos_made_of_them(place):
    rows, _ = place
    frame, video = (rows[WINDOWS.method, level, "test"] for level in ("frame", "video"))
    assert frame["window"] == video["window"] == 24
    assert 0.1 < frame["positive_share"] < 0.4
    assert not frame["collapsed"]
    assert video["collapsed"]  # the highest window of each video says A/H
    assert (frame["unparsable"], rows[VIDEO.method, "video", "test"]["unparsable"]) == (0.1, None)


def test_a_condition_says_how_it_was_asked_and_nothing_of_a_person(place):
    row = place[0][QUIET.method, "video", "test"]
    assert (row["model"], row["prompt"], row["label"], row["prompt_set"]) == (*QUIET[:2], "definition 2", "released")
    assert (row["weights"], row["calls"], row["label_mass"], row["participants"]) == ("tiny random", 10, 0.002, 6)
    assert (row["positive_share"], row["collapsed"]) == (1.0, True)
    assert row["n"] == 24


def test_scores_of_few_people_are_withheld(place, tmp_path):
    indexes, packs, answers, paths = place[1]
    few = CONFIG.model_copy(update={"least_group": 6})
    score_conditions(paths[:1], indexes, packs, [answers], few, tmp_path / "few.parquet")
    rows = {row["split"]: row for row in read_table(tmp_path / "few.parquet", CONDITIONS)}
    withheld = ("positive_share", "collapsed", "AVGF1", "low", "threshold", "AVGF1_tuned")
    assert {rows["val"][name] for name in withheld} == {None}
    assert rows["test"]["AVGF1"] is not None
    assert rows["test"]["threshold"] is None  # of five people of val


def test_shards_are_one_record(tmp_path):
    indexes, _ = write_packs(tmp_path, {"val": 1, "test": 1}, questions=1, frames=30)
    fields = [
        {"calls": 30, "label_mass": 0.9, "unparsable": 0.0, "seconds_per_call": 1.0},
        {"calls": 10, "label_mass": 0.1, "unparsable": 0.4, "seconds_per_call": 2.0},
    ]
    paths = [
        write_asked(tmp_path, indexes, VIDEO, lambda row, items: np.zeros(items), (split,), **one)
        for split, one in zip(("val", "test"), fields, strict=True)
    ]
    record = records_of(paths)[VIDEO.method, "standard"]
    assert (record.calls, record.label_mass, record.seconds_per_call) == (40, 0.9, 1.25)
    assert record.unparsable == pytest.approx(0.1)
    assert records_of(paths)[VIDEO.method, "standard"].prompt_sha256 == asked_record(VIDEO).prompt_sha256


def test_people_of_train_and_val_have_a_row_of_their_own_without_a_threshold(tmp_path):
    indexes, packs = write_packs(tmp_path, {"train": 4, "val": 3, "test": 3}, questions=2, frames=30)
    answers = write_answers(tmp_path / "answers.parquet", indexes)

    def same(row, items):
        return np.full(items, 1.0)

    paths = [
        write_asked(tmp_path, indexes, VIDEO, same, calls=12),
        write_asked(tmp_path, indexes, VIDEO, same, ("train", "val"), protocol="cv", calls=12),
    ]
    score_conditions(paths, indexes, packs, [answers], CONFIG, tmp_path / "rows.parquet")
    rows = {row["split"]: row for row in read_table(tmp_path / "rows.parquet", CONDITIONS)}
    assert rows.keys() == {"val", "test", "cv"}
    assert (rows["cv"]["participants"], rows["cv"]["threshold"], rows["cv"]["collapsed"]) == (7, None, True)
    assert {row["calls"] for row in rows.values()} == {12}


def test_answers_about_videos_that_are_given_for_frames_too_count_once(tmp_path):
    indexes, _ = write_packs(tmp_path, {"test": 1}, questions=1, frames=30)
    path = write_asked(tmp_path, indexes, VIDEO, lambda row, items: np.zeros(items), ("test",), calls=7)
    spread = tmp_path / "frames.parquet"
    write_arrow(spread, read_arrow(path, PREDICTIONS), read_metadata(path) | {"level": "frame"})
    assert records_of([path, spread])[VIDEO.method, "standard"].calls == 7


def test_predictions_without_a_record_are_refused(tmp_path):
    indexes, _ = write_packs(tmp_path, {"test": 1}, questions=1, frames=30)
    path = write_asked(tmp_path, indexes, VIDEO, lambda row, items: np.zeros(items), ("test",))
    write_arrow(path, read_arrow(path, PREDICTIONS), {"method": "lfan", "protocol": "standard"})
    with pytest.raises(WaverError, match="does not say how its model was asked; delete it and run again"):
        records_of([path])


def test_the_best_threshold_is_the_best_of_all_cuts():
    rng = np.random.default_rng(0)
    for _ in range(40):
        n = int(rng.integers(2, 12))
        margin = rng.integers(-3, 4, n).astype(float)
        label = rng.integers(0, 2, n).astype(np.uint8)
        label[:2] = 0, 1
        threshold = best_threshold(margin, Sample(margin, label, np.zeros(n, int), np.zeros(n, int), 1))

        def avgf1(cut, margin=margin, label=label):
            return metrics.avgf1_of(metrics.confusion((margin > cut).astype(float), label)).item()

        tried = [avgf1(cut) for cut in np.arange(-4.5, 5.0, 0.5)]
        assert avgf1(threshold) == pytest.approx(max(tried))


def test_every_definition_that_the_job_executes_is_in_its_fingerprint(place):
    ran = definitions(place[1][0][0].parent / "trace")
    found = closure([], ROOT / "workflow/scripts/zeroshot_conditions.py")
    assert len(ran) > 5
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
