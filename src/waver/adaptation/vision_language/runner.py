"""The loop over target participants for methods that adapt CLIP, and their preparation on the source."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from waver.adaptation.base import stream_batches
from waver.adaptation.participants import Person, Result, Split, Target, adapt_each, scored
from waver.adaptation.protocol import Guard
from waver.adaptation.runner import build_adapter
from waver.adaptation.trace import Chosen
from waver.adaptation.vision_language.base import Fitted, Start, start_of
from waver.adaptation.vision_language.targets import FrameReader, FrameStores, read_image_targets, read_source_frames
from waver.assets.manifest import installed
from waver.config.sections import AdaptConfig
from waver.device import torch_device
from waver.models.vision_language.encoder import load_vision_language
from waver.provenance import seed_for
from waver.training.checkpoint import save_archive

log = logging.getLogger(__name__)

_WHOLE_VIDEO = 1 << 30
TOGETHER = 16
"""People adapted at once where a method sees views: those of two videos of each are in memory, some 80 MB a person."""
_READ_AT_ONCE = 32


def fit_vision_language(
    indexes: Sequence[Path],
    packs: Path,
    stores: FrameStores,
    model: Path,
    method: str,
    seed: int,
    config: AdaptConfig,
    output: Path,
) -> None:
    """Prepare a method on the train split (rule ``adapt_fit``). No target participant is read.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        stores: of the embeddings, and of the faces where the method sees pictures.
        model: ``asset.json`` of the installed CLIP.
        method: name in ADAPTATIONS.
        seed: of everything drawn.
        config: prompts and options.
        output: file to write, tensors by name.

    Raises:
        WaverError: there are no source frames with faces.
    """
    adapter, start = build_adapter(method, config.options.get(method, {})), _start(model, config)
    source = read_source_frames(indexes, packs, stores, start.encoder, adapter.sees.pictures)
    log.info("%s is prepared on %d frames", method, len(source.labels))
    # one seed for all methods: CLIP-AU and CLIP-AUTT differ by the steps alone
    save_archive(Path(output), dict(adapter.fit(start, source, seed_for(seed, "adapt fit"))))


def adapt_vision_language(
    indexes: Sequence[Path],
    packs: Path,
    stores: FrameStores,
    model: Path,
    fitted: Path | None,
    method: str,
    protocol: str,
    guard: Guard,
    seed: int,
    config: AdaptConfig,
    predictions: Path,
    record: dict[str, Any],
    only: Sequence[str] | None = None,
) -> None:
    """Adapt CLIP to each target participant of the indexes alone, frame by frame, and predict that participant's T_te.

    Population, split, predictions and ``<predictions>.diagnostics.jsonl`` are those of
    ``waver.adaptation.runner.adapt_targets``; before adaptation means CLIP with one sentence a class.

    Args:
        indexes: index tables of the packs whose participants of the split ``config.targets`` are the targets.
        packs: folder of the packs.
        stores: of what the method sees.
        model: ``asset.json`` of the installed CLIP.
        fitted: what ``fit_vision_language`` wrote, of a method that has it.
        method: name in ADAPTATIONS.
        protocol: how frames are split, see ``protocol.split_frames``.
        guard: between the subsets of a video; kept with predictions of the protocol ``block``.
        seed: of the method; the split does not depend on it.
        config: targets, prompts and options.
        predictions: Parquet file to write (PREDICTIONS, frame level).
        record: metadata of the predictions.
        only: participants who are adapted to; None: all of the split.

    Raises:
        WaverError: stores or the model cannot be read, or values are not finite.
    """
    adapter, start = build_adapter(method, config.options.get(method, {})), _start(model, config)
    prepared: Fitted = torch.load(fitted, map_location="cpu", weights_only=True) if fitted else {}

    def reader(person: Person) -> FrameReader:
        return FrameReader(person.target, stores, start.encoder, adapter.sees, person.seed)

    def adapt(people: Sequence[Person]) -> Iterator[Result]:
        if hasattr(adapter, "begin_people"):
            most = TOGETHER if adapter.sees.views else max(len(people), 1)
            for first in range(0, len(people), most):
                group = people[first : first + most]
                yield from adapt_together(adapter, start, group, [reader(person) for person in group])
        else:
            for person in people:
                yield adapt_one(adapter, start, prepared, person.target, person.split, reader(person), person.seed)

    targets = read_image_targets(indexes, packs, stores, start.encoder, config.targets)
    own = {"method": method, "modalities": "V", "seed": seed, "network": "clip"}
    adapt_each(targets, adapt, protocol, guard, predictions, {**record, **own}, only)


def _start(model: Path, config: AdaptConfig) -> Start:
    encoder = load_vision_language(Path(installed(model).folder), torch_device())
    return start_of(encoder, config.vision_language)


def adapt_one(
    adapter: Any, start: Start, fitted: Fitted, target: Target, split: Split, reader: FrameReader, seed: int
) -> Result:
    """Adapt to one participant, and predict T_te as it arrives.

    Args:
        adapter: a VisionLanguageMethod.
        start: CLIP and its classes.
        fitted: what the method prepared on the source.
        target: the participant; the method does not see it, and never its labels.
        split: rows of the subsets.
        reader: of the participant's frames.
        seed: of everything drawn.

    Raises:
        WaverError: the method gave values that are not finite.
    """
    started = time.perf_counter()
    logits, steps, chosen = predict_stream(adapter, start, fitted, target, split, reader, seed)
    seconds = time.perf_counter() - started
    return scored(target, split, zero_shot(start, split, reader), logits, steps, seconds, chosen=chosen.points())


def zero_shot(start: Start, split: Split, reader: FrameReader) -> Tensor:
    """Logits [N, 2] of T_te by CLIP with one sentence a class."""
    embeddings = torch.nn.functional.normalize(reader.embeddings(split["test"]), dim=-1)
    return start.scale * embeddings @ start.weights("template")


def adapt_together(
    adapter: Any, start: Start, people: Sequence[Person], readers: Sequence[FrameReader]
) -> list[Result]:
    """Adapt to several participants at once, and predict their T_te as they arrive; as one by one, but for rounding.

    Args:
        adapter: a PeopleMethod.
        start: CLIP and its classes.
        people: the participants; the method does not see them, and never their labels.
        readers: of each participant's frames.

    Returns:
        In the order of ``people``; the seconds are an equal share for each frame.

    Raises:
        WaverError: the method gave values that are not finite.
    """
    started = time.perf_counter()
    streams = [one_by_one(person, reader) for person, reader in zip(people, readers, strict=True)]
    frames = [len(person.split["test"]) for person in people]
    logits, steps, chosen = predict_people(adapter, start, streams, frames)
    each = (time.perf_counter() - started) / max(sum(frames), 1)
    found = []
    for (target, split, _), reader, own, taken, kept in zip(people, readers, logits, steps, chosen, strict=True):
        before = zero_shot(start, split, reader)
        found.append(scored(target, split, before, own, taken, each * len(own), chosen=kept.points()))
    return found


def one_by_one(person: Person, reader: FrameReader) -> Iterator[Tensor]:
    """Views [V, D] of each frame of T_te, by video, then time."""
    test = person.split["test"]
    for batch in stream_batches(person.target.video[test], _READ_AT_ONCE):
        yield from reader.frames(test[batch]).views


def predict_people(
    adapter: Any, start: Start, streams: Sequence[Iterator[Tensor]], frames: Sequence[int]
) -> tuple[list[Tensor], list[int], list[Chosen]]:
    """Predict the frames of several people side by side; no frame is given to the method before its turn.

    Args:
        adapter: a PeopleMethod.
        start: CLIP and its classes.
        streams: views [V, D] of each person's frames.
        frames: how many each has.

    Returns:
        Logits float32 [N, 2] of each person, the optimiser steps taken for each, and how many frames were cached.
    """
    # by falling length: those who still have frames are always the first ones
    order = sorted(range(len(frames)), key=lambda number: -frames[number])
    stream = adapter.begin_people(start, len(frames))
    found: list[list[Tensor]] = [[] for _ in frames]
    chosen = [Chosen() for _ in frames]
    for step in range(max(frames, default=0)):
        present = [number for number in order if frames[number] > step]
        logits = stream.next_frames(torch.stack([next(streams[number]) for number in present])).detach().cpu()
        cached = stream.cached()[: len(present)].tolist()
        for number, own, count in zip(present, logits, cached, strict=True):
            found[number].append(own)
            chosen[number].add(1, count)
    steps = dict(zip(order, stream.steps.tolist(), strict=True))
    return [torch.stack(own) for own in found], [steps[number] for number in range(len(frames))], chosen


def predict_stream(
    adapter: Any, start: Start, fitted: Fitted, target: Target, split: Split, reader: FrameReader, seed: int
) -> tuple[Tensor, int, Chosen]:
    """Predict T_te batch by batch; no batch is given to the method before its turn.

    Returns:
        Logits float32 [N, 2], the number of optimiser steps, and how many frames were chosen after each batch.
    """
    test = split["test"]
    rows = {"none": test[:0], "train": split["train"], "all": np.arange(len(target.labels))}[adapter.sees.known]
    known = reader.embeddings(rows)
    logits, steps, stream, before = [torch.zeros(0, 2)], 0, None, -1
    chosen = Chosen()
    for batch in stream_batches(target.video[test], adapter.batch or _WHOLE_VIDEO):
        frames = reader.frames(test[batch])
        if stream is None or (adapter.sees.reset == "video" and frames.video != before):
            steps += int(stream.steps) if stream else 0
            stream = adapter.begin(start, fitted, known, seed)
        before = frames.video
        logits.append(stream.predict(frames).detach().cpu())
        chosen.add(len(logits[-1]), getattr(stream, "chosen", None))
    return torch.cat(logits), steps + (int(stream.steps) if stream else 0), chosen
