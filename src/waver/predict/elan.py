"""ELAN: annotation files (.eaf, format 2.8) both ways.

The files are plain XML (https://www.mpi.nl/tools/elan/EAFv2.8.xsd). ``waver.predict.xml_file`` guards the reading.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as Xml
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from waver.datasets.clean_text import composed, printable
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.predict.tiers import REVIEWED, UNSURE, YES, Annotation, Tiers
from waver.predict.xml_file import read_xml

MOST_MS = 7 * 24 * 3600 * 1000
"""No recording lasts a week."""
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


# writing ------------------------------------------------------------------------------------------


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


# reading ------------------------------------------------------------------------------------------


def read_eaf(path: Path) -> dict[str, list[Annotation]]:
    """Annotations of all tiers in order of time.

    A time that ELAN left open (within a subdivided annotation) is spread evenly between its neighbours; a dependent
    annotation without times has those of the one that it refers to.

    Raises:
        WaverError: the file cannot be read, or is no annotation file in milliseconds.
    """
    return _tiers_of(read_xml(path), path)


def read_stamped_eaf(path: Path) -> tuple[dict[str, list[Annotation]], dict[str, str]]:
    """Annotations as ``read_eaf``, and what predicted them as ``read_stamp``; the file is read once."""
    root = read_xml(path)
    return _tiers_of(root, path), _stamp_of(root)


def read_stamp(path: Path) -> dict[str, str]:
    """What predicted an annotation file, e.g. ``model`` and ``model_sha256``; empty of a file that others made.

    Raises:
        WaverError: the file cannot be read.
    """
    return _stamp_of(read_xml(path))


def _tiers_of(root: Xml.Element, path: Path) -> dict[str, list[Annotation]]:
    if root.tag != "ANNOTATION_DOCUMENT":
        raise WaverError(f"{path} is no ELAN annotation file; give a file that ELAN saved (.eaf)")
    header = root.find("HEADER")
    if header is not None and header.get("TIME_UNITS", "milliseconds") != "milliseconds":
        raise WaverError(f"{path} has times that are not in milliseconds; save it with a newer ELAN")
    try:
        return _read_tiers(root, _read_times(root))
    except (KeyError, ValueError, RecursionError) as error:
        raise WaverError(
            f"{path} has an annotation whose time is missing or no number; open it in ELAN and save it again"
        ) from error


def _stamp_of(root: Xml.Element) -> dict[str, str]:
    found = ((one.get("NAME", ""), one.text or "") for one in root.iterfind("HEADER/PROPERTY"))
    return {name.removeprefix(_STAMP): value for name, value in found if name.startswith(_STAMP)}


def _read_times(root: Xml.Element) -> dict[str, int]:
    """Time slot -> milliseconds."""
    slots = [(one.attrib["TIME_SLOT_ID"], one.get("TIME_VALUE")) for one in root.iterfind("TIME_ORDER/TIME_SLOT")]
    known = [place for place, (_, value) in enumerate(slots) if value is not None]
    if not known:
        return {}
    values = [int(slots[place][1] or 0) for place in known]
    if min(values) < 0 or max(values) > MOST_MS:
        raise ValueError("no time of a recording")
    spread = np.interp(np.arange(len(slots)), known, values)
    return {name: round(float(time_ms)) for (name, _), time_ms in zip(slots, spread, strict=True)}


def _read_tiers(root: Xml.Element, times: Mapping[str, int]) -> dict[str, list[Annotation]]:
    elements = {one.attrib["ANNOTATION_ID"]: one for one in root.iterfind("TIER/ANNOTATION/*")}
    tiers: dict[str, list[Annotation]] = {}
    for tier in root.iterfind("TIER"):
        found = tiers.setdefault(composed(tier.attrib["TIER_ID"]).strip(), [])
        found += _annotations(tier, elements, times)
        found.sort()
    return tiers


def _annotations(
    tier: Xml.Element, elements: Mapping[str, Xml.Element], times: Mapping[str, int]
) -> Iterator[Annotation]:
    for one in tier.iterfind("ANNOTATION/*"):
        place = one
        for _ in range(len(elements)):
            if "ANNOTATION_REF" not in place.attrib:
                break
            place = elements[place.attrib["ANNOTATION_REF"]]
        start_ms, end_ms = (times[place.attrib[f"TIME_SLOT_REF{number}"]] for number in (1, 2))
        yield Annotation(start_ms, end_ms, composed(printable(one.findtext("ANNOTATION_VALUE") or "")).strip())
