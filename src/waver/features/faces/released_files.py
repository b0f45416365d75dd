"""Files of the release's cropped and aligned faces: which there are of a video, and the picture that each holds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from waver.datasets.bah.video_names import parse_name
from waver.errors import ExcludedItem, is_machine_trouble

FOLDERS = ("cropped-aligned-faces", "cropped_aligned", "cropped_aligned_faces")
"""Where releases keep them, below the root; the first is that of the release of 300 participants."""
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_OTHER_SUFFIXES = frozenset({".bmp", ".gif", ".tif", ".tiff", ".webp"})
"""Of pictures that are told and not opened."""
_NUMBERED = re.compile(r"(.*?)[-_ .]*(?<![0-9])([0-9]{1,9})", re.DOTALL)
_SERIES = "frame"
"""What the release's names begin with; where none does, the series of most pictures is taken."""
_FORMATS = ("JPEG", "PNG")
"""What their names promise; others have decoders that nobody asked for."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation in the EXIF data -> what brings the picture upright."""
_MOST_BYTES = 16 << 20
"""A file of more is no picture of a face."""
_LONGEST_SIDE = 8192
"""Pixels."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Listed:
    """Pictures in the folder of a video.

    Attributes:
        files: number of the frame -> its picture, ascending.
        doubled: further pictures of these numbers, as ``frame-01.jpg`` beside ``frame-1.jpg``.
        unnumbered: pictures without a number, of another series, or in another format.
    """

    files: dict[int, Path] = field(default_factory=dict)
    doubled: int = 0
    unnumbered: int = 0


def pictures_of(root: Path, path: str) -> dict[int, Path]:
    """``files`` of ``listed_pictures``."""
    return listed_pictures(root, path).files


def listed_pictures(root: Path, path: str) -> Listed:
    """The released pictures of a video, by the last number in their names; empty where there is none.

    Args:
        root: folder of the release.
        path: of the video, relative to it; the folder of its pictures may be spelt as another file would spell it.

    Raises:
        ExcludedItem: a folder cannot be read.
    """
    try:
        return _pictures(root, path)
    except OSError as error:
        if is_machine_trouble(error):
            raise
        raise ExcludedItem(
            "the folder of its released pictures cannot be read",
            "mend its permissions and run with --forcerun features_faces, or set features.faces.source to detect",
        ) from None


def _pictures(root: Path, path: str) -> Listed:
    folder = next((one for name in FOLDERS if (one := _folder(root / name, path)) is not None), None)
    if folder is None:
        return Listed()
    series: defaultdict[str, defaultdict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    pictures = 0
    for picture in sorted(folder.iterdir()):
        suffix = picture.suffix.lower()
        if picture.name.startswith(".") or suffix not in _SUFFIXES | _OTHER_SUFFIXES or not picture.is_file():
            continue
        pictures += 1
        named = _NUMBERED.fullmatch(picture.stem)
        if named and suffix in _SUFFIXES:
            series[named[1].lower()][int(named[2])].append(picture)
    if not series:
        return Listed(unnumbered=pictures)
    name = _SERIES if _SERIES in series else max(sorted(series), key=lambda one: len(series[one]))
    found = {number: _first(number, files) for number, files in sorted(series[name].items())}
    own = sum(map(len, series[name].values()))
    return Listed(found, own - len(found), pictures - own)


def _first(number: int, files: list[Path]) -> Path:
    """Of several pictures of a number one with content, then the one that is named as the release does it."""
    if len(files) == 1:
        return files[0]
    return min(files, key=lambda file: (file.stat().st_size == 0, file.stem != f"{_SERIES}-{number}", file.name))


def _folder(top: Path, path: str) -> Path | None:
    if (top / path).is_dir():
        return top / path
    name = parse_name(path)
    if name is None:
        return None
    spelt = ((one, parse_name(str(one))) for one in sorted((top / path).parents[1].glob("*/*")) if one.is_dir())
    return next((one for one, other in spelt if other is not None and other.key == name.key), None)


def first_number(videos: Iterable[tuple[Mapping[int, Path], int]]) -> int:
    """Number of the first frame in a release: 0, or 1 where no video has a picture 0 and one is counted to its end.

    That is from 1 to the number of its frames or beyond. A video alone cannot tell where its first or last is missing.

    Args:
        videos: pictures (see ``Listed``) and number of frames of each.
    """
    known = [(files, frames) for files, frames in videos if files]
    to_the_end = any(1 in files and max(files) >= frames for files, frames in known)
    return int(to_the_end and not any(0 in files for files, _ in known))


def content_of(path: Path) -> bytes:
    """Bytes of a picture; empty where it cannot be one, or may not be read."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _MOST_BYTES else b""
    except OSError as error:
        if is_machine_trouble(error):
            raise
        return b""


def picture_in(content: bytes) -> Picture | None:
    """RGB uint8 [H, W, 3]; None where it cannot be opened, or is cut short, which OpenCV would fill up with grey."""
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as picture:
            if max(picture.size) > _LONGEST_SIDE:
                return None
            picture.load()
            return _rgb8(_upright(picture))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _upright(picture: Image.Image) -> Image.Image:
    """A picture turned as its EXIF data say; ``ImageOps.exif_transpose`` writes them anew and fails at damaged ones."""
    way = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    return picture if way is None else picture.transpose(way)


def _rgb8(picture: Image.Image) -> Picture:
    if picture.mode.startswith("I"):  # grey of 16 bits, which ``convert`` would clip at 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return np.asarray(picture.convert("RGB"))
