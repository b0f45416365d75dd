"""Cross-validation over participants of train and val: every one of them predicted by a model that never saw them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from waver.config.training import TrainConfig
from waver.data.folds import Folding, folds_of, parts_of
from waver.provenance import digest
from waver.store.lock import exclusive
from waver.store.tables import PARTICIPANTS, PREDICTIONS, read_arrow, read_metadata, read_table, write_arrow
from waver.training.archive import join_histories
from waver.training.corpus import VideoSample
from waver.training.finished import KEY, finished
from waver.training.fit import fingerprint, fit, read_taught
from waver.training.loop import Job
from waver.training.predict import predict, write_predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Fold:
    """One fold's job: who is held out, what it is made from and where its part is kept."""

    number: int
    fold_of: Mapping[str, int]
    count: int
    key: str
    part: Path


def fold_table(participants: Path, count: int, folding: Folding) -> dict[str, int]:
    """Fold of each participant of train and val, from the participants table."""
    rows = read_table(participants, PARTICIPANTS)
    return folds_of([row["participant"] for row in rows if row["split"] in ("train", "val")], count, folding)


def train_folds(
    indexes: Sequence[Path],
    packs: Path,
    participants: Path,
    fusion: str,
    modalities: str,
    seed: int,
    config: TrainConfig,
    outputs: Mapping[str, Path],
    record: Mapping[str, Any],
) -> None:
    """Train once a fold and write the out-of-fold predictions of train and val; test is never read.

    The epoch is chosen on a further fold, so that no choice is made on the people predicted. A killed job
    goes on in the fold and epoch where it was. Outputs that are there, made from the same, are kept.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        participants: participants table; decides the folds.
        fusion: name in the registry.
        modalities: letters.
        seed: decides initial weights, order of windows, dropout.
        config: the recipe, of a variant its own; ``config.folds`` folds.
        outputs: ``predictions`` to write, and ``history``: JSON lines, one an epoch and fold.
        record: copied into the predictions' metadata, see ``train_fusion``.

    Raises:
        WaverError: too few participants, or a fold's data do not allow the config's choices.
    """
    made_from = fingerprint(indexes, packs, fusion, modalities, seed, config, record)
    fold_of = fold_table(participants, config.folds, config.folding)
    about = {"method": fusion, "modalities": modalities, "level": "frame", "protocol": "cv", "seed": seed, **record}
    about[KEY] = digest([made_from, fold_of, record])
    parts, histories = [], []
    with exclusive(f"{outputs['predictions']}.lock", remove=True):
        if finished(outputs, "predictions", about[KEY]):
            return
        samples = read_taught(indexes, packs, fusion, modalities, config)
        for number in range(config.folds):
            key = digest([made_from, fold_of, number])
            part = outputs["predictions"].with_name(f"fold{number}.parquet.part")
            fold = _Fold(number, fold_of, config.folds, key, part)
            histories.append(part.with_name(f"fold{number}.jsonl.part"))
            parts.append(part)
            job = Job(config, seed, key, histories[-1], Path(f"{part}.resume"))
            if not part.exists() or read_metadata(part).get("key") != key:
                _one_fold(samples, fold, fusion, modalities, job)
        write_arrow(outputs["predictions"], pa.concat_tables([read_arrow(part, PREDICTIONS) for part in parts]), about)
        join_histories(histories, outputs["history"])
        for path in (*parts, *histories):
            path.unlink()


def _one_fold(samples: Sequence[VideoSample], fold: _Fold, fusion: str, modalities: str, job: Job) -> None:
    learn, choose, judge = map(set, parts_of(dict(fold.fold_of), fold.number, fold.count))
    log.info("fold %d of %d: %d people learnt from, %d held out", fold.number + 1, fold.count, len(learn), len(judge))
    labelled = [sample for sample in samples if sample.labelled]
    checkpoint = fit(
        [sample for sample in labelled if sample.participant in learn],
        [sample for sample in labelled if sample.participant in choose],
        fusion,
        modalities,
        job,
    )
    held_out = [sample for sample in samples if sample.participant in judge]
    write_predictions(fold.part, held_out, predict(checkpoint, held_out), {"key": fold.key}, fold.fold_of)
    job.state.unlink(missing_ok=True)
