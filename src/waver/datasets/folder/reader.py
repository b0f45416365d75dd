"""A folder of videos with ``videos.csv``, and perhaps ``segments.csv``, ``transcripts.csv`` and ``questions.csv``.

``docs/adding_a_dataset.md`` says what the tables hold, and how ELAN's files take the place of ``segments.csv``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from waver.datasets.absent_files import by_stem, stem, unreadable_folders, why_absent
from waver.datasets.base import DataSet, Source
from waver.datasets.clean_text import composed
from waver.datasets.codebook import decode
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.annotation_files import read_annotation_files
from waver.datasets.folder.annotations import Span, read_segments, read_transcripts
from waver.datasets.folder.listing import Recording, read_listing
from waver.datasets.folder.question_table import read_questions
from waver.datasets.inventory import VIDEO_SUFFIXES, FoundFile, scan
from waver.datasets.transcripts import Chunk, guessed_language, main_language
from waver.datasets.video_files import VideoFile, examine
from waver.datasets.video_probe import probe_video
from waver.errors import ExcludedItem, WaverError
from waver.io.worker_process import call_in_worker
from waver.shapes import FPS

Times = npt.NDArray[np.float64]
_SEGMENTS_REMEDY = "correct its lines in segments.csv, or its annotation file"


def read_folder(source: Source) -> DataSet:
    """The recordings of a folder; see ``waver.datasets.base.Reader``.

    Raises:
        WaverError: a table cannot be read or has other columns, a participant is in two splits, or the config
            promises no video.
    """
    if not source.recorded:
        raise WaverError("dataset.reader: folder needs video files; set dataset.source to release")
    rows = DataSet()
    recordings, rows.participants = read_listing(source.root, rows.set_aside)
    rows.note_unusable(rows.set_aside)
    rows.questions = read_questions(source.root, recordings, rows.set_aside)
    files = _examined(source, recordings, rows)
    _exclude_copies(recordings, files)
    chunks = read_transcripts(source.root, recordings, rows.set_aside)
    tabled = read_segments(source.root, recordings, rows.set_aside)
    paths = {video: path for video, (path, _) in files.items()}
    segments = read_annotation_files(source.root, paths, recordings, tabled, rows.set_aside)
    for one in recordings:
        _collect(one, files[one.video], chunks[one.video], segments.get(one.video), source.root, rows)
    return rows


def _examined(
    source: Source, recordings: Sequence[Recording], rows: DataSet
) -> dict[str, tuple[str, VideoFile | ExcludedItem]]:
    """Video id -> path as it is on the disk, and what the file holds or why it cannot be used."""
    unreadable: list[str] = []
    there: dict[str, FoundFile] = {composed(file.path): file for file in scan(source.root, unreadable)}
    rows.set_aside += unreadable_folders(unreadable)
    rows.doubts += [f"{folder} cannot be read" for folder in unreadable]
    chosen = {one.video: there[one.path] for one in recordings if one.path in there}
    held = examine(source.root, chosen.values(), source.cache)
    alike = by_stem(path for path in there if path.lower().endswith(VIDEO_SUFFIXES))
    return {
        one.video: (chosen[one.video].path, held[chosen[one.video].path])
        if one.video in chosen
        else (one.path, why_absent(source.root, one.path, alike.get(stem(one.path)), unreadable))
        for one in recordings
    }


def _exclude_copies(recordings: Iterable[Recording], files: dict[str, tuple[str, VideoFile | ExcludedItem]]) -> None:
    """One file under two names would be two answers, perhaps of two people or in two splits."""
    first: dict[str, Recording] = {}
    for one in recordings:
        path, file = files[one.video]
        if isinstance(file, VideoFile) and first.setdefault(file.checksum, one) is not one:
            other = first[file.checksum].where
            files[one.video] = (
                path,
                ExcludedItem(f"the file is a copy of that of {other}", "keep one of the two lines"),
            )


def _collect(
    one: Recording,
    file: tuple[str, VideoFile | ExcludedItem],
    chunks: list[Chunk],
    segments: list[Span] | None,
    root: Path,
    rows: DataSet,
) -> None:
    """Rows of one recording."""
    path, held = file
    known = {"video": one.video, "participant": one.participant, "split": one.split, "question": one.question}
    text = " ".join(chunk.text for chunk in chunks)
    language = one.language or main_language(chunks)
    rows.transcripts += [{"video": one.video, "chunk": number, **vars(chunk)} for number, chunk in enumerate(chunks)]
    answer = {
        **known,
        "label": one.label if one.label is not None or not segments else 1,
        "text": text,
        "words": len(text.split()),
        "duration_s": held.duration_s if isinstance(held, VideoFile) else None,
        "language": language or guessed_language(text),
    }
    rows.answers.append(answer)
    if isinstance(held, ExcludedItem):
        rows.set_aside.append(exclusion_row(one.video, held.reason, held.remedy, one.participant, path))
        return
    try:
        spans, left_out = _segment_rows(one.video, segments or [], root / path)
    except ExcludedItem as problem:
        rows.set_aside.append(exclusion_row(one.video, problem.reason, problem.remedy, one.participant, path))
        return
    # without a segment, the frames are known of a video that shows no A/H
    annotated = segments is not None or one.label == 0
    rows.segments += spans
    if left_out:
        reason, remedy = "a segment begins after the end of the video and is left out", _SEGMENTS_REMEDY
        rows.set_aside.append(exclusion_row(one.video, reason, remedy, one.participant, path))
    rows.videos.append(
        {
            **known,
            "path": path,
            "label": one.label,
            "source_frames": held.frames,
            "source_fps": held.frames / held.duration_s,
            "duration_s": held.duration_s,
            "has_audio": held.has_audio,
            "annotated_frames": held.frames if annotated else None,
            "language": language,
            "checksum": held.checksum,
        }
    )


@dataclass
class Joined:
    """Lines of the segments that are one segment of the video.

    Attributes:
        start_s, end_s: seconds.
        lines: what they are made of.
    """

    start_s: float
    end_s: float
    lines: list[Span]

    def add(self, span: Span) -> None:
        """One more line."""
        self.end_s = max(self.end_s, span.end_s)
        self.lines.append(span)

    def annotation(self) -> Row:
        """The least certainty that is given, and all cues."""
        certainties = [line.certainty for line in self.lines if line.certainty is not None]
        cues: dict[str, list[str]] = {}
        for channel, text in dict.fromkeys(cue for line in self.lines for cue in line.cues):
            cues.setdefault(channel, []).append(text)
        said = {channel: ", ".join(texts) for channel, texts in cues.items()}
        return {
            "certainty": min(certainties, default=None),
            "cues": json.dumps(said, sort_keys=True, ensure_ascii=False) if said else None,
            "cue_names": decode(said),
        }


def _segment_rows(video: str, segments: Sequence[Span], file: Path) -> tuple[list[Row], bool]:
    """Segments in seconds and in source frames: those that start within the times, half open; overlaps become one.

    Returns:
        The rows, and whether a segment begins after the last frame.

    Raises:
        ExcludedItem: none has a frame of the video or of the clock.
    """
    if not segments:
        return [], False
    probe = call_in_worker(probe_video, file)
    joined: list[Joined] = []
    for span in sorted(segments, key=lambda span: (span.start_s, span.end_s)):
        if joined and _touch(joined[-1].end_s, span.start_s, probe.pts_s):
            joined[-1].add(span)
        else:
            joined.append(Joined(span.start_s, span.end_s, [span]))
    within = [one for one in joined if one.start_s < probe.end_s]
    if not any(_has_frame(one.start_s, one.end_s, probe.pts_s) for one in within):
        raise ExcludedItem("no segment has a frame of the video", _SEGMENTS_REMEDY)
    rows = [
        {
            "video": video,
            "segment": number,
            "start_frame": int(np.searchsorted(probe.pts_s, one.start_s)),
            "end_frame": int(np.searchsorted(probe.pts_s, one.end_s)),
            **one.annotation(),
            "start_s": one.start_s,
            "end_s": one.end_s,
        }
        for number, one in enumerate(within)
    ]
    return rows, max(span.start_s for span in segments) > probe.pts_s[-1]


def _touch(end_s: float, start_s: float, times_s: Times) -> bool:
    """Whether no time of the clock and no frame lies between two segments."""
    first, last = np.searchsorted(times_s, (end_s, start_s))
    return start_s <= end_s or (start_s - end_s < 1 / FPS and first == last)


def _has_frame(start_s: float, end_s: float, times_s: Times) -> bool:
    """Whether a frame or a time of the clock lies in a segment."""
    first, last = np.searchsorted(times_s, (start_s, end_s))
    return bool(first < last or math.ceil(start_s * FPS) < math.ceil(end_s * FPS))
