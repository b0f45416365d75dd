"""The source model: trained on people who are not adapted to, the start of every method."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
from waver.training.cross_validation import Fold, folds

log = logging.getLogger(__name__)

FORMAT = 2
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
        normalisation: fitted on those trained on.
        fold: number of the fold that this model holds out, in a cross-validation.
        trained_on: in a cross-validation, the participants trained on.
        held_out: in a cross-validation, the participants whose start this model is.
    """

    model: Network
    modalities: str
    normalisation: Normalisation
    fold: int | None = None
    trained_on: frozenset[str] = frozenset()
    held_out: frozenset[str] = frozenset()

    def features(self, sample: VideoSample) -> Features:
        """Normalised features of one video, modalities side by side, float32 [T, D]."""
        return joined_features(self.normalisation, self.modalities, sample)


class Part(NamedTuple):
    """What one source model is trained on.

    Attributes:
        train: labelled samples to train on.
        choose: labelled samples to choose the epoch with.
        places: where both are from, for messages.
        fold: held out, in a cross-validation.
    """

    train: list[VideoSample]
    choose: list[VideoSample]
    places: tuple[str, str]
    fold: Fold | None = None

    def check_classes(self, packs: Path) -> None:
        """Hold both to have frames with and without A/H."""
        for samples, place in zip(self[:2], self.places, strict=True):
            labels = np.concatenate([np.zeros(0, np.uint8), *(sample.label for sample in samples)])
            ones = int((labels == 1).sum())
            if not 0 < ones < len(labels):
                raise WaverError(
                    f"{place} in {packs} has {ones} frames with and {len(labels) - ones} without A/H, the source model "
                    "needs both; check the split files and annotations"
                )


def train_source(
    indexes: list[Path],
    packs: Path,
    seed: int,
    config: AdaptConfig,
    model: Path,
    fold_of: Mapping[str, int] | None = None,
) -> None:
    """Train the source model on packed features and write it; in a cross-validation, one a fold in the same file.

    The features stay frozen; bottleneck and head learn (SHOT's source training: cross-entropy with
    label smoothing .1, SGD with Nesterov momentum .9, rate .01 (1 + 10 t)^-0.75, batch 64). Each
    epoch sees all frames of the rarer class and as many of the other, resampled (dataset paper,
    supervised training). The epoch with the best AVGF1 on the val split is kept; where its participants are the
    targets, on a fifth of train's participants, who are not trained on; in a cross-validation, on a further fold. No
    model reads a participant whom it is the start for.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        seed: of weights, drawing and shuffling.
        config: targets, modalities and epochs.
        model: file to write.
        fold_of: participant -> fold that holds them out, of a cross-validation.

    Raises:
        WaverError: those to train on, or to choose the epoch with, lack a class.
    """
    trained = [_train(part, packs, seed, config) for part in _parts(indexes, packs, config, fold_of or {})]
    save_archive(Path(model), {"format": FORMAT, "modalities": config.input, "models": trained})


def _train(part: Part, packs: Path, seed: int, config: AdaptConfig) -> dict[str, Any]:
    """One network with what is needed to feed it, as it is written."""
    if part.fold:
        log.info("%s", part.fold)
    part.check_classes(packs)
    normalisation = Normalisation.fit(part.train)
    train, choose = (_frames(samples, normalisation, config.input) for samples in part[:2])
    network, history = fit_source(train, choose, seed, config.source_epochs)
    people = {}
    if part.fold:
        people = {"trained_on": sorted(part.fold.train), "held_out": sorted(part.fold.held_out)}
    return {
        "normalisation": normalisation.state(),
        "state": network.state_dict(),
        "record": {"seed": seed, "history": history},
        "fold": part.fold.number if part.fold else None,
        **people,
    }


def _parts(indexes: Sequence[Path], packs: Path, config: AdaptConfig, fold_of: Mapping[str, int]) -> Iterator[Part]:
    """What each model is trained on; nothing of a participant whom it is the start for."""
    if config.targets == "cross_validation":
        samples = labelled(read_corpus(indexes, packs, config.input, ("train", "val")))
        for fold in folds(fold_of, max(fold_of.values()) + 1):
            train, choose, _ = fold.split(samples)
            place = f"of fold {fold.number + 1} of {fold.count}"
            yield Part(train, choose, (f"the training part {place}", f"the validation part {place}"), fold)
        return
    train = labelled(read_corpus(indexes, packs, config.input, ("train",)))
    if config.targets == "test":
        val = labelled(read_corpus(indexes, packs, config.input, ("val",)))
        yield Part(train, val, ("the train split", "the val split"))
        return
    part_of = folds_of((sample.participant for sample in train), _HELD_OUT)
    learn = [sample for sample in train if part_of[sample.participant]]
    choose = [sample for sample in train if not part_of[sample.participant]]
    yield Part(learn, choose, ("four fifths of the train split", "a fifth of the train split"))


def load_sources(path: str | Path) -> list[Source]:
    """Read the source models, more than one of a cross-validation; nothing in the file is executed.

    Raises:
        WaverError: the file is not a source model of this version.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WaverError(f"{path} cannot be read as a source model ({error}); delete it and run again") from error
    if content.get("format") != FORMAT:
        raise WaverError(f"{path} is not a source model of this version; delete it and run again")
    return [_source(one, content["modalities"]) for one in content["models"]]


def _source(one: Mapping[str, Any], modalities: str) -> Source:
    normalisation = Normalisation.from_state(one["normalisation"])
    model = SourceModel(sum(normalisation.sizes.values()))
    model.load_state_dict(one["state"])
    people = (frozenset(one.get(name, ())) for name in ("trained_on", "held_out"))
    return Source(model.eval(), modalities, normalisation, one["fold"], *people)


def read_source_view(indexes: Sequence[Path], packs: Path, source: Source) -> SourceView:
    """All labelled frames of those trained on, or of the train split, as the source model sees them."""
    splits = ("train",) if source.fold is None else ("train", "val")
    samples = labelled(read_corpus(indexes, packs, source.modalities, splits))
    if source.fold is not None:
        samples = [sample for sample in samples if sample.participant in source.trained_on]
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
