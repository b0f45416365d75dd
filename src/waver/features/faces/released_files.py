"""Files of the release's cropped and aligned faces: which there are of a video, and the picture that each holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from waver.datasets.bah.video_names import parse_name
from waver.errors import ExcludedItem, is_machine_trouble

FOLDERS = ("cropped-aligned-faces", "cropped_aligned", "cropped_aligned_faces")
"""Where releases keep them, below the root; the first is that of the release of 300 participants."""
_PICTURE = re.compile(r"frame-([0-9]{1,9})\.(?:jpe?g|png)", re.IGNORECASE | re.ASCII)
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


def pictures_of(root: Path, path: str) -> dict[int, Path]:
    """Number of the frame -> its released picture, ascending; empty where there is none.

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


def _pictures(root: Path, path: str) -> dict[int, Path]:
    folder = next((one for name in FOLDERS if (one := _folder(root / name, path)) is not None), None)
    if folder is None:
        return {}
    found: dict[int, Path] = {}
    for picture in sorted(folder.iterdir()):
        named = _PICTURE.fullmatch(picture.name)
        if named and picture.is_file():
            found.setdefault(int(named[1]), picture)
    return dict(sorted(found.items()))


def _folder(top: Path, path: str) -> Path | None:
    if (top / path).is_dir():
        return top / path
    name = parse_name(path)
    if name is None:
        return None
    spelt = ((one, parse_name(str(one))) for one in sorted((top / path).parents[1].glob("*/*")) if one.is_dir())
    return next((one for one, other in spelt if other is not None and other.key == name.key), None)


def first_number(files: Mapping[int, Path], frames: int) -> int:
    """Number of the first frame: 0, or 1 where the pictures are counted from 1 to the number of frames."""
    return 1 if 0 not in files and 1 in files and max(files) == frames else 0


def content_of(path: Path) -> bytes:
    """Bytes of a picture; empty where it cannot be one, or may not be read."""
    try:
        return path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
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
