"""Frames, length, sound and checksum of every video file, read once and remembered."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from waver.datasets.absent_files import ALLOW
from waver.datasets.inventory import FoundFile
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem, is_machine_trouble
from waver.io.atomic import atomic_write
from waver.io.worker_process import call_in_worker
from waver.provenance import file_sha256
from waver.workflow.fingerprint import code_version

log = logging.getLogger(__name__)

_SAVE_EVERY_S = 30.0
_COPY_AGAIN = "copy the file again from its source"


@dataclass(frozen=True)
class VideoFile:
    """What ingest keeps of a video file.

    Attributes:
        checksum: sha256 of its bytes.
        frames: displayed frames.
        duration_s: seconds from the first frame to the end of the last.
        has_audio: there is an audio stream.
    """

    checksum: str
    frames: int
    duration_s: float
    has_audio: bool


def examine(root: Path, files: Iterable[FoundFile], cache: Path) -> dict[str, VideoFile | ExcludedItem]:
    """Probe and checksum video files, in as many threads as OMP_NUM_THREADS says (else 2).

    A file whose path, size and time of change are those of last time is not opened again; a job that
    is killed loses at most the last half minute.

    Args:
        root: folder of the release.
        files: video files below it.
        cache: JSON file of what is known from last time; written.

    Returns:
        Path -> what the file holds, or why it cannot be used.

    Raises:
        OSError: the disk or the network fails; a retry resumes.
    """
    known = _Known(cache)
    found: dict[str, VideoFile | ExcludedItem] = {}
    with ThreadPoolExecutor(max(1, int(os.environ.get("OMP_NUM_THREADS") or 2))) as pool:
        waiting = {}
        for file in files:
            remembered = known.get(file)
            if remembered is not None:
                found[file.path] = remembered
            else:
                waiting[pool.submit(_examine_one, root / file.path, file.size, known.checksum(file))] = file
        log.info("%d video files known, %d to be read", len(found), len(waiting))
        try:
            for done in as_completed(waiting):
                file = waiting[done]
                found[file.path] = done.result()
                known.put(file, found[file.path])
        finally:
            pool.shutdown(cancel_futures=True)
            known.save()
    return found


def _examine_one(path: Path, size: int, checksum: str | None) -> VideoFile | ExcludedItem:
    if size == 0:
        return ExcludedItem("the video file is empty (0 bytes)", _COPY_AGAIN)
    if not os.access(path, os.R_OK) and path.exists():
        return ExcludedItem("the video file may not be read", ALLOW)
    try:
        probe = call_in_worker(probe_video, path)
        if probe.truncated:
            return ExcludedItem(probe.truncated, _COPY_AGAIN)
        return VideoFile(
            checksum=checksum or file_sha256(path),
            frames=len(probe.pts_s),
            duration_s=float(probe.end_s),
            has_audio=probe.audio_start_s is not None,
        )
    except ExcludedItem as problem:
        return problem
    except Exception as problem:
        if is_machine_trouble(problem):
            raise
        log.exception("%s cannot be examined", path)
        return ExcludedItem(f"the video file cannot be examined ({type(problem).__name__})", "see the job's log")


def _is_entry(entry: Any) -> bool:
    """Whether an entry of the cache file is whole: somebody may have edited the file."""
    try:
        VideoFile(**entry["video"])
        return all(name in entry for name in ("size", "mtime_ns", "code"))
    except (TypeError, KeyError, AttributeError):
        return False


class _Known:
    """The cache file. Checksums hold as long as the files; the rest as long as the probing code, too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = code_version(_examine_one)
        self._saved_s = time.monotonic()
        try:
            files = json.loads(path.read_text())["files"]
            self._files: dict[str, dict[str, Any]] = {name: entry for name, entry in files.items() if _is_entry(entry)}
        except FileNotFoundError:
            self._files = {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            if is_machine_trouble(problem):
                raise
            log.warning("%s is not readable (%s): all video files are read again", path, type(problem).__name__)
            self._files = {}

    def _entry(self, file: FoundFile) -> dict[str, Any] | None:
        entry = self._files.get(file.path)
        same = entry is not None and (entry["size"], entry["mtime_ns"]) == (file.size, file.mtime_ns)
        return entry if same else None

    def checksum(self, file: FoundFile) -> str | None:
        entry = self._entry(file)
        return str(entry["video"]["checksum"]) if entry else None

    def get(self, file: FoundFile) -> VideoFile | None:
        entry = self._entry(file)
        return VideoFile(**entry["video"]) if entry and entry["code"] == self._code else None

    def put(self, file: FoundFile, video: VideoFile | ExcludedItem) -> None:
        if isinstance(video, ExcludedItem):  # cheap to find again, and perhaps mended outside
            return
        self._files[file.path] = {
            "size": file.size,
            "mtime_ns": file.mtime_ns,
            "code": self._code,
            "video": asdict(video),
        }
        if time.monotonic() - self._saved_s > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        with atomic_write(self._path) as file:
            file.write_text(json.dumps({"files": self._files}, indent=1, sort_keys=True) + "\n")
        self._saved_s = time.monotonic()
