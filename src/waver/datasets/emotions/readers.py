"""Pictures of faces with basic emotions, from the layouts in which the public data sets come.

Six classes as in the 2026 paper: neutral faces, contempt, "other" and unknown are dropped.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from waver.config.backbone import EmotionImages
from waver.datasets.clean_text import shown
from waver.datasets.emotions import affectnet, raf_db
from waver.datasets.emotions.classes import EMOTIONS
from waver.datasets.emotions.pictures import CODE, PICTURES, REMEDY, Found, Picture, label_text
from waver.datasets.exclusions import Row
from waver.errors import WaverError
from waver.provenance import digest, seed_for

__all__ = ["EMOTIONS", "PICTURES", "Picture", "read_emotions", "stamp"]

log = logging.getLogger(__name__)

_SPELLINGS = {
    "anger": "anger", "angry": "anger",
    "disgust": "disgust", "disgusted": "disgust",
    "fear": "fear", "fearful": "fear", "afraid": "fear",
    "happiness": "happiness", "happy": "happiness", "joy": "happiness",
    "sadness": "sadness", "sad": "sadness",
    "surprise": "surprise", "surprised": "surprise",
}  # fmt: skip
_DROPPED_NAMES = {"neutral", "contempt", "other", "none", "uncertain", "unknown"}
_AFF_WILD2 = {
    -1: None, 0: None, 1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise", 7: None,
}  # fmt: skip
"""-1 unknown, 0 neutral, 7 other."""
_PICTURE_NAMES = {".jpg", ".jpeg", ".png", ".bmp"}
_VAL_SHARE = 0.1


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
        found = Found()
        _LAYOUTS[one.layout](root, one.every, found)
        if not found.pictures:
            raise WaverError(f"{root} holds no picture with a basic emotion in the layout {one.layout}; {REMEDY}")
        log.info("%s (%s): %d pictures, %d excluded", root, one.layout, len(found.pictures), len(found.excluded))
        pictures += [_with_faces(picture, one.faces) for picture in found.pictures]
        set_aside += found.excluded
    return pictures, set_aside


def _with_faces(picture: Picture, faces: str) -> Picture:
    """With what the config wants to be used of the data set's own faces."""
    if faces == "detected":
        return replace(picture, points=None, aligned=False)
    return replace(picture, points=None, box=None, aligned=True) if faces == "whole" else picture


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
        watched = [root / name for name in (*raf_db.LISTS, raf_db.POINTS, raf_db.BOXES, *affectnet.LISTS)]
    known = [(path, path.stat()) for path in watched if path.exists()]
    return [(str(path), stat.st_size if path.is_file() else 0, stat.st_mtime_ns) for path, stat in known]


def _folders_in(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


# layouts --------------------------------------------------------------------------------------------
def _read_folders(root: Path, every: int, found: Found) -> None:
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


_AFF_WILD2_PARTS = {"Train_Set": "train", "Validation_Set": "val"}
_AFF_WILD2_FOLDERS = ("cropped_aligned", "cropped_aligned_images", "cropped", "cropped_images")


def _read_aff_wild2(root: Path, every: int, found: Found) -> None:
    """``Train_Set/<video>.txt``, a head and one code a frame; pictures ``cropped_aligned/<video>/00001.jpg``."""
    files = _annotations(root)
    if not files:
        raise WaverError(f"{root} has no annotations in Train_Set or Validation_Set; {REMEDY}")
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


def _read_video(labels: Path, pictures: Path, there: set[str], every: int, found: Found) -> None:
    frames = [line.strip() for line in label_text(labels).rstrip().splitlines()]
    if frames and re.search("[A-Za-z]", frames[0]):  # the head, names of the classes
        frames = frames[1:]
    missing, strange = 0, 0
    for number, code in enumerate(frames, start=1):
        if not CODE.fullmatch(code.removeprefix("-")) or int(code) not in _AFF_WILD2:
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


_LAYOUTS: dict[str, Callable[[Path, int, Found], None]] = {
    "folders": _read_folders,
    "raf_db": raf_db.read_raf_db,
    "affectnet": affectnet.read_affectnet,
    "aff_wild2": _read_aff_wild2,
}
