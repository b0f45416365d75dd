"""Description of the derived store in Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).

It says which tables and stores there are, and what their columns mean; it holds no row of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

import waver
from waver.io.tables import ANSWERS, PARTICIPANTS, SEGMENTS, SET_ASIDE, VIDEOS
from waver.provenance import file_sha256

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"

_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _TERMS},
}

_TABLES: dict[str, pa.Schema] = {
    "participants": PARTICIPANTS,
    "videos": VIDEOS,
    "segments": SEGMENTS,
    "set_aside": SET_ASIDE,
}
"""Tables over the whole data set, with their columns."""


@dataclass(frozen=True)
class About:
    """What is known of a data set.

    Attributes:
        name: its name.
        description: what it is, in a sentence.
        licence: of the recordings and all that is derived from them.
        url: its web page.
        creators: names of the organisations whose data set it is.
        cite: BibTeX.
    """

    name: str
    description: str
    licence: str
    url: str
    creators: tuple[str, ...]
    cite: str


def describe_store(source: About, tables: Mapping[str, Path], features: Sequence[str]) -> str:
    """The description as JSON-LD, with every property that the specification requires.

    The store is published nowhere: its date is that of its newest table, as is that of its making.

    Args:
        source: what is known of the data set.
        tables: participants, videos, segments and set_aside -> the file.
        features: features that have stores.
    """
    made = datetime.fromtimestamp(max(path.stat().st_mtime for path in tables.values()), UTC).date().isoformat()
    about = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": source.name,
        "description": f"{source.description} Derived by Waver {waver.__version__}.",
        "license": source.licence,
        "url": source.url,
        "creator": [{"@type": "sc:Organization", "name": name} for name in source.creators],
        "datePublished": made,
        "dateCreated": made,
        "version": waver.__version__,
        "citeAs": source.cite,
        "distribution": [*(_file(table, tables[table]) for table in _TABLES), *_file_sets(features)],
        "recordSet": [
            *(_records(table, schema, {"fileObject": {"@id": table}}) for table, schema in _TABLES.items()),
            _records("answers", ANSWERS, {"fileSet": {"@id": "answers-files"}}),
        ],
    }
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"


def _file(table: str, path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": table,
        "name": f"{table}.parquet",
        "contentUrl": f"ingest/{table}.parquet",
        "encodingFormat": "application/vnd.apache.parquet",
        "sha256": file_sha256(path),
    }


def _file_sets(features: Sequence[str]) -> list[dict[str, Any]]:
    """Answers of the shards, stores of each feature, packs; all are relative to the derived store's folder."""
    parquet, zarr = "application/vnd.apache.parquet", "application/zip"
    sets = [("answers-files", "ingest/shards/*.answers.parquet", parquet)]
    sets += [(f"{feature}-stores", f"features/{feature}/stores/*", zarr) for feature in sorted(features)]
    sets.append(("packs", "align/packs/*", zarr))
    return [
        {"@type": "cr:FileSet", "@id": id_, "name": id_, "encodingFormat": kind, "includes": files}
        for id_, files, kind in sets
    ]


def _records(table: str, schema: pa.Schema, source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": f"{table}-rows",
        "name": f"{table}-rows",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}-rows/{column.name}",
                "name": column.name,
                "description": (column.metadata or {}).get(b"meaning", b"").decode(),
                "dataType": _kind(column.type),
                "repeated": pa.types.is_list(column.type),
                "source": {**source, "extract": {"column": column.name}},
            }
            for column in schema
        ],
    }


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
