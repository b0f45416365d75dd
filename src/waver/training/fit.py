"""Train one fusion on one set of modalities, and write its predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from waver.config.training import NOT_RECIPE, TrainConfig
from waver.decision import cut
from waver.device import torch_device
from waver.errors import WaverError
from waver.models.registry import FUSIONS, load, method_config
from waver.provenance import digest, seed_for
from waver.shapes import FPS
from waver.store.arrays import store_key
from waver.store.lock import exclusive
from waver.store.whole import put_in_place
from waver.training.checkpoint import Checkpoint, save_checkpoint
from waver.training.corpus import Normalisation, VideoSample, read_corpus, thinned
from waver.training.durations import Decoder, fit_decoder
from waver.training.finished import KEY, finished
from waver.training.loop import Board, Job, no_board, train
from waver.training.predict import predict, video_margin, write_predictions
from waver.training.windows import in_steps

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
    board: Board = no_board,
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
        board: what draws the training, epoch by epoch.

    Raises:
        WaverError: a split has no labelled video, or the data do not allow the config's choices.
    """
    model_file, history = Path(outputs["model"]), Path(outputs["history"])
    state, part = model_file.with_name(f"{model_file.name}.resume"), history.with_name(f"{history.name}.part")
    made_from = fingerprint(indexes, packs, fusion, modalities, seed, config, record)
    job = Job(config, seed, made_from, part, state, board)
    key = digest([made_from, record])
    about = {"method": fusion, "modalities": modalities, "level": "frame", "protocol": "standard", "seed": seed}
    # a copy of this job may still work on a node that Slurm lost: wait for it, and go on from its last epoch
    with exclusive(f"{state}.lock", remove=True):
        if finished(outputs, "predictions", key):
            return
        samples = read_taught(indexes, packs, fusion, modalities, config)
        split = {name: [s for s in samples if s.split == name and s.labelled] for name in ("train", "val")}
        del samples
        checkpoint = fit(split["train"], split["val"], fusion, modalities, job)
        del split
        checkpoint.record.update(record)
        save_checkpoint(model_file, checkpoint)
        videos = read_corpus(indexes, packs, modalities, ["val", "test"])
        predicted = predict(checkpoint, videos)
        write_predictions(outputs["predictions"], videos, predicted, {**about, **record, KEY: key})
        put_in_place(part, history)
        state.unlink(missing_ok=True)


def read_taught(
    indexes: Sequence[Path], packs: Path, fusion: str, modalities: str, config: TrainConfig
) -> list[VideoSample]:
    """Samples of train and val, with targets of affect where the fusion is taught any; arguments as above."""
    own = method_config(FUSIONS, fusion, config.options.get(fusion, {}))
    affect = getattr(own, "taught_affect", False)
    return read_corpus(indexes, packs, modalities, ["train", "val"], affect=affect)


def fit(
    train_videos: list[VideoSample],
    val_videos: list[VideoSample],
    fusion: str,
    modalities: str,
    job: Job,
) -> Checkpoint:
    """Fit a fusion to labelled videos; there is no way for test data in here.

    Args:
        train_videos: to learn from; their features are replaced by normalised ones, to hold them once.
        val_videos: to choose the epoch with; likewise.
        fusion: name in the registry.
        modalities: letters.
        job: recipe, seed and files.

    Raises:
        WaverError: a split is empty, or the data do not allow the config's choices.
    """
    if not val_videos:
        raise WaverError("the val split has no labelled video; check the split files and the set-aside table")
    config = job.config
    normalisation = Normalisation.fit(train_videos)
    labels = [[sample.label for sample in videos] for videos in (train_videos, val_videos)]
    for videos in (train_videos, val_videos):
        for number, sample in enumerate(videos):
            videos[number] = thinned(normalisation.apply(sample), config.stride)
    options = method_config(FUSIONS, fusion, config.options.get(fusion, {}))
    model = _initialised(fusion, normalisation.sizes, options, job.seed)
    _describe(model, train_videos, val_videos)
    progress = train(model, train_videos, val_videos, job)
    decoder = _decoder(model, val_videos, labels, config)
    return Checkpoint(
        fusion=fusion,
        modalities=modalities,
        options=options.model_dump(),
        normalisation=normalisation,
        state=progress.best_state,
        window=config.window,
        hop=config.hop,
        stride=config.stride,
        offset=_decision(model, train_videos, labels[0], decoder, config),
        decoder=decoder,
        record={"seed": job.seed, **progress.history[progress.best_epoch - 1]},
    )


def _decoder(
    model: nn.Module, val_videos: Sequence[VideoSample], labels: Sequence[Sequence[Any]], config: TrainConfig
) -> Decoder | None:
    """What margins are decoded with: durations of the labels learnt from, the rest by the videos of val.

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
    model: nn.Module,
    learnt_from: Sequence[VideoSample],
    labels: Sequence[Any],
    decoder: Decoder | None,
    config: TrainConfig,
) -> float:
    """Margin above which as many of the frames learnt from are predicted positive as are; 0 for ``half``."""
    if config.decision == "half":
        return 0.0
    if decoder is not None:
        decoded = decoder.decode(_clock_margins(model, learnt_from, labels, config))
        return cut(np.concatenate(decoded), sum(int(label.sum()) for label in labels))
    margins = np.concatenate(_margins(model, learnt_from, config))
    return cut(margins, sum(int(sample.label.sum()) for sample in learnt_from))


def _margins(
    model: nn.Module, videos: Sequence[VideoSample], config: TrainConfig
) -> list[npt.NDArray[np.floating[Any]]]:
    model.to(torch_device())
    margins = [video_margin(model, sample, *in_steps(config)) for sample in videos]
    model.to("cpu")
    return list(margins)


def _clock_margins(
    model: nn.Module, videos: Sequence[VideoSample], labels: Sequence[Any], config: TrainConfig
) -> list[npt.NDArray[np.float64]]:
    """Margins [T] of every frame of the clock; ``labels`` say how many there are."""
    pairs = zip(_margins(model, videos, config), labels, strict=True)
    return [np.repeat(margin.astype(np.float64), config.stride)[: len(label)] for margin, label in pairs]


def _initialised(fusion: str, sizes: dict[str, int], options: Any, seed: int) -> nn.Module:
    torch.manual_seed(seed_for("train", seed, "weights"))
    model: nn.Module = load(FUSIONS, fusion)(sizes, options)
    return model


def _describe(model: nn.Module, train_videos: Sequence[VideoSample], val_videos: Sequence[VideoSample]) -> None:
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
) -> str:
    """What the training is made from: a state file of anything else is not resumed."""
    keys = {Path(index).stem: store_key(Path(packs) / f"{Path(index).stem}.zarr") for index in indexes}
    recipe = config.model_dump(exclude={*NOT_RECIPE, "options"})
    own = config.options.get(fusion, {})
    return digest([keys, fusion, modalities, seed, recipe, own, record.get("code"), torch.__version__])
