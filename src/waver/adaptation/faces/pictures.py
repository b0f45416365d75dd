"""The faces of participants as pictures in memory, and what a method may see of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.adaptation.base import Features, Frames, Labels, Needs, Network, SourceView, TargetView, predict
from waver.adaptation.participants import Split, Target, copied
from waver.adaptation.target_frames import labelled_videos, read_people
from waver.adaptation.vision_language.targets import FrameStores, Reader
from waver.errors import WaverError
from waver.features.faces.crops import Pixels
from waver.io.shard_job import store_path
from waver.io.zarr_store import open_store

AT_ONCE = 64
"""Pictures that a network predicts at once."""

Prepare = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class FaceView(TargetView):
    """Unlabelled pictures of one target participant, by video, then time; ``features`` are uint8 [N, S, S, 3]."""

    @cached_property
    def _tensor(self) -> Tensor:
        return torch.from_numpy(self.features)

    def all_frames(self) -> Iterable[Frames]:
        """All pictures, in batches in the order of the rows."""
        return torch.split(self._tensor, AT_ONCE)

    def mirrored(self) -> TargetView:
        """The same pictures, left and right exchanged."""
        return replace(self, features=np.ascontiguousarray(self.features[:, :, ::-1]))

    def predict(self, network: Network) -> Tensor:
        """Logits [N, 2] in evaluation mode."""
        return torch.cat([torch.zeros(0, 2), *(predict(network, frames) for frames in self.all_frames())])


@dataclass(frozen=True)
class LabelledFaceView(FaceView):
    """T_tr with its labels, and T_va to select by.

    Attributes:
        labels: uint8 [N].
        val: T_va without labels.
        val_labels: uint8 [M], of T_va.
    """

    labels: Labels
    val: FaceView
    val_labels: Labels

    def predict_val(self, network: Network) -> Tensor:
        """Logits [M, 2] of T_va, in evaluation mode."""
        return self.val.predict(network)


@dataclass
class PictureReader:
    """Reads the pictures of participants, and keeps those of the last one.

    Attributes:
        faces: index tables of the faces.
        prepare: faces as stored -> pictures as held in memory.
        side: of pictures of a participant whose face was never found.
    """

    faces: Sequence[Path]
    prepare: Prepare
    side: int

    def __post_init__(self) -> None:
        self._reader: Reader = FrameStores((), faces=self.faces).reader("faces", "image")
        self._of, self._last = "", np.zeros((0, 0, 0, 3), np.uint8)

    def __call__(self, target: Target) -> Pixels:
        """Pictures uint8 [N, S, S, 3] of all frames of a participant; black where no face was found in the video."""
        if target.participant != self._of:
            lengths = np.bincount(target.video, minlength=len(target.videos))
            found = [self._reader(video, int(n)) for video, n in zip(target.videos, lengths, strict=True)]
            prepared = [None if faces is None else self.prepare(faces) for faces in found]
            side = next((own.shape[1] for own in prepared if own is not None), self.side)
            black = [np.zeros((int(n), side, side, 3), np.uint8) for n in lengths]
            self._last = np.concatenate([b if own is None else own for own, b in zip(prepared, black, strict=True)])
            self._of = target.participant
        return self._last


def face_view(needs: Needs, target: Target, split: Split, pictures: Callable[[Target], Pixels]) -> FaceView:
    """What a method may see of a participant: fresh arrays of the rows allowed, and no more.

    Args:
        needs: of the method.
        target: the participant.
        split: rows of the subsets.
        pictures: reads those of the participant.
    """
    rows = split["test" if needs.stream else "train"]
    whole = pictures(target)
    if not needs.target_labels:
        return FaceView(*_seen(target, rows, whole))
    if needs.stream:
        raise ValueError("a method that reads the test stream must not see labels")
    val = split["val"]
    held_out = FaceView(*_seen(target, val, whole))
    labels = copied(target.labels, rows), copied(target.labels, val)
    return LabelledFaceView(*_seen(target, rows, whole), labels=labels[0], val=held_out, val_labels=labels[1])


def _seen(
    target: Target, rows: npt.NDArray[np.int64], whole: Pixels
) -> tuple[Features, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    pictures: Any = whole[rows]
    return pictures, copied(target.video, rows), copied(target.frame, rows)


def read_face_targets(indexes: Sequence[Path], packs: Path, split: str) -> list[Target]:
    """Participants of a split with labelled frames, by their ids; their pictures are read when they are needed."""
    return read_people(indexes, packs, (split,))


def read_source_pictures(
    indexes: Sequence[Path], packs: Path, faces: Sequence[Path], prepare: Prepare, most: int
) -> SourceView:
    """Labelled pictures of the train split in which a face was found: every n-th frame of each video, at most ``most``.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        faces: index tables of the faces of all shards.
        prepare: faces as stored -> pictures as held in memory.
        most: pictures.

    Raises:
        WaverError: there are none.
    """
    reader = FrameStores((), faces=faces).reader("faces", "image")
    videos = [one for one in labelled_videos(indexes, packs, ("train",)) if one.video in reader.rows]
    videos.sort(key=lambda one: (one.participant, one.video))
    every = max(1, -(-sum(len(one.arrays["label"]) for one in videos) // most))
    found: list[Pixels] = []
    labels: list[npt.NDArray[Any]] = []
    people: list[str] = []
    for one in videos:
        store = open_store(store_path(reader.stores, reader.rows[one.video]))
        valid = np.asarray(store["valid"][:])[: len(one.arrays["label"]) : every]
        found.append(prepare(np.asarray(store["image"][::every])[: len(valid)][valid]))
        labels.append(one.arrays["label"][::every][: len(valid)][valid])
        people += [one.participant] * int(valid.sum())
    if not people:
        raise WaverError(f"{packs} holds no labelled video of the train split with a face for the method's source data")
    pictures: Any = np.concatenate(found)
    numbers = np.unique(people, return_inverse=True)[1].astype(np.int32)
    return SourceView(pictures, np.concatenate(labels).astype(np.uint8), numbers)
