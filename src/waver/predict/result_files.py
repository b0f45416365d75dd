"""Files about one recording: its frames, its segments, and annotations for ELAN, Praat and video players."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from waver.io.tables import write_arrow
from waver.predict.data_tables import column, write_csv, write_dictionary
from waver.predict.elan import write_eaf
from waver.predict.formats import ENDINGS, FORMATS
from waver.predict.result import RecordingResult
from waver.predict.segments import SegmentRule, Span
from waver.predict.textgrid import write_textgrid
from waver.predict.tiers import MODEL, TRANSCRIPT, tiers_of
from waver.predict.webvtt import write_vtt
from waver.provenance import file_sha256

FRAMES, SEGMENTS = "frames", "segments"
_CONTRIBUTION = "change of the logit of the frame by this modality: with all modalities less without it"


def frames_schema(modalities: Sequence[str], contributions: bool) -> pa.Schema:
    """Columns of a recording's frames.

    Args:
        modalities: names of those of the model.
        contributions: it shows what each adds.
    """
    fields = [
        column("frame", pa.int32(), "frame on the 24 fps clock, from 0"),
        column("time_s", pa.float64(), "beginning of the frame, seconds from the beginning of the recording"),
        column("p_ah", pa.float32(), "probability of ambivalence/hesitancy"),
        column("p_ah_calibrated", pa.float32(), "p_ah after the temperature that fits the labels of validation best"),
        column("ah", pa.bool_(), "p_ah reaches the threshold that was chosen on the validation split"),
    ]
    fields += [
        column(f"{name}_valid", pa.bool_(), f"the frame has {name}; else {name} is masked") for name in modalities
    ]
    if contributions:
        fields += [column(f"{name}_adds", pa.float32(), _CONTRIBUTION) for name in modalities]
    return pa.schema(fields)


def segments_schema(modalities: Sequence[str]) -> pa.Schema:
    """Columns of a recording's segments; ``modalities`` are those whose contributions are shown."""
    fields = [
        column("segment", pa.int32(), "number, from 1"),
        column("start_s", pa.float64(), "onset, seconds from the beginning of the recording"),
        column("end_s", pa.float64(), "offset, seconds"),
        column("start_frame", pa.int32(), "first frame on the 24 fps clock"),
        column("end_frame", pa.int32(), "frame after the last"),
        column("p_mean", pa.float64(), "mean probability of ambivalence/hesitancy of its frames"),
        column("p_max", pa.float64(), "highest probability of its frames"),
        column("cues", pa.string(), "what the model looked at most, by semicolons; empty where it shows nothing"),
    ]
    return pa.schema([*fields, *(column(f"{name}_adds", pa.float64(), f"mean {_CONTRIBUTION}") for name in modalities)])


def write_frames(result: RecordingResult, out: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """Write ``<id>_frames.parquet`` and ``.csv``, and the dictionary of all of them.

    Args:
        result: of the recording.
        out: output folder.
        record: metadata of the Parquet file.

    Returns:
        Name -> sha256 of the two files of the recording.
    """
    names = list(result.valid)
    frame = np.arange(result.frames)
    schema = frames_schema(names, result.contributions is not None)
    columns: list[Any] = [frame, frame / result.fps, result.probability, result.calibrated]
    columns += [result.probability >= result.threshold]
    columns += [result.valid[name] for name in names]
    if result.contributions is not None:
        columns += list(result.contributions.T)
    table = pa.table([pa.array(x, one.type) for x, one in zip(columns, schema, strict=True)], schema=schema)
    files = [out / f"{result.recording}_{FRAMES}.{suffix}" for suffix in ("parquet", "csv")]
    write_arrow(files[0], table, record)
    write_csv(files[1], table)
    write_dictionary(out / f"{FRAMES}.schema.json", schema)
    return _hashed(files)


def write_segments(result: RecordingResult, out: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """As ``write_frames``, of ``<id>_segments``."""
    names = list(result.valid) if result.contributions is not None else []
    schema = segments_schema(names)
    rows = [
        (number, s.start_s, s.end_s, s.start_frame, s.end_frame, s.mean, s.peak, "; ".join(s.cues), *added)
        for number, s in enumerate(result.segments, start=1)
        for added in [[s.contributions[name] for name in names]]
    ]
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    files = [out / f"{result.recording}_{SEGMENTS}.{suffix}" for suffix in ("parquet", "csv")]
    write_arrow(files[0], table, record)
    write_csv(files[1], table)
    write_dictionary(out / f"{SEGMENTS}.schema.json", schema)
    return _hashed(files)


def write_annotations(
    result: RecordingResult,
    out: Path,
    rule: SegmentRule,
    kept: Collection[str] = (),
    annotated: Sequence[Span] | None = None,
    formats: Collection[str] = FORMATS,
    stamp: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Write ``<id>.eaf`` (ELAN), ``<id>.TextGrid`` (Praat), ``<id>.vtt`` and, of the words, ``<id>_words.vtt``.

    Args:
        result: with its segments.
        out: output folder.
        rule: by which they were made, which also tells what was nearly one.
        kept: names of files that stay as they are.
        annotated: segments of the annotation of the data set; None where there is none.
        formats: of ``FORMATS``.
        stamp: what predicted it, for the ELAN file.

    Returns:
        Name -> sha256 of the files that there are now.
    """
    tiers = tiers_of(result, rule.unclear(result.probability), annotated)
    captions = [one._replace(text=f"A/H {one.text}") for one in tiers[MODEL]]
    written: dict[str, Callable[[Path], None]] = {
        ".eaf": partial(write_eaf, tiers=tiers, media=result.video, stamp=stamp),
        ".TextGrid": partial(write_textgrid, tiers=tiers, end_ms=round(result.duration_s * 1000)),
        ".vtt": partial(write_vtt, captions=captions),
    }
    if TRANSCRIPT in tiers:
        written["_words.vtt"] = partial(write_vtt, captions=tiers[TRANSCRIPT])
    else:
        (out / f"{result.recording}_words.vtt").unlink(missing_ok=True)
    wanted = tuple(ENDINGS[one] for one in formats)
    files = {out / f"{result.recording}{end}": write for end, write in written.items() if end.endswith(wanted)}
    for file, write in files.items():
        if file.name not in kept:
            write(file)
    return _hashed(list(files))


def _hashed(files: Sequence[Path]) -> dict[str, str]:
    return {file.name: file_sha256(file) for file in files}
