"""What explanations point at, against annotated pairs: made tracks whose pair is known."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from checkout import ROOT
from synthetic import DIMS, write_packs
from tracing.executed import definitions, traced
from waver.align.packs import read_packs
from waver.config.sections import EvaluateConfig
from waver.evaluation.cue_agreement import ALL, CUE_SCORES
from waver.evaluation.explained_cues import SPLITS, evaluate_explanations, read_evidence
from waver.io.tables import SEGMENTS, read_table, write_arrow, write_table
from waver.models.fusion.conflict.model import Conflict
from waver.models.fusion.conflict.settings import ConflictConfig
from waver.training.frames.annotated_cues import annotated_runs, pair_of
from waver.workflow.fingerprint import closure, followed

CONFIG = EvaluateConfig(bootstrap=200, least_group=1)
PAIRS = {"visual+audio": "FA", "visual+text": "FL", "audio+text": "LA"}
METHOD = {"method": "conflict", "modalities": "VAT"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Packs, and their segments, each with one pair; in an order that neither question nor person gives away."""
    folder = tmp_path_factory.mktemp("pointed")
    packs = write_packs(folder, {"train": 2, "val": 1, "test": 4}, questions=4)
    rows, number = [], 0
    for video in read_packs(*packs, ["label"], ["train", *SPLITS]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], video.arrays["label"].astype(int), [0]])))
        for place, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            cue = list(PAIRS.values())[number % 3]
            number += 1
            rows.append({"video": video.video, "segment": place, "start_frame": int(start), "end_frame": int(end),
                         "certainty": 1, "cue_names": [f"inconsistencies: {cue}", "facial: Smile"]})  # fmt: skip
    write_table(folder / "segments.parquet", rows, SEGMENTS)
    return packs, folder / "segments.parquet", rows


def write_tracks(path, packs, rows, right, gates=True, seed=0):
    """Explanations whose pair is the annotated one in a share ``right`` of the segments; one pair is always strong."""
    rng, tables = np.random.default_rng(seed), []
    for video in read_packs(*packs, ["label"], SPLITS):
        frames = len(video.arrays["label"])
        own = {pair: rng.normal(0.2 + 0.5 * (pair == "audio+text"), 0.02, frames) for pair in PAIRS}
        for run, row in annotated_runs(video.arrays["label"], [one for one in rows if one["video"] == video.video]):
            named = next(pair for pair, cue in PAIRS.items() if f"inconsistencies: {cue}" in row["cue_names"])
            shown = named if rng.random() < right else next(pair for pair in PAIRS if pair != named)
            own[shown][run] += 0.3
        columns = {"video": [video.video] * frames, "participant": [video.participant] * frames,
                   "split": [video.row["split"]] * frames, "frame": np.arange(frames, dtype=np.int32)}  # fmt: skip
        columns |= {f"conflict/{pair}": values.astype(np.float32) for pair, values in own.items()}
        columns |= {f"gate/{pair}": np.full(frames, float(gates), np.float32) for pair in PAIRS}
        tables.append(pa.table(columns))
    write_arrow(path, pa.concat_tables(tables), {**METHOD, "seed": seed})
    return path


def scored(data, folder, *explanations):
    packs, segments, _ = data
    evaluate_explanations(explanations, segments, *packs, CONFIG, folder / "out.parquet")
    rows = read_table(folder / "out.parquet", CUE_SCORES)
    return {row["cue"]: row for row in rows if row["split"] == "test"}


def test_a_model_that_points_at_the_annotated_pair_is_above_chance_and_one_that_does_not_is_not(data, tmp_path):
    packs, _, rows = data
    right = scored(data, tmp_path, write_tracks(tmp_path / "a.parquet", packs, rows, right=1.0))
    assert right[ALL]["precision"] == 1.0
    assert right[ALL]["found"] == right[ALL]["segments"] == right[ALL]["annotated"]
    assert right[ALL]["gain_low"] > 0.3
    assert set(right) == {ALL, "audio+visual", "text+visual", "audio+text"}
    assert right["audio+text"]["channel"] == "inconsistencies"
    wrong = scored(data, tmp_path, write_tracks(tmp_path / "b.parquet", packs, rows, right=0.0))
    assert wrong[ALL]["precision"] == 0.0
    assert wrong[ALL]["gain_high"] < 0


def test_seeds_are_averaged_before_anything_is_pointed_at(data, tmp_path):
    packs, _, rows = data
    files = [write_tracks(tmp_path / f"{seed}.parquet", packs, rows, 0.55, seed=seed) for seed in range(3)]
    alone = [scored(data, tmp_path, file)[ALL]["precision"] for file in files]
    together = scored(data, tmp_path, *files)[ALL]
    assert together["seeds"] == 3
    assert together["precision"] >= np.mean(alone)


@pytest.mark.parametrize("shut", [0, 1])
def test_a_pair_whose_gate_is_shut_in_one_seed_is_pointed_at_in_none(data, tmp_path, shut):
    packs, _, rows = data
    files = [write_tracks(tmp_path / f"{seed}.parquet", packs, rows, 1.0, seed=seed) for seed in range(2)]
    table = pq.read_table(files[shut])
    column = table.column_names.index("gate/visual+text")
    gates = pa.array(np.zeros(len(table), np.float32))
    pq.write_table(table.set_column(column, "gate/visual+text", gates), files[shut])
    assert set(scored(data, tmp_path, *files)) == {ALL, "audio+visual", "audio+text"}


def test_pairs_of_what_a_video_lacks_are_not_pointed_at(data, tmp_path):
    packs, _, rows = data
    path = write_tracks(tmp_path / "a.parquet", packs, rows, 1.0, gates=False)
    assert set(map(len, read_evidence(path, "test").values())) == {0}
    assert scored(data, tmp_path, path) == {}


def test_only_pairs_of_two_modalities_count():
    assert {cue: pair_of(cue) for cue in ("FL", "LB", "FA", "AB", "LA", "FB")} == {
        "FL": "text+visual", "LB": "text+visual", "FA": "audio+visual", "AB": "audio+visual", "LA": "audio+text",
        "FB": "",
    }  # fmt: skip


def test_the_conflict_model_shows_each_pair_with_its_gate():
    config = ConflictConfig(channels={name: [8] for name in DIMS}, size=8, shared=4, layers=0)
    streams = {name: torch.randn(1, 48, size) for name, size in DIMS.items()}
    found = Conflict(dict(DIMS), config).eval().explain(streams, torch.ones(1, 48, dtype=torch.bool))
    assert {name for name in found if name.startswith("conflict/")} == {f"conflict/{pair}" for pair in PAIRS}
    assert {f"gate/{pair}" for pair in PAIRS} <= set(found)


def test_what_the_rule_executes_is_in_its_fingerprint(data, tmp_path):
    packs, segments, rows = data
    path, output = write_tracks(tmp_path / "a.parquet", packs, rows, 1.0), tmp_path / "out.parquet"
    traced(lambda: evaluate_explanations([path], segments, *packs, CONFIG, output), tmp_path / "trace")
    ran, found = definitions(tmp_path / "trace"), closure([], ROOT / "workflow/scripts/evaluate_explanations.py")
    assert {reference for reference in ran if followed(reference)} - set(found) == set()
    assert {(row["source"], row["split"]) for row in read_table(output, CUE_SCORES)} == {
        ("conflict", "val"), ("conflict", "test"),
    }  # fmt: skip
