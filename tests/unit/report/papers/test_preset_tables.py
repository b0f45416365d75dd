"""The papers' presets fill every supervised table: predictions of all their models, scored and put into the tables.

The predictions are made up, under the records that the presets' jobs would write; everything after them is real. Six
participants, two in each split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from checkout import ROOT
from synthetic import write_answers, write_packs
from waver.config.model import load_config
from waver.config.section import overlaid
from waver.evaluation.control_names import Control
from waver.evaluation.controls import predict_controls
from waver.evaluation.scores import score_predictions
from waver.io.predictions import frames_of, prediction_table
from waver.io.tables import PACK_INDEX, PARTICIPANTS, SCORES, read_tables, write_arrow, write_table
from waver.report.figures.window_length import tried
from waver.report.papers.layouts import Run as ScoredRun
from waver.report.papers.layouts import layouts, printed_table, read_runs
from waver.report.papers.paper_table import paper_tables
from waver.report.tables.results import COLUMNS
from waver.workflow.flow import Flow
from waver.workflow.run import Run

SEEDS = (0,)
PRESETS = {"paper2026": "2026", "paper2025": "2025"}
BACKBONES = {"apvit", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"}


@dataclass(frozen=True)
class Data:
    """Six participants after ``align``, with controls."""

    folder: Path
    indexes: list[Path]
    packs: Path
    participants: Path
    answers: Path
    controls: list[Path]

    def predictions(self, name: str, draw: np.random.Generator, about: dict[str, Any]) -> Path:
        """Made predictions of test, with the metadata of a job."""
        rows = [row for row in read_tables(self.indexes, PACK_INDEX) if row["split"] == "test"]
        items = [(row["video"], row["participant"], row["split"]) for row in rows]
        counts = [row["frames"] for row in rows] if about["level"] == "frame" else None
        margin = draw.normal(size=sum(counts) if counts else len(items))
        table = prediction_table(items, margin, counts, frames_of(counts) if counts else None)
        path = self.folder / name
        write_arrow(path, table, {"model_set": "mixed", "protocol": "standard", "code": "0", "config": {}, **about})
        return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    folder = tmp_path_factory.mktemp("six")
    indexes, packs = write_packs(folder, {"train": 2, "val": 2, "test": 2}, questions=1, frames=30)
    people = {row["participant"]: row["split"] for row in read_tables(indexes, PACK_INDEX)}
    unknown = dict.fromkeys(PARTICIPANTS.names) | {"consent_publication": False, "consent_challenge": False}
    rows = [{**unknown, "participant": name, "split": split} for name, split in people.items()]
    write_table(folder / "participants.parquet", rows, PARTICIPANTS)
    answers = write_answers(folder / "answers.parquet", indexes)
    names = ("all_negative", "all_positive", "question_prior", "content_free")
    outputs = {
        Control(name, level, "standard"): folder / f"{name}.{level}.parquet"
        for name in names
        for level in ("frame", "video")
    }
    predict_controls(indexes, packs, [answers], 0, outputs, {"model_set": "mixed", "config": {}, "code": "0"})
    return Data(folder, indexes, packs, folder / "participants.parquet", answers, list(outputs.values()))


@cache
def flow_of(preset: str) -> Flow:
    values = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    values = overlaid(values, yaml.safe_load((ROOT / f"config/presets/{preset}.yaml").read_text()))
    return Flow(Run(load_config(values)))


def supervised(flow: Flow) -> Iterator[dict[str, Any]]:
    """What the preset's supervised models write of themselves, with one seed."""
    for record in {str(one): one for one in flow.frames.records_of_outputs()}.values():
        own = {name: value for name, value in record.items() if name != "changed"}
        yield from ({**own, "level": "frame", "seed": seed} for seed in SEEDS)
    for backbone in (flow.backbone, *flow.backbones.others):
        yield {**backbone.frames_record(None), "level": "frame"}
    for run in flow.run.config.videos.runs:
        yield from ({"method": run.model, "modalities": run.modalities, "level": "video", "seed": s} for s in SEEDS)


@pytest.fixture(scope="module", params=PRESETS)
def preset(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def scored(preset, data) -> list[ScoredRun]:
    """The preset's scores, as the report reads them: with those of each other backbone as of a run of its own."""
    flow, draw = flow_of(preset), np.random.default_rng(0)
    made = [data.predictions(f"{preset}.{n}.parquet", draw, about) for n, about in enumerate(supervised(flow))]
    names = ("scores", "json", "comparisons", "calibration", "decomposition")
    outputs = {name: data.folder / f"{preset}.{name}.made" for name in names}
    config = flow.run.config.evaluate.model_copy(update={"bootstrap": 2, "least_group": 1})
    score_predictions(
        [*made, *data.controls],
        data.indexes,
        data.packs,
        data.participants,
        [data.answers],
        config,
        outputs,
        flow.frames.records_to_score(),
    )
    kinds = flow.report.table_kinds()
    return read_runs(outputs["scores"], flow.report.backbone(), kinds, "six people", {})


def tables_of(preset: str, *runs: ScoredRun) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Table, labels and note of every empty cell that a row of the paper should fill."""
    wanted = [
        one for one in layouts()["tables"] if one["table"].startswith(PRESETS[preset]) and one.get("how") != "asked"
    ]
    assert len(wanted) == {"paper2026": 4, "paper2025": 6}[preset]
    for layout in wanted:
        table = paper_tables(layout, runs)[0]
        assert table.split == "test"
        width = len(table.columns) // len(layout.get("groups", [{}]))
        for line in (one for one in table.lines if not one.body):
            for cell in line.cells[::width]:
                if cell.text == "–":
                    yield table.name, line.labels, table.notes[cell.note - 1] if cell.note else ""


@pytest.mark.slow
def test_every_row_is_filled_but_that_of_another_run_which_says_so(preset, scored):
    empty = list(tables_of(preset, *scored))
    zero_shot = [labels for name, labels, note in empty if name == "2026_table_4" and "zero_shot: true" in note]
    assert zero_shot == [("EmoCLIP", "zero-shot")] * (preset == "paper2026")
    assert len(empty) == len(zero_shot)


def test_nothing_is_empty_with_the_other_run_beside_it(preset, scored, tmp_path):
    own, beside = flow_of(preset).report.backbone(), {"zero_shot": tmp_path / "zero_shot.parquet"}
    write_table(beside["zero_shot"], [row for row in scored[0].scores if row["modalities"] == "V"], SCORES)
    write_table(tmp_path / "own.parquet", scored[0].scores, SCORES)
    runs = read_runs(tmp_path / "own.parquet", own, ["fine_tuned"], "six people", beside)
    assert list(tables_of(preset, *runs)) == []


def test_each_backbone_has_its_own_scores_in_the_tables_of_backbones(preset, scored):
    name = {"paper2026": "2026_table_1", "paper2025": "2025_table_5"}[preset]
    layout = next(one for one in layouts()["tables"] if one["table"] == name)
    table, metric = paper_tables(layout, scored)[0], printed_table(layout).metrics[0]
    rows = {line.labels[0].lower(): line.cells for line in table.lines if not line.body}
    assert rows.keys() == BACKBONES
    of_lfan = {
        row["variant"] or flow_of(preset).report.backbone(): row["value"]
        for row in scored[0].scores
        if (row["fusion"], row["modalities"], row["level"], row["split"], row["metric"])
        == ("lfan", "V", "frame", "test", metric) and row["variant"] in {None, *BACKBONES}
    }  # fmt: skip
    column = [n for n, one in enumerate(table.columns) if one.head == COLUMNS[metric]][-1]
    assert {backbone: cells[column].values[0] for backbone, cells in rows.items()} == of_lfan
    assert len(set(of_lfan.values())) == len(BACKBONES)
    # and no other table takes them for models of their own
    assert not [line for line in table.lines if line.body == "Not in the paper" and line.labels[0].endswith("resnet18")]


def test_every_window_of_the_preset_is_in_the_figure(preset, scored):
    config = flow_of(preset).run.config.train
    points = tried(scored[0].scores, "test")["LFAN V"]
    assert [frames for frames, _ in points] == sorted({*config.windows, config.window})


def test_rows_of_the_papers_are_trained_and_no_others(preset, scored):
    """Of the paper's tables of modalities and of fusions, row by row as they are printed."""
    trained = {(run.fusion, run.modalities) for run in flow_of(preset).run.config.train.runs}
    names = {"paper2026": ("2026_table_2", "2026_table_3"), "paper2025": ("2025_table_6", "2025_table_7")}[preset]
    layout_of = {one["table"]: one for one in layouts()["tables"]}
    printed = {
        (method.lower(), letters) for name in names for method, letters, *_ in printed_table(layout_of[name]).rows
    }
    assert trained == printed
    assert {row["seeds"] for row in scored[0].scores if row["fusion"]} == {len(SEEDS)}
