"""The one walk over target participants: split, hand out what a method may see, adapt, predict T_te."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from waver.adaptation.contracts import (
    Adapter,
    Features,
    LabelledTargetView,
    Labels,
    Needs,
    SourceModel,
    SourceView,
    TargetView,
    predict,
)
from waver.adaptation.protocol import Guard, Ints, split_frames, split_hash
from waver.adaptation.registry import METHODS
from waver.adaptation.source import Source, labelled, load_source, read_source_view
from waver.config.sections import AdaptConfig
from waver.errors import SetAside, WaverError
from waver.models.registry import load, method_config
from waver.provenance import seed_for
from waver.store.predictions import prediction_table
from waver.store.tables import write_arrow
from waver.store.whole import written_whole
from waver.training.corpus import VideoSample, read_corpus

log = logging.getLogger(__name__)

PROTOCOL_SEED = 0
"""Frames are split alike for every method and seed: what differs between rows is never the test frames."""

Split = Mapping[str, Ints]


@dataclass(frozen=True)
class Target:
    """All frames of one participant, by video id, then time.

    Attributes:
        participant: participant id.
        videos: video ids, sorted.
        features: float32 [N, D], normalised.
        labels: uint8 [N].
        video: int32 [N], number of the frame's video in ``videos``.
        frame: int32 [N], frame on the 24 fps clock.
    """

    participant: str
    videos: tuple[str, ...]
    features: Features
    labels: Labels
    video: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Result:
    """Predictions of T_te and what is known of how they came about.

    Attributes:
        target: the participant.
        test: int64 [M], rows of T_te.
        logits: float64 [M, 2].
        diagnostics: one line of the diagnostics file.
    """

    target: Target
    test: Ints
    logits: npt.NDArray[np.float64]
    diagnostics: dict[str, Any]


def adapt_targets(
    indexes: list[Path],
    packs: Path,
    source: Path,
    method: str,
    protocol: str,
    guard: Guard,
    seed: int,
    config: AdaptConfig,
    predictions: Path,
    record: dict[str, Any],
    source_indexes: Sequence[Path] = (),
) -> None:
    """Adapt to each test-split participant of the indexes alone, and predict that participant's T_te.

    A participant without a frame of A/H, or too short for the split, is left out with its reason
    (population of the dataset paper, appendix E.3). Beside the predictions, ``<predictions>.diagnostics.jsonl``
    gets a line for each participant: frames in the six cells, hash of the split, seconds, optimiser
    steps, share of T_te predicted positive by the source model and by the adapted one; or why the
    participant was left out.

    Args:
        indexes: index tables of the packs whose test-split participants are the targets.
        packs: folder of the packs.
        source: source model.
        method: name in METHODS.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        seed: of the method; the split does not depend on it.
        config: modalities and options.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions; method, modalities, level, protocol, seed and guard are set here.
        source_indexes: index tables with the train split, for methods that need source frames.

    Raises:
        WaverError: the source model has other modalities, or source frames are needed and missing.
    """
    adapter = build_adapter(method, config.options.get(method, {}))
    start = _load_source(source, config.modalities)
    frames = _source_frames(adapter.needs, source_indexes, packs, start)
    results, left_out = [], []
    for target in read_targets(indexes, packs, start):
        try:
            split = split_population(target, protocol, guard.seconds)
        except SetAside as problem:
            log.warning("%s left out: %s", target.participant, problem)
            left_out.append({"participant": target.participant, "left_out": problem.reason})
            continue
        own_seed = seed_for(seed, "adapt", method, protocol, target.participant)
        results.append(adapt_one(adapter, start.model, target, split, frames, own_seed))
    _write_lines(Path(f"{predictions}.diagnostics.jsonl"), [*(r.diagnostics for r in results), *left_out])
    own = {"method": method, "modalities": config.modalities, "level": "frame", "protocol": protocol, "seed": seed}
    apart = {"guard_s": guard.seconds, "beyond": list(guard.beyond)} if protocol == "block" else {}
    write_arrow(predictions, _table(results), {**record, **own, **apart})
    log.info("%s, %s: %d participants adapted, %d left out", method, protocol, len(results), len(left_out))


def build_adapter(method: str, options: Mapping[str, Any]) -> Adapter[Any]:
    """A method of METHODS with its own config.

    Raises:
        WaverError: unknown method or option.
    """
    adapter: Adapter[Any] = load(METHODS, method)(method_config(METHODS, method, options))
    return adapter


def read_targets(indexes: Sequence[Path], packs: Path, source: Source) -> list[Target]:
    """Participants of the test split with labelled frames, by their ids."""
    samples = read_corpus(indexes, packs, source.modalities, ("test",))
    for sample in samples:
        if not sample.labelled:
            log.warning("%s has no frame labels and is not used", sample.video)
    by_participant: dict[str, list[VideoSample]] = {}
    for sample in sorted(labelled(samples), key=lambda sample: sample.video):
        by_participant.setdefault(sample.participant, []).append(sample)
    return [_target(participant, by_participant[participant], source) for participant in sorted(by_participant)]


def _target(participant: str, samples: Sequence[VideoSample], source: Source) -> Target:
    lengths = [sample.frames for sample in samples]
    return Target(
        participant,
        tuple(sample.video for sample in samples),
        np.concatenate([source.features(sample) for sample in samples]),
        np.concatenate([sample.label for sample in samples]),
        np.repeat(np.arange(len(samples), dtype=np.int32), lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
    )


def split_population(target: Target, protocol: str, guard_s: float) -> dict[str, Ints]:
    """The split of one participant.

    Raises:
        SetAside: the participant does not belong to the population scored, or cannot be split.
    """
    if not target.labels.any():
        raise SetAside("it has no frame with A/H", "such participants are not part of the scored population")
    video = np.asarray(target.videos)[target.video]
    split = split_frames(target.labels, video, protocol, target.participant, PROTOCOL_SEED, guard_s)
    if not target.labels[split["test"]].any():
        raise SetAside("no frame with A/H falls into its test part", "it has too few of them to be scored")
    if len(split["train"]) < 2 or not len(split["val"]):
        raise SetAside("its recordings leave nothing to adapt on", "use the protocol frame_random")
    return split


def target_view(needs: Needs, target: Target, split: Split) -> TargetView:
    """What a method may see of a participant: fresh read-only arrays of the rows allowed, and no more."""
    rows = split["test" if needs.stream else "train"]
    seen = (_own(target.features, rows), _own(target.video, rows), _own(target.frame, rows))
    if not needs.target_labels:
        return TargetView(*seen)
    if needs.stream:
        raise ValueError("a method that reads the test stream must not see labels")
    val = split["val"]
    return LabelledTargetView(*seen, _own(target.labels, rows), _own(target.features, val), _own(target.labels, val))


def _own(values: npt.NDArray[Any], rows: Ints) -> npt.NDArray[Any]:
    # indexing by rows copies, so that no view leads back to the participant's other frames
    chosen = values[rows]
    chosen.setflags(write=False)
    return chosen


def adapt_one(
    adapter: Adapter[Any],
    model: SourceModel,
    target: Target,
    split: Split,
    source: SourceView | None,
    seed: int,
) -> Result:
    """Adapt to one participant and predict T_te."""
    test = torch.from_numpy(target.features[split["test"]])
    before = predict(model, test)
    steps, started = model.steps, time.perf_counter()
    adapted = adapter.adapt(model, target_view(adapter.needs, target, split), source, seed)
    seconds = time.perf_counter() - started
    logits = predict(adapted, test)
    if not bool(torch.isfinite(logits).all()):
        raise WaverError(
            f"adaptation to {target.participant} gave values that are not finite; "
            "lower the method's lr in adapt.options"
        )
    diagnostics = {
        "participant": target.participant,
        **_cells(target, split),
        "split_hash": split_hash(split),
        "seconds": round(seconds, 3),
        "steps": adapted.steps - steps,
        "predicted_positive_before": _positive_rate(before),
        "predicted_positive_after": _positive_rate(logits),
    }
    return Result(target, split["test"], logits.double().numpy(), diagnostics)


def _cells(target: Target, split: Split) -> dict[str, int]:
    return {
        f"{name}_{kind}": int((target.labels[rows] == value).sum())
        for name, rows in split.items()
        for kind, value in (("positives", 1), ("negatives", 0))
    }


def _positive_rate(logits: torch.Tensor) -> float:
    return float((logits[:, 1] > logits[:, 0]).float().mean())


def _load_source(path: Path, modalities: str) -> Source:
    source = load_source(path)
    if source.modalities != modalities:
        raise WaverError(f"{path} was trained on {source.modalities}, the config asks for {modalities}; train it again")
    return source


def _source_frames(needs: Needs, indexes: Sequence[Path], packs: Path, source: Source) -> SourceView | None:
    if not needs.source:
        return None
    if not indexes:
        raise WaverError(f"the method needs frames of the train split; name all index tables of {packs}")
    return read_source_view(indexes, packs, source)


def _table(results: Sequence[Result]) -> pa.Table:
    logits = np.concatenate([np.zeros((0, 2)), *(result.logits for result in results)])
    margin = logits[:, 1] - logits[:, 0]
    owners = [(r.target, number) for r in results for number in r.target.video[r.test].tolist()]
    items = [(target.videos[number], target.participant, "test") for target, number in owners]
    frame = np.concatenate([np.zeros(0, np.int32), *(r.target.frame[r.test] for r in results)])
    return prediction_table(items, margin, frame=frame)


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with written_whole(path) as file:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
