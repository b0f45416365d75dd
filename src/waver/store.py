"""Derived data for code of your own: labels and features of a data set by video or participant.

As NumPy arrays, as a torch data set or as a Hugging Face one. ``docs/stores.md`` lists features and arrays with their
shapes and units; everything is on the clock of 24 frames per second, and everything that is read is checked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from waver.align.packs import read_packs
from waver.datasets.consent import Consent
from waver.errors import WaverError
from waver.io.shard_job import store_path
from waver.io.tables import FEATURE_INDEX, PACK_INDEX, PARTICIPANTS, VIDEOS, read_table, read_tables
from waver.io.zarr_store import Array, StoredGroup, open_store, read_store

log = logging.getLogger(__name__)

Use = Literal["publication", "challenge", "research"]
FRAME_LABELS = "label"
"""Name of the frame labels among the arrays of ``rows``, ``torch`` and ``hugging_face``."""


def open_data(folder: str | Path, purpose: Use = "publication") -> DerivedData:
    """The derived data of a data set.

    Args:
        folder: ``resources/<dataset>`` of a working folder.
        purpose: what it is opened for. Only participants who allowed it can be opened; everybody in a data set agreed
            to research.

    Raises:
        WaverError: there is no such data set, or the purpose is unknown.
    """
    ingest = Path(folder) / "ingest"
    if not (ingest / "participants.parquet").is_file():
        raise WaverError(f"{folder} has no ingest/participants.parquet; give resources/<dataset> of a finished run")
    people = [row["participant"] for row in read_table(ingest / "participants.parquet", PARTICIPANTS)]
    if purpose not in ("publication", "challenge", "research"):
        raise WaverError(f"{purpose!r} is no purpose; give publication, challenge or research")
    consent = Consent.load(ingest / "participants.parquet")
    allowed = [one for one in people if purpose == "research" or consent.may(one, purpose)]
    return DerivedData(Path(folder), purpose, frozenset(people), frozenset(allowed))


@dataclass(frozen=True)
class DerivedData:
    """What was derived from a data set, of the participants who allowed the purpose.

    Attributes:
        folder: ``resources/<dataset>``.
        purpose: what it was opened for.
        people: ids of all participants of the data set.
        allowed: those of them who can be opened.
    """

    folder: Path
    purpose: Use
    people: frozenset[str]
    allowed: frozenset[str]
    _labels: dict[tuple[Path, str], Mapping[str, Array]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def features(self) -> tuple[str, ...]:
        """Features of which there are stores by video."""
        return tuple(self.indexes)

    @cached_property
    def indexes(self) -> Mapping[str, Mapping[str, dict[str, Any]]]:
        """Feature -> video -> its row of the feature's index, of videos that have it."""
        found = {}
        for stores in sorted(self.folder.glob("features/*/stores")):
            # answers are stored by shard
            if any(path.is_dir() for path in stores.iterdir()):
                rows = read_tables(sorted(stores.parent.glob("*.parquet")), FEATURE_INDEX)
                found[stores.parent.name] = {row["video"]: row for row in rows if row["status"] == "ok"}
        return found

    @cached_property
    def packed(self) -> Mapping[str, tuple[dict[str, Any], Path]]:
        """Video -> its row of a pack's index, and the index."""
        indexes = sorted((self.folder / "align").glob("*.parquet"))
        found = ((row, index) for index in indexes for row in read_table(index, PACK_INDEX))
        return {row["video"]: (row, index) for row, index in found if row["status"] == "ok"}

    def labels(self, index: Path, split: str) -> Mapping[str, Array]:
        """Video -> frame labels, uint8 [T], of a pack and a split, read once; raises what ``frame_labels`` raises."""
        if (index, split) not in self._labels:
            read = read_packs([index], index.parent / "packs", [FRAME_LABELS], [split])
            packed = (one for one in read if one.participant in self.allowed)
            self._labels[index, split] = {one.video: one.arrays[FRAME_LABELS] for one in packed}
        return self._labels[index, split]

    @cached_property
    def _listed(self) -> list[dict[str, Any]]:
        """Rows of all videos, of whoever."""
        return read_table(self.folder / "ingest/videos.parquet", VIDEOS)

    @cached_property
    def videos(self) -> tuple[StoredVideo, ...]:
        """All videos that can be opened, in the order of the data set."""
        return tuple(StoredVideo(self, row) for row in self._listed if row["participant"] in self.allowed)

    def video(self, name: str) -> StoredVideo:
        """A video by its id.

        Raises:
            WaverError: there is none, or its participant did not allow the purpose.
        """
        for video in self.videos:
            if video.video == name:
                return video
        raise self._refusal(any(row["video"] == name for row in self._listed), f"video {name}")

    def participant(self, name: str) -> tuple[StoredVideo, ...]:
        """All videos of a participant.

        Raises:
            WaverError: there is no such participant, or they did not allow the purpose.
        """
        if name not in self.allowed:
            raise self._refusal(name in self.people, f"participant {name}")
        return tuple(video for video in self.videos if video.participant == name)

    def _refusal(self, there: bool, what: str) -> WaverError:
        """Why something cannot be opened, by whether the data set has it."""
        if not there:
            return WaverError(f"{self.folder} has no {what}; see its ingest/videos.parquet")
        return WaverError(
            f"{what}: the participant did not allow {self.purpose}; for research inside your site, open the data with "
            "purpose='research'"
        )

    def rows(self, *names: str, split: str | None = None) -> Iterator[dict[str, Any]]:
        """One row a video, of those that have all the arrays named.

        Args:
            names: ``"<feature>/<array>"``, ``"<feature>"`` for all its arrays, or ``"label"``, the frame labels.
            split: train, val or test; None: all.

        Yields:
            ``video``, ``participant``, ``split``, ``question``, ``video_label``, and the arrays by name.
        """
        for video in self._having(names, split):
            yield video.row(names)

    def _having(self, names: Sequence[str], split: str | None) -> list[StoredVideo]:
        for name in names:
            if name != FRAME_LABELS and name.split("/")[0] not in self.features:
                raise WaverError(f"{name}: {self.folder} has no such feature; it has {', '.join(self.features)}")
        videos = [video for video in self.videos if split in (None, video.split)]
        having = [video for video in videos if video.has(names)]
        if len(having) < len(videos):
            log.warning("%d of %d videos lack some of %s", len(videos) - len(having), len(videos), ", ".join(names))
        return having

    def torch(self, *names: str, split: str | None = None) -> TorchVideos:
        """A torch data set of ``rows``, read when they are asked for.

        Args:
            names: see ``rows``.
            split: see ``rows``.
        """
        return TorchVideos(self._having(names, split), names)

    def hugging_face(self, *names: str, split: str | None = None) -> Any:
        """A ``datasets.Dataset`` of ``rows``, written into the library's own cache.

        That is a copy of people's data outside the folder of the data set: ``waver forget`` does not know of it.

        Args:
            names: see ``rows``.
            split: see ``rows``.

        Raises:
            WaverError: the library is not installed.
        """
        try:
            from datasets import Dataset
        except ImportError:
            raise WaverError(
                "the library datasets of Hugging Face is not installed; install it in an environment of your own "
                "(pip install datasets), or use rows() or torch()"
            ) from None
        videos = self._having(names, split)
        return Dataset.from_generator(lambda: (video.row(names) for video in videos))


@dataclass(frozen=True)
class StoredVideo:
    """One video and what was derived from it.

    Attributes:
        data: that it is of.
        about: its row of the table of videos (VIDEOS).
    """

    data: DerivedData
    about: Mapping[str, Any]

    @property
    def video(self) -> str:
        return str(self.about["video"])

    @property
    def participant(self) -> str:
        return str(self.about["participant"])

    @property
    def split(self) -> str:
        return str(self.about["split"])

    @property
    def features(self) -> tuple[str, ...]:
        """Features that it has; it lacks those that could not be made of it."""
        return tuple(name for name, rows in self.data.indexes.items() if self.video in rows)

    def open(self, feature: str) -> StoredGroup:
        """The store of a feature, for reading slices and attributes: ``open("faces")["image"][:24]``.

        Raises:
            WaverError: it lacks the feature, or the store is missing or damaged.
        """
        return open_store(self._path(feature))

    def arrays(self, feature: str, *names: str) -> dict[str, Array]:
        """Arrays of a feature in memory, all where none is named; first axis the frames of the clock, or the words.

        Raises:
            WaverError: it lacks the feature or an array, or the store is missing or damaged.
        """
        return read_store(self._path(feature), *names)

    def _path(self, feature: str) -> Path:
        row = self.data.indexes.get(feature, {}).get(self.video)
        if row is None:
            raise WaverError(f"{self.video} has no {feature}; it has {', '.join(self.features) or 'no features'}")
        return store_path(self.data.folder / f"features/{feature}/stores", row)

    def frame_labels(self) -> Array | None:
        """1 in frames with A/H, else 0, uint8 [T], a copy; None where the frames are not annotated or not packed.

        Raises:
            WaverError: the pack is missing or damaged.
        """
        if not self._labelled:
            return None
        return self.data.labels(self.data.packed[self.video][1], self.split)[self.video].copy()

    def has(self, names: Sequence[str]) -> bool:
        """Whether it has the features, and where ``label`` is among them frame labels."""
        features = {name.split("/")[0] for name in names if name != FRAME_LABELS}
        return (self._labelled or FRAME_LABELS not in names) and features <= set(self.features)

    @property
    def _labelled(self) -> bool:
        """Its frame labels are known."""
        return self.video in self.data.packed and bool(self.data.packed[self.video][0]["labelled"])

    def row(self, names: Sequence[str]) -> dict[str, Any]:
        """What is known of it and its arrays, see ``DerivedData.rows``."""
        known = {name: self.about[name] for name in ("video", "participant", "split", "question")}
        row: dict[str, Any] = {**known, "video_label": self.about["label"]}
        for name in names:
            feature, _, array = name.partition("/")
            if name == FRAME_LABELS:
                row[name] = self.frame_labels()
            else:
                found = self.arrays(feature, *([array] if array else []))
                row |= {f"{feature}/{key}": values for key, values in found.items()}
        return row


class TorchVideos(torch.utils.data.Dataset[dict[str, Any]]):
    """Videos as a torch data set, one an item; they differ in length, so that a batch needs a ``collate_fn``.

    Args:
        videos: that have all of ``names``.
        names: see ``DerivedData.rows``.
    """

    def __init__(self, videos: Sequence[StoredVideo], names: Sequence[str]) -> None:
        self.videos, self.names = videos, names

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """A row, its arrays as tensors."""
        row = self.videos[number].row(self.names)
        return {name: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in row.items()}
