"""The frames of participants as CLIP sees them, read from the stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.adaptation.participants import Target
from waver.adaptation.protocol import Ints
from waver.adaptation.target_frames import labelled_videos, read_people
from waver.adaptation.vision_language.base import Frames, Sees, SourceFrames
from waver.align.packs import PackedVideo
from waver.errors import WaverError
from waver.io.shard_job import Row, store_path
from waver.io.tables import FEATURE_INDEX, read_tables
from waver.io.zarr_store import open_store, read_store
from waver.models.vision_language.encoder import VisionLanguageEncoder
from waver.provenance import seed_for

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FrameStores:
    """Indexes of one shard or of several, with their stores next to them.

    Attributes:
        embeddings: of the features ``embeddings``.
        views: of ``views``; none where no method sees them.
        faces: of ``faces``; none where no method sees pictures.
    """

    embeddings: Sequence[Path]
    views: Sequence[Path] = ()
    faces: Sequence[Path] = ()

    def reader(self, feature: str, array: str) -> Reader:
        """What reads an array of a feature's stores."""
        indexes = {"embeddings": self.embeddings, "views": self.views, "faces": self.faces}[feature]
        if not indexes:
            raise WaverError(f"the method needs {feature}; name their index tables")
        rows = {row["video"]: row for row in read_tables(indexes, FEATURE_INDEX) if row["status"] == "ok"}
        return Reader(rows, indexes[0].with_name("stores"), array)


@dataclass(frozen=True)
class Reader:
    """Reads one array of videos. A video whose face was never found has none."""

    rows: dict[str, Row]
    stores: Path
    array: str

    def __call__(self, video: str, frames: int) -> Array | None:
        """The array [T, ...] of a video, cut or filled with zeros to ``frames``."""
        if video not in self.rows:
            return None
        values = read_store(store_path(self.stores, self.rows[video]), self.array)[self.array][:frames]
        rest = np.zeros((frames - len(values), *values.shape[1:]), values.dtype)
        return np.concatenate([values, rest]) if len(rest) else values

    def frame(self, video: str, number: int) -> Array:
        """One frame of a video's array, read alone; zeros after its end."""
        array = open_store(store_path(self.stores, self.rows[video]))[self.array]
        return array[number] if number < len(array) else np.zeros(array.shape[1:], array.dtype)


def read_image_targets(
    indexes: Sequence[Path], packs: Path, stores: FrameStores, encoder: VisionLanguageEncoder, split: str
) -> list[Target]:
    """Participants of a split with labelled frames, by their ids; ``features`` are those before the projection."""
    read = stores.reader("embeddings", "pre")

    def embeddings(video: PackedVideo) -> Array:
        shape = (len(video.arrays["label"]), encoder.image_width)
        return _or_zeros(read(video.video, shape[0]), shape).astype(np.float32)

    return read_people(indexes, packs, (split,), embeddings)


def _or_zeros(values: Array | None, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape, np.float32) if values is None else values


class FrameReader:
    """Makes batches of a stream of what a method sees, and of nothing else."""

    def __init__(
        self, target: Target, stores: FrameStores, encoder: VisionLanguageEncoder, sees: Sees, seed: int
    ) -> None:
        """Of one participant; ``seed`` is the run's, and the participant's own seeds follow from it."""
        self._target, self._encoder, self._sees, self._seed = target, encoder, sees, seed
        self._projection = encoder.image_projection.detach().cpu()
        self._frames = np.bincount(target.video)
        self._views = stores.reader("views", "views") if sees.views else None
        self._faces = stores.reader("faces", "image") if sees.pictures else None
        self._of_video = lru_cache(maxsize=2)(self._read)

    def embeddings(self, rows: Ints) -> Tensor:
        """Embeddings float32 [n, D], not normalised."""
        return torch.from_numpy(self._target.features[rows]) @ self._projection

    def frames(self, rows: Ints) -> Frames:
        """Rows of one video as a batch."""
        number = int(self._target.video[rows[0]])
        frame = self._target.frame[rows]
        pre = torch.from_numpy(self._target.features[rows])
        raw = pre @ self._projection
        plain = torch.nn.functional.normalize(raw, dim=-1)[:, None]
        views = self._part("views", number, frame)
        faces = self._part("faces", number, frame)
        if faces is None:  # black, where a face should be and was never found
            side = self._encoder.side if self._sees.pictures else 1
            faces = np.zeros((len(frame) if self._sees.pictures else 0, side, side, 3), np.uint8)
        video = self._target.videos[number]
        return Frames(
            pre=pre,
            raw=raw,
            views=plain if views is None else torch.from_numpy(views).float(),
            pictures=torch.from_numpy(faces),
            video=number,
            frame=torch.from_numpy(frame.astype(np.int64)),
            seeds=[seed_for(self._seed, self._target.participant, video, one) for one in frame.tolist()],
        )

    def _part(self, feature: str, number: int, frame: Array) -> Array | None:
        whole = self._of_video(feature, number)
        return None if whole is None else whole[frame]

    def _read(self, feature: str, number: int) -> Array | None:
        reader = self._views if feature == "views" else self._faces
        return reader(self._target.videos[number], int(self._frames[number])) if reader else None


def read_source_frames(
    indexes: Sequence[Path], packs: Path, stores: FrameStores, encoder: VisionLanguageEncoder, pictures: bool
) -> SourceFrames:
    """All labelled frames of the train split whose face was found in the video.

    Raises:
        WaverError: there are none.
    """
    read = stores.reader("embeddings", "pre")
    videos = [one for one in labelled_videos(indexes, packs, ("train",)) if one.video in read.rows]
    if not videos:
        raise WaverError(f"{packs} holds no labelled video of the train split with a face for the method's source data")
    videos.sort(key=lambda one: (one.participant, one.video))
    lengths = [len(one.arrays["label"]) for one in videos]
    pre = np.concatenate([_or_zeros(read(one.video, n), ()) for one, n in zip(videos, lengths, strict=True)])
    people = np.unique([one.participant for one in videos], return_inverse=True)[1]
    numbers = np.repeat(np.arange(len(videos)), lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    faces = stores.reader("faces", "image") if pictures else None

    def shown(rows: Tensor) -> Tensor:
        assert faces is not None
        found = [faces.frame(videos[numbers[row]].video, int(frame[row])) for row in rows.tolist()]
        return torch.from_numpy(np.stack(found))

    return SourceFrames(
        raw=torch.from_numpy(pre.astype(np.float32)) @ encoder.image_projection.detach().cpu(),
        labels=torch.from_numpy(np.concatenate([one.arrays["label"] for one in videos]).astype(np.uint8)),
        participant=torch.from_numpy(np.repeat(people, lengths).astype(np.int64)),
        video=torch.from_numpy(numbers.astype(np.int64)),
        pictures=shown,
    )
