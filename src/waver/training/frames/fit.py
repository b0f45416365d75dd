"""Train one fusion on one set of modalities, and write its predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from waver.config.training import NOT_RECIPE, TrainConfig
from waver.device import torch_device
from waver.errors import WaverError
from waver.evaluation.decision import cut
from waver.io.atomic import put_in_place
from waver.io.lock import exclusive
from waver.io.tables import write_arrow
from waver.io.zarr_store import store_key
from waver.models.base import FusionModel
from waver.provenance import digest, file_sha256, seed_for
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.shapes import FPS
from waver.training.checkpoint import MADE_FROM, finished
from waver.training.corpus import Normalisation, VideoSample, read_corpus, thinned
from waver.training.frames.annotated_cues import pair_shares, with_annotation
from waver.training.frames.checkpoint import Checkpoint, save_checkpoint
from waver.training.frames.hmm_decoding import Decoder, fit_decoder
from waver.training.frames.predict import frame_table, predict, video_margin
from waver.training.frames.training import FrameTraining
from waver.training.frames.windows import in_steps
from waver.training.trainer import Job, ScalarLog, no_scalar_log, train

log = logging.getLogger(__name__)


def train_fusion(
    indexes: Sequence[Path],
    packs: Path,
    fusion: str,
    modalities: str,
    seed: int,
    config: TrainConfig,
    outputs: Mapping[str, Path],
    record: Mapping[str, Any],
    scalar_log: ScalarLog = no_scalar_log,
    segments: Sequence[Path] = (),
) -> None:
    """Train on the train split, choose the epoch on val, then predict val and test.

    The test split is read only after the model is written. Outputs that are there, made from the same, are kept.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        fusion: name in the registry.
        modalities: letters, e.g. ``"VAT"``.
        seed: decides initial weights, order of windows, dropout.
        config: the recipe, of a variant its own.
        outputs: files to write: ``model``, ``history``, ``predictions``.
        record: ``model_set``, ``code``, ``config`` and what is known of the model (``TrainedModel.own_record``), copied
            into the predictions' metadata; without it their method is the fusion.
        scalar_log: what draws the training, epoch by epoch.
        segments: SEGMENTS tables of all shards, for a recipe that learns from the annotators' cues; else none.

    Raises:
        WaverError: a split has no labelled video, or the data do not allow the config's choices.
    """
    model_file, history = Path(outputs["model"]), Path(outputs["history"])
    state, part = model_file.with_name(f"{model_file.name}.resume"), history.with_name(f"{history.name}.part")
    made_from = fingerprint(indexes, packs, fusion, modalities, seed, config, record, segments)
    job = Job(config, seed, made_from, part, state, scalar_log)
    key = digest([made_from, record])
    about = {"method": fusion, "modalities": modalities, "level": "frame", "protocol": "standard", "seed": seed}
    # a copy of this job may still work on a node that Slurm lost: wait for it, and go on from its last epoch
    with exclusive(f"{state}.lock", remove=True):
        if finished(outputs, "predictions", key):
            return
        samples = read_training_data(indexes, packs, fusion, modalities, config, segments)
        split = {name: [s for s in samples if s.split == name and s.labelled] for name in ("train", "val")}
        del samples
        checkpoint = fit(split["train"], split["val"], fusion, modalities, job)
        del split
        checkpoint.record.update(record)
        save_checkpoint(model_file, checkpoint)
        videos = read_corpus(indexes, packs, modalities, ["val", "test"])
        predicted = predict(checkpoint, videos)
        write_arrow(outputs["predictions"], frame_table(videos, predicted), {**about, **record, MADE_FROM: key})
        put_in_place(part, history)
        state.unlink(missing_ok=True)


def read_training_data(
    indexes: Sequence[Path],
    packs: Path,
    fusion: str,
    modalities: str,
    config: TrainConfig,
    segments: Sequence[Path] = (),
) -> list[VideoSample]:
    """Samples of train and val, with targets of affect where the fusion learns any; arguments as above."""
    own = method_config(FUSIONS, fusion, config.options.get(fusion, {}))
    affect = load(FUSIONS, fusion).taught_affect(own)
    samples = read_corpus(indexes, packs, modalities, ["train", "val"], affect=affect)
    return with_annotation(samples, segments) if segments else samples


def fit(
    train_videos: list[VideoSample],
    val_videos: list[VideoSample],
    fusion: str,
    modalities: str,
    job: Job[TrainConfig],
) -> Checkpoint:
    """Fit a fusion to labelled videos; there is no way for test data in here.

    Args:
        train_videos: to train on; their features are replaced by normalised ones, to hold them once.
        val_videos: to choose the epoch with; likewise.
        fusion: name in the registry.
        modalities: letters.
        job: recipe, seed and files.

    Raises:
        WaverError: a split is empty, or the data do not allow the config's choices.
    """
    if not val_videos:
        raise WaverError("the val split has no labelled video; check the split files and the table of excluded items")
    config = job.config
    normalisation = Normalisation.fit(train_videos)
    shares = pair_shares(train_videos)
    labels = [[sample.label for sample in videos] for videos in (train_videos, val_videos)]
    for videos in (train_videos, val_videos):
        for number, sample in enumerate(videos):
            videos[number] = thinned(normalisation.apply(sample), config.stride)
    given = method_config(FUSIONS, fusion, config.options.get(fusion, {}))
    options = load(FUSIONS, fusion).informed(given, shares)
    model = _initialised(fusion, normalisation.sizes, options, job.seed)
    _describe(model, train_videos, val_videos)
    training = FrameTraining(model, train_videos, val_videos, config, job.seed)
    progress = train(training, job)
    state = training.without_cue_head(progress.best_state)
    decoder = _decoder(model, val_videos, labels, config)
    return Checkpoint(
        fusion=fusion,
        modalities=modalities,
        options=options.model_dump(),
        normalisation=normalisation,
        state=state,
        window=config.window,
        hop=config.hop,
        stride=config.stride,
        offset=_decision(model, train_videos, labels[0], decoder, config),
        decoder=decoder,
        record={"seed": job.seed, **progress.history[progress.best_epoch - 1]},
    )


def _decoder(
    model: FusionModel, val_videos: Sequence[VideoSample], labels: Sequence[Sequence[Any]], config: TrainConfig
) -> Decoder | None:
    """What margins are decoded with: durations of the training labels, the rest by the videos of val.

    Args:
        model: trained.
        val_videos: that chose the epoch, normalised and thinned.
        labels: of the training videos and of those of val, uint8 [T] on the clock.
        config: the recipe.
    """
    if config.decoding == "none":
        return None
    decoder = fit_decoder(labels[0], _clock_margins(model, val_videos, labels[1], config), labels[1])
    lasts = [frames / FPS for frames in decoder.durations.mean_frames]
    log.info("A/H lasts %.1f s and its absence %.1f s; a frame counts %.3f", lasts[1], lasts[0], decoder.kappa)
    return decoder


def _decision(
    model: FusionModel,
    train_videos: Sequence[VideoSample],
    labels: Sequence[Any],
    decoder: Decoder | None,
    config: TrainConfig,
) -> float:
    """Margin above which as many training frames are predicted positive as are labelled positive; 0 for ``half``."""
    if config.decision == "half":
        return 0.0
    if decoder is not None:
        decoded = decoder.decode(_clock_margins(model, train_videos, labels, config))
        return cut(np.concatenate(decoded), sum(int(label.sum()) for label in labels))
    margins = np.concatenate(_margins(model, train_videos, config))
    return cut(margins, sum(int(sample.label.sum()) for sample in train_videos))


def _margins(
    model: FusionModel, videos: Sequence[VideoSample], config: TrainConfig
) -> list[npt.NDArray[np.floating[Any]]]:
    model.to(torch_device())
    margins = [video_margin(model, sample, *in_steps(config)) for sample in videos]
    model.to("cpu")
    return list(margins)


def _clock_margins(
    model: FusionModel, videos: Sequence[VideoSample], labels: Sequence[Any], config: TrainConfig
) -> list[npt.NDArray[np.float64]]:
    """Margins [T] of every frame of the clock; ``labels`` say how many there are."""
    pairs = zip(_margins(model, videos, config), labels, strict=True)
    return [np.repeat(margin.astype(np.float64), config.stride)[: len(label)] for margin, label in pairs]


def _initialised(fusion: str, sizes: dict[str, int], options: Any, seed: int) -> FusionModel:
    torch.manual_seed(seed_for("train", seed, "weights"))
    model: FusionModel = load(FUSIONS, fusion)(sizes, options)
    return model


def _describe(model: FusionModel, train_videos: Sequence[VideoSample], val_videos: Sequence[VideoSample]) -> None:
    for name, videos in (("train", train_videos), ("val", val_videos)):
        frames = sum(sample.frames for sample in videos)
        positive = sum(int(sample.label.sum()) for sample in videos)
        log.info("%s: %d videos, %d frames, %.1f %% with A/H", name, len(videos), frames, 100 * positive / frames)
    log.info("%d parameters", sum(parameter.numel() for parameter in model.parameters()))


def fingerprint(
    indexes: Sequence[Path],
    packs: Path,
    fusion: str,
    modalities: str,
    seed: int,
    config: TrainConfig,
    record: Mapping[str, Any],
    segments: Sequence[Path] = (),
) -> str:
    """What the training is made from: a state file of anything else is not resumed."""
    keys = {Path(index).stem: store_key(Path(packs) / f"{Path(index).stem}.zarr") for index in indexes}
    recipe = config.model_dump(exclude={*NOT_RECIPE, "options"})
    own = config.options.get(fusion, {})
    made_from = [keys, fusion, modalities, seed, recipe, own, record.get("code"), torch.__version__]
    return digest([*made_from, *map(file_sha256, segments)])
