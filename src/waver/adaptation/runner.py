"""The loop over target participants: split, pass what a method may see, adapt, predict T_te."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from waver.adaptation.base import (
    LabelledTargetView,
    Needs,
    Network,
    SourceView,
    TargetView,
)
from waver.adaptation.participants import Person, Result, Split, Target, adapt_each, copied, scored
from waver.adaptation.protocol import Guard
from waver.adaptation.selection import EpochsConfig, best_epoch
from waver.adaptation.source_model import Source, labelled, load_sources, read_source_view
from waver.adaptation.streaming import predict_stream
from waver.adaptation.target_frames import by_participant, target_of
from waver.adaptation.trace import labels_trace, noted, watched
from waver.config.sections import AdaptConfig
from waver.errors import WaverError
from waver.records import load, method_config
from waver.registry import ADAPTATIONS
from waver.training.corpus import read_corpus

log = logging.getLogger(__name__)


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
    only: Sequence[str] | None = None,
) -> None:
    """Adapt to each target participant of the indexes alone, and predict that participant's T_te.

    A participant without a frame of A/H, or too short for the split, is left out with its reason
    (population of the dataset paper, appendix E.3). Beside the predictions, ``<predictions>.diagnostics.jsonl``
    gets a line for each participant, see ``participants.scored``; or why the participant was left out.

    Args:
        indexes: index tables of the packs whose participants of the split ``config.targets`` are the targets, or
            those of train and val in a cross-validation.
        packs: folder of the packs.
        source: source model, or those of a cross-validation.
        method: name in ADAPTATIONS.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        seed: of the method; the split does not depend on it.
        config: targets, modalities (of one source model) and options.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions; method, modalities, level, protocol, seed and guard are set here.
        source_indexes: index tables with the train split, for methods that need source frames.
        only: participants who are adapted to; None: all of the split.

    Raises:
        WaverError: the source model has other modalities, or source frames are needed and missing.
    """
    adapter = build_adapter(method, config.options.get(method, {}))
    starts = {start.fold: start for start in _load_sources(source, config.input)}

    @lru_cache(maxsize=1)  # the participants come fold by fold
    def frames(fold: int | None) -> SourceView | None:
        return _source_frames(adapter.needs, source_indexes, packs, starts[fold])

    def adapt(people: Sequence[Person]) -> Iterator[Result]:
        for target, split, own_seed in people:
            yield adapt_one(adapter, starts[target.fold].model, target, split, frames(target.fold), own_seed)

    targets = read_targets(indexes, packs, list(starts.values()), config.target_splits)
    own = {"method": method, "modalities": config.input, "seed": seed, "network": "bottleneck"}
    adapt_each(targets, adapt, protocol, guard, predictions, {**record, **own}, only)


def build_adapter(method: str, options: Mapping[str, Any]) -> Any:
    """A method of ADAPTATIONS with its own config: an OnlineAdapter if it needs the stream, else an Adapter.

    Raises:
        WaverError: unknown method or option.
    """
    return load(ADAPTATIONS, method)(method_config(ADAPTATIONS, method, options))


def read_targets(
    indexes: Sequence[Path], packs: Path, sources: Sequence[Source], splits: Sequence[str] = ("test",)
) -> list[Target]:
    """Participants with labelled frames whom a source model is the start for, model by model, by their ids."""
    samples = read_corpus(indexes, packs, sources[0].modalities, splits)
    for sample in samples:
        if not sample.labelled:
            log.warning("%s has no frame labels and is not used", sample.video)
    people = by_participant(labelled(samples))
    return [
        target_of(own, list(map(source.features, own)), [one.label for one in own], own[0].split, source.fold)
        for source in sources
        for participant, own in people.items()
        if source.fold is None or participant in source.held_out
    ]


def target_view(needs: Needs, target: Target, split: Split) -> TargetView:
    """What a method may see of a participant: fresh read-only arrays of the rows allowed, and no more."""
    rows = split["test" if needs.stream else "train"]
    seen = (copied(target.features, rows), copied(target.video, rows), copied(target.frame, rows))
    if not needs.target_labels:
        return TargetView(*seen)
    if needs.stream:
        raise ValueError("a method that reads the test stream must not see labels")
    held_out = (copied(target.features, split["val"]), copied(target.labels, split["val"]))
    return LabelledTargetView(*seen, copied(target.labels, rows), *held_out)


def adapt_one(
    adapter: Any,
    model: Network,
    target: Target,
    split: Split,
    source: SourceView | None,
    seed: int,
    view_of: Callable[[Needs, Target, Split], TargetView] | None = None,
) -> Result:
    """Adapt to one participant and predict T_te.

    Args:
        adapter: an Adapter or an OnlineAdapter.
        model: the network that it starts from.
        target: the participant.
        split: rows of the subsets.
        source: source frames where the method needs them.
        seed: of everything drawn.
        view_of: what the network can be given of the rows that the method may see; None: ``target_view``.

    Raises:
        WaverError: the method gave values that are not finite.
    """
    view_of = view_of or target_view
    view, test = view_of(adapter.needs, target, split), view_of(Needs(stream=True), target, split)
    held_out = [view_of(Needs(stream=True), target, {**split, "test": split["val"]})] if _by_labels(adapter) else []
    before = test.predict(model)
    started, (seen, *on_val) = time.perf_counter(), watched(model, test, *held_out)
    recorded = noted(model, seen)
    if adapter.needs.stream:
        logits, steps, passed = predict_stream(adapter, model, view, source, seed)
        seconds, chosen = time.perf_counter() - started, passed.points()
    else:
        adapted = adapter.adapt(model, view, source, seed)
        seconds = time.perf_counter() - started
        logits, steps = test.predict(adapted), adapted.steps - model.steps
        for val in on_val:
            logits = seen[best_epoch(val, target.labels[split["val"]])]
        chosen = labels_trace(recorded, len(seen), view, target.labels[split["train"]])
    model.watch = model.note = None
    return scored(target, split, before, logits, steps, seconds, seen, chosen)


def _by_labels(adapter: Any) -> bool:
    """Whether labels of T_va, which the method is not given, choose the epoch that predicts."""
    config = getattr(adapter, "config", None)  # a method need not keep it
    return isinstance(config, EpochsConfig) and config.select == "val_oracle"


def _load_sources(path: Path, modalities: str) -> list[Source]:
    sources = load_sources(path)
    if sources[0].modalities != modalities:
        raise WaverError(f"{path} was trained on {sources[0].modalities}, the config has {modalities}; train it again")
    return sources


def _source_frames(needs: Needs, indexes: Sequence[Path], packs: Path, source: Source) -> SourceView | None:
    if not needs.source:
        return None
    if not indexes:
        raise WaverError(f"the method needs frames of the train split; name all index tables of {packs}")
    return read_source_view(indexes, packs, source)
