"""Packs in memory: one sample a video, and the normalisation fitted to the training frames."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.align.packs import AFFECTED, PackedVideo, read_packs
from waver.datasets.question_context import frame_context
from waver.errors import WaverError
from waver.modalities import modality_names
from waver.shapes import AFFECT

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class VideoSample:
    """One video of T frames.

    Attributes:
        video: video id.
        participant: participant id.
        split: train, val or test.
        question: number of the question asked; None where unknown.
        features: modality name -> float32 [T, D].
        valid: modality name -> bool [T]; False where the frame has no face, sound or word.
        label: uint8 [T], 1 A/H; meaningless unless ``labelled``.
        labelled: the frame labels are known.
        affect: modality name -> targets of affect (positive, negative, hesitant) float32 [T, 3] in [0, 1], nan
            where nothing is known; empty unless read. Under ``question``, with Q: what the words should
            hold at some time, by the question asked.
        annotated: what the annotators said of each frame (``waver.training.frames.annotated_cues``), float32 [T, k],
            nan where nothing is known; empty unless read.
    """

    video: str
    participant: str
    split: str
    question: int | None
    features: Mapping[str, Floats]
    valid: Mapping[str, Bools]
    label: npt.NDArray[np.uint8]
    labelled: bool
    affect: Mapping[str, Floats] = field(default_factory=dict)
    annotated: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return len(self.label)


def read_corpus(
    indexes: Sequence[str | Path], packs: str | Path, modalities: str, splits: Sequence[str], affect: bool = False
) -> list[VideoSample]:
    """Samples of the splits named; data of other splits is never read.

    Args:
        indexes: index tables of the packs.
        packs: folder of the packs.
        modalities: letters, e.g. ``"VAT"``; the order is kept in ``features``. Q is the context of
            ``waver.datasets.question_context``, the same for all frames but for the position.
        splits: splits to read.
        affect: read the targets of affect too, of those of the modalities that have any.

    Raises:
        WaverError: packs disagree about the size of a modality.
    """
    names = modality_names(modalities)
    stored = [name for name in names if name != "question"]
    arrays = [part for name in stored for part in ((name,) if name == "text" else (name, f"{name}_valid"))]
    arrays += [f"{name}_affect" for name in names if affect and name in AFFECTED]
    samples = [_sample(video, names, affect) for video in read_packs(indexes, packs, [*arrays, "label"], splits)]
    sizes = feature_sizes(samples)
    return [_with_sizes(sample, sizes) for sample in samples if sample.frames]


def _sample(video: PackedVideo, names: Sequence[str], affect: bool) -> VideoSample:
    row, arrays = video.row, dict(video.arrays)
    if "question" in names:
        arrays["question"] = frame_context([row])
        arrays["question_valid"] = np.ones(len(arrays["question"]), bool)
        if affect:
            arrays["question_affect"] = _affect_prompted(row)
    return VideoSample(
        video=video.video,
        participant=video.participant,
        split=str(row["split"]),
        question=None if row["question"] is None else int(row["question"]),
        features={name: arrays[name].astype(np.float32, copy=False) for name in names},
        valid={name: arrays[f"{name}_valid"].astype(bool, copy=False) for name in names},
        label=arrays["label"].astype(np.uint8, copy=False),
        labelled=bool(row["labelled"]),
        affect={name: arrays[f"{name}_affect"] for name in names if f"{name}_affect" in arrays},
    )


def _affect_prompted(row: Mapping[str, Any]) -> Floats:
    """Affect that the question should bring into the words at some time, float32 [T, 3]; nan where nothing is known."""
    prompted = row["questions"].question(row["question"]).affect
    target = [float(name in prompted) if prompted and name != "hesitant" else np.nan for name in AFFECT]
    return np.tile(np.array(target, np.float32), (row["frames"], 1))


def thinned(sample: VideoSample, stride: int) -> VideoSample:
    """The middle one of every ``stride`` frames; what is left at the end counts as one more."""
    if stride == 1:
        return sample
    return rows_of(sample, np.minimum(np.arange(0, sample.frames, stride) + stride // 2, sample.frames - 1))


def rows_of(sample: VideoSample, rows: npt.NDArray[np.int64] | slice) -> VideoSample:
    """Some frames of a sample; those of a slice are not copied."""
    return replace(
        sample,
        features={name: values[rows] for name, values in sample.features.items()},
        valid={name: values[rows] for name, values in sample.valid.items()},
        label=sample.label[rows],
        affect={name: values[rows] for name, values in sample.affect.items()},
        annotated={name: values[rows] for name, values in sample.annotated.items()},
    )


def feature_sizes(samples: Iterable[VideoSample]) -> dict[str, int]:
    """D of each modality. A pack in which nobody has a modality holds it with size 0.

    Raises:
        WaverError: two videos have features of different sizes.
    """
    sizes: dict[str, int] = {}
    for sample in samples:
        for name, values in sample.features.items():
            size = values.shape[1]
            if size and sizes.get(name) and size != sizes[name]:
                raise WaverError(
                    f"{sample.video} has {name} features of size {size}, others {sizes[name]}; "
                    f"run the {name} features again with one config"
                )
            sizes[name] = max(size, sizes.get(name, 0))
    return sizes


def _with_sizes(sample: VideoSample, sizes: Mapping[str, int]) -> VideoSample:
    missing = [name for name, values in sample.features.items() if values.shape[1] != sizes[name]]
    if not missing:
        return sample
    zeros = {name: np.zeros((sample.frames, sizes[name]), np.float32) for name in missing}
    nowhere = {name: np.zeros(sample.frames, bool) for name in missing}
    return replace(sample, features={**sample.features, **zeros}, valid={**sample.valid, **nowhere})


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each dimension over the valid frames of the training videos.

    The released code takes train and val together; here val stays unseen.

    Attributes:
        mean: modality name -> float32 [D].
        std: modality name -> float32 [D]; 1 where a dimension is constant.
    """

    mean: Mapping[str, Floats]
    std: Mapping[str, Floats]

    @classmethod
    def fit(cls, samples: Sequence[VideoSample]) -> Normalisation:
        """Learn from training samples.

        Raises:
            WaverError: there is no sample, or no valid frame of a modality.
        """
        if not samples:
            raise WaverError(
                "the train split has no labelled video; check the split files and the table of excluded items"
            )
        mean: dict[str, Floats] = {}
        std: dict[str, Floats] = {}
        for name in samples[0].features:
            mean[name], std[name] = _moments(name, samples)
        return cls(mean, std)

    @property
    def sizes(self) -> dict[str, int]:
        """D of each modality, in order."""
        return {name: len(values) for name, values in self.mean.items()}

    def apply(self, sample: VideoSample) -> VideoSample:
        """The sample with z-scored features, exactly 0 where a modality is not valid."""
        features = {}
        for name in self.mean:
            values = sample.features[name]
            if not values.shape[1]:
                # where nobody of a shard has a modality, its packs hold it without columns
                values = np.zeros((sample.frames, len(self.mean[name])), np.float32)
            scaled = values - self.mean[name]
            scaled /= self.std[name]
            scaled[~sample.valid[name]] = 0
            features[name] = scaled
        return replace(sample, features=features)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Tensors for a checkpoint."""
        parts = {"mean": self.mean, "std": self.std}
        return {part: {name: torch.from_numpy(v.copy()) for name, v in of.items()} for part, of in parts.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Mapping[str, Tensor]]) -> Normalisation:
        """Inverse of ``state``."""
        return cls(
            **{part: {name: np.asarray(v.numpy(), np.float32) for name, v in of.items()} for part, of in state.items()}
        )


def _moments(name: str, samples: Sequence[VideoSample]) -> tuple[Floats, Floats]:
    count = sum(int(sample.valid[name].sum()) for sample in samples)
    if count == 0:
        raise WaverError(f"no frame of the train split has {name} features; leave {name} out of the modalities")
    mean = sum(s.features[name][s.valid[name]].sum(axis=0, dtype=np.float64) for s in samples) / count
    squares = sum(((s.features[name][s.valid[name]] - mean) ** 2).sum(axis=0) for s in samples)
    std = np.sqrt(squares / max(count - 1, 1))
    constant = std < 1e-6
    if constant.any():
        log.info("%d of %d %s dimensions are constant over the train split", constant.sum(), len(std), name)
    return mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32)
