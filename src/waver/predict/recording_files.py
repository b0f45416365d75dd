"""Files about one recording: segments as tables, and annotations for ELAN, Praat and video players."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from waver.io.tables import write_arrow
from waver.predict.elan import write_eaf
from waver.predict.formats import EAF, FORMATS, TABLES, TEXTGRID, VTT
from waver.predict.outputs import field, write_csv, write_dictionary
from waver.predict.result import RecordingResult
from waver.predict.segments import SegmentRule, Span
from waver.predict.textgrid import write_textgrid
from waver.predict.tiers import MODEL, TRANSCRIPT, tiers_of
from waver.predict.webvtt import write_vtt
from waver.provenance import file_sha256

SEGMENTS = "segments"


@dataclass(frozen=True)
class Shown:
    """What may be in the files beside the prediction.

    Attributes:
        annotated: segments of the annotation, frames; None where there is none.
        media: the recording, to be linked; None: no link.
        words: what is said may be in them.
    """

    annotated: Sequence[Span] | None = None
    media: Path | None = None
    words: bool = True


_NOTHING_ELSE = Shown()


def segments_schema(modalities: Sequence[str]) -> pa.Schema:
    """Columns of a recording's segments; ``modalities`` are those whose contribution the model shows."""
    fields = [
        field("recording", pa.string(), "id of the recording"),
        field("segment", pa.int32(), "number of the segment, from 0"),
        field("start_s", pa.float64(), "onset, seconds from the beginning of the recording"),
        field("end_s", pa.float64(), "offset, seconds; the segment ends before it"),
        field("start_frame", pa.int32(), "first frame on the 24 fps clock"),
        field("end_frame", pa.int32(), "frame after the last one"),
        field("p_mean", pa.float64(), "mean probability of ambivalence/hesitancy of its frames"),
        field("p_max", pa.float64(), "highest probability of its frames"),
        field(
            "cues", pa.string(), "hints at what the model looked at, separated by semicolons; empty where it tells none"
        ),
    ]
    meaning = "mean change of the logit by this modality: with all modalities less without it"
    return pa.schema([*fields, *(field(f"{name}_adds", pa.float64(), meaning) for name in modalities)])


def segment_rows(result: RecordingResult) -> list[dict[str, Any]]:
    """Rows of ``segments_schema``."""
    return [
        {
            "recording": result.recording,
            "segment": number,
            "start_s": one.start_s,
            "end_s": one.end_s,
            "start_frame": one.start_frame,
            "end_frame": one.end_frame,
            "p_mean": one.mean,
            "p_max": one.peak,
            "cues": "; ".join(one.cues),
            **{f"{name}_adds": value for name, value in one.contributions.items()},
        }
        for number, one in enumerate(result.segments)
    ]


def write_recording(
    result: RecordingResult,
    out: Path,
    rule: SegmentRule,
    record: Mapping[str, Any],
    shown: Shown = _NOTHING_ELSE,
    formats: Collection[str] = FORMATS,
) -> dict[str, str]:
    """Write segments (Parquet, CSV), ``<id>.eaf``, ``<id>.vtt``, ``<id>_transcript.vtt`` and ``<id>.TextGrid``.

    Args:
        result: with its segments.
        out: output folder.
        rule: that made them.
        record: metadata of the Parquet file.
        shown: what else may be in the files.
        formats: of ``FORMATS``.

    Returns:
        Name -> sha256 of the files.
    """
    place = out / result.recording
    files = _write_tables(result, place, record) if TABLES in formats else []
    tiers = tiers_of(result, rule.unclear(result.probability), shown.annotated, shown.words)
    if EAF in formats:
        files.append(out / f"{result.recording}.eaf")
        write_eaf(files[-1], tiers, shown.media)
    if TEXTGRID in formats:
        files.append(out / f"{result.recording}.TextGrid")
        write_textgrid(files[-1], tiers, round(1000 * result.duration_s))
    if VTT in formats:
        files.append(out / f"{result.recording}.vtt")
        write_vtt(files[-1], tiers[MODEL])
        if TRANSCRIPT in tiers:
            files.append(out / f"{result.recording}_transcript.vtt")
            write_vtt(files[-1], tiers[TRANSCRIPT])
    return {file.name: file_sha256(file) for file in files}


def _write_tables(result: RecordingResult, place: Path, record: Mapping[str, Any]) -> list[Path]:
    modalities = [] if result.contributions is None else list(result.valid)
    table = pa.Table.from_pylist(segment_rows(result), schema=segments_schema(modalities))
    files = [place.with_name(f"{place.name}_{SEGMENTS}.{suffix}") for suffix in ("parquet", "csv")]
    write_arrow(files[0], table, record)
    write_csv(files[1], table)
    write_dictionary(place.with_name(f"{SEGMENTS}.schema.json"), table.schema)
    return files
