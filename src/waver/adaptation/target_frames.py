"""All frames of each participant, put together from recordings: read from the packs, or by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from waver.adaptation.base import Features
from waver.adaptation.participants import Target
from waver.align.packs import PackedVideo, read_packs


class OfParticipant(Protocol):
    """A recording of somebody."""

    @property
    def participant(self) -> str:
        """Id of the participant."""
        ...

    @property
    def video(self) -> str:
        """Id of the video."""
        ...


Recording = TypeVar("Recording", bound=OfParticipant)


def by_participant(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    """Recordings of each participant, in the order of their ids; a participant's in that of the videos'."""
    found: dict[str, list[Recording]] = {}
    for one in sorted(recordings, key=lambda one: (one.participant, one.video)):
        found.setdefault(one.participant, []).append(one)
    return found


def target_of(
    recordings: Sequence[OfParticipant], features: Sequence[Features], labels: Sequence[npt.NDArray[Any]], split: str,
    fold: int | None = None,
) -> Target:  # fmt: skip
    """All frames of one participant, end to end.

    Args:
        recordings: of the participant, by video id.
        features: float32 [T, D] of the frames of each.
        labels: [T] of each.
        split: of the data set, that the participant is of.
        fold: that held the participant out, in a cross-validation.
    """
    lengths = [len(own) for own in labels]
    return Target(
        recordings[0].participant,
        tuple(one.video for one in recordings),
        np.concatenate(features),
        np.concatenate(labels).astype(np.uint8, copy=False),
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        split,
        fold,
    )


def _no_features(video: PackedVideo) -> Features:
    return np.zeros((len(video.arrays["label"]), 0), np.float32)


def read_people(
    indexes: Sequence[Path],
    packs: Path,
    splits: Sequence[str],
    features_of: Callable[[PackedVideo], Features] = _no_features,
) -> list[Target]:
    """Participants of some splits with labelled frames, by their ids.

    Args:
        indexes: index tables of the packs.
        packs: folder of the packs.
        splits: of the participants.
        features_of: features float32 [T, D] of all frames of a video; none by default, D is 0.
    """
    people = by_participant(labelled_videos(indexes, packs, splits))
    return [
        target_of(own, list(map(features_of, own)), [one.arrays["label"] for one in own], own[0].row["split"])
        for own in people.values()
    ]


def labelled_videos(indexes: Sequence[Path], packs: Path, splits: Sequence[str]) -> Iterator[PackedVideo]:
    """Videos of some splits whose frame labels are known, with these."""
    return (video for video in read_packs(indexes, packs, ["label"], splits) if video.row["labelled"])
