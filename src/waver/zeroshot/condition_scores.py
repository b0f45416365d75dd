"""What the answers of a model are worth beyond its score: whether they vary, what they weigh, and a threshold from val.

Hard answers hide that a prompt gets one answer whatever is shown. So each condition has the share of its items that are
called A/H, a mark where nearly all get one answer, and AVGF1 at .5 beside AVGF1 at the threshold that is best on val.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from waver.config.sections import EvaluateConfig
from waver.errors import WaverError
from waver.evaluation import metrics
from waver.evaluation.bootstrap import Sample, interval
from waver.evaluation.labels import frame_truth, video_truth
from waver.evaluation.method_tables import SPLITS, Table, arrange
from waver.evaluation.paired_resamples import Paired
from waver.evaluation.predictions import Method, Predicted, read_predictions
from waver.io.tables import read_metadata, write_table
from waver.io.zarr_store import Array
from waver.zeroshot.records import ZeroShotRecord, zero_shot_record

COLLAPSED = 0.02
"""Least share of items of either answer; below it a condition tells nearly all items the same."""
LEVELS = ("frame", "video")

Row = dict[str, Any]


def _field(name: str, kind: pa.DataType, meaning: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


CONDITIONS = pa.schema(
    [
        _field("method", pa.string(), "as in the scores", False),
        _field("modalities", pa.string(), "letters", False),
        _field("level", pa.string(), "frame or video", False),
        _field("split", pa.string(), "val, test or cv", False),
        _field("model", pa.string(), "name of the model", False),
        _field("revision", pa.string(), "commit, file sum or name of its weights", False),
        _field("weights", pa.string(), "tiny random, packaged or real", False),
        _field("prompt_set", pa.string(), "set of the prompt", False),
        _field("prompt", pa.string(), "id of the prompt", False),
        _field("label", pa.string(), "label of the prompt", False),
        _field("window", pa.int32(), "frames of a window; null: whole videos"),
        _field("calibration", pa.string(), "none or contextual", False),
        _field("transcript", pa.string(), "style of the transcript; empty where the prompt has none", False),
        _field("answers", pa.string(), "score, generate or constrained", False),
        _field("quantisation", pa.string(), "of the weights", False),
        _field("calls", pa.int64(), "calls of the model, all splits", False),
        _field("seconds_per_call", pa.float64(), "mean wall time"),
        _field("tokens_per_call", pa.float64(), "mean tokens of a prompt"),
        _field("label_mass", pa.float64(), "median over shards, weighted by calls, of their medians"),
        _field("unparsable", pa.float64(), "share of the written answers that are neither; null of scores"),
        _field("order_disagreement", pa.float64(), "share of the answers that differ between orders of options"),
        _field("n", pa.int64(), "items scored", False),
        _field("participants", pa.int32(), "people scored", False),
        _field("positive_share", pa.float64(), "share of the items called A/H at .5; null of few people"),
        _field("collapsed", pa.bool_(), "nearly all items get one answer at .5; null of few people"),
        _field("AVGF1", pa.float64(), "at .5; null of few people"),
        _field("low", pa.float64(), "2.5 % of the participant bootstrap"),
        _field("high", pa.float64(), "97.5 % of the participant bootstrap"),
        _field("threshold", pa.float64(), "probability above which AVGF1 is highest on val; null on val and cv"),
        _field("AVGF1_tuned", pa.float64(), "at that threshold; null as it, and of few people"),
        _field("low_tuned", pa.float64(), "2.5 % of the participant bootstrap, the threshold held"),
        _field("high_tuned", pa.float64(), "97.5 % of the participant bootstrap, the threshold held"),
        _field("positive_share_tuned", pa.float64(), "share of the items called A/H there"),
    ]
)
"""One row per condition, level and split. Nothing in it is of a single person."""

_OF_PEOPLE = tuple(CONDITIONS.names[CONDITIONS.names.index("positive_share") :])


def score_conditions(
    predictions: Sequence[Path],
    indexes: Sequence[Path],
    packs: Path,
    answers: Sequence[Path],
    config: EvaluateConfig,
    output: Path,
) -> None:
    """Write CONDITIONS rows of the predictions of models that were asked (rule ``zeroshot_conditions``).

    Args:
        predictions: their predictions files.
        indexes: pack index of every shard.
        packs: folder of the packs.
        answers: ANSWERS tables, for the video labels.
        config: bootstrap, video-level rule, least size of a group.
        output: Parquet file to write.

    Raises:
        WaverError: a file says nothing about how its model was asked, or does not fit the packs.
    """
    truths = {"frame": frame_truth(indexes, packs, SPLITS), "video": video_truth(answers, SPLITS)}
    records = records_of(predictions)
    found = read_predictions(predictions, truths)
    tables = list(arrange(found, truths, config.window_frames, config.video_rule))
    write_table(output, condition_rows(tables, records, config), CONDITIONS)


def records_of(predictions: Sequence[Path]) -> dict[tuple[str, str], ZeroShotRecord]:
    """Method and protocol -> record of all its files together.

    Raises:
        WaverError: a file has no record.
    """
    parts: dict[tuple[str, str], list[ZeroShotRecord]] = defaultdict(list)
    for path in predictions:
        about = read_metadata(path)
        record = zero_shot_record(about)
        if record is None:
            raise WaverError(f"{path} does not say how its model was asked; delete it and run again")
        if about["level"] == record.condition.level:  # else the same answers, as those of frames
            parts[about["method"], about["protocol"]].append(record)
    return {name: _together(records) for name, records in parts.items()}


def _together(records: Sequence[ZeroShotRecord]) -> ZeroShotRecord:
    calls = np.array([record.calls for record in records])
    means = {name: _mean([getattr(record, name) for record in records], calls)
             for name in ("unparsable", "order_disagreement", "seconds_per_call", "tokens_per_call")}  # fmt: skip
    masses = [(record.label_mass, count) for record, count in zip(records, calls, strict=True)
              if record.label_mass is not None and count]  # fmt: skip
    mass = float(np.median(np.repeat(*map(np.array, zip(*masses, strict=True))))) if masses else None
    return records[0].model_copy(update={**means, "label_mass": mass, "calls": int(calls.sum())})


def _mean(values: Sequence[float | None], calls: Array) -> float | None:
    known = [(value, count) for value, count in zip(values, calls, strict=True) if value is not None and count]
    return sum(value * count for value, count in known) / sum(count for _, count in known) if known else None


def condition_rows(
    tables: Sequence[Table], records: Mapping[tuple[str, str], ZeroShotRecord], config: EvaluateConfig
) -> Iterator[Row]:
    """CONDITIONS rows of tables at frame and video level.

    Args:
        tables: of ``method_tables.arrange``; thresholds for test are from the table of val.
        records: method and protocol -> record; other methods have no row.
        config: resamples, least size of a group.
    """
    best = dict(_best_thresholds(tables, config))
    for table in (table for table in tables if table.level in LEVELS):
        paired = Paired(table, config)
        for predicted in table.methods:
            record = records.get((predicted.name.method, predicted.name.protocol))
            if record is not None:
                threshold = best.get((predicted.name, table.level)) if table.split == "test" else None
                yield _row(paired, predicted, record, threshold, config.least_group)


def _row(paired: Paired, predicted: Predicted, record: ZeroShotRecord, threshold: float | None, least: int) -> Row:
    table, sample = paired.table, paired.sample(predicted, predicted.item)
    people = len(np.unique(sample.participant))
    known = record.model_dump()
    row = {name: known[name] for name in CONDITIONS.names if name in known} | {
        "method": predicted.name.method, "modalities": predicted.name.modalities, "level": table.level,
        "split": table.split, "n": len(sample.label), "participants": people,
    }  # fmt: skip
    if people < least:
        return row | dict.fromkeys(_OF_PEOPLE)
    share, *scores = _scored(paired, predicted)
    row |= dict(zip(("AVGF1", "low", "high"), scores, strict=True))
    row |= {"positive_share": share, "collapsed": min(share, 1 - share) < COLLAPSED}
    tuned = (None,) * 4 if threshold is None else _scored(paired, _moved(predicted, threshold))
    names = ("positive_share_tuned", "AVGF1_tuned", "low_tuned", "high_tuned")
    probability = None if threshold is None else float(1 / (1 + np.exp(-threshold)))
    return row | dict(zip(names, tuned, strict=True)) | {"threshold": probability}


def _scored(paired: Paired, predicted: Predicted) -> tuple[float, float | None, float | None, float | None]:
    """Share called A/H, and AVGF1 with its interval."""
    sample = paired.sample(predicted, predicted.item)
    cells = metrics.confusion_cells(sample.probability, sample.label) + 4 * sample.participant
    counts = np.bincount(cells, minlength=4 * sample.participants).reshape(-1, 4).astype(np.float64)
    values = interval(metrics.avgf1_of(paired.weights @ counts))
    value, low, high = (number if np.isfinite(number) else None for number in values)
    return float((sample.probability > 0.5).mean()), value, low, high


def _moved(predicted: Predicted, threshold: float) -> Predicted:
    """The predictions with a margin of ``threshold`` at a probability of .5."""
    return replace(predicted, probability=np.exp(-np.logaddexp(0, threshold - predicted.margin)))


def _best_thresholds(tables: Sequence[Table], config: EvaluateConfig) -> Iterator[tuple[tuple[Method, str], float]]:
    """Margins above which AVGF1 is highest on val; none where one class is missing or people are few."""
    for table in tables:
        if table.split != "val" or table.level not in LEVELS:
            continue
        paired = Paired(table, config)
        for predicted in table.methods:
            sample = paired.sample(predicted, predicted.item)
            if len(np.unique(sample.participant)) >= config.least_group and len(np.unique(sample.label)) == 2:
                yield (predicted.name, table.level), best_threshold(predicted.margin, sample)


def best_threshold(margin: Array, sample: Sample) -> float:
    """The margin above which A/H is called so that AVGF1 is highest; of several, the one nearest to 0.

    Args:
        margin: float64 [n].
        sample: the same items, for their labels.
    """
    order = np.argsort(-margin, kind="stable")
    ranked, label = margin[order], sample.label[order].astype(np.float64)
    # a cut after each item that differs from the next one, and before the first: between margins, or beyond all
    last = np.flatnonzero(np.append(ranked[:-1] > ranked[1:], True))
    edges = np.append(ranked, ranked[-1] - 2.0)
    cuts = np.append(ranked[0] + 1.0, (edges[last] + edges[last + 1]) / 2)
    true = np.append(0.0, np.cumsum(label)[last])
    called = np.append(0.0, last + 1.0)
    counts = np.column_stack([true, called - true, label.sum() - true, len(label) - called - (label.sum() - true)])
    score = metrics.avgf1_of(counts)
    best = np.flatnonzero(score >= score.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best]).argmin()]])
