"""ELAN's annotation files (.eaf, formats 2 and 3), read.

The files are plain XML (https://www.mpi.nl/tools/elan/EAFv3.0.xsd), whose reading ``xml_file`` guards.
"""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from waver.datasets.clean_text import composed, printable
from waver.datasets.elan.annotations import MOST_MS, Annotation
from waver.datasets.elan.xml_file import read_xml
from waver.errors import WaverError

_FIRST, _LAST = "TIME_SLOT_REF1", "TIME_SLOT_REF2"


def read_eaf(path: Path) -> dict[str, list[Annotation]]:
    """Annotations of all tiers in order of time; milliseconds of the first recording that is linked.

    A time that ELAN left open (within a subdivided annotation) is spread evenly between its neighbours of the tier, and
    so are dependent annotations without times over the one that they refer to.

    Raises:
        WaverError: the file cannot be read, or is no annotation file in milliseconds.
    """
    root = read_xml(path)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise WaverError(f"{path} is no ELAN annotation file; give a file that ELAN saved (.eaf)")
    header = root.find("HEADER")
    if header is not None and header.get("TIME_UNITS", "milliseconds") != "milliseconds":
        raise WaverError(f"{path} has times that are not in milliseconds; save it with a newer ELAN")
    try:
        return _read_tiers(root, _read_times(root), _origin_ms(root))
    except (KeyError, ValueError, RecursionError) as error:
        raise WaverError(
            f"{path} has an annotation whose time is missing or no number; open it in ELAN and save it again"
        ) from error


def _origin_ms(root: Xml.Element) -> int:
    """Where in the first linked recording ELAN's time line begins: people align recordings of two cameras so."""
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    return 0 if media is None else int(media.get("TIME_ORIGIN") or 0)


def _read_times(root: Xml.Element) -> dict[str, int]:
    """Time slot -> milliseconds."""
    slots = [(one.attrib["TIME_SLOT_ID"], one.get("TIME_VALUE")) for one in root.iterfind("TIME_ORDER/TIME_SLOT")]
    known = {name: int(value) for name, value in slots if value is not None}
    if not known:
        return {}
    if min(known.values()) < 0 or max(known.values()) > MOST_MS:
        raise ValueError("no time of a recording")
    for tier in root.iterfind("TIER"):
        known |= _spread([(one.attrib[_FIRST], one.attrib[_LAST]) for one in tier.iter("ALIGNABLE_ANNOTATION")], known)
    places = [place for place, (name, _) in enumerate(slots) if name in known]
    values = np.interp(np.arange(len(slots)), places, [known[slots[place][0]] for place in places])
    return {name: round(float(time_ms)) for (name, _), time_ms in zip(slots, values, strict=True)}


def _spread(ends: Sequence[tuple[str, str]], known: Mapping[str, int]) -> dict[str, int]:
    """Times of the open slots of a tier that lie in a chain of annotations between two known ones."""
    after = {first: last for first, last in ends if first != last}
    found: dict[str, int] = {}
    for first in [first for first in after if first in known]:
        chain = [first, after[first]]
        while chain[-1] not in known and chain[-1] in after and len(chain) <= len(after):
            chain.append(after[chain[-1]])
        if len(chain) > 2 and chain[-1] in known:
            times = np.linspace(known[first], known[chain[-1]], len(chain))
            found |= {slot: round(float(time_ms)) for slot, time_ms in zip(chain[1:-1], times[1:-1], strict=True)}
    return found


def _read_tiers(root: Xml.Element, times: Mapping[str, int], origin_ms: int) -> dict[str, list[Annotation]]:
    places = _Places(root, times)
    tiers: dict[str, list[Annotation]] = {}
    for tier in root.iterfind("TIER"):
        found = tiers.setdefault(composed(tier.attrib["TIER_ID"]).strip(), [])
        for one in tier.iterfind("ANNOTATION/*"):
            start_ms, end_ms = (max(round(time) + origin_ms, 0) for time in places.of(one.attrib["ANNOTATION_ID"]))
            found.append(Annotation(start_ms, end_ms, _text(one)))
        found.sort()
    return tiers


def _text(one: Xml.Element) -> str:
    return composed(printable(one.findtext("ANNOTATION_VALUE") or "")).strip()


class _Places:
    """When annotations begin and end; those that share one they refer to, within a tier, have equal parts of it."""

    def __init__(self, root: Xml.Element, times: Mapping[str, int]) -> None:
        self._known: dict[str, tuple[float, float]] = {}
        self._above: dict[str, tuple[str, list[str]]] = {}
        for tier in root.iterfind("TIER"):
            below: dict[str, list[str]] = {}
            for one in tier.iterfind("ANNOTATION/*"):
                name, above = one.attrib["ANNOTATION_ID"], one.get("ANNOTATION_REF")
                if above is None:
                    self._known[name] = times[one.attrib[_FIRST]], times[one.attrib[_LAST]]
                else:
                    self._above[name] = above, below.setdefault(above, [])
                    below[above].append(name)

    def of(self, name: str) -> tuple[float, float]:
        """Begin and end of an annotation, milliseconds."""
        if name not in self._known:
            above, siblings = self._above[name]
            edges = np.linspace(*self.of(above), len(siblings) + 1).tolist()
            self._known |= dict(zip(siblings, pairwise(edges), strict=True))
        return self._known[name]
