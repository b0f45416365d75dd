"""Answers of all shards as predictions: one table for a model, granularity, prompt and calibration."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from waver.datasets.answers import read_answers
from waver.datasets.folds import Folding, folds_of
from waver.errors import WaverError
from waver.io.predictions import Item, frames_of, prediction_table
from waver.io.tables import (
    PACK_INDEX,
    PREDICTIONS,
    PROMPT_ANSWERS,
    read_arrow,
    read_metadata,
    read_table,
    read_tables,
    write_arrow,
)
from waver.zeroshot.answers import Policy, check_parsable, decided, majorities
from waver.zeroshot.records import RANDOM, AnswerMode, Condition, PromptedModel, Weights, ZeroShotRecord, window_of
from waver.zeroshot.windows import Window, frame_margins

log = logging.getLogger(__name__)

Doubles = npt.NDArray[np.float64]

CERTAIN = 10.0
"""Margin of an answer that is a word and has no probability."""
_WEIGHTS: dict[str, Weights] = {"tiny": RANDOM, "embedded": "packaged"}


@dataclass(frozen=True)
class PromptAnswers:
    """The answers to one prompt.

    Attributes:
        table: PROMPT_ANSWERS rows, one a video or window.
        calls: of the model; two a row where a prompt was asked with its options in both orders.
        differing: rows whose answer is another one in the other order; None where there is one order.
        content_free: margin about nothing, of each row; None where that was not asked.
        about: metadata of one of the shards; they differ in what they excluded alone.
    """

    table: pa.Table
    calls: int
    differing: int | None
    content_free: Doubles | None
    about: Mapping[str, Any]

    def column(self, name: str) -> npt.NDArray[Any]:
        """Values of a column; nan in the place of null."""
        values: npt.NDArray[Any] = self.table[name].to_numpy(zero_copy_only=False)
        return values


def predict_answers(
    tables: Sequence[Path],
    packs: Sequence[Path],
    name: str,
    granularity: str,
    prompt: str,
    folding: tuple[int, Folding] | None,
    policy: tuple[Policy, int],
    outputs: Mapping[str, Path],
    known: Mapping[str, Any],
    record: Mapping[str, Any],
    answers: Sequence[Path] = (),
) -> None:
    """Write the predictions of a model for one prompt (rule ``zeroshot_predict``).

    A window's answer is that of all its frames, see ``waver.zeroshot.windows``; a video of which a window has no
    answer has no predictions.

    Args:
        tables: PROMPT_ANSWERS tables of all shards.
        packs: PACK_INDEX tables, whose videos' frames are predicted; read where there are windows.
        name: of the model, as paths call it.
        granularity: ``video``, or ``w8`` for windows of 8 frames.
        prompt: its id.
        folding: number of folds and who is held out together, where people of train and val are scored in
            cross-validation; nobody learns from anybody.
        policy: what a written answer counts as that is neither of the two, and what it does in the model's own code.
        outputs: ``<calibration>_predictions`` (val, test) and, with ``folding``, ``<calibration>_folds`` (train, val).
        known: what ``ZeroShotRecord`` has from the config.
        record: ``model_set``, ``code``, ``config`` and ``modalities``, copied into the metadata; random weights are a
            set of their own.
        answers: ANSWERS tables, whose people of train and val are dealt out to the folds, as for every other method,
            whoever of them has an answer here; read with ``folding``.

    Raises:
        WaverError: too many answers are neither of the two.
    """
    found, window = _read(tables, prompt), window_of(granularity)
    labels = _labels(found, *policy)
    lengths = None if window is None else _lengths(packs)
    for output, path in outputs.items():
        calibration, _, kind = output.rpartition("_")
        model = PromptedModel.of(name)
        condition = Condition(model.method, prompt, window, calibration)
        about = ZeroShotRecord(**{**known, **_measured(found), "model": model.method, "calibration": calibration})
        metadata = {**record, "method": condition.method, "level": condition.level, "seed": model.seed or 0}
        if about.weights == RANDOM:
            metadata["model_set"] = about.weights  # tables of scores show it beside the score
        metadata |= {"zeroshot": about.model_dump(), "protocol": "cv" if kind == "folds" else "standard"}
        kept = np.isin(found.column("split"), ["train", "val"] if kind == "folds" else ["val", "test"])
        known_folds = folding if kind == "folds" else None
        if known_folds and model.seed is not None:  # it has learned from those who would be held out
            known_folds, kept = None, np.zeros_like(kept)
        fold_of = folds_of(_learned_from(answers), *known_folds) if known_folds else None
        write_arrow(path, _table(found, _margins(found, labels, calibration), kept, lengths, fold_of), metadata)


def _learned_from(answers: Sequence[Path]) -> list[str]:
    """Participants of train and val, of whom models that learn would learn."""
    return [answer.participant for answer in read_answers(answers) if answer.split in ("train", "val")]


def spread_over_frames(predictions: Path, packs: Sequence[Path], output: Path) -> None:
    """Write the answers about whole videos as those of each of their frames (rule ``zeroshot_spread``).

    Args:
        predictions: PREDICTIONS of whole videos.
        packs: PACK_INDEX tables; a video without a pack is left out.
        output: PREDICTIONS of frames to write; no call was made for them.
    """
    about, lengths = read_metadata(predictions), _lengths(packs)
    rows = [row for row in read_table(predictions, PREDICTIONS) if row["video"] in lengths]
    counts = [lengths[row["video"]] for row in rows]
    margins = np.repeat(np.array([row["margin"] for row in rows], np.float64), counts)
    items = [(row["video"], row["participant"], row["split"]) for row in rows]
    table = prediction_table(items, margins, counts, frames_of(counts), [row["fold"] for row in rows])
    write_arrow(output, table, {**about, "level": "frame", "zeroshot": {**about["zeroshot"], "calls": 0}})


def _read(paths: Sequence[Path], prompt: str) -> PromptAnswers:
    calls, joined, nothing, about = [], [], [], {}
    for path in paths:
        table = read_arrow(path, PROMPT_ANSWERS)
        calls.append(table.filter(pc.equal(table["prompt"], prompt)))
        joined.append(in_one_row(calls[-1]))
        about = read_metadata(path)
        margin = about.get("content_free", {}).get(prompt)
        nothing.append(np.full(len(joined[-1]), np.nan if margin is None else margin))
    margins, of_prompt = np.concatenate(nothing), pa.concat_tables(calls)
    content_free = None if np.isnan(margins).any() else margins
    differing = _differing(of_prompt, about["decoding"] == "score")
    return PromptAnswers(pa.concat_tables(joined), len(of_prompt), differing, content_free, about)


def _differing(table: pa.Table, scored: bool) -> int | None:
    """Items of one prompt that get another answer in the other order of its options; None where there is one order.

    Args:
        table: PROMPT_ANSWERS rows of one prompt.
        scored: the answer is the more probable one; else that which was written, where it is one.
    """
    if _items(table) == len(table):
        return None
    answers: dict[tuple[Any, Any], set[Any]] = defaultdict(set)
    for row in table.to_pylist():
        answers[row["video"], row["start_frame"]].add(row["positive"] > row["negative"] if scored else row["parsed"])
    return sum(len(own - {None}) > 1 for own in answers.values())


def in_one_row(table: pa.Table) -> pa.Table:
    """PROMPT_ANSWERS rows of one prompt, those of one item in both orders of its options as one.

    Log probabilities are their means, so that a margin that follows a letter cancels out; a written answer counts where
    both are alike. Tokens and seconds are those of one call.
    """
    if _items(table) == len(table):
        return table
    items: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        items[row["video"], row["start_frame"]].append(row)
    return pa.Table.from_pylist([_joined(rows) for rows in items.values()], table.schema)


def _items(table: pa.Table) -> int:
    """Videos or windows that PROMPT_ANSWERS rows are about."""
    return len(table.group_by(["video", "start_frame"]).aggregate([]))


def _joined(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    def mean(name: str) -> float | None:
        known = [row[name] for row in rows if row[name] is not None]
        return sum(known) / len(known) if len(known) == len(rows) else None

    means = {name: mean(name) for name in ("negative", "positive", "mass", "seconds")}
    labels = {row["parsed"] for row in rows}
    parsed = labels.pop() if len(labels) == 1 else None
    return {**rows[0], **means, "tokens": round(mean("tokens") or 0), "parsed": parsed}


def _labels(found: PromptAnswers, policy: Policy, as_released: int) -> list[int | None] | None:
    """What was written, as labels; None where answers are scores."""
    if found.about["decoding"] == "score":
        return None
    parsed = found.table["parsed"].to_pylist()
    check_parsable(parsed.count(None), len(parsed), policy, found.differing or 0)
    scores = found.column("positive") - found.column("negative")
    usual = majorities(parsed, found.table["split"].to_pylist(), found.table["participant"].to_pylist())
    return decided(parsed, policy, scores.tolist(), as_released, usual)


def _margins(found: PromptAnswers, labels: Sequence[int | None] | None, calibration: str) -> Doubles:
    """Margin of each row, float64 [n]; nan where it is left out.

    Raises:
        WaverError: the calibration is contextual and nothing was asked about nothing.
    """
    if labels is not None:
        return np.array([np.nan if label is None else CERTAIN * (2 * label - 1) for label in labels], np.float64)
    margins: Doubles = found.column("positive") - found.column("negative")
    if calibration == "none":
        return margins
    if found.content_free is None:
        raise WaverError("zeroshot.calibration is contextual, and the answers lack the score about nothing; ask again")
    return margins - found.content_free


def _measured(found: PromptAnswers) -> dict[str, Any]:
    """What ``ZeroShotRecord`` has from the answers."""
    model, count = found.about["model"], len(found.table)
    mass = found.column("mass").astype(float)
    mode: AnswerMode = found.about["decoding"]
    neither = found.table["parsed"].null_count - (found.differing or 0)
    return {
        "revision": found.about["key"],
        "weights": _WEIGHTS.get(found.about["set"], "real"),
        "dtype": model.get("dtype", ""),
        "quantisation": model.get("quantisation", "none"),
        "adapter": model.get("adapter", ""),
        "answers": mode,
        "calls": found.calls,
        "unparsable": None if mode == "score" or not count else neither / count,
        "order_disagreement": None if found.differing is None or not count else found.differing / count,
        "label_mass": None if np.isnan(mass).all() else float(np.nanmedian(mass)),
        "seconds_per_call": float(found.column("seconds").mean()) if count else None,
        "tokens_per_call": float(found.column("tokens").mean()) if count else None,
    }


def _lengths(packs: Sequence[Path]) -> dict[str, int]:
    """Frames of each video that are scored."""
    return {row["video"]: row["frames"] for row in read_tables(packs, PACK_INDEX) if row["status"] == "ok"}


def _table(
    found: PromptAnswers,
    margins: Doubles,
    kept: npt.NDArray[np.bool_],
    lengths: Mapping[str, int] | None,
    fold_of: Mapping[str, int] | None,
) -> pa.Table:
    """PREDICTIONS rows of some of the answers."""
    names = zip(*(found.column(name)[kept] for name in ("video", "participant", "split")), strict=True)
    items = [(str(video), str(person), str(split)) for video, person, split in names]
    if lengths is None:
        there = ~np.isnan(margins[kept])
        chosen = [item for item, one in zip(items, there, strict=True) if one]
        return prediction_table(chosen, margins[kept][there], fold=_folds(chosen, fold_of))
    spans = zip(found.column("start_frame")[kept], found.column("end_frame")[kept], margins[kept], strict=True)
    of_video: dict[Item, list[tuple[int, int, float]]] = defaultdict(list)
    for item, (start, end, margin) in zip(items, spans, strict=True):
        of_video[item].append((int(start), int(end), float(margin)))
    tracks = {item: _track(own, lengths[item[0]]) for item, own in of_video.items() if item[0] in lengths}
    complete = {item: track for item, track in tracks.items() if not np.isnan(track).any()}
    if len(complete) < len(of_video):
        log.warning(
            "%d videos are left out: they have no pack, or a window without an answer", len(of_video) - len(complete)
        )
    counts = [len(track) for track in complete.values()]
    margin = np.concatenate([np.zeros(0), *complete.values()])
    return prediction_table([*complete], margin, counts, frames_of(counts), _folds([*complete], fold_of))


def _track(windows: Sequence[tuple[int, int, float]], frames: int) -> Doubles:
    """Margins of a video's frames, as many as are scored, of its windows."""
    cut = [Window(start, end, np.zeros(0, np.int32)) for start, end, _ in windows]
    margins = frame_margins(cut, np.array([margin for *_, margin in windows]), max(end for _, end, _ in windows))
    return margins[:frames]


def _folds(items: Sequence[Item], fold_of: Mapping[str, int] | None) -> list[int] | None:
    return None if fold_of is None else [fold_of[person] for _, person, _ in items]
