"""Praat's TextGrid (long text format, UTF-8), both ways: each tier is an interval tier without holes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from waver.datasets.clean_text import composed, printable
from waver.datasets.elan.annotations import MOST_MS, Annotation
from waver.datasets.text_files import decoded
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.predict.tiers import Tiers

_MOST_BYTES = 64 << 20
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<![^\s=])[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?!\S)|<exists>')
"""What Praat reads of a file: texts, numbers that stand by themselves, and a flag; the rest is comment."""


def write_textgrid(path: Path, tiers: Tiers, end_ms: int) -> None:
    """Write a TextGrid.

    Args:
        path: to write.
        tiers: tier -> annotations in order, without overlaps within a tier.
        end_ms: length of the recording; a later annotation makes it longer.
    """
    last = max([end_ms, 1, *(one.end_ms for found in tiers.values() for one in found)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_seconds(last)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, found) in enumerate(tiers.items(), start=1):
        whole = list(_filled(found, last))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {_seconds(last)}", f"        intervals: size = {len(whole)}"]
        for place, one in enumerate(whole, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {_seconds(one.start_ms)}"]
            lines += [f"            xmax = {_seconds(one.end_ms)}", f"            text = {_quoted(one.text)}"]
    with atomic_write(path) as file:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _filled(annotations: Sequence[Annotation], last: int) -> Iterator[Annotation]:
    """With an empty interval wherever nothing is annotated."""
    before = 0
    for one in annotations:
        if one.start_ms > before:
            yield Annotation(before, one.start_ms, "")
        yield one
        before = one.end_ms
    if before < last:
        yield Annotation(before, last, "")


def _seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}"


def _quoted(text: str) -> str:
    return '"' + printable(text).replace('"', '""') + '"'


def read_textgrid(path: Path) -> dict[str, list[Annotation]]:
    """Intervals with a text, of all interval tiers, in order; point tiers are left out.

    Raises:
        WaverError: the file cannot be read, or is no TextGrid.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WaverError(f"{path} is larger than {_MOST_BYTES >> 20} MB, as no TextGrid is; give another file")
        text = decoded(path.read_bytes())
    except OSError as error:
        raise WaverError(f"{path} cannot be read ({error.strerror}); give the path of a TextGrid") from error
    try:
        return _tiers(_Tokens(text))
    except (ValueError, StopIteration, IndexError) as error:
        raise WaverError(f"{path} is no whole TextGrid; open it in Praat and save it as a text file") from error


class _Tokens:
    """The texts and numbers of a file, one after the other."""

    def __init__(self, text: str) -> None:
        self._found = (match.group() for match in _TOKEN.finditer(text))

    def text(self) -> str:
        token = next(self._found)
        if not token.startswith('"'):
            raise ValueError(token)
        return composed(printable(token[1:-1].replace('""', '"'))).strip()

    def number(self) -> float:
        token = next(self._found)
        value = float(token)
        if not 0 <= value <= MOST_MS / 1000:
            raise ValueError(token)
        return value

    def span(self) -> tuple[float, float]:
        return self.number(), self.number()

    def flag(self) -> None:
        if next(self._found) != "<exists>":
            raise ValueError("no tiers")


def _tiers(tokens: _Tokens) -> dict[str, list[Annotation]]:
    if (tokens.text(), tokens.text()) != ("ooTextFile", "TextGrid"):
        raise ValueError("another kind of file")
    tokens.span()
    tokens.flag()
    tiers: dict[str, list[Annotation]] = {}
    for _ in range(int(tokens.number())):
        kind, name = tokens.text(), tokens.text()
        tokens.span()
        found = [_interval(tokens, kind) for _ in range(int(tokens.number()))]
        if kind == "IntervalTier":
            tiers[name] = [one for one in found if one.text]
    return tiers


def _interval(tokens: _Tokens, kind: str) -> Annotation:
    start_s, end_s = tokens.span() if kind == "IntervalTier" else (tokens.number(),) * 2
    return Annotation(round(1000 * start_s), round(1000 * end_s), tokens.text())
