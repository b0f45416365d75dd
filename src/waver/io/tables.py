"""The Parquet tables: explicit Arrow schemas with units, one writer, one reader.

Writing the same rows twice gives the same bytes, so that Snakemake detects what did not change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from waver.errors import WaverError
from waver.io.atomic import atomic_write

_SPARE_ROWS, _ROWS_OF_BYTE = 20_000, 20
"""Rows of a table for each byte of its file, and some more in any case."""


def _field(name: str, kind: pa.DataType, meaning: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


_VIDEO = _field("video", pa.string(), "video id <participant>_Q<question>")
_PARTICIPANT = _field("participant", pa.string(), "participant id")
_SPLIT = _field("split", pa.string(), "train, val or test; cv in scores")

PARTICIPANTS = pa.schema(
    [
        _PARTICIPANT,
        _SPLIT,
        _field("sex", pa.string(), "as stated in the metadata", True),
        _field("age", pa.int16(), "years", True),
        _field("age_group", pa.string(), "18-24, 25-34, 35-44, 45-54, 55-64, 65+", True),
        _field("ethnicity", pa.string(), "simplified ethnicity", True),
        _field("ethnicity_stated", pa.string(), "ethnicity in full, as stated", True),
        _field("birth_country", pa.string(), "as stated", True),
        _field("province", pa.string(), "Canadian province of residence, as stated", True),
        _field("student", pa.bool_(), "is a student", True),
        _field("consent_publication", pa.bool_(), "may be shown in a publication; unknown is no"),
        _field("consent_challenge", pa.bool_(), "may be used in challenges; unknown is no"),
    ]
)

VIDEOS = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _SPLIT,
        _field("question", pa.int8(), "question, 1 to 7", True),
        _field("path", pa.string(), "video file relative to the data set's root"),
        _field("label", pa.int8(), "video label as released: 1 A/H, 0 none", True),
        _field("source_frames", pa.int32(), "video frames in the file, counted without decoding"),
        _field("source_fps", pa.float64(), "mean source rate, frames per second"),
        _field("duration_s", pa.float64(), "seconds from the first frame to the end of the last"),
        _field("has_audio", pa.bool_(), "the file has an audio stream"),
        _field("annotated_frames", pa.int32(), "length of the frame annotation", True),
        _field("language", pa.string(), "ISO 639-1 code of the speech, if known", True),
        _field("checksum", pa.string(), "sha256 of the file"),
    ]
)

ANSWERS = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _SPLIT,
        _field("question", pa.int8(), "question, 1 to 7", True),
        _field("label", pa.int8(), "video label: as released, else whether any frame shows A/H", True),
        _field("text", pa.string(), "full text of the answer; empty where unknown"),
        _field("words", pa.int32(), "number of words of the text"),
        _field("duration_s", pa.float64(), "length of the recording, seconds", True),
        _field("language", pa.string(), "ISO 639-1 code of the speech, if known", True),
    ]
)
"""One row per listed video, whether its file exists or not: what is known without its content."""

SEGMENTS = pa.schema(
    [
        _VIDEO,
        _field("segment", pa.int16(), "number of the A/H segment in its video, from 0"),
        _field("start_frame", pa.int32(), "first source frame"),
        _field("end_frame", pa.int32(), "source frame after the last"),
        _field("certainty", pa.int8(), "annotator's certainty, as released", True),
        _field("cues", pa.string(), "JSON object of annotator cues by channel, as released", True),
        _field("cue_names", pa.list_(pa.string()), "cues of the codebook, channel: cue; null where none", True),
        _field("start_s", pa.float64(), "seconds, of a segment that is given in seconds", True),
        _field("end_s", pa.float64(), "seconds, of a segment that is given in seconds", True),
    ]
)

TRANSCRIPTS = pa.schema(
    [
        _VIDEO,
        _field("chunk", pa.int32(), "number of the chunk in its video, from 0"),
        _field("start_s", pa.float64(), "seconds", True),
        _field("end_s", pa.float64(), "seconds", True),
        _field("text", pa.string(), "transcribed words"),
        _field("language", pa.string(), "ISO 639-1 code", True),
    ]
)

SET_ASIDE = pa.schema(
    [
        _field("stage", pa.string(), "stage that excluded it"),
        _field("item", pa.string(), "video or participant id, or the file where there is none"),
        _field("participant", pa.string(), "participant id", True),
        _field("path", pa.string(), "file concerned, relative to the data set's root", True),
        _field("reason", pa.string(), "what is wrong"),
        _field("remedy", pa.string(), "what the user can do"),
    ]
)

FEATURE_INDEX = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _field("status", pa.string(), "ok or set_aside"),
        _field("frames", pa.int32(), "frames on the 24 fps clock; 0 where excluded"),
        _field("key", pa.string(), "key of the store: input checksum, config, code, model"),
        _field("note", pa.string(), "remarks, e.g. the decoder used"),
        _field("reason", pa.string(), "why it was excluded", True),
        _field("remedy", pa.string(), "what the user can do", True),
    ]
)

PACK_INDEX = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _SPLIT,
        _field("question", pa.int8(), "question, 1 to 7", True),
        _field("label", pa.int8(), "video label as released", True),
        _field("duration_s", pa.float64(), "seconds"),
        _field("status", pa.string(), "ok or set_aside"),
        _field("offset", pa.int64(), "first row of the video in the pack's frame arrays"),
        _field("frames", pa.int32(), "rows of the video in the pack's frame arrays"),
        _field("words", pa.int32(), "number of words spoken"),
        _field("positive_frames", pa.int32(), "frames with label 1"),
        _field("labelled", pa.bool_(), "frame labels are known"),
        _field("key", pa.string(), "key of the pack: features, labels, config, code"),
        _field("note", pa.string(), "what was corrected, e.g. annotation one frame short"),
        _field("reason", pa.string(), "why it was excluded", True),
        _field("remedy", pa.string(), "what the user can do", True),
    ]
)

PREDICTIONS = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _SPLIT,
        _field("frame", pa.int32(), "frame on the 24 fps clock; null at video level", True),
        _field("probability", pa.float64(), "probability of A/H, softmax of the logits"),
        _field("margin", pa.float64(), "logit of A/H minus logit of no A/H"),
        _field("fold", pa.int8(), "fold that held the item out; null outside cross-validation", True),
    ]
)
"""Schema metadata (key ``waver``, JSON) of a predictions table: method, modalities (letters, may be
empty), level (frame | video), protocol (standard, cv or that of an adaptation), seed, model_set, config,
code; of adaptation also network (what was adapted: bottleneck, clip or the label of a model of frames) and, where the
method can do nothing to that network, not_applicable (why); of models of frames also what
``waver.training.trained_model.TrainedModel`` lists; of models that are asked also zeroshot, see
``waver.zeroshot.records``."""

PROMPT_ANSWERS = pa.schema(
    [
        _VIDEO,
        _PARTICIPANT,
        _SPLIT,
        _field("prompt", pa.string(), "id of the prompt"),
        _field(
            "start_frame", pa.int32(), "first frame asked about, 24 fps clock; null where there is no recording", True
        ),
        _field("end_frame", pa.int32(), "frame after the last one asked about", True),
        _field("negative", pa.float64(), "log probability of the answer without A/H; null where not scored", True),
        _field("positive", pa.float64(), "log probability of the answer with A/H", True),
        _field("mass", pa.float64(), "probability of both answers together; null where it is not known", True),
        _field("parsed", pa.int8(), "what was written: 1 A/H, 0 none; null where neither, or nothing was", True),
        _field("prompt_sha256", pa.string(), "of the prompt as it was asked, what was said included"),
        _field("tokens", pa.int32(), "of the prompt, those of the frames included"),
        _field("seconds", pa.float64(), "of wall time for this answer: those of its batch, shared out"),
        _field("batch", pa.int16(), "items of its batch"),
    ]
)
"""One row per video or window, and prompt. Schema metadata (key ``waver``, JSON): ``model``, what its family describes;
``key`` and ``set`` of its files; ``decoding``; ``window``, frames; ``content_free``, prompt -> margin about nothing;
``excluded``, number of videos without answers."""

WEIGHTS = pa.schema(
    [
        _field("feature", pa.string(), "the feature, in words"),
        _field("weight", pa.float64(), "change of the margin by one standard deviation; positive: towards A/H"),
        _field("fold", pa.int8(), "fold that was held out; null: fitted on train", True),
    ]
)
"""Weights of an interpretable model of answers; empty for any other. Metadata as of predictions."""

MODEL_FIELDS = [
    _field("fusion", pa.string(), "fusion of a model of frames; null of any other method", True),
    _field("variant", pa.string(), "name of the variant; null where it is none", True),
    _field("window_frames", pa.int32(), "window of a model of frames, frames of the 24 fps clock", True),
    _field("changed", pa.string(), "JSON object: what a variant changes of the model without it", True),
    _field("video_head", pa.bool_(), "predicted by the model's head for whole videos"),
    _field("network", pa.string(), "what was adapted: bottleneck, clip or a model of frames; null of others", True),
]
"""Description of a model of frames in addition to its name and modalities (``waver.training.trained_model``), and of
an adaptation."""

SCORES = pa.schema(
    [
        _field("method", pa.string(), "e.g. lfan, shot, content_free; a label"),
        _field("modalities", pa.string(), "letters, empty where none is used"),
        _field("level", pa.string(), "frame, video or participant"),
        _SPLIT,
        _field("protocol", pa.string(), "standard, frame_random, block, video"),
        _field("group", pa.string(), "all, or a group such as sex=Female"),
        _field("metric", pa.string(), "AVGF1, F1, WF1, AP, AP_paper, WAR, UAR, ..."),
        _field("value", pa.float64(), "score of the averaged probabilities; null where undefined or withheld", True),
        _field("low", pa.float64(), "2.5 % of the participant bootstrap", True),
        _field("high", pa.float64(), "97.5 % of the participant bootstrap", True),
        _field("seed_mean", pa.float64(), "mean of the scores of the single seeds, each scored alone", True),
        _field("seed_sd", pa.float64(), "sample standard deviation of these scores; null of one seed", True),
        _field("n", pa.int64(), "frames, videos or participants scored; null of a group", True),
        _field("participants", pa.int32(), "participants scored; null of a group", True),
        _field("positives", pa.int64(), "true positives in the sample; null of a group and of few people", True),
        _field("predicted_positives", pa.int64(), "predicted positive at .5; null as positives", True),
        _field("seeds", pa.int32(), "seeds averaged"),
        _field("model_set", pa.string(), "set of models: embedded, paper, or mixed; tiny random: random weights"),
        *MODEL_FIELDS,
    ]
)
"""``seed_mean`` is comparable with a published score, which is of one model; with one seed it equals ``value``. Schema
metadata: ``prompt_sets``, method -> set of prompts, of models that were asked."""

Row = Mapping[str, Any]


def write_table(path: str | Path, rows: Iterable[Row], schema: pa.Schema, metadata: Row | None = None) -> None:
    """Write rows as Parquet, atomically.

    Args:
        path: file to write; its folder is created.
        rows: mappings with the schema's columns, in order.
        schema: one of this module's schemas.
        metadata: JSON-serialisable record stored in the schema under ``waver``.
    """
    write_arrow(path, pa.Table.from_pylist([dict(row) for row in rows], schema=schema), metadata)


def write_arrow(path: str | Path, table: pa.Table, metadata: Row | None = None) -> None:
    """As ``write_table``, for a table that is already in Arrow form."""
    if metadata is not None:
        record = json.dumps(metadata, sort_keys=True, default=str)
        table = table.replace_schema_metadata({b"waver": record.encode()})
    with atomic_write(path) as file:
        pq.write_table(table, file, write_page_checksum=True)


def read_arrow(path: str | Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file and check its schema.

    Raises:
        WaverError: the file cannot be read or has other columns.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.metadata.num_rows
            if not file.schema_arrow.equals(schema.with_metadata(None)):
                raise WaverError(f"{path} has other columns than this version writes; delete it and run again")
            if rows > _SPARE_ROWS + _ROWS_OF_BYTE * os.path.getsize(path):
                raise WaverError(f"{path} has {rows} rows, more than its size can hold; delete it and run again")
            table: pa.Table = file.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise WaverError(f"{path} cannot be read ({error}); delete it and run again") from error
    return table


def read_table(path: str | Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of a Parquet file as dictionaries; for tables of up to some ten thousand rows."""
    rows: list[dict[str, Any]] = read_arrow(path, schema).to_pylist()
    return rows


def read_tables(paths: Sequence[str | Path], schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of several files, in order."""
    return [row for path in paths for row in read_table(path, schema)]


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The ``waver`` record of a table's schema metadata; empty where there is none."""
    record = (pq.read_schema(path).metadata or {}).get(b"waver", b"{}")
    loaded: dict[str, Any] = json.loads(record)
    return loaded
