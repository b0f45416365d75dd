"""From a release's folder to tables: participants, videos, answers, segments, transcripts, and what was set aside.

Participants, answers, segments and transcripts cover everything that the split files list; videos only
those whose file can be used. Where there are no video files at all (split files with transcripts, which
are public), a video whose frames are labelled counts as one of that many frames at 24 fps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from waver.data.annotation import Annotation, Labels
from waver.data.aside import Row, aside
from waver.data.inventory import scan
from waver.data.layouts import Layout, find_layout
from waver.data.matching import first_of_each, frame_sources, match_annotations, match_files, read_entries
from waver.data.metadata import participant_rows, read_metadata
from waver.data.probe import probe_video
from waver.data.segments import runs, segment_rows
from waver.data.sharding import shard_of
from waver.data.splits import Entry
from waver.data.transcripts import Chunk, guessed_language, main_language, plain_transcript, read_transcript
from waver.data.truth import FrameSources, frame_truth
from waver.data.videofiles import VideoFile, examine
from waver.data.yamlfile import read_yaml
from waver.errors import SetAside, WaverError
from waver.provenance import digest
from waver.shapes import FPS
from waver.store.tables import ANSWERS, PARTICIPANTS, SEGMENTS, SET_ASIDE, TRANSCRIPTS, VIDEOS, write_table

log = logging.getLogger(__name__)

_BY_SHARD: dict[str, pa.Schema] = {
    "videos": VIDEOS,
    "answers": ANSWERS,
    "segments": SEGMENTS,
    "transcripts": TRANSCRIPTS,
}
_WHOLE: dict[str, pa.Schema] = {"participants": PARTICIPANTS, "set_aside": SET_ASIDE, **_BY_SHARD}


@dataclass
class _Rows:
    """Rows of the tables as they are collected."""

    participants: list[Row] = field(default_factory=list)
    videos: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    segments: list[Row] = field(default_factory=list)
    transcripts: list[Row] = field(default_factory=list)
    set_aside: list[Row] = field(default_factory=list)


def ingest(
    root: Path,
    layout: str,
    shards: int,
    tables: dict[str, Path],
    shard_folder: Path,
    cache: Path,
    recorded: bool = True,
) -> None:
    """Read a release and write its tables.

    Args:
        root: folder of the release.
        layout: bah300, bah224, abaw8, or auto to look.
        shards: number of groups of participants.
        tables: participants, videos, answers, segments, transcripts, set_aside -> Parquet file to write.
        shard_folder: gets ``<shard>.{videos,answers,segments,transcripts}.parquet`` for every shard, byte
            for byte the same where nothing changed.
        cache: JSON file of probes and checksums by path, size and time of change.
        recorded: there are video files; False reads split files, transcripts and segments alone.

    Raises:
        WaverError: there is no release, a file of it is broken, or a participant is in two splits.
    """
    if not root.is_dir():
        raise WaverError(f"{root} is no folder; set dataset: root in the config to the folder of the release")
    files = {file.path: file for file in scan(root)}
    found = find_layout(root, layout, list(files.values()))
    rows = _Rows()
    entries = read_entries(found, rows.set_aside)
    annotations = match_annotations(found, entries, rows.set_aside)
    paths = match_files(found, entries, rows.set_aside) if recorded else {}
    entries = first_of_each(entries, rows.set_aside)
    chosen = [files[paths[entry.path]] for entry in entries if entry.path in paths]
    videos = _VideoFiles(root, paths, examine(root, chosen, cache)) if recorded else None
    sources = frame_sources(found, entries, annotations)
    for entry in entries:
        _collect(entry, found, annotations.get(entry.name.key), sources, videos, rows)
    metadata = read_metadata(found.metadata)
    rows.participants = participant_rows([(entry.name.participant, entry.split) for entry in entries], metadata)
    _tell(rows, metadata)
    _write(rows, shards, tables, shard_folder)


@dataclass(frozen=True)
class _VideoFiles:
    """The video files that were found and what they hold."""

    root: Path
    paths: dict[str, str]
    examined: dict[str, VideoFile | SetAside]

    def of(self, entry: Entry) -> VideoFile | SetAside:
        if entry.path not in self.paths:
            split_file = entry.source.relative_to(self.root)
            remedy = f"bring the file to {entry.path} below the root, or remove its line from {split_file}"
            return SetAside("video file is missing", remedy)
        return self.examined[self.paths[entry.path]]

    def times_s(self, entry: Entry) -> npt.NDArray[np.float64]:
        return probe_video(self.root / self.paths[entry.path]).pts_s


def _collect(
    entry: Entry,
    found: Layout,
    annotation: Annotation | None,
    sources: FrameSources,
    files: _VideoFiles | None,
    rows: _Rows,
) -> None:
    """Rows of one video."""
    name, video = entry.name, files.of(entry) if files else None
    frames, duration_s = (video.frames, video.duration_s) if isinstance(video, VideoFile) else (None, None)
    chunks = _transcript(entry, found, annotation, duration_s)
    rows.transcripts += [{"video": name.video, "chunk": number, **vars(chunk)} for number, chunk in enumerate(chunks)]
    if not isinstance(video, SetAside) and annotation is not None and annotation.problem is not None:
        video = annotation.problem
    labels = None
    if annotation is None or annotation.problem is None:
        labels = frame_truth(
            name.key, annotation, sources, frames, lambda: files.times_s(entry) if files else np.zeros(0)
        )
    if labels is not None:
        rows.segments += segment_rows(name.video, runs(labels), annotation)
    if files is None and video is None and labels is not None:
        video = _unseen(labels)
    label = entry.label if entry.label is not None or annotation is None else annotation.label
    rows.answers.append(_answer_row(entry, video, label, labels, chunks))
    if video is None:
        return
    path = files.paths.get(entry.path, entry.path) if files else entry.path
    if isinstance(video, SetAside):
        rows.set_aside.append(aside(name.video, video.reason, video.remedy, name.participant, path))
        return
    if label is not None and labels is not None and label != labels.max(initial=0):
        log.info("%s: released label %d, its frames say otherwise; both are kept", name.video, label)
    annotated = None if labels is None else len(labels)
    rows.videos.append(_video_row(entry, path, video, label, annotated, main_language(chunks)))


def _unseen(labels: Labels) -> VideoFile:
    """What a video without a file is taken for: its labelled frames at the papers' 24 fps."""
    return VideoFile(digest(["labels", runs(labels), len(labels)]), len(labels), len(labels) / FPS, has_audio=False)


def _answer_row(
    entry: Entry, video: VideoFile | SetAside | None, label: int | None, labels: Labels | None, chunks: list[Chunk]
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


def _transcript(entry: Entry, found: Layout, annotation: Annotation | None, duration_s: float | None) -> list[Chunk]:
    """The transcript with times if there is one, from its own file or the annotation, else the split file's."""
    records: list[Any] = [annotation.transcript] if annotation is not None and annotation.transcript else []
    try:
        if entry.name.key in found.transcripts:
            records.insert(0, read_yaml(found.root / found.transcripts[entry.name.key]))
    except WaverError as error:
        log.warning("%s", error)
    for record in records:
        try:
            chunks = read_transcript(record, duration_s)
        except (TypeError, ValueError) as error:
            log.warning("%s: a transcript cannot be understood (%s)", entry.name.video, type(error).__name__)
            continue
        if chunks:
            return chunks
    return plain_transcript(entry.transcript)


def _tell(rows: _Rows, metadata: dict[str, Any]) -> None:
    strangers = [row["participant"] for row in rows.participants if row["participant"] not in metadata]
    if strangers:
        log.warning(
            "no metadata, and so no consent, of %d participants, e.g. %s", len(strangers), ", ".join(strangers[:10])
        )
    counts = {name: len(getattr(rows, name)) for name in _WHOLE}
    log.info("rows: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))


def _write(rows: _Rows, shards: int, tables: dict[str, Path], shard_folder: Path) -> None:
    rows.set_aside.sort(key=lambda row: (row["item"], row["path"] or "", row["reason"]))
    for name, schema in _WHOLE.items():
        write_table(tables[name], getattr(rows, name), schema)
    for name, schema in _BY_SHARD.items():
        groups: dict[str, list[Row]] = {f"{shard:03d}": [] for shard in range(shards)}
        for row in getattr(rows, name):
            groups[shard_of(row["video"].rpartition("_Q")[0], shards)].append(row)
        for shard, members in groups.items():
            write_table(shard_folder / f"{shard}.{name}.parquet", members, schema)
    for path in shard_folder.glob("[0-9][0-9][0-9].*.parquet"):  # of a config with more shards
        if int(path.name[:3]) >= shards:
            path.unlink()
