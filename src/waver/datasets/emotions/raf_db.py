"""RAF-DB (Li et al., CVPR 2017)."""

from __future__ import annotations

from pathlib import Path

from waver.datasets.emotions.pictures import CODE, Found, first_file, label_text
from waver.datasets.emotions.points import Box, Points, as_box, as_points, numbers
from waver.errors import is_machine_trouble

LISTS = ("EmoLabel/list_patition_label.txt", "list_patition_label.txt")
POINTS, BOXES = "Annotation/manual", "Annotation/boundingbox"
_FOLDERS = ("Image/aligned", "aligned", "Image/original", "original", ".")
_EMOTIONS = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: None}


def read_raf_db(root: Path, every: int, found: Found) -> None:
    """Lines ``train_00001.jpg 5``; the picture is ``Image/aligned/train_00001_aligned.jpg``, aligned by its authors.

    Where there are only the original pictures, their five points are in ``Annotation/manual`` and their boxes in
    ``Annotation/boundingbox``.
    """
    labels = first_file(root, LISTS)
    kind = next(name for name in _FOLDERS if (root / name).is_dir())
    folder, aligned = root / kind, kind.endswith("aligned")
    for number, line in enumerate(label_text(labels).splitlines(), start=1):
        name, code = (*line.split(), "", "")[:2]
        if not name:
            continue
        if not CODE.fullmatch(code) or int(code) not in _EMOTIONS:
            found.skip(f"{labels}:{number}", "it has no class from 1 to 7", "correct the line", str(labels))
            continue
        path = Path(name)
        file = folder / (f"{path.stem}_aligned{path.suffix}" if aligned else name)
        part = "train" if name.startswith("train") else "val"
        points, box = (None, None) if aligned else _face(root, path.stem)
        found.add(file, _EMOTIONS[int(code)], part, points, box, aligned)


def _face(root: Path, stem: str) -> tuple[Points | None, Box | None]:
    """Points and box of an original picture."""
    # the five points are the first lines; sex, race and age follow
    points = _first_numbers(root / POINTS / f"{stem}_manu_attri.txt", 10)
    edges = _first_numbers(root / BOXES / f"{stem}_boundingbox.txt", 4)
    return as_points(points), as_box(*edges) if len(edges) == 4 else None


def _first_numbers(file: Path, count: int) -> list[float]:
    """The first numbers of a file; fewer where it has not so many, none where it is not there."""
    try:
        return numbers(file.read_text(encoding="utf-8-sig"))[:count]
    except (OSError, UnicodeDecodeError) as error:
        if is_machine_trouble(error):
            raise
        return []
