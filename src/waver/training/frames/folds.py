"""Cross-validation of one fusion on one set of modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from waver.config.training import TrainConfig
from waver.datasets.folds import Folding, folds_of
from waver.io.lock import exclusive
from waver.io.tables import PARTICIPANTS, read_table, write_arrow
from waver.provenance import digest
from waver.training.checkpoint import MADE_FROM, finished
from waver.training.cross_validation import CrossValidation, Fold
from waver.training.frames.fit import fingerprint, fit, read_training_data
from waver.training.frames.predict import frame_table, predict
from waver.training.trainer import Job


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
    segments: Sequence[Path] = (),
) -> None:
    """Train once a fold and write the out-of-fold predictions of train and val; test is never read.

    A killed job goes on in the fold and epoch where it was. Outputs that are there, made from the same, are kept.

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
        segments: as of ``train_fusion``.

    Raises:
        WaverError: too few participants, or a fold's data do not allow the config's choices.
    """
    made_from = fingerprint(indexes, packs, fusion, modalities, seed, config, record, segments)
    fold_of = fold_table(participants, config.folds, config.folding)
    about = {"method": fusion, "modalities": modalities, "level": "frame", "protocol": "cv", "seed": seed, **record}
    about[MADE_FROM] = digest([made_from, fold_of, record])
    with exclusive(f"{outputs['predictions']}.lock", remove=True):
        if finished(outputs, "predictions", about[MADE_FROM]):
            return
        samples = read_training_data(indexes, packs, fusion, modalities, config, segments)
        labelled = [sample for sample in samples if sample.labelled]

        def one_fold(fold: Fold, job: Job[TrainConfig]) -> pa.Table:
            train, choose, _ = fold.split(labelled)
            checkpoint = fit(train, choose, fusion, modalities, job)
            _, _, held_out = fold.split(samples)
            return frame_table(held_out, predict(checkpoint, held_out), fold_of)

        folder = outputs["predictions"].parent
        crossed = CrossValidation(config, seed, made_from, fold_of, config.folds, folder)
        write_arrow(outputs["predictions"], crossed.predictions(one_fold), about)
        crossed.write_history(outputs["history"])
        crossed.remove_parts()
