"""Files about a recording and about all of them: frames and summary as Parquet, CSV and JSON, with a data dictionary.

The dictionaries are Frictionless Table Schemas, one for all files of a kind.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from waver.workflow.job import PACKAGES, device_record
from waver.io.atomic import atomic_write
from waver.io.tables import write_arrow
from waver.predict.options import Options
from waver.predict.result import RecordingResult
from waver.predict.trained import Trained
from waver.provenance import file_sha256, versions

FRAMES, SUMMARY, RUN = "frames", "summary", "run.json"
_TYPES = {
    "string": "string",
    "int32": "integer",
    "int64": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
}
_DIGITS = 6


def field(name: str, kind: pa.DataType, meaning: str, nullable: bool = False) -> pa.Field:
    """A column with its line in the data dictionary."""
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def frames_schema(modalities: Sequence[str], contributions: bool) -> pa.Schema:
    """Columns of a recording's frames.

    Args:
        modalities: names of those of the model.
        contributions: it shows what each adds.
    """
    fields = [
        field("frame", pa.int32(), "frame on the 24 fps clock, from 0"),
        field("time_s", pa.float64(), "beginning of the frame, seconds from the beginning of the recording"),
        field("p_ah", pa.float32(), "probability of ambivalence/hesitancy"),
        field("ah", pa.bool_(), "p_ah reaches the threshold that was chosen on the validation split"),
    ]
    fields += [
        field(f"{name}_valid", pa.bool_(), f"the frame has {name}; else {name} is masked") for name in modalities
    ]
    if contributions:
        meaning = "change of the logit of p_ah by this modality: with all modalities less without it"
        fields += [field(f"{name}_adds", pa.float32(), meaning) for name in modalities]
    return pa.schema(fields)


SUMMARY_SCHEMA = pa.schema(
    [
        field("recording", pa.string(), "id; private/recordings.csv says which file it is"),
        field("participant", pa.string(), "id of who is seen; the recording's own where nobody said"),
        field("question", pa.int32(), "number of the question asked", True),
        field("language", pa.string(), "ISO 639-1 code of the speech: given, or recognised", True),
        field("duration_s", pa.float64(), "length, seconds"),
        field("p_video", pa.float64(), "probability of ambivalence/hesitancy anywhere in the recording"),
        field("band", pa.string(), "unlikely, unclear or likely; the limits were chosen on the validation split"),
        field("unclear_from", pa.float64(), "p_video from which on it is unclear"),
        field("likely_from", pa.float64(), "p_video from which on it is likely"),
        field("frame_threshold", pa.float64(), "threshold of the frames, chosen on the validation split"),
        field("ah_share", pa.float64(), "share of the frames that reach it"),
        field("p_content_free", pa.float64(), "what question, length and number of words alone give", True),
        field("content_free_says", pa.string(), "unlikely or likely: the control's decision", True),
        field("p_question_only", pa.float64(), "what the question alone gives", True),
        field("question_only_says", pa.string(), "unlikely or likely: the control's decision", True),
        field("guess_says_the_same", pa.bool_(), "the question alone says what band says", True),
        field(
            "face_visible", pa.float64(), "share of the frames with a face; empty where no face was looked for", True
        ),
        field("speech", pa.float64(), "share of the frames in which a word is said; empty without transcript", True),
        field("words", pa.int32(), "number of words; empty without transcript", True),
        field("masked", pa.string(), "modalities of the model that the recording lacks altogether, by commas"),
        field("notes", pa.string(), "what was repaired or is unusual about the file"),
        field("personalised", pa.string(), "method by which the model was adapted to the person; none: it was not"),
    ]
)


def write_result(result: RecordingResult, out: Path, record: Mapping[str, Any]) -> dict[str, str]:
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
    columns: list[Any] = [frame, frame / result.fps, result.probability, result.probability >= result.threshold]
    columns += [result.valid[name] for name in names]
    if result.contributions is not None:
        columns += list(result.contributions.T)
    table = pa.table([pa.array(x, one.type) for x, one in zip(columns, schema, strict=True)], schema=schema)
    files = [out / f"{result.recording}_{FRAMES}.{suffix}" for suffix in ("parquet", "csv")]
    write_arrow(files[0], table, record)
    write_csv(files[1], table)
    write_dictionary(out / f"{FRAMES}.schema.json", schema)
    return {file.name: file_sha256(file) for file in files}


def summary_row(result: RecordingResult, personalised: str) -> dict[str, Any]:
    """The recording's row of the summary (SUMMARY_SCHEMA)."""
    visual, text = result.valid.get("visual"), result.valid.get("text")
    return {
        "recording": result.recording,
        "participant": result.participant,
        "question": result.question,
        "language": result.language,
        "duration_s": result.duration_s,
        "p_video": result.video_probability,
        "band": result.band,
        "unclear_from": result.bands.low,
        "likely_from": result.bands.high,
        "frame_threshold": result.threshold,
        "ah_share": float((result.probability >= result.threshold).mean()),
        "p_content_free": result.control,
        "content_free_says": result.control_band,
        "p_question_only": result.question_only,
        "question_only_says": result.question_band,
        "guess_says_the_same": None if result.question_band is None else result.question_band == result.band,
        "face_visible": None if visual is None else float(visual.mean()),
        "speech": None if text is None or result.words is None else float(text.mean()),
        "words": None if result.words is None else len(result.words),
        "masked": ",".join(name for name, valid in result.valid.items() if not valid.any()),
        "notes": "; ".join(result.notes),
        "personalised": personalised,
    }


def write_summary(rows: Sequence[Mapping[str, Any]], out: Path) -> dict[str, str]:
    """Write ``summary.csv``, ``summary.json`` and their dictionary.

    Returns:
        Name -> sha256 of the files.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=SUMMARY_SCHEMA)
    files = [out / f"{SUMMARY}.csv", out / f"{SUMMARY}.json", out / f"{SUMMARY}.schema.json"]
    write_csv(files[0], table)
    write_json(files[1], list(rows))
    write_dictionary(files[2], SUMMARY_SCHEMA)
    return {file.name: file_sha256(file) for file in files}


def write_set_aside(rows: Sequence[Mapping[str, Any]], out: Path) -> dict[str, str]:
    """Write ``set_aside.csv``: what could not be used, why, and what to do; none where everything was.

    Returns:
        Name -> sha256 of the file.
    """
    path = out / "set_aside.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return {}
    write_csv(
        path, pa.table({name: [row[name] for row in rows] for name in ("item", "participant", "reason", "remedy")})
    )
    return {path.name: file_sha256(path)}


def write_run_record(
    options: Options, trained: Trained, features: Sequence[str], files: Mapping[str, str], started: float
) -> None:
    """Write ``run.json``: model, config, software, machine, and the sha256 of every file of the results.

    Args:
        options: of the call; names of the user's files are left out.
        trained: the model.
        features: that it was given.
        files: name -> sha256 of the results.
        started: when the call began, seconds since 1970.
    """
    used = {
        name: [one.model_dump(exclude={"folder"}) for one in trained.preparation.models.get(name, ())]
        for name in features
    }
    record = {
        "model": {"name": trained.name, "run": trained.run, "chosen": trained.chosen, "sha256": trained.sha256},
        "model_set": trained.model_set,
        "options": options.recorded,
        "decisions": asdict(trained.decisions),
        "controls": None if trained.controls is None else trained.controls.state(),
        "features": trained.preparation.features.model_dump(),
        "models_of_features": used,
        "versions": versions(*PACKAGES),
        "device": device_record(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "files": dict(sorted(files.items())),
    }
    write_json(options.out / RUN, record)


def write_dictionary(path: Path, schema: pa.Schema) -> None:
    """Write the Table Schema of a table's CSV file."""
    fields = [
        {
            "name": one.name,
            "type": _TYPES[str(one.type)],
            "description": one.metadata[b"meaning"].decode(),
            "constraints": {"required": not one.nullable},
        }
        for one in schema
    ]
    write_json(path, {"fields": fields, "missingValues": [""]})


def write_json(path: Path, value: Any) -> None:
    """Write JSON, atomically."""
    with atomic_write(path) as file:
        file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(path: Path, table: pa.Table) -> None:
    """Decimal points, seconds with three digits, ``true`` and ``false``, nothing where nothing is known."""
    columns = [[_as_text(name, value) for value in table[name].to_pylist()] for name in table.column_names]
    with atomic_write(path) as file, file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(table.column_names)
        writer.writerows(zip(*columns, strict=True))


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.{3 if name.endswith('_s') else _DIGITS}f}"
    return str(value)
