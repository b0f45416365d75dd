"""ELAN's tab-delimited export, whatever its boxes: a line an annotation, with or without a line of names.

Times are read as milliseconds, as seconds with a point, or as hh:mm:ss.ms. Where a line gives them in several forms,
or a duration as well, the first and the second time of one form are begin and end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from waver.datasets.clean_text import composed, printable
from waver.datasets.text_files import decoded
from waver.errors import WaverError
from waver.predict.elan import MOST_MS
from waver.predict.tiers import Annotation

_MOST_BYTES = 64 << 20
_FORMS = (
    re.compile(r"(?P<ms>\d{1,10})"),
    re.compile(r"(?P<s>\d{1,7})[.,](?P<f>\d{1,3})"),
    re.compile(r"(?P<h>\d{1,4}):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)[.,](?P<f>\d{1,3})"),
)


def read_tab(path: Path) -> dict[str, list[Annotation]]:
    """Annotations by tier, in order of time.

    Raises:
        WaverError: the file cannot be read, or a line has no tier, begin and end.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WaverError(f"{path} is larger than {_MOST_BYTES >> 20} MB, as no export is; give another file")
        text = printable(decoded(path.read_bytes()))
    except OSError as error:
        raise WaverError(f"{path} cannot be read ({error.strerror}); give the path of an export of ELAN") from error
    lines = [(number, line.split("\t")) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if lines and not _times(lines[0][1]):
        lines = lines[1:]  # the names of the columns
    tiers: dict[str, list[Annotation]] = {}
    for number, fields in lines:
        times = _times(fields)
        name = composed(fields[0]).strip()
        if times is None or not name:
            raise WaverError(
                f"{path}, line {number}, has no tier, begin and end; export it from ELAN again (File, Export As, "
                "Tab-delimited Text) with begin time and end time, one line for each annotation"
            )
        tiers.setdefault(name, []).append(Annotation(*times, _value(fields)))
    return {name: sorted(found) for name, found in tiers.items()}


def _times(fields: Sequence[str]) -> tuple[int, int] | None:
    """Begin and end, milliseconds, in the first form that at least two fields after the first have."""
    for form in (_FORMS[0], _FORMS[2], _FORMS[1]):
        found = [match for one in fields[1:] if (match := form.fullmatch(one.strip()))]
        if len(found) >= 2:
            start, end = (_ms(match.groupdict()) for match in found[:2])
            return (start, end) if start < end <= MOST_MS else None
    return None


def _ms(parts: dict[str, str]) -> int:
    if "ms" in parts:
        return int(parts["ms"])
    hours, minutes = int(parts.get("h", 0)), int(parts.get("m", 0))
    return ((hours * 60 + minutes) * 60 + int(parts["s"])) * 1000 + int(parts["f"].ljust(3, "0"))


def _value(fields: Sequence[str]) -> str:
    """The text after the last time; empty where there is none."""
    places = [place for place, one in enumerate(fields) if place and any(f.fullmatch(one.strip()) for f in _FORMS)]
    after = fields[max(places) + 1 :] or [""]
    return composed(after[0]).strip()
