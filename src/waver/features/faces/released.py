"""The release's own cropped and aligned faces in place of detected ones, on the same clock and in the same stores.

A release has one picture for each source frame, ``frame-<i>.jpg`` counted from 0, or 1, in a folder that is named like
the video. Its pipeline repeats the last face where it finds none, and before the first face it shows the whole picture
(released code, ``bah_db.py``): a picture that has been repeated byte for byte for some time, and one that is far from
square, is no face.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from waver.assets.manifest import installed
from waver.config.sections import FacesConfig
from waver.device import threads
from waver.errors import ExcludedItem
from waver.features.clock import FrameClock, frame_clock
from waver.features.faces.align import aligned_face, similarity_to_template
from waver.features.faces.detect import Detector
from waver.features.faces.detectors import load_detector
from waver.features.faces.extract import extract_faces
from waver.features.faces.released_files import (
    Listed,
    Picture,
    content_of,
    first_number,
    listed_pictures,
    picture_in,
    pictures_of,
)
from waver.features.video import Decoding, decode_in_worker
from waver.io.shard_job import Row, run_shard
from waver.io.tables import VIDEOS, read_table
from waver.io.zarr_store import SHARD_ROWS, StoreWriter
from waver.provenance import digest

REPEATED_S = 0.25
"""A repeated picture counts as a face for so long: a slow camera repeats its own pictures too."""
_SMALL = 64
"""Side at which a released and a detected face are compared, pixels."""
_NEARLY_SQUARE = 1.2
"""Longer by shorter side, at most, of a crop of a face; cameras give 5:4 and more."""


def make_faces(
    videos: Path, root: Path, model: Path, embedding: Path | None, stores: Path, index: Path,
    config: FacesConfig, code: str,
) -> None:  # fmt: skip
    """Make the face stores of one shard, detected or released (rule ``features_faces``).

    Those of released faces are as ``waver.features.faces.extract.extract_faces`` describes them, but for ``score``,
    ``box`` and ``landmarks``, which the release does not give: they are NaN. Their attributes hold ``agreement``: in
    how many frames a face was released, detected, and both, and how alike the two are.

    Args:
        videos: the shard's table of videos (VIDEOS).
        root: folder of the release.
        model: ``asset.json`` of the face detector; not loaded where faces are released and not compared.
        embedding: see ``extract_faces``.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: where faces come from, their detection, choice and alignment.
        code: fingerprint of the code.

    Raises:
        WaverError: a model cannot be used, or every video failed unexpectedly.
    """
    if config.source == "detect":
        extract_faces(videos, root, model, stores, index, config, code, embedding)
        return
    cv2.setNumThreads(threads())
    made_from: dict[str, Any] = {"feature": "faces", "config": config.deciding, "code": code}
    detector = None
    if config.compare_every:
        record = installed(model)
        detector, made_from["model"] = load_detector(record, config, threads()), record.key
    rows = read_table(videos, VIDEOS)
    pictures = {row["video"]: _listed(row, root) for row in rows}
    first = first_number((pictures[row["video"]], row["source_frames"]) for row in rows)
    rows = [_with_pictures(row, pictures[row["video"]], first) for row in rows]
    run_shard(rows, stores, index, made_from, partial(_store, root=root, detector=detector, config=config, first=first))


def _listed(row: Row, root: Path) -> dict[int, Path]:
    try:
        return pictures_of(root, row["path"])
    except ExcludedItem:
        return {}  # it is excluded, by itself, where its store would be made


def _with_pictures(row: Row, pictures: Mapping[int, Path], first: int) -> Row:
    """The row of a video whose checksum is also of the names and sizes of its pictures, and of how they are counted."""
    if not pictures:
        return row
    found = [(path.name, path.stat().st_size) for path in pictures.values()]
    return row | {"checksum": digest([row["checksum"], found, *([first] if first else [])])}


@dataclass
class _Pictures:
    """The released pictures of the frames that are shown.

    Attributes:
        faces: place of a frame -> its picture as released, of those that show a face of their own; ascending.
        valid: bool [U], a face is shown; also for REPEATED_S after the last one where its picture is repeated.
        missing, damaged: pictures that are not there, and that cannot be opened.
        beyond: pictures of frames that the video does not have.
    """

    faces: dict[int, bytes]
    valid: npt.NDArray[np.bool_]
    missing: int = 0
    damaged: int = 0
    beyond: int = 0


def _store(
    row: Row, writer: StoreWriter, root: Path, detector: Detector | None, config: FacesConfig, first: int
) -> tuple[int, str]:
    path, listed = root / row["path"], listed_pictures(root, row["path"])
    if not listed.files and listed.unnumbered:
        raise ExcludedItem(
            f"none of its {listed.unnumbered} released pictures is a JPEG or PNG file with a number in its name",
            "name them frame-<number>.jpg and run with --forcerun features_faces, "
            "or set features.faces.source to detect",
        )
    if not listed.files:
        raise ExcludedItem(
            "the release has no cropped and aligned faces of it",
            "copy their folder again and run with --forcerun features_faces, or set features.faces.source to detect",
        )
    clock = frame_clock(path)
    released = _read(listed.files, clock, first)
    if not released.faces:
        raise ExcludedItem(
            f"none of its {len(listed.files)} released pictures shows a face",
            "mend them and run with --forcerun features_faces, or set features.faces.source to detect",
        )
    _fill(writer.images("image", clock.frames, config.size, config.quality), clock, released.faces, config.size)
    valid = released.valid[np.searchsorted(clock.needed, clock.source_frame)] & clock.seen
    writer.put("valid", valid)
    for name, shape in (("score", ()), ("box", (4,)), ("landmarks", (5, 2))):
        writer.put(name, np.full((clock.frames, *shape), np.nan, np.float32))
    writer.put("source_frame", clock.source_frame)
    writer.attributes.update(detector="released", providers=[])
    if detector is not None:
        writer.attributes["agreement"] = agreement(path, clock, released.faces, released.valid, detector, config)
    return clock.frames, _note(len(clock.needed), released, listed, float(valid.mean()))


def _read(files: Mapping[int, Path], clock: FrameClock, first: int) -> _Pictures:
    frames, times_s = len(clock.probe.pts_s), clock.probe.pts_s[clock.needed]
    found = _Pictures({}, np.zeros(len(clock.needed), bool), beyond=sum(number - first >= frames for number in files))
    last_s, before = -np.inf, b""
    for place, frame in enumerate(clock.needed):
        if int(frame) + first not in files:
            found.missing += 1
            continue
        content = content_of(files[int(frame) + first])
        picture = picture_in(content)
        if picture is None:
            found.damaged += 1
        elif content != before and max(picture.shape[:2]) <= _NEARLY_SQUARE * min(picture.shape[:2]):
            found.faces[place], last_s = content, times_s[place]
        found.valid[place] = picture is not None and times_s[place] - last_s <= REPEATED_S
        before = content
    return found


def _resized(picture: Picture, side: int) -> Picture:
    if picture.shape[:2] == (side, side):
        return picture
    way = cv2.INTER_AREA if min(picture.shape[:2]) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=way))


def _face(content: bytes, side: int) -> Picture:
    picture = picture_in(content)
    assert picture is not None
    return _resized(picture, side)


def _fill(images: Any, clock: FrameClock, faces: Mapping[int, bytes], size: int) -> None:
    """Write the face of each slot: that of its frame, else the last one before it, else the first of all."""
    places = np.array(list(faces))
    place_of_slot = np.searchsorted(clock.needed, clock.source_frame)
    shown = places[np.maximum(np.searchsorted(places, place_of_slot, side="right") - 1, 0)]
    last, face = -1, np.empty(0, np.uint8)
    for start in range(0, len(shown), SHARD_ROWS):
        block = np.empty((len(shown[start : start + SHARD_ROWS]), size, size, 3), np.uint8)
        for row, place in enumerate(shown[start : start + SHARD_ROWS]):
            if place != last:
                last, face = place, _face(faces[int(place)], size)
            block[row] = face
        images[start : start + len(block)] = block


def _note(frames: int, released: _Pictures, listed: Listed, share: float) -> str:
    parts = ["released faces"]
    if released.missing:
        parts.append(f"{released.missing} of {frames} pictures are missing")
    if released.damaged:
        parts.append(f"{released.damaged} of {frames} pictures cannot be opened")
    if released.beyond:
        parts.append(f"pictures of frames that the video does not have: {released.beyond}")
    if listed.doubled:
        parts.append(f"further pictures of the same numbers, not used: {listed.doubled}")
    if listed.unnumbered:
        parts.append(f"pictures with other names, not used: {listed.unnumbered}")
    return "; ".join([*parts, f"face in {share:.0%} of frames"])


def agreement(
    path: Path, clock: FrameClock, faces: Mapping[int, bytes], valid: npt.NDArray[np.bool_], detector: Detector,
    config: FacesConfig,
) -> dict[str, float]:  # fmt: skip
    """Released faces beside detected ones, in every ``config.compare_every``-th of the frames that are shown.

    Args:
        path: the video.
        clock: its clock.
        faces: place of a frame -> released picture of a face.
        valid: bool [U], a face is released.
        detector: of faces, whose best one is aligned as always.
        config: ``compare_every`` and what the detector is asked for.

    Returns:
        ``frames`` compared; in how many a face was ``released``, ``detected`` and ``both``; and ``similarity``, the
        sum of the correlations of the grey pictures over the ``pairs`` of a detected face and its released picture.
    """
    looked = np.arange(len(clock.needed))[:: config.compare_every]
    place_of = {int(clock.needed[place]): int(place) for place in looked}
    counts: Counter[str] = Counter()
    similarity = 0.0
    decoded = decode_in_worker(path, clock.probe, clock.needed[looked], Decoding(), config.decoder)
    for number, picture in decoded:
        place = place_of[number]
        (found,) = detector.detect([picture])
        there, shown = bool(len(found.score)), bool(valid[place])
        counts.update(frames=1, released=shown, detected=there, both=shown and there)
        if there and place in faces:
            matrix = similarity_to_template(found.landmarks[0], config.size)
            counts["pairs"] += 1
            similarity += correlation(_face(faces[place], config.size), aligned_face(picture, matrix, config.size))
    known = {name: int(counts[name]) for name in ("frames", "released", "detected", "both", "pairs")}
    return {**known, "similarity": similarity}


def correlation(one: Picture, other: Picture) -> float:
    """Correlation of the grey values of two pictures [H, W, 3], each brought to 64 pixels a side; 0 of a plain one."""
    first, second = (cv2.cvtColor(_resized(each, _SMALL), cv2.COLOR_RGB2GRAY).astype(np.float64).ravel()
                     for each in (one, other))  # fmt: skip
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale else 0.0
