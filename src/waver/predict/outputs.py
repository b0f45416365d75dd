"""Files about all recordings of an output folder: the summary, what could not be used, and the record of the run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from waver.workflow.job import PACKAGES, device_record
from waver.predict.data_tables import column, write_csv, write_dictionary, write_json
from waver.predict.options import Options
from waver.predict.result import Bands, RecordingResult
from waver.predict.trained import Trained
from waver.predict.viewer.page import IndexRow
from waver.provenance import file_sha256, versions

SUMMARY, RUN = "summary", "run.json"


SUMMARY_SCHEMA = pa.schema(
    [
        column("recording", pa.string(), "id; private/recordings.csv says which file it is"),
        column("participant", pa.string(), "id of who is seen; the recording's own where nobody said"),
        column("question", pa.int32(), "number of the question asked", True),
        column("language", pa.string(), "ISO 639-1 code of the speech: given, or recognised", True),
        column("duration_s", pa.float64(), "length, seconds"),
        column("p_video", pa.float64(), "probability of ambivalence/hesitancy anywhere in the recording"),
        column("p_video_calibrated", pa.float64(), "p_video after the temperature that fits validation best"),
        column("band", pa.string(), "unlikely, unclear or likely; the limits were chosen on the validation split"),
        column("unclear_from", pa.float64(), "p_video from which on it is unclear"),
        column("likely_from", pa.float64(), "p_video from which on it is likely"),
        column("frame_threshold", pa.float64(), "threshold of the frames, chosen on the validation split"),
        column("ah_share", pa.float64(), "share of the frames that reach it"),
        column("segments", pa.int32(), "number of segments with ambivalence/hesitancy, see <id>_segments.csv"),
        column("p_content_free", pa.float64(), "what question, length and number of words alone give", True),
        column("content_free_says", pa.string(), "unlikely or likely: the control's decision", True),
        column("p_question_only", pa.float64(), "what the question alone gives", True),
        column("question_only_says", pa.string(), "unlikely or likely: the control's decision", True),
        column("guess_says_the_same", pa.bool_(), "the question alone says what band says", True),
        column(
            "face_visible", pa.float64(), "share of the frames with a face; empty where no face was looked for", True
        ),
        column("speech", pa.float64(), "share of the frames in which a word is said; empty without transcript", True),
        column("words", pa.int32(), "number of words; empty without transcript", True),
        column("masked", pa.string(), "modalities of the model that the recording lacks altogether, by commas"),
        column("notes", pa.string(), "what was repaired or is unusual about the file"),
        column("personalised", pa.string(), "method by which the model was adapted to the person; none: it was not"),
    ]
)


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
        "p_video_calibrated": result.video_calibrated,
        "band": result.band,
        "unclear_from": result.bands.low,
        "likely_from": result.bands.high,
        "frame_threshold": result.threshold,
        "ah_share": float((result.probability >= result.threshold).mean()),
        "segments": len(result.segments),
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


def index_row(row: Mapping[str, Any]) -> IndexRow:
    """The line of a recording in the index of the viewer's pages, of its row of the summary."""
    return IndexRow(
        recording=row["recording"],
        participant=row["participant"],
        question=row["question"],
        duration_s=row["duration_s"],
        video_probability=row["p_video"],
        bands=Bands(row["unclear_from"], row["likely_from"]),
        band=row["band"],
        control=row["p_content_free"],
        control_band=row["content_free_says"],
        question_only=row["p_question_only"],
        question_band=row["question_only_says"],
        segments=row["segments"],
        page=f"{row['recording']}.html",
    )


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
        "decisions": trained.decisions.state(),
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
