"""What is read of a data set of basic emotions: pictures, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from waver.datasets.clean_text import printable
from waver.datasets.emotions.classes import EMOTIONS
from waver.datasets.emotions.points import Box, Points
from waver.datasets.exclusions import Row, exclusion_row
from waver.errors import WaverError

REMEDY = "correct backbone.emotions.sets"
CODE = re.compile("[0-9]{1,3}")
"""A class, as the data sets write it."""

PICTURES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False, metadata={"meaning": "picture of a face"}),
        pa.field("emotion", pa.int8(), nullable=False, metadata={"meaning": "class, see EMOTIONS"}),
        pa.field("part", pa.string(), nullable=False, metadata={"meaning": "train or val"}),
    ]
)


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        path: its file.
        emotion: number in EMOTIONS.
        part: train or val.
        points: right eye, left eye, nose and corners of the mouth, where the data set gives them.
        box: of the face, where the data set gives it.
        aligned: the data set brings the face already aligned.
    """

    path: str
    emotion: int
    part: str
    points: Points | None = None
    box: Box | None = None
    aligned: bool = False


@dataclass
class Found:
    """What is read of one data set."""

    pictures: list[Picture] = field(default_factory=list)
    excluded: list[Row] = field(default_factory=list)

    def add(
        self,
        path: str | Path,
        emotion: str | None,
        part: str,
        points: Points | None = None,
        box: Box | None = None,
        aligned: bool = False,
    ) -> None:
        """A picture of a class; of none it is dropped."""
        if emotion is not None:
            self.pictures.append(Picture(str(path), EMOTIONS.index(emotion), part, points, box, aligned))

    def skip(self, item: str, reason: str, remedy: str, path: str | None = None) -> None:
        """What cannot be used."""
        self.excluded.append({**exclusion_row(item, reason, remedy, path=path), "stage": "train"})


def label_text(labels: Path) -> str:
    """A file of labels.

    Raises:
        WaverError: it is not in UTF-8.
    """
    try:
        return printable(labels.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise WaverError(f"{labels} is not in UTF-8; save it so") from None


def first_file(root: Path, names: Sequence[str]) -> Path:
    """The first of several files that is there.

    Raises:
        WaverError: none is.
    """
    for name in names:
        if (root / name).is_file():
            return root / name
    raise WaverError(f"{root} has no {names[0]}; {REMEDY}")
