"""ELAN's tab-delimited export, whatever its boxes: a line an annotation, or a column a tier; with or without names.

Times are read as milliseconds, as seconds with a point or a comma, or as hh:mm:ss.ms. Which columns hold them is what
fits all lines: begin before end, and what repeats them in another form, or is their difference, is no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from waver.datasets.clean_text import composed, printable
from waver.datasets.elan.annotations import MOST_MS, Annotation
from waver.datasets.text_files import decoded
from waver.errors import WaverError

_MOST_BYTES = 64 << 20
_FORMS = (
    re.compile(r"(?P<h>\d{1,4}):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)[.,](?P<f>\d{1,3})"),
    re.compile(r"(?P<s>\d{1,7})[.,](?P<f>\d{1,3})"),
    re.compile(r"(?P<ms>\d{1,10})"),
)
_SMPTE = re.compile(r"\d{1,4}:[0-5]?\d:[0-5]?\d[:;]\d{1,3}")
_NEAR_MS = 1
"""A duration may be rounded otherwise than its ends."""

Lines = Sequence[tuple[int, list[str]]]
"""Number of each line, and its fields."""


@dataclass(frozen=True)
class _Layout:
    """Places of the columns.

    Attributes:
        start, end: begin and end of the annotation.
        text: first column after the times.
    """

    start: int
    end: int
    text: int


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
    lines = [(number, fields) for number, fields in lines if not fields[0].lstrip('" ').startswith("#")]
    named = bool(lines) and all(_ms(one) is None for one in lines[0][1])
    names = [composed(name).strip() for name in lines[0][1]] if named else []
    lines = lines[1:] if named else lines
    tiers: dict[str, list[Annotation]] = {}
    for tier, annotation in _annotations(path, lines, names):
        tiers.setdefault(tier, []).append(annotation)
    return {name: sorted(found) for name, found in tiers.items()}


def _annotations(path: Path, lines: Lines, names: Sequence[str]) -> Iterator[tuple[str, Annotation]]:
    by_tier = bool(lines and names) and _ms(lines[0][1][0]) is not None
    layout = _layout([fields for _, fields in lines], 0 if by_tier else 1)
    for number, fields in lines:
        found = layout or _layout([fields], 1)
        tier = composed(fields[0]).strip()
        if found is None or not tier:
            raise WaverError(
                f"{path}, line {number}, has no tier, begin and end; export it from ELAN again (File, Export As, "
                "Tab-delimited Text) with begin time and end time, one line for each annotation"
            )
        start_ms, end_ms = _ms(fields[found.start]) or 0, _ms(fields[found.end]) or 0
        if not by_tier:
            yield tier, Annotation(start_ms, end_ms, _cell(fields, found.text))
            continue
        for place in range(found.text, len(names)):
            if _cell(fields, place):
                yield names[place], Annotation(start_ms, end_ms, _cell(fields, place))


def _layout(rows: Sequence[Sequence[str]], first: int) -> _Layout | None:
    """Which columns hold times in every row, from a first column on; None where none do."""
    width = min(map(len, rows), default=0)
    for form in _FORMS:
        columns = {c: [_ms(row[c]) or 0 for row in rows] for c in range(first, width)
                   if all(form.fullmatch(row[c].strip()) for row in rows)}  # fmt: skip
        for start, end in sorted(combinations(columns, 2), key=lambda pair: _doubt(columns, *pair)):
            spans = list(zip(columns[start], columns[end], strict=True))
            if all(0 <= start_ms < end_ms <= MOST_MS for start_ms, end_ms in spans):
                times = [c for c in range(end + 1, width) if _repeats([row[c] for row in rows], spans)]
                return _Layout(start, end, max([end, *times]) + 1)
    return None


def _doubt(columns: Mapping[int, list[int]], start: int, end: int) -> tuple[bool, bool]:
    """What speaks against two columns: no later one is their difference; the first never changes, as a participant."""
    lasts = [last - first for first, last in zip(columns[start], columns[end], strict=True)]
    return not any(c > end and _near(columns[c], lasts) for c in columns), len(lasts) > 1 == len(set(columns[start]))


def _repeats(cells: Sequence[str], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether cells say in any form when annotations begin, end, or how long they last."""
    if all(_SMPTE.fullmatch(cell.strip()) for cell in cells):
        return True
    said = [_ms(cell) for cell in cells]
    known = [time_ms for time_ms in said if time_ms is not None]
    lasts = [end_ms - start_ms for start_ms, end_ms in spans]
    return len(known) == len(said) and any(_near(known, times) for times in (*zip(*spans, strict=True), lasts))


def _near(found: Sequence[int], wanted: Sequence[int]) -> bool:
    return all(abs(one - other) <= _NEAR_MS for one, other in zip(found, wanted, strict=True))


def _ms(cell: str) -> int | None:
    """Milliseconds of a time in one of the forms."""
    parts = next((match.groupdict() for form in _FORMS if (match := form.fullmatch(cell.strip()))), None)
    if parts is None:
        return None
    if "ms" in parts:
        return int(parts["ms"])
    hours, minutes = int(parts.get("h", 0)), int(parts.get("m", 0))
    return ((hours * 60 + minutes) * 60 + int(parts["s"])) * 1000 + int(parts["f"].ljust(3, "0"))


def _cell(fields: Sequence[str], place: int) -> str:
    return composed(fields[place]).strip() if place < len(fields) else ""
