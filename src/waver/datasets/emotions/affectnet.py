"""AffectNet (Mollahosseini et al., IEEE TAFFC 2019), as its tables list it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from waver.datasets.clean_text import csv_rows
from waver.datasets.emotions.pictures import CODE, REMEDY, Found, label_text
from waver.datasets.emotions.points import Box, Points, as_box, five_of_68, numbers
from waver.errors import WaverError

LISTS = ("training.csv", "validation.csv", "train.csv", "val.csv")
_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", ".")
_COLUMNS = {
    "path": ("subdirectory_filepath", "path", "image", "file"),
    "code": ("expression", "label", "class"),
    "x": ("face_x",),
    "y": ("face_y",),
    "width": ("face_width",),
    "height": ("face_height",),
    "points": ("facial_landmarks",),
}
"""What is read -> the names that its column may have."""
_HEADLESS = {"path": 0, "x": 1, "y": 2, "width": 3, "height": 4, "points": 5, "code": 6}
"""Columns of the released tables, which come with and without a head."""
_EMOTIONS: dict[int, str | None] = {
    0: None, 1: "happiness", 2: "sadness", 3: "surprise", 4: "fear", 5: "disgust", 6: "anger",
    **dict.fromkeys(range(7, 12)),
}  # fmt: skip
"""0 neutral, 7 contempt, 8 none, 9 uncertain, 10 no face."""


def read_affectnet(root: Path, every: int, found: Found) -> None:
    """``training.csv`` and ``validation.csv``: a path, an expression code (0 neutral, 1 happy, ...), a face.

    The face is a box and 68 points in pixels of the picture; tables without them are read as well.
    """
    lists = [root / name for name in LISTS if (root / name).is_file()]
    if not lists:
        raise WaverError(f"{root} has none of {', '.join(LISTS)}; {REMEDY}")
    folder = next(root / name for name in _FOLDERS if (root / name).is_dir())
    for labels in lists:
        part = "train" if labels.name.startswith("train") else "val"
        for number, row in _rows(labels):
            code = row["code"]
            if not CODE.fullmatch(code) or int(code) not in _EMOTIONS:
                found.skip(f"{labels}:{number}", "it has no expression from 0 to 11", "correct the line", str(labels))
                continue
            found.add(folder / row["path"], _EMOTIONS[int(code)], part, *_face(row))


def _face(row: dict[str, str]) -> tuple[Points | None, Box | None]:
    edges = [numbers(row[name]) for name in ("x", "y", "width", "height")]
    if not all(len(edge) == 1 for edge in edges):
        return five_of_68(numbers(row["points"])), None
    (x,), (y,), (width,), (height,) = edges
    return five_of_68(numbers(row["points"])), as_box(x, y, x + width, y + height)


def _rows(labels: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number of each picture, and what is read of it; empty where a column is missing."""
    rows = enumerate(csv_rows(label_text(labels)), start=1)
    number, first = next(rows, (0, []))
    names = [name.strip().lower() for name in first]
    place = {what: next((names.index(name) for name in known if name in names), -1) for what, known in _COLUMNS.items()}
    if -1 in (place["path"], place["code"]):
        code = _HEADLESS["code"]
        if len(first) <= code or not CODE.fullmatch(first[code]):
            path, expression = _COLUMNS["path"][0], _COLUMNS["code"][0]
            raise WaverError(f"{labels} has no columns {path} and {expression}; name them so")
        place = _HEADLESS
        yield number, _taken(first, place)
    for number, row in rows:
        if row:
            yield number, _taken(row, place)


def _taken(row: list[str], place: dict[str, int]) -> dict[str, str]:
    return {what: row[column].strip() if 0 <= column < len(row) else "" for what, column in place.items()}
