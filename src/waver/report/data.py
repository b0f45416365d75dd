"""Inputs of the report: paths, and their content in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.assets.manifest import Installed, read_record
from waver.config.sections import EvaluateConfig, ReportConfig, Section
from waver.datasets.folds import Folding
from waver.datasets.questions import Questions, questions_of
from waver.evaluation.comparisons import COMPARISONS
from waver.evaluation.cue_agreement import CUE_SCORES
from waver.evaluation.decomposition import DECOMPOSITION
from waver.evaluation.reliability import CALIBRATION
from waver.io.tables import (
    ANSWERS,
    FEATURE_INDEX,
    PACK_INDEX,
    PARTICIPANTS,
    SCORES,
    SEGMENTS,
    SET_ASIDE,
    VIDEOS,
    WEIGHTS,
    read_metadata,
    read_table,
    read_tables,
)
from waver.report.ranking import shown_scores
from waver.training.trained_model import TrainedModel
from waver.zeroshot.condition_scores import CONDITIONS

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportInputs:
    """Files the report reads.

    Attributes:
        scores: SCORES table.
        comparisons, calibration, decomposition: statistics of the scores, with the schemas of these names.
        answers: ANSWERS tables of the shards.
        participants, videos, segments, set_aside: ingest's tables.
        feature_indexes: feature (faces, visual, audio, speech, words, cues) -> index tables of its shards.
        feature_stores: feature -> folder of its stores.
        pack_indexes: PACK_INDEX tables of the shards.
        packs: folder of the packs.
        histories: ``history.jsonl`` of each training run -> ``TrainedModel.record`` of its model.
        predictions: PREDICTIONS tables of models and controls.
        adapted: PREDICTIONS tables of the adaptation methods.
        diagnostics: of each of these, the lines of its participants (``waver.adaptation.participants.scored``).
        weights: WEIGHTS tables of the models of answers.
        models: records ``asset.json`` of the models in use.
        benchmarks: folder ``benchmarks/<run>`` of Snakemake's measurements.
        conditions: CONDITIONS table of the models that were asked; None: none was.
        cue_scores: CUE_SCORES table of the textualisation; None: no model was asked about recordings.
        explained_cues: CUE_SCORES table of models that explain themselves; None: none was trained.
        tables: the papers' tables and the costs (``waver.report.tables.write``); None: the page shows none.
    """

    scores: Path
    comparisons: Path
    calibration: Path
    decomposition: Path
    answers: list[Path]
    participants: Path
    videos: Path
    segments: Path
    set_aside: Path
    feature_indexes: dict[str, list[Path]]
    feature_stores: dict[str, Path]
    pack_indexes: list[Path]
    packs: Path
    histories: dict[Path, Row]
    predictions: list[Path]
    adapted: list[Path]
    diagnostics: list[Path]
    weights: list[Path]
    models: list[Path]
    benchmarks: Path
    conditions: Path | None = None
    cue_scores: Path | None = None
    explained_cues: Path | None = None
    tables: Path | None = None


class PageConfig(Section):
    """What the page depends on in the config; the rule passes it, and nothing here has a default of its own.

    Attributes:
        report, evaluate: sections of the config.
        model_set: set of models that the config names, or mixed.
        dataset: ``dataset.name``.
        released: the recordings are people's, in a layout of BAH's releases; not synthetic ones or another reader's.
        select: ``train.select``, the validation score by which the kept epoch was chosen.
        folds: ``train.folds``; below 2 there was no cross-validation.
        folding: ``train.folding``.
    """

    report: ReportConfig
    evaluate: EvaluateConfig
    model_set: str
    dataset: str
    released: bool
    select: str
    folds: int
    folding: Folding


@dataclass(frozen=True)
class Training:
    """History of one training run: its model, and one row per epoch."""

    model: TrainedModel
    epochs: list[Row]


@dataclass(frozen=True)
class Material:
    """The inputs in memory; stores and predictions stay on disk, and only the consent gate reads them.

    ``layout`` is that of the release which the recordings are, as ingest found it; empty where they are none. Rows of
    ``answers`` lack their text: a transcript passes the gate or stays off the page. ``predictions`` and
    ``adapted`` hold the metadata of these tables, ``diagnostics`` of each of ``adapted`` its lines.
    """

    inputs: ReportInputs
    config: PageConfig
    run: str
    demo: bool
    layout: str
    scores: list[Row]
    comparisons: list[Row]
    calibration: list[Row]
    decomposition: list[Row]
    answers: list[Row]
    participants: list[Row]
    videos: list[Row]
    segments: list[Row]
    set_aside: list[Row]
    features: dict[str, list[Row]]
    packs: list[Row]
    trainings: list[Training]
    predictions: dict[Path, Row]
    adapted: list[Row]
    diagnostics: list[list[Row]]
    weights: dict[tuple[str, str], list[Row]]
    models: list[Installed]
    conditions: list[Row]
    cue_scores: list[Row]
    explained_cues: list[Row]

    @property
    def recorded(self) -> bool:
        """Whether there are video files; else the data set is split files and transcripts."""
        return "faces" in self.features or "audio" in self.features

    @property
    def questions(self) -> Questions:
        """The questions of the data set."""
        return questions_of(self.inputs.answers[0])

    @property
    def used(self) -> list[Row]:
        """Rows of the videos that reached the packs."""
        return [row for row in self.packs if row["status"] == "ok"]


def load(inputs: ReportInputs, config: PageConfig, run: str, demo: bool) -> Material:
    """Read the tables.

    Raises:
        WaverError: a table cannot be read or has other columns.
    """
    return Material(
        inputs=inputs,
        config=config,
        run=run,
        demo=demo,
        layout=read_metadata(inputs.participants).get("layout", "") if config.released else "",
        scores=shown_scores(read_table(inputs.scores, SCORES)),
        comparisons=read_table(inputs.comparisons, COMPARISONS),
        calibration=read_table(inputs.calibration, CALIBRATION),
        decomposition=read_table(inputs.decomposition, DECOMPOSITION),
        answers=[_without_text(row) for row in read_tables(inputs.answers, ANSWERS)],
        participants=read_table(inputs.participants, PARTICIPANTS),
        videos=read_table(inputs.videos, VIDEOS),
        segments=read_table(inputs.segments, SEGMENTS),
        set_aside=read_table(inputs.set_aside, SET_ASIDE),
        features={feature: read_tables(paths, FEATURE_INDEX) for feature, paths in inputs.feature_indexes.items()},
        packs=read_tables(inputs.pack_indexes, PACK_INDEX),
        trainings=[_training(path, model) for path, model in inputs.histories.items()],
        predictions={path: read_metadata(path) for path in inputs.predictions},
        adapted=[read_metadata(path) for path in inputs.adapted],
        diagnostics=[_lines(path) for path in inputs.diagnostics],
        weights=_weights(inputs.weights),
        models=[read_record(path) for path in inputs.models],
        conditions=read_table(inputs.conditions, CONDITIONS) if inputs.conditions else [],
        cue_scores=read_table(inputs.cue_scores, CUE_SCORES) if inputs.cue_scores else [],
        explained_cues=read_table(inputs.explained_cues, CUE_SCORES) if inputs.explained_cues else [],
    )


def _weights(tables: list[Path]) -> dict[tuple[str, str], list[Row]]:
    """Rows of all seeds by method and modalities."""
    found: dict[tuple[str, str], list[Row]] = {}
    for path in tables:
        about = read_metadata(path)
        found.setdefault((about["method"], about["modalities"]), []).extend(read_table(path, WEIGHTS))
    return found


def _without_text(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "text"}


def _training(path: Path, model: Row) -> Training:
    return Training(TrainedModel(**model), _lines(path))


def _lines(path: Path) -> list[Row]:
    """JSON objects, one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
