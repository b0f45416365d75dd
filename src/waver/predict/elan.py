"""ELAN: annotation files (.eaf, format 2.8), written, and what predicted them.

The files are plain XML (https://www.mpi.nl/tools/elan/EAFv2.8.xsd). ``waver.datasets.elan`` reads them.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as Xml
from collections.abc import Mapping
from pathlib import Path

from waver.datasets.clean_text import printable
from waver.datasets.elan.tier_list import UNSURE, YES
from waver.datasets.elan.xml_file import read_xml
from waver.io.atomic import atomic_write
from waver.predict.tiers import REVIEWED, Tiers

_DATE = "1970-01-01T00:00:00+00:00"
"""The format wants one; the same content gives the same bytes."""
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_LANGUAGE = {"LANG_DEF": "http://cdb.iso.org/lg/CDB-00130975-001", "LANG_ID": "und", "LANG_LABEL": "undetermined (und)"}
_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo",
         ".webm": "video/webm", ".mkv": "video/x-matroska"}  # fmt: skip
_STAMP = "waver:"
"""Begins the names of the properties that say what predicted the file."""
_REVIEW = "review"
"""Type and vocabulary of the tier that a person fills."""
_ALIGNED = "aligned"
_VALUES = {YES: "shows ambivalence or hesitancy", UNSURE: "cannot be told"}


def write_eaf(path: Path, tiers: Tiers, media: Path | None = None, stamp: Mapping[str, str] | None = None) -> None:
    """Write an annotation file.

    Args:
        path: to write.
        tiers: tier -> annotations in order, each longer than nothing, without overlaps within a tier.
        media: the recording, linked relative to the file; None: ELAN asks for it.
        stamp: what predicted it (``read_stamp``); ELAN keeps it.

    Raises:
        ValueError: an annotation has no length.
    """
    about = {"AUTHOR": "", "DATE": _DATE, "FORMAT": "2.8", "VERSION": "2.8", "xmlns:xsi": _XSI}
    about["xsi:noNamespaceSchemaLocation"] = "http://www.mpi.nl/tools/elan/EAFv2.8.xsd"
    root = Xml.Element("ANNOTATION_DOCUMENT", about)
    header = Xml.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if media is not None:
        link = Path(os.path.relpath(os.path.abspath(media), os.path.abspath(path.parent))).as_posix()
        link = link if link.startswith("../") else f"./{link}"
        kind = _MIME.get(media.suffix.lower(), "video/*")
        Xml.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=link, MIME_TYPE=kind, RELATIVE_MEDIA_URL=link)
    count = sum(len(found) for found in tiers.values())
    Xml.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(count)
    for name, value in (stamp or {}).items():
        Xml.SubElement(header, "PROPERTY", NAME=f"{_STAMP}{name}").text = printable(value)
    _write_tiers(root, tiers)
    _write_types(root)
    Xml.indent(root)
    with atomic_write(path) as file:
        Xml.ElementTree(root).write(file, encoding="UTF-8", xml_declaration=True)


def _write_tiers(root: Xml.Element, tiers: Tiers) -> None:
    times = sorted({time_ms for found in tiers.values() for one in found for time_ms in (one.start_ms, one.end_ms)})
    slot = {time_ms: f"ts{number}" for number, time_ms in enumerate(times, start=1)}
    order = Xml.SubElement(root, "TIME_ORDER")
    for time_ms, name in slot.items():
        Xml.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=str(time_ms))
    number = 0
    for tier, found in tiers.items():
        kind = _REVIEW if tier == REVIEWED else _ALIGNED
        element = Xml.SubElement(root, "TIER", LINGUISTIC_TYPE_REF=kind, TIER_ID=printable(tier))
        for one in found:
            if one.end_ms <= one.start_ms:
                raise ValueError(f"an annotation of {tier} has no length")
            number += 1
            places = {"TIME_SLOT_REF1": slot[one.start_ms], "TIME_SLOT_REF2": slot[one.end_ms]}
            holder = Xml.SubElement(element, "ANNOTATION")
            holder = Xml.SubElement(holder, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}", **places})
            Xml.SubElement(holder, "ANNOTATION_VALUE").text = printable(one.text)


def _write_types(root: Xml.Element) -> None:
    common = {"GRAPHIC_REFERENCES": "false", "TIME_ALIGNABLE": "true"}
    Xml.SubElement(root, "LINGUISTIC_TYPE", {**common, "LINGUISTIC_TYPE_ID": _ALIGNED})
    review = {"CONTROLLED_VOCABULARY_REF": _REVIEW, "LINGUISTIC_TYPE_ID": _REVIEW}
    Xml.SubElement(root, "LINGUISTIC_TYPE", {**common, **review})
    Xml.SubElement(root, "LANGUAGE", _LANGUAGE)
    vocabulary = Xml.SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_REVIEW)
    Xml.SubElement(vocabulary, "DESCRIPTION", LANG_REF="und").text = "what a person says of a stretch"
    for number, (value, meaning) in enumerate(_VALUES.items(), start=1):
        entry = Xml.SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=f"cve{number}")
        Xml.SubElement(entry, "CVE_VALUE", DESCRIPTION=meaning, LANG_REF="und").text = value


def read_stamp(path: Path) -> dict[str, str]:
    """What predicted an annotation file, e.g. ``model`` and ``model_sha256``; empty of a file that others made.

    Raises:
        WaverError: the file cannot be read.
    """
    found = ((one.get("NAME", ""), one.text or "") for one in read_xml(path).iterfind("HEADER/PROPERTY"))
    return {name.removeprefix(_STAMP): value for name, value in found if name.startswith(_STAMP)}
