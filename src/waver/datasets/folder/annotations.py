"""``segments.csv`` and ``transcripts.csv`` of a folder of recordings: where there is A/H, and what was said."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.datasets.codebook import CHANNELS, MOST_CERTAINTY
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.csv_table import MEND_LINE, Line, read_optional
from waver.datasets.folder.listing import LISTING, Recording, language_of, number, plain_path
from waver.datasets.transcripts import MOST_S, Chunk
from waver.errors import ExcludedItem

SEGMENTS_FILE, TRANSCRIPTS_FILE = "segments.csv", "transcripts.csv"
SEGMENT_NEEDED = ("video", "start_s", "end_s")
SEGMENT_OPTIONAL = ("certainty", *CHANNELS)


@dataclass(frozen=True)
class Span:
    """A line of the segments.

    Attributes:
        start_s, end_s: seconds.
        certainty: of the annotator; None where not given.
        cues: channel of the codebook and what is written there, of channels where something is.
    """

    start_s: float
    end_s: float
    certainty: int | None = None
    cues: tuple[tuple[str, str], ...] = ()


def read_segments(root: Path, recordings: Sequence[Recording], exclusions: list[Row]) -> dict[str, list[Span]]:
    """A/H segments by video id, sorted; a video that is not there has none given.

    Args:
        root: folder of the recordings; without the file, nothing is given of any video.
        recordings: what the listing lists.
        exclusions: gets a row for each line that cannot be used.

    Raises:
        WaverError: the file cannot be read or has other columns.
    """
    found: dict[str, list[Span]] = defaultdict(list)
    for line, one in _lines(root / SEGMENTS_FILE, SEGMENT_NEEDED, SEGMENT_OPTIONAL, recordings, exclusions):
        try:
            start_s, end_s = _seconds(line, "start_s"), _seconds(line, "end_s")
            if start_s is None or end_s is None or end_s <= start_s:
                raise ExcludedItem("a segment needs a start and a later end", "give both in seconds")
            if one.label == 0:
                raise ExcludedItem(f"a segment of a video with label 0 ({one.where})", "correct one of the lines")
            cues = tuple((channel, line[channel]) for channel in CHANNELS if line[channel])
            certainty = number(line, "certainty", 0, MOST_CERTAINTY)
            found[one.video].append(Span(start_s, end_s, certainty, cues))
        except ExcludedItem as problem:
            exclusions.append(_excluded(line, one, problem))
    return {video: sorted(spans, key=lambda span: (span.start_s, span.end_s)) for video, spans in found.items()}


def read_transcripts(root: Path, recordings: Sequence[Recording], exclusions: list[Row]) -> dict[str, list[Chunk]]:
    """Pieces of speech by video id, in the order of their times, where these are known, or of the file.

    Arguments and errors as of ``read_segments``; every recording is there.
    """
    found: dict[str, list[Chunk]] = {one.video: [] for one in recordings}
    columns = ("start_s", "end_s", "language")
    for line, one in _lines(root / TRANSCRIPTS_FILE, ("video", "text"), columns, recordings, exclusions):
        try:
            start_s, end_s = _seconds(line, "start_s"), _seconds(line, "end_s")
            if start_s is not None and end_s is not None and end_s < start_s:
                raise ExcludedItem("it ends before it starts", "correct start_s and end_s, or leave both empty")
            language = language_of(line) or one.language
            if line["text"]:
                found[one.video].append(Chunk(start_s, end_s, line["text"], language))
        except ExcludedItem as problem:
            exclusions.append(_excluded(line, one, problem))
    for chunks in found.values():
        if all(chunk.start_s is not None for chunk in chunks):
            chunks.sort(key=lambda chunk: chunk.start_s or 0.0)
    return found


def _lines(
    path: Path, needed: Sequence[str], optional: Sequence[str], recordings: Sequence[Recording], exclusions: list[Row]
) -> Iterator[tuple[Line, Recording]]:
    """Lines of a table with the recordings that they are about."""
    listed = {one.path: one for one in recordings}
    for line in read_optional(path, needed, optional, exclusions):
        one = listed.get(plain_path(line["video"]))
        if line.problem:
            exclusions.append(_excluded(line, one, ExcludedItem(line.problem, MEND_LINE)))
        elif one is None:
            remedy = f"correct the line, or add the video to {LISTING}"
            exclusions.append(_excluded(line, one, ExcludedItem(f"{LISTING} lists no such usable video", remedy)))
        else:
            yield line, one


def _excluded(line: Line, one: Recording | None, problem: ExcludedItem) -> Row:
    item, participant = (one.video, one.participant) if one else (line.where, None)
    return exclusion_row(
        item, f"{line.where}: {problem.reason}", problem.remedy, participant, one.path if one else None
    )


def _seconds(line: Line, column: str) -> float | None:
    text = line[column].replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST_S:
        raise ExcludedItem(f"{column} is no number of seconds", "give seconds, e.g. 12.5")
    return value
