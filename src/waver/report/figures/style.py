"""One style for all figures: drawn once, saved as a file on white, and embedded in the page with its colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from waver.io.atomic import atomic_write

INK, MUTED, LINE, PAPER, WASH = "#1b1f27", "#68707d", "#dde1e7", "#fffffe", "#f3f5f8"
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
"""Okabe and Ito's colours (2008), which colour-blind readers distinguish; grey is for controls."""

SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, INK)
CONTROL = MUTED
POSITIVE = ORANGE

_PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    WASH: "var(--wash)",
    BLUE: "var(--blue)",
    RED: "var(--red)",
    GREEN: "var(--green)",
    PURPLE: "var(--purple)",
    ORANGE: "var(--orange)",
    SKY: "var(--sky)",
}

_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.labelsize": 9,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    # names and words are written as they are: a dollar sign begins no formula
    "text.parse_math": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 2.8,
    "figure.facecolor": PAPER,
}


@dataclass(frozen=True)
class LineStyle:
    """Style of a line, of its marks, or of a bar.

    Attributes:
        colour: of line, marks and bar.
        dashes: strokes and gaps in line widths, as matplotlib has them; empty: a solid line.
        marker: of the points, matplotlib's letter.
        filled: whether marks and bars are filled.
        hatch: of a bar.
    """

    colour: str
    dashes: tuple[float, ...] = ()
    marker: str = "o"
    filled: bool = True
    hatch: str = ""

    def line(self, width: float, size: float = 0.0) -> dict[str, Any]:
        """Arguments of ``axes.plot`` for a line; width and size of the marks in points, size 0 for none."""
        line = {"color": self.colour, "linewidth": width, "linestyle": (0, self.dashes) if self.dashes else "-"}
        return line | self._points(size, 0) if size else line

    def mark(self, size: float, edge: float = 0.0) -> dict[str, Any]:
        """Arguments of ``axes.plot`` for marks alone; the edge of filled ones has the paper's colour."""
        return {"color": self.colour, "linestyle": "none", **self._points(size, edge)}

    def _points(self, size: float, edge: float) -> dict[str, Any]:
        face, rim = (self.colour, PAPER if edge else self.colour) if self.filled else (PAPER, self.colour)
        return {"marker": self.marker, "markersize": size, "markerfacecolor": face, "markeredgecolor": rim,
                "markeredgewidth": edge if self.filled else 1.6}  # fmt: skip

    def bar(self) -> dict[str, Any]:
        """Arguments of ``axes.barh``; the hatch of a filled bar has the paper's colour."""
        face, edge = (self.colour, PAPER) if self.filled else (PAPER, self.colour)
        return {"facecolor": face, "edgecolor": edge, "linewidth": 0 if self.filled else 0.8, "hatch": self.hatch}


# the grey of these colours differs too little for print, so each has a marker of its own
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES = ((), (7, 1.6), (1.3, 1.2), (7, 1.6, 1.3, 1.6), (2.6, 1.4), (7, 1.6, 1.3, 1.6, 1.3, 1.6))
# 7 colours and 6 dashes: the pairs repeat only after 42 lines
LINE_STYLES = tuple(
    LineStyle(SERIES[number % len(SERIES)], _DASHES[number % len(_DASHES)], _MARKERS[number % len(_MARKERS)])
    for number in range(len(SERIES) * len(_DASHES))
)
"""Styles of the first, second, ... line: no two share colour and dashes, nor marker and dashes."""

CONTROL_STYLES = {
    "content_free": LineStyle(CONTROL, (5, 3), "s", hatch="////"),
    "all_negative": LineStyle(CONTROL, (1.5, 2.5), "s"),
}
"""Controls that are lines in figures of methods; no method has their colour or dashes."""

METHOD_STYLE, CONTROL_STYLE = LINE_STYLES[0], CONTROL_STYLES["content_free"]
UNSURE_STYLE = LineStyle(CONTROL, filled=False, hatch="////")
"""Differences that may be chance."""


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Style of each name, in the order given; every figure takes the styles of its lines from here.

    Raises:
        ValueError: there are more names than styles; the figure has to draw fewer.
    """
    given = list(dict.fromkeys(names))
    if len(given) > len(LINE_STYLES):
        raise ValueError(f"a figure distinguishes {len(LINE_STYLES)} lines and not {len(given)}; draw fewer of them")
    return dict(zip(given, LINE_STYLES, strict=False))


SPLIT_STYLES = line_styles(("train", "val", "test"))


@dataclass(frozen=True)
class Drawn:
    """A finished figure.

    Attributes:
        name: of its file, without suffix.
        title: heading above it.
        caption: text below it.
        svg: for the page.
    """

    name: str
    title: str
    caption: str
    svg: str


@contextmanager
def plot_style(name: str) -> Iterator[None]:
    """Settings under which figures are drawn and saved; two drawings of the same data are the same bytes."""
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": name}):
        yield


def new_figure(width: float, height: float) -> Any:
    """An empty figure, inches."""
    return Figure(figsize=(width, height), layout="constrained")


def finish(figure: Any, name: str, folder: Path, title: str, caption: str) -> Drawn:
    """Write ``<folder>/<name>.svg`` and return the figure for the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, 'DejaVu Sans', sans-serif", buffer.getvalue())
    svg = _renumber(svg)
    with atomic_write(folder / f"{name}.svg") as file:
        file.write_text(svg, encoding="utf-8")
    return Drawn(name, title, caption, _for_page(svg, name, title))


def _renumber(svg: str) -> str:
    """Ids by order: matplotlib makes some of them from addresses in memory, which differ from run to run."""
    drawn = dict.fromkeys(re.findall(r'\bid="([a-z]+[0-9a-f]{10})"', svg))
    numbers = {old: f"part{number}" for number, old in enumerate(drawn)}
    return re.sub(r"\b[a-z]+[0-9a-f]{10}\b", lambda found: numbers.get(found[0], found[0]), svg)


def _for_page(svg: str, name: str, title: str) -> str:
    inner = svg[svg.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    # several figures share one page: ids must differ, and two equal pictures have the same id
    inner = re.sub(r'(<image [^>]*?) id="[^"]*"', r"\1", inner)
    inner = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', inner)
    inner = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", inner)
    inner = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", inner, count=1)
    inner = re.sub(r'<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"<svg \1\2", inner, count=1)
    for colour, variable in _PAGE_COLOURS.items():
        inner = re.sub(colour, variable, inner, flags=re.IGNORECASE)
    return inner.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def bare(axes: Any) -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
