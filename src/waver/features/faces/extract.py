"""The face of each frame: found, followed, aligned, stored (dataset paper, section 3).

One face per frame: the speaker's through the recording (``identity``), or, as in the papers, the one of the highest
score; where several score within 0.02 of it, the one that overlaps most with the previous face. A frame without it
repeats the last good one and has ``valid`` False. Frames before the first good face
have that face (the released code has the whole picture there, squeezed to a square).
"""

from __future__ import annotations

from collections.abc import Iterator
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
from waver.features.faces.identity import Looks, Sightings
from waver.features.faces.insightface_pack import embedding_looks
from waver.features.faces.mouth import Loudness
from waver.features.faces.track import Frame, Track, chosen_track, follow_face
from waver.features.level import is_silent, levels_db
from waver.features.video import Decoding, decode_in_worker
from waver.features.waveform import read_in_worker
from waver.io.shard_job import Row, run_shard
from waver.io.tables import VIDEOS, read_table
from waver.io.zarr_store import SHARD_ROWS, StoreWriter
from waver.shapes import FPS


def extract_faces(
    videos: Path,
    root: Path,
    model: Path,
    stores: Path,
    index: Path,
    config: FacesConfig,
    code: str,
    embedding: Path | None = None,
) -> None:
    """Make the face stores of one shard (rule ``features_faces``).

    A store holds ``image`` uint8 [T, size, size, 3] RGB, ``score`` float32 [T], ``box`` float32 [T, 4]
    (x0, y0, x1, y1) and ``landmarks`` float32 [T, 5, 2] in pixels of the upright source frame, ``valid``
    bool [T] (a face was detected or interpolated, in a frame that is seen), ``source_frame`` int32 [T]. Where
    ``valid`` is False the score is 0 and box and landmarks are NaN.

    Args:
        videos: the shard's table of videos (VIDEOS).
        root: folder that the videos' paths are relative to.
        model: ``asset.json`` of the installed face detector.
        stores: folder of the stores.
        index: Parquet file to write (FEATURE_INDEX).
        config: detection, choice and alignment.
        code: fingerprint of the code.
        embedding: ``asset.json`` of an embedding of faces, by which the speaker is found again; else faces are
            compared by small grey pictures.

    Raises:
        WaverError: a model cannot be used, or every video failed unexpectedly.
    """
    cv2.setNumThreads(threads())
    record = installed(model)
    detector = load_detector(record, config, threads())
    made_from = {"feature": "faces", "config": config.deciding, "code": code, "model": record.key}
    looks = None
    if embedding is not None:
        known = installed(embedding)
        looks, made_from["embedding"] = embedding_looks(known, threads()), known.key
    compute = partial(_faces_of, root=root, detector=detector, looks=looks, config=config)
    run_shard(read_table(videos, VIDEOS), stores, index, made_from, compute)


def _faces_of(
    row: Row, writer: StoreWriter, root: Path, detector: Detector, looks: Looks | None, config: FacesConfig
) -> tuple[int, str]:
    path = root / row["path"]
    clock, decoding = frame_clock(path), Decoding()
    times_s = clock.probe.pts_s[clock.needed]
    track, sightings = Track.empty(times_s), Sightings(looks)
    images = writer.images("image", clock.frames, config.size, config.quality)
    strip = _FaceStrip(images)
    pictures = _pictures(path, clock, decoding, config)
    _show(follow_face(pictures, detector, config.every, track, sightings), clock, config, track, strip)
    if not decoding.given:
        raise ExcludedItem(
            "no video frame can be decoded", "play it in a video player; if it does not play, copy it again"
        )
    if not track.valid.any():
        raise ExcludedItem(
            f"no face was found in any of the {decoding.given} frames",
            "see whether the person is in the picture and upright, or lower features.faces.threshold",
        )
    hear = partial(_loudness, path, clock)
    chosen = sightings.best if config.choice == "best_score" else sightings.speaker(hear)
    if chosen != sightings.best:
        writer.clear()  # the faces of others do not stay in the file
        track, strip = chosen_track(times_s, sightings.faces, chosen, config.every), _FaceStrip(images)
        _show(_pictures(path, clock, Decoding(), config), clock, config, track, strip)
    strip.finish()
    place = np.searchsorted(clock.needed, clock.source_frame)
    slots = track.at(place, clock.seen)
    for name in ("score", "box", "landmarks", "valid"):
        writer.put(name, getattr(slots, name))
    writer.put("source_frame", clock.source_frame)
    writer.attributes.update(detector=detector.name, providers=detector.providers)
    return clock.frames, _note(clock, decoding, slots.valid, sightings, chosen)


def _loudness(path: Path, clock: FrameClock) -> Loudness | None:
    """The recording's sound; None where it has none."""
    try:
        sound = read_in_worker(path, clock.audio_start_s, clock.frames / FPS)
    except ExcludedItem:
        return None
    return None if is_silent(sound.samples) else Loudness(levels_db(sound.samples), clock.probe.pts_s[clock.needed])


def _pictures(path: Path, clock: FrameClock, decoding: Decoding, config: FacesConfig) -> Iterator[Frame]:
    """The frames that are shown, numbered from 0."""
    place_of = {int(frame): place for place, frame in enumerate(clock.needed)}
    decoded = decode_in_worker(path, clock.probe, clock.needed, decoding, config.decoder)
    return ((place_of[number], picture) for number, picture in decoded)


def _show(frames: Iterator[Frame], clock: FrameClock, config: FacesConfig, track: Track, strip: _FaceStrip) -> None:
    """Align the faces of a track, frame by frame."""
    first_slot = np.searchsorted(clock.source_frame, clock.needed)
    for place, picture in frames:
        if track.valid[place]:
            matrix = similarity_to_template(track.landmarks[place], config.size)
            strip.show(aligned_face(picture, matrix, config.size), int(first_slot[place]))


def _note(
    clock: FrameClock,
    decoding: Decoding,
    valid: npt.NDArray[np.bool_],
    sightings: Sightings,
    chosen: dict[int, int],
) -> str:
    parts = [decoding.note(), f"face in {valid.mean():.0%} of frames"]
    if others := sightings.others(chosen):
        parts.append(f"another face in {others / len(sightings.faces):.0%} of frames")
    if sightings.by_mouth:
        parts.append("the speaker is told by the mouth, which moves with the sound")
    if switches := sightings.switches(chosen):
        parts.append(f"{switches} switches of the face")
    if not clock.seen.all():
        parts.append(f"no picture for {(~clock.seen).sum() / FPS:.1f} s")
    if clock.probe.truncated:
        parts.append(clock.probe.truncated)
    return "; ".join(parts)


class _FaceStrip:
    """Writes faces slot by slot, a shard of the store at a time; each is repeated until the next."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._block = np.empty((min(SHARD_ROWS, array.shape[0]), *array.shape[1:]), np.uint8)
        self._slot = 0
        self._face: npt.NDArray[np.uint8] | None = None

    def show(self, face: npt.NDArray[np.uint8], slot: int) -> None:
        """Show a face from ``slot`` on; the first one also fills all slots before."""
        self._fill(slot, face if self._face is None else self._face)
        self._face = face

    def finish(self) -> None:
        """Fill the remaining slots with the last face."""
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
