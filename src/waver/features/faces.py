"""The face of each frame: found, followed, aligned, stored (dataset paper, section 3).

One face a frame, the one of the highest score; where several score within 0.02 of it, the one that
overlaps most with the face before, so that two people in the picture are not mixed up. A frame without
a face repeats the last good one and has ``valid`` False. Before the first good face that first one
stands (the released code puts the whole picture there, squeezed to a square).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from waver.assets.manifest import installed
from waver.config.sections import FacesConfig
from waver.device import threads
from waver.errors import SetAside
from waver.features.clock import FrameClock, frame_clock
from waver.features.decode import Decoding, decode_frames
from waver.features.detector import FaceDetector
from waver.features.face_template import aligned_face, similarity_to_template
from waver.features.face_track import Track, follow_face
from waver.store.arrays import SHARD_ROWS, StoreWriter
from waver.store.shards import Row, run_shard
from waver.store.tables import VIDEOS, read_table


def extract_faces(
    videos: Path, root: Path, model: Path, stores: Path, index: Path, config: FacesConfig, code: str
) -> None:
    """Make the face stores of one shard (rule ``features_faces``).

    A store holds ``image`` uint8 [T, size, size, 3] RGB, ``score`` float32 [T], ``box`` float32 [T, 4]
    (x0, y0, x1, y1) and ``landmarks`` float32 [T, 5, 2] in pixels of the upright source frame, ``valid``
    bool [T] (a face was detected or interpolated), ``source_frame`` int32 [T]. Where ``valid`` is False
    the score is 0 and box and landmarks are NaN.

    Args:
        videos: the shard's table of videos (VIDEOS).
        root: folder that the videos' paths are relative to.
        model: ``asset.json`` of the installed face detector.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: detection, choice and alignment.
        code: fingerprint of the code.

    Raises:
        WaverError: the model cannot be used, or every video failed unexpectedly.
    """
    cv2.setNumThreads(threads())
    record = installed(model)
    detector = FaceDetector(record, config.threshold, config.nms, config.long_side, threads())
    compute = partial(_faces_of, root=root, detector=detector, config=config)
    made_from = {"thing": "faces", "config": config.model_dump(), "code": code, "model": record.key}
    run_shard(read_table(videos, VIDEOS), stores, index, made_from, compute)


def _faces_of(
    row: Row, writer: StoreWriter, root: Path, detector: FaceDetector, config: FacesConfig
) -> tuple[int, str]:
    path = root / row["path"]
    clock, decoding = frame_clock(path), Decoding()
    track = Track.empty(clock.probe.pts_s[clock.needed])
    strip = _FaceStrip(writer.images("image", clock.frames, config.size, config.quality))
    _walk(path, clock, decoding, detector, config, track, strip)
    if not decoding.given:
        raise SetAside("no video frame can be decoded", "play it in a video player; if it does not play, copy it again")
    if not track.valid.any():
        raise SetAside(
            f"no face was found in any of the {decoding.given} frames",
            "see whether the person is in the picture and upright, or lower features.faces.threshold",
        )
    strip.finish()
    place = np.searchsorted(clock.needed, clock.source_frame)
    for name in ("score", "box", "landmarks", "valid"):
        writer.put(name, getattr(track, name)[place])
    writer.put("source_frame", clock.source_frame)
    writer.attributes.update(detector=detector.name, providers=detector.providers)
    return clock.frames, _note(clock, decoding, track.valid[place])


def _walk(
    path: Path,
    clock: FrameClock,
    decoding: Decoding,
    detector: FaceDetector,
    config: FacesConfig,
    track: Track,
    strip: _FaceStrip,
) -> None:
    """Decode, find and align; everything in one pass, a few pictures at a time."""
    place_of = {int(frame): place for place, frame in enumerate(clock.needed)}
    first_slot = np.searchsorted(clock.source_frame, clock.needed)
    decoded = decode_frames(path, clock.probe, clock.needed, decoding)
    frames = ((place_of[number], picture) for number, picture in decoded)
    for place, picture in follow_face(frames, detector, config.every, track):
        if track.valid[place]:
            matrix = similarity_to_template(track.landmarks[place], config.size)
            strip.show(aligned_face(picture, matrix, config.size), int(first_slot[place]))


def _note(clock: FrameClock, decoding: Decoding, valid: npt.NDArray[np.bool_]) -> str:
    parts = [decoding.note(), f"face in {valid.mean():.0%} of frames"]
    if clock.probe.truncated:
        parts.append(clock.probe.truncated)
    return "; ".join(parts)


class _FaceStrip:
    """Writes faces slot by slot, a shard of the store at a time; each stands until the next is shown."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._block = np.empty((min(SHARD_ROWS, array.shape[0]), *array.shape[1:]), np.uint8)
        self._slot = 0
        self._face: npt.NDArray[np.uint8] | None = None

    def show(self, face: npt.NDArray[np.uint8], slot: int) -> None:
        """Show a face from ``slot`` on; the first one also stands in all slots before."""
        self._fill(slot, face if self._face is None else self._face)
        self._face = face

    def finish(self) -> None:
        """Fill what is left with the last face."""
        assert self._face is not None
        self._fill(self._array.shape[0], self._face)

    def _fill(self, end: int, face: npt.NDArray[np.uint8]) -> None:
        while self._slot < end:
            start = self._slot % SHARD_ROWS
            count = min(end - self._slot, len(self._block) - start)
            self._block[start : start + count] = face
            self._slot += count
            if start + count == len(self._block) or self._slot == self._array.shape[0]:
                first = self._slot - start - count
                self._array[first : self._slot] = self._block[: start + count]
