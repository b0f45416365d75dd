"""BAH as released, and the demo data set, which is in the same layout.

Where there are no video files at all (split files with transcripts, which are public), a video whose frames are
labelled counts as one of that many frames at 24 fps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from waver.datasets.absent_files import unreadable_folders
from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.file_matching import Located, match_files
from waver.datasets.bah.frame_labels import FrameSources, frame_truth, on_frames_of, only_in_seconds
from waver.datasets.bah.frame_lists import Labels
from waver.datasets.bah.layouts import Layout, find_layout
from waver.datasets.bah.matching import first_of_each, frame_sources, match_annotations, read_entries
from waver.datasets.bah.metadata import participant_rows, read_metadata
from waver.datasets.bah.release_yaml import read_yaml
from waver.datasets.bah.released_values import MEND, transcript_record
from waver.datasets.bah.segments import runs, segment_rows, timed_rows
from waver.datasets.bah.splits import Entry
from waver.datasets.base import SPLITS, DataSet, Source
from waver.datasets.clean_text import shown
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.inventory import scan
from waver.datasets.transcripts import Chunk, guessed_language, main_language, plain_transcript, read_transcript
from waver.datasets.video_files import VideoFile, examine
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem, WaverError
from waver.io.worker_process import call_in_worker
from waver.provenance import digest
from waver.shapes import FPS

log = logging.getLogger(__name__)


def read_bah(source: Source) -> DataSet:
    """A release of BAH; see ``waver.datasets.base.Reader``.

    Args:
        source: its layout is bah300, bah224, abaw8, or auto to look.

    Raises:
        WaverError: there is no release, a file of it is broken, or a participant is in two splits.
    """
    root = source.root
    unreadable: list[str] = []
    files = {file.path: file for file in scan(root, unreadable)}
    found = find_layout(root, source.layout, list(files.values()), unreadable)
    rows = DataSet(set_aside=unreadable_folders(unreadable), layout=found.name)
    refused: set[str] = set()
    before = len(rows.set_aside)
    entries = read_entries(found, refused, rows.set_aside)
    rows.note_unusable(rows.set_aside[before:])
    rows.doubts += [f"{folder} cannot be read" for folder in unreadable]
    rows.doubts += [f"there is no list of the split {split}" for split in SPLITS if split not in found.splits]
    annotations = match_annotations(found, entries, refused, rows.set_aside)
    videos = None
    if source.recorded:
        located = match_files(found, entries, refused, unreadable, rows.set_aside)
        entries = first_of_each(entries, rows.set_aside)
        chosen = [files[located.paths[entry.path]] for entry in entries if entry.path in located.paths]
        videos = _VideoFiles(root, located, examine(root, chosen, source.cache))
    else:
        entries = first_of_each(entries, rows.set_aside)
    sources = frame_sources(found, entries, annotations, rows.set_aside)
    for entry in entries:
        _collect(entry, found, annotations.get(entry.name.key), sources, videos, rows)
    metadata = read_metadata(found.metadata)
    listed = [(entry.name.participant, entry.split) for entry in entries]
    rows.participants = participant_rows(listed, metadata, rows.set_aside)
    _log_undescribed(rows, {record.participant for record in metadata})
    return rows


@dataclass(frozen=True)
class _VideoFiles:
    """The video files that were found and what they hold."""

    root: Path
    located: Located
    examined: dict[str, VideoFile | ExcludedItem]

    def of(self, entry: Entry) -> VideoFile | ExcludedItem:
        if entry.path in self.located.absent:
            return self.located.absent[entry.path]
        return self.examined[self.path(entry)]

    def path(self, entry: Entry) -> str:
        """Of the file, where there is one, else as listed."""
        return self.located.paths.get(entry.path, entry.path)

    def times_s(self, entry: Entry) -> npt.NDArray[np.float64]:
        return call_in_worker(probe_video, self.root / self.path(entry)).pts_s


def _collect(
    entry: Entry,
    found: Layout,
    annotation: Annotation | None,
    sources: FrameSources,
    files: _VideoFiles | None,
    rows: DataSet,
) -> None:
    """Rows of one video."""
    name, video = entry.name, files.of(entry) if files else None
    frames, duration_s = (video.frames, video.duration_s) if isinstance(video, VideoFile) else (None, None)
    chunks = _transcript(entry, found, annotation, duration_s, rows.set_aside)
    rows.transcripts += [{"video": name.video, "chunk": number, **vars(chunk)} for number, chunk in enumerate(chunks)]
    label = entry.label if entry.label is not None or annotation is None else annotation.label
    labels, problem = None, annotation.problem if annotation is not None else None
    if problem is None:
        try:
            labels = _segments(entry, annotation, sources, frames, files, label, rows)
        except ExcludedItem as odd:
            problem = odd
    if problem is not None and not isinstance(video, ExcludedItem):
        video = problem
    if files is None and video is None and labels is not None and len(labels):
        video = _unseen(labels)
    rows.answers.append(_answer_row(entry, video, label, labels, chunks))
    if video is None:
        return
    path = files.path(entry) if files else entry.path
    if isinstance(video, ExcludedItem):
        rows.set_aside.append(exclusion_row(name.video, video.reason, video.remedy, name.participant, path))
        return
    if label is not None and labels is not None and label != labels.max(initial=0):
        log.info("%s: released label %d, its frames say otherwise; both are kept", name.video, label)
    annotated = None if labels is None else len(labels)
    rows.videos.append(_video_row(entry, path, video, label, annotated, main_language(chunks)))


def _segments(
    entry: Entry,
    annotation: Annotation | None,
    sources: FrameSources,
    frames: int | None,
    files: _VideoFiles | None,
    label: int | None,
    rows: DataSet,
) -> Labels | None:
    """Labels of a video's frames; their segments are added to the rows."""

    @cache
    def times_s() -> npt.NDArray[np.float64]:
        return files.times_s(entry) if files else np.zeros(0)

    video = entry.name.video
    annotation = on_frames_of(annotation or Annotation(entry.path), frames, times_s)
    labels = frame_truth(entry.name.key, annotation, sources, frames, times_s, label)
    if labels is None:
        return None
    found, starts = segment_rows(video, runs(labels), annotation), [one for one, _ in annotation.intervals or ()]
    if annotation.times and only_in_seconds(entry.name.key, annotation, sources):
        found = timed_rows(video, annotation.times, times_s(), annotation)
        starts = np.searchsorted(times_s(), [one for one, _ in annotation.times]).tolist()
    if any(start >= len(labels) for start in starts):
        reason = "an interval of its annotation begins after the end of the video and is left out"
        rows.set_aside.append(exclusion_row(video, reason, MEND, entry.name.participant, entry.path))
    rows.segments += found
    return labels


def _unseen(labels: Labels) -> VideoFile:
    """What a video without a file is taken for: its labelled frames at the papers' 24 fps."""
    return VideoFile(digest(["labels", runs(labels), len(labels)]), len(labels), len(labels) / FPS, has_audio=False)


def _answer_row(
    entry: Entry, video: VideoFile | ExcludedItem | None, label: int | None, labels: Labels | None, chunks: list[Chunk]
) -> Row:
    text = " ".join(chunk.text.strip() for chunk in chunks).strip()
    if label is None and labels is not None:
        label = int(labels.max(initial=0))
    return {
        "video": entry.name.video,
        "participant": entry.name.participant,
        "split": entry.split,
        "question": entry.name.question,
        "label": label,
        "text": text,
        "words": len(text.split()),
        "duration_s": video.duration_s if isinstance(video, VideoFile) else None,
        "language": main_language(chunks) or guessed_language(text),
    }


def _video_row(
    entry: Entry, path: str, video: VideoFile, label: int | None, annotated: int | None, language: str | None
) -> Row:
    return {
        "video": entry.name.video,
        "participant": entry.name.participant,
        "split": entry.split,
        "question": entry.name.question,
        "path": path,
        "label": label,
        "source_frames": video.frames,
        "source_fps": video.frames / video.duration_s,
        "duration_s": video.duration_s,
        "has_audio": video.has_audio,
        "annotated_frames": annotated,
        "language": language,
        "checksum": video.checksum,
    }


def _transcript(
    entry: Entry, found: Layout, annotation: Annotation | None, duration_s: float | None, exclusions: list[Row]
) -> list[Chunk]:
    """The transcript with times if there is one, from its own file or the annotation, else the split file's."""
    own = found.transcripts.get(entry.name.key)
    if own is not None:
        try:
            chunks = read_transcript(transcript_record(read_yaml(found.root / own)), duration_s)
            if chunks:
                return chunks
        except (WaverError, ExcludedItem, TypeError, ValueError) as error:
            log.warning("%s: its transcript cannot be used: %s", entry.name.video, shown(str(error)))
            reason = "its transcript file cannot be used, and its words are those of the other files"
            remedy = "mend the file, or copy it again from the release"
            exclusions.append(exclusion_row(entry.name.video, reason, remedy, entry.name.participant, shown(own)))
    if annotation is not None and annotation.transcript:
        chunks = read_transcript(annotation.transcript, duration_s)
        if chunks:
            return chunks
    return plain_transcript(entry.transcript)


def _log_undescribed(rows: DataSet, described: set[str]) -> None:
    strangers = [row["participant"] for row in rows.participants if row["participant"] not in described]
    if strangers:
        log.warning(
            "no metadata, and so no consent, of %d participants, e.g. %s", len(strangers), ", ".join(strangers[:10])
        )
