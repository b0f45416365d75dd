"""Pictures of faces with basic emotions, from the layouts in which the public data sets come.

Six classes as in the 2026 paper: neutral faces, contempt, "other" and unknown are dropped.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from waver.config.backbone import EmotionImages
from waver.datasets.clean_text import csv_rows, printable, shown
from waver.datasets.emotions.classes import EMOTIONS
from waver.datasets.exclusions import Row, exclusion_row
from waver.errors import WaverError
from waver.provenance import digest, seed_for

log = logging.getLogger(__name__)

PICTURES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False, metadata={"meaning": "picture of a face"}),
        pa.field("emotion", pa.int8(), nullable=False, metadata={"meaning": "class, see EMOTIONS"}),
        pa.field("part", pa.string(), nullable=False, metadata={"meaning": "train or val"}),
    ]
)

_SPELLINGS = {
    "anger": "anger", "angry": "anger",
    "disgust": "disgust", "disgusted": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear",
    "happiness": "happiness", "happy": "happiness", "joy": "happiness",
    "sadness": "sadness", "sad": "sadness",
    "surprise": "surprise", "surprised": "surprise",
}  # fmt: skip
_DROPPED_NAMES = {"neutral", "contempt", "other", "none", "uncertain", "unknown"}
_RAF_DB = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: None}
_AFFECTNET: dict[int, str | None] = {
    0: None, 1: "happiness", 2: "sadness", 3: "surprise", 4: "fear", 5: "disgust", 6: "anger",
    **dict.fromkeys(range(7, 12)),
}  # fmt: skip
"""0 neutral, 7 contempt, 8 none, 9 uncertain, 10 no face."""
_AFF_WILD2 = {
    -1: None, 0: None, 1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise", 7: None,
}  # fmt: skip
"""-1 unknown, 0 neutral, 7 other."""
_CODE = re.compile("[0-9]{1,3}")
_PICTURE_NAMES = {".jpg", ".jpeg", ".png", ".bmp"}
_VAL_SHARE = 0.1
_REMEDY = "correct backbone.emotions.sets"


@dataclass(frozen=True)
class Picture:
    """One picture: its file, its class (number in EMOTIONS), and train or val."""

    path: str
    emotion: int
    part: str


@dataclass
class _Found:
    """What is read of one data set."""

    pictures: list[Picture] = field(default_factory=list)
    excluded: list[Row] = field(default_factory=list)

    def add(self, path: str | Path, emotion: str | None, part: str) -> None:
        if emotion is not None:
            self.pictures.append(Picture(str(path), EMOTIONS.index(emotion), part))

    def skip(self, item: str, reason: str, remedy: str, path: str | None = None) -> None:
        self.excluded.append({**exclusion_row(item, reason, remedy, path=path), "stage": "train"})


def read_emotions(sets: Sequence[EmotionImages]) -> tuple[list[Picture], list[Row]]:
    """The pictures of all data sets, and what could not be used (rows of SET_ASIDE).

    That a picture is missing or cannot be read is mostly found when it is decoded; here only for ``aff_wild2``.

    Args:
        sets: layout and folder of each.

    Raises:
        WaverError: a folder or its labels are not there, or nothing usable is in it.
    """
    pictures: list[Picture] = []
    set_aside: list[Row] = []
    for one in sets:
        root = Path(one.path)
        if not root.is_dir():
            raise WaverError(f"backbone.emotions.sets: {root} is no folder; correct the path")
        found = _Found()
        _LAYOUTS[one.layout](root, one.every, found)
        if not found.pictures:
            raise WaverError(f"{root} holds no picture with a basic emotion in the layout {one.layout}; {_REMEDY}")
        log.info("%s (%s): %d pictures, %d excluded", root, one.layout, len(found.pictures), len(found.excluded))
        pictures += found.pictures
        set_aside += found.excluded
    return pictures, set_aside


def stamp(sets: Sequence[EmotionImages]) -> str:
    """Changes when labels or the list of pictures change: of label files their size and time, of folders the time.

    It opens nothing, for it is asked at every planning.
    """
    return digest([(one.model_dump(), _times(Path(one.path), one.layout)) for one in sets])


def _times(root: Path, layout: str) -> list[tuple[str, int, int]]:
    if layout == "folders":
        # folders of classes are not looked into: they hold hundreds of thousands of pictures
        folders = _folders_in(root)
        within = [path for folder in folders if folder.name.lower() in _PART_NAMES for path in _folders_in(folder)]
        watched = [root, *folders, *within]
    elif layout == "aff_wild2":
        watched = _annotations(root)
    else:
        watched = [root / name for name in (*_RAF_DB_LISTS, *_AFFECTNET_LISTS)]
    known = [(path, path.stat()) for path in watched if path.exists()]
    return [(str(path), stat.st_size if path.is_file() else 0, stat.st_mtime_ns) for path, stat in known]


def _folders_in(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


# layouts --------------------------------------------------------------------------------------------
def _read_folders(root: Path, every: int, found: _Found) -> None:
    """``<class>/*.jpg``, or ``<part>/<class>/*.jpg`` with train, val (valid, validation), test."""
    parts = {path.name.lower(): path for path in _folders_in(root)}
    split = {name: path for name, path in parts.items() if _PART_NAMES.get(name)}
    for name, folder in split.items() or {"": root}.items():
        for classes in _folders_in(folder):
            emotion = classes.name.lower()
            if emotion not in _SPELLINGS:
                if emotion not in _DROPPED_NAMES:
                    known = ", ".join(EMOTIONS)
                    found.skip(str(classes), "its name is no basic emotion", f"name it one of {known}", str(classes))
                continue
            for file in sorted(os.listdir(classes)):
                if shown(file) != file:
                    found.skip(shown(file), "its name is not in UTF-8", "rename the file", str(classes))
                elif Path(file).suffix.lower() in _PICTURE_NAMES and not file.startswith("."):
                    found.add(classes / file, _SPELLINGS[emotion], _PART_NAMES.get(name) or _drawn_part(file))


_PART_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "val"}


def _drawn_part(name: str) -> str:
    """A tenth of the pictures, by their names, where the data set has no part to choose the epoch with."""
    return "val" if seed_for("emotions", name) % 1000 < 1000 * _VAL_SHARE else "train"


_RAF_DB_LISTS = ("EmoLabel/list_patition_label.txt", "list_patition_label.txt")
_RAF_DB_FOLDERS = ("Image/aligned", "aligned", "Image/original", ".")


def _read_raf_db(root: Path, every: int, found: _Found) -> None:
    """Lines ``train_00001.jpg 5``; the picture is ``Image/aligned/train_00001_aligned.jpg``."""
    labels = _first(root, _RAF_DB_LISTS)
    kind = next(name for name in _RAF_DB_FOLDERS if (root / name).is_dir())
    folder, with_suffix = root / kind, kind.endswith("aligned")
    for number, line in enumerate(_text(labels).splitlines(), start=1):
        name, code = (*line.split(), "", "")[:2]
        if not name:
            continue
        if not _CODE.fullmatch(code) or int(code) not in _RAF_DB:
            found.skip(f"{labels}:{number}", "it has no class from 1 to 7", "correct the line", str(labels))
            continue
        path = Path(name)
        file = folder / (f"{path.stem}_aligned{path.suffix}" if with_suffix else name)
        found.add(file, _RAF_DB[int(code)], "train" if name.startswith("train") else "val")


_AFFECTNET_LISTS = ("training.csv", "validation.csv", "train.csv", "val.csv")
_AFFECTNET_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", ".")
_PATH_COLUMNS = ("subdirectory_filepath", "path", "image", "file")
_CODE_COLUMNS = ("expression", "label", "class")
_HEADLESS = (0, 6)
"""Path and expression in the released tables, which come with and without a head."""


def _read_affectnet(root: Path, every: int, found: _Found) -> None:
    """``training.csv`` and ``validation.csv`` with a path and an expression code (0 neutral, 1 happy, ...)."""
    lists = [root / name for name in _AFFECTNET_LISTS if (root / name).is_file()]
    if not lists:
        raise WaverError(f"{root} has none of {', '.join(_AFFECTNET_LISTS)}; {_REMEDY}")
    folder = next(root / name for name in _AFFECTNET_FOLDERS if (root / name).is_dir())
    for labels in lists:
        part = "train" if labels.name.startswith("train") else "val"
        for number, path, code in _csv_rows(labels):
            if not _CODE.fullmatch(code) or int(code) not in _AFFECTNET:
                found.skip(f"{labels}:{number}", "it has no expression from 0 to 11", "correct the line", str(labels))
                continue
            found.add(folder / path, _AFFECTNET[int(code)], part)


def _csv_rows(labels: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, path and code of each picture."""
    rows = enumerate(csv_rows(_text(labels)), start=1)
    number, first = next(rows, (0, []))
    names = [name.strip().lower() for name in first]
    place = tuple(
        next((names.index(name) for name in known if name in names), -1) for known in (_PATH_COLUMNS, _CODE_COLUMNS)
    )
    if -1 in place:
        if len(first) <= max(_HEADLESS) or not _CODE.fullmatch(first[_HEADLESS[1]]):
            raise WaverError(f"{labels} has no columns {_PATH_COLUMNS[0]} and {_CODE_COLUMNS[0]}; name them so")
        place = _HEADLESS
        yield number, first[place[0]], first[place[1]].strip()
    for number, row in rows:
        if row:
            values = [row[column].strip() if column < len(row) else "" for column in place]
            yield number, values[0], values[1]


_AFF_WILD2_PARTS = {"Train_Set": "train", "Validation_Set": "val"}
_AFF_WILD2_FOLDERS = ("cropped_aligned", "cropped_aligned_images")


def _read_aff_wild2(root: Path, every: int, found: _Found) -> None:
    """``Train_Set/<video>.txt``, a head and one code a frame; pictures ``cropped_aligned/<video>/00001.jpg``."""
    files = _annotations(root)
    if not files:
        raise WaverError(f"{root} has no annotations in Train_Set or Validation_Set; {_REMEDY}")
    folder = next((root / name for name in _AFF_WILD2_FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise WaverError(f"{root} has no folder {_AFF_WILD2_FOLDERS[0]} with the frames; unpack them there")
    for labels in files:
        pictures = folder / labels.stem
        there = set(os.listdir(pictures)) if pictures.is_dir() else set()
        if not there:
            found.skip(labels.stem, "its frames are not there", f"unpack them into {pictures}", str(labels))
            continue
        _read_video(labels, pictures, there, every, found)


def _annotations(root: Path) -> list[Path]:
    """Files of the parts, up to two folders deep; of the expressions alone where other tasks lie beside them."""
    above = ("", "*/", "*/*/")
    folders = {path for part in _AFF_WILD2_PARTS for prefix in above for path in root.glob(prefix + part)}
    own = {path for path in folders if "expr" in str(path.relative_to(root)).lower()}
    return sorted(file for folder in own or folders for file in folder.glob("*.txt"))


def _read_video(labels: Path, pictures: Path, there: set[str], every: int, found: _Found) -> None:
    frames = [line.strip() for line in _text(labels).rstrip().splitlines()]
    if frames and re.search("[A-Za-z]", frames[0]):  # the head, names of the classes
        frames = frames[1:]
    missing, strange = 0, 0
    for number, code in enumerate(frames, start=1):
        if not _CODE.fullmatch(code.removeprefix("-")) or int(code) not in _AFF_WILD2:
            strange += 1
            continue
        emotion = _AFF_WILD2[int(code)]
        if emotion is None or (number - 1) % every:
            continue
        name = f"{number:05d}.jpg"
        if name in there:
            found.add(pictures / name, emotion, _AFF_WILD2_PARTS[labels.parent.name])
        else:
            missing += 1
    if missing:
        reason = f"{missing} of its {len(frames)} frames have no picture"
        found.skip(labels.stem, reason, "nothing, if no face was seen in them", str(labels))
    if strange:
        found.skip(labels.stem, f"{strange} of its lines hold no code", "codes are -1 to 7", str(labels))


def _text(labels: Path) -> str:
    try:
        return printable(labels.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise WaverError(f"{labels} is not in UTF-8; save it so") from None


def _first(root: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (root / name).is_file():
            return root / name
    raise WaverError(f"{root} has no {names[0]}; {_REMEDY}")


_LAYOUTS: dict[str, Callable[[Path, int, _Found], None]] = {
    "folders": _read_folders,
    "raf_db": _read_raf_db,
    "affectnet": _read_affectnet,
    "aff_wild2": _read_aff_wild2,
}
