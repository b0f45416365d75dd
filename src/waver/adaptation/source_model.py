"""The source model: trained on the train split, chosen on the val split, the start of every method."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from waver.adaptation.base import Features, Labels, Network, SourceModel, SourceView, predict
from waver.adaptation.sgd import Schedule, descend
from waver.config.sections import AdaptConfig
from waver.datasets.folds import folds_of
from waver.errors import WaverError
from waver.evaluation.metrics import average_precision, avgf1
from waver.modalities import modality_names
from waver.provenance import seed_for
from waver.training.checkpoint import save_archive
from waver.training.corpus import Normalisation, VideoSample, read_corpus

log = logging.getLogger(__name__)

FORMAT = 1
LABEL_SMOOTHING = 0.1
_LR, _BATCH, _WEIGHT_DECAY = 1e-2, 64, 1e-3
_HELD_OUT = 5
"""One in so many participants of train chooses the epoch, where those of val are the targets."""


@dataclass(frozen=True)
class Source:
    """A source model and what is needed to feed it.

    Attributes:
        model: the network.
        modalities: letters of its input.
        normalisation: fitted on the train split.
    """

    model: Network
    modalities: str
    normalisation: Normalisation

    def features(self, sample: VideoSample) -> Features:
        """Normalised features of one video, modalities side by side, float32 [T, D]."""
        return joined_features(self.normalisation, self.modalities, sample)


def train_source(indexes: list[Path], packs: Path, seed: int, config: AdaptConfig, model: Path) -> None:
    """Train the source model on packed features and write it.

    The features stay frozen; bottleneck and head learn (SHOT's source training: cross-entropy with
    label smoothing .1, SGD with Nesterov momentum .9, rate .01 (1 + 10 t)^-0.75, batch 64). Each
    epoch sees all frames of the rarer class and as many of the other, resampled (dataset paper,
    supervised training). The epoch with the best AVGF1 on the val split is kept, or, where its participants are the
    targets, on a fifth of train's participants, who are not trained on. No target participant is read.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        seed: of weights, drawing and shuffling.
        config: modalities and epochs.
        model: file to write.

    Raises:
        WaverError: the train split lacks a class, or the val split lacks labelled frames.
    """
    train, val = _samples(indexes, packs, config)
    normalisation = Normalisation.fit(train)
    data = [_frames(samples, normalisation, config.modalities) for samples in (train, val)]
    for (_, labels), split in zip(data, ("train", "val"), strict=True):
        _check_classes(labels, split, packs)
    network, history = fit_source(data[0], data[1], seed, config.source_epochs)
    content = {
        "format": FORMAT,
        "modalities": config.modalities,
        "normalisation": normalisation.state(),
        "state": network.state_dict(),
        "record": {"seed": seed, "history": history},
    }
    save_archive(Path(model), content)


def _samples(indexes: Sequence[Path], packs: Path, config: AdaptConfig) -> tuple[list[VideoSample], list[VideoSample]]:
    """Labelled samples to learn from and to choose the epoch with; none is of a target participant."""
    train = labelled(read_corpus(indexes, packs, config.modalities, ("train",)))
    if config.targets == "test":
        return train, labelled(read_corpus(indexes, packs, config.modalities, ("val",)))
    fold_of = folds_of((sample.participant for sample in train), _HELD_OUT)
    held_out = [sample for sample in train if fold_of[sample.participant] == 0]
    return [sample for sample in train if fold_of[sample.participant]], held_out


def load_source(path: str | Path) -> Source:
    """Read a source model; nothing in the file is executed.

    Raises:
        WaverError: the file is not a source model of this version.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WaverError(f"{path} cannot be read as a source model ({error}); delete it and run again") from error
    if content.get("format") != FORMAT:
        raise WaverError(f"{path} is not a source model of this version; delete it and run again")
    normalisation = Normalisation.from_state(content["normalisation"])
    model = SourceModel(sum(normalisation.sizes.values()))
    model.load_state_dict(content["state"])
    return Source(model.eval(), content["modalities"], normalisation)


def read_source_view(indexes: Sequence[Path], packs: Path, source: Source) -> SourceView:
    """All labelled frames of the train split, as the source model sees them."""
    samples = labelled(read_corpus(indexes, packs, source.modalities, ("train",)))
    if not samples:
        raise WaverError(f"{packs} holds no labelled video of the train split for the method's source data")
    features, labels = _frames(samples, source.normalisation, source.modalities)
    code = np.unique([sample.participant for sample in samples], return_inverse=True)[1]
    return SourceView(features, labels, np.repeat(code, [sample.frames for sample in samples]).astype(np.int32))


def labelled(samples: Sequence[VideoSample]) -> list[VideoSample]:
    """Samples whose frame labels are known."""
    return [sample for sample in samples if sample.labelled]


def joined_features(normalisation: Normalisation, modalities: str, sample: VideoSample) -> Features:
    """Normalised features of one video, modalities side by side, float32 [T, D]."""
    scaled = normalisation.apply(sample).features
    return np.concatenate([scaled[name] for name in modality_names(modalities)], axis=1)


def fit_source(
    train: tuple[Features, Labels], val: tuple[Features, Labels], seed: int, epochs: int
) -> tuple[SourceModel, list[dict[str, float]]]:
    """Train bottleneck and head.

    Args:
        train: normalised features float32 [N, D] and labels uint8 [N].
        val: the same, to choose the epoch.
        seed: of weights, drawing and shuffling.
        epochs: epochs.

    Returns:
        The model of the best epoch, and one record an epoch: epoch, train_loss, val_AVGF1, val_AP.
    """
    features, labels = torch.from_numpy(train[0]), torch.from_numpy(train[1]).long()
    model = _new_model(features.shape[1], seed)
    model.prior.copy_(torch.bincount(labels, minlength=2) / len(labels))
    generator = torch.Generator().manual_seed(seed_for(seed, "adapt source", "order"))

    def rows() -> Tensor:
        return balanced_rows(labels, generator)

    def loss(batch: Tensor) -> Tensor:
        return functional.cross_entropy(model(features[batch]), labels[batch], label_smoothing=LABEL_SMOOTHING)

    best, state, history = -1.0, {}, []
    schedule = Schedule(_LR, epochs, _BATCH, _WEIGHT_DECAY)
    for epoch, train_loss in enumerate(descend(model, model.parameters(), schedule, rows, loss), start=1):
        probability = predict(model, torch.from_numpy(val[0])).softmax(dim=1)[:, 1].numpy()
        score = avgf1(probability, val[1])
        ap = average_precision(probability, val[1])
        history.append({"epoch": epoch, "train_loss": train_loss, "val_AVGF1": score, "val_AP": ap})
        log.info("epoch %d: train loss %.4f, val AVGF1 %.4f, val AP %.4f", epoch, train_loss, score, ap)
        if score > best:
            best, state = score, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    return model.eval(), history


def balanced_rows(labels: Tensor, generator: torch.Generator) -> Tensor:
    """All rows of the rarer class and as many of the other, drawn without return, shuffled; int64 [2 n]."""
    classes = [torch.nonzero(labels == value).squeeze(1) for value in (0, 1)]
    least = min(len(rows) for rows in classes)
    drawn = torch.cat([rows[torch.randperm(len(rows), generator=generator)[:least]] for rows in classes])
    return drawn[torch.randperm(len(drawn), generator=generator)]


def _new_model(width: int, seed: int) -> SourceModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "adapt source", "weights"))
        return SourceModel(width)


def _frames(samples: Sequence[VideoSample], normalisation: Normalisation, modalities: str) -> tuple[Features, Labels]:
    if not samples:
        return np.zeros((0, sum(normalisation.sizes.values())), np.float32), np.zeros(0, np.uint8)
    features = np.concatenate([joined_features(normalisation, modalities, sample) for sample in samples])
    return features, np.concatenate([sample.label for sample in samples])


def _check_classes(labels: Labels, split: str, packs: Path) -> None:
    if not (labels == 1).any() or not (labels == 0).any():
        raise WaverError(
            f"the {split} split in {packs} has {int((labels == 1).sum())} frames with and "
            f"{int((labels == 0).sum())} without A/H, the source model needs both; "
            "check the split files and annotations"
        )
