"""The data card and the description of the derived store: valid, true to the files, and without a participant."""

import json
import re
from dataclasses import replace

import jsonschema
import pyarrow.parquet as pq
import pytest

from waver.errors import WaverError
from waver.provenance import file_sha256
from waver.report.data import load
from waver.report.data_set.card import LICENCE, card_text, write_card

TEXT = {"type": "string", "minLength": 1}
REFERENCE = {"type": "object", "required": ["@id"], "properties": {"@id": TEXT}}
SOURCE = {
    "type": "object",
    "required": ["extract"],
    "properties": {
        "fileObject": REFERENCE,
        "fileSet": REFERENCE,
        "extract": {"type": "object", "required": ["column"], "properties": {"column": TEXT}},
    },
    "oneOf": [{"required": ["fileObject"]}, {"required": ["fileSet"]}],
    "additionalProperties": False,
}
FIELD = {
    "type": "object",
    "required": ["@type", "@id", "name", "description", "dataType", "source"],
    "properties": {
        "@type": {"const": "cr:Field"},
        "@id": TEXT,
        "name": TEXT,
        "description": TEXT,
        "dataType": {"enum": ["sc:Text", "sc:Integer", "sc:Float", "sc:Boolean"]},
        "repeated": {"type": "boolean"},
        "source": SOURCE,
    },
    "additionalProperties": False,
}
FILE = {
    "type": "object",
    "required": ["@type", "@id", "name", "encodingFormat"],
    "properties": {
        "@type": {"enum": ["cr:FileObject", "cr:FileSet"]},
        "@id": TEXT,
        "name": TEXT,
        "encodingFormat": TEXT,
        "contentUrl": TEXT,
        "includes": TEXT,
        "sha256": {"pattern": "^[0-9a-f]{64}$"},
    },
    "oneOf": [{"required": ["contentUrl", "sha256"]}, {"required": ["includes"]}],
    "additionalProperties": False,
}
CROISSANT = {
    "type": "object",
    # the properties that the specification requires of every data set, and what the description is for
    "required": [
        "@context",
        "@type",
        "conformsTo",
        "name",
        "description",
        "license",
        "url",
        "creator",
        "datePublished",
        "distribution",
        "recordSet",
    ],
    "properties": {
        "@context": {"type": "object", "required": ["@vocab", "cr", "sc", "dct", "conformsTo", "dataType"]},
        "@type": {"const": "sc:Dataset"},
        "conformsTo": {"const": "http://mlcommons.org/croissant/1.0"},
        "name": TEXT,
        "description": TEXT,
        "license": TEXT,
        "citeAs": TEXT,
        "url": {"type": "string", "pattern": "^https://"},
        "creator": {
            "type": "array",
            "minItems": 1,
            "items": {"properties": {"@type": {"enum": ["sc:Organization", "sc:Person"]}, "name": TEXT}},
        },
        "datePublished": {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "dateCreated": {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "version": {"pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "distribution": {"type": "array", "minItems": 1, "items": FILE},
        "recordSet": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["@type", "@id", "name", "field"],
                "properties": {"field": {"type": "array", "minItems": 1, "items": FIELD}},
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def material(made, report_config):
    return replace(load(made.inputs, report_config, "demo", False), layout="bah300")


@pytest.fixture(scope="module")
def written(material, gate_of, tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    write_card(material, gate_of(material), folder / "data_card.md", folder / "croissant.json")
    return (folder / "data_card.md").read_text(), (folder / "croissant.json").read_text()


def test_the_description_is_valid_and_its_references_lead_somewhere(written):
    about = json.loads(written[1])
    jsonschema.validate(about, CROISSANT)
    files = [one["@id"] for one in about["distribution"]]
    fields = [field for records in about["recordSet"] for field in records["field"]]
    ids = [*files, *(records["@id"] for records in about["recordSet"]), *(field["@id"] for field in fields)]
    assert len(set(ids)) == len(ids)
    for field in fields:
        source = field["source"]
        assert source.get("fileObject", source.get("fileSet"))["@id"] in files
    assert [maker["name"] for maker in about["creator"]][1] == "Concordia University"
    for name in ("url", "creator", "datePublished", "license", "name", "description"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: value for key, value in about.items() if key != name}, CROISSANT)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**about, "license": ""}, CROISSANT)


def test_it_describes_the_files_that_are_there(written, made):
    about = json.loads(written[1])
    hashes = {one["@id"]: one.get("sha256") for one in about["distribution"]}
    for records in about["recordSet"]:
        table = records["name"].removesuffix("-rows")
        file = getattr(made.inputs, table)
        file = file[0] if isinstance(file, list) else file
        assert [field["name"] for field in records["field"]] == pq.read_schema(file).names
        assert table == "answers" or hashes[table] == file_sha256(file)
    cues = next(f for r in about["recordSet"] for f in r["field"] if f["@id"] == "segments-rows/cue_names")
    assert (cues["repeated"], cues["dataType"]) == (True, "sc:Text")


def test_the_card_says_what_it_has_to(written, material, report_config):
    card, croissant = written
    assert f"**Licence:** {LICENCE}." in card
    assert json.loads(croissant)["license"] == LICENCE
    assert "4. Tell us about something you enjoy doing but wish you stopped doing" in card
    assert "| Sex | Female | 11 (50.0 %) |" in card
    assert "Not for employment" in card
    assert not re.search(r"\n{3,}", card)
    unknown = load(material.inputs, report_config, "mine", False)
    assert "which Waver does not know" in card_text(unknown)
    assert "no systematic check" not in card_text(unknown)


def test_nobody_is_in_it(written, material, canaries):
    for text in written:
        for row in material.answers:
            assert row["video"] not in text
            assert not re.search(rf"(?<![\w.]){row['participant']}(?!\w)", text)
        assert canaries.word not in text
        assert not any(word in text for word in canaries.answer.split() if len(word) > 8)


def test_a_card_that_would_quote_somebody_is_not_written(material, gate_of, canaries, tmp_path):
    config = material.config.model_copy(update={"dataset": canaries.answer})
    quoting = type(material)(**{**vars(material), "config": config})
    with pytest.raises(WaverError, match="would quote"):
        write_card(quoting, gate_of(material), tmp_path / "card.md", tmp_path / "croissant.json")
    assert not list(tmp_path.iterdir())
