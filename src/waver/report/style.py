"""One look for all figures: drawn once, kept as a file on white and put into the page in its colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from waver.store.whole import written_whole

INK, MUTED, LINE, PAPER, WASH = "#1b1f27", "#68707d", "#dde1e7", "#fffffe", "#f3f5f8"
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
"""Okabe and Ito's colours, told apart by colour-blind readers; grey is for controls."""

SERIES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
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
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.pad": 5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": PAPER,
}


@dataclass(frozen=True)
class Drawn:
    """A finished figure.

    Attributes:
        name: of its file, without suffix.
        title: heading above it.
        caption: what to see.
        svg: for the page.
    """

    name: str
    title: str
    caption: str
    svg: str


@contextmanager
def look(name: str) -> Iterator[None]:
    """Settings under which figures are made and saved; two drawings of the same data are the same bytes."""
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
    with written_whole(folder / f"{name}.svg") as file:
        file.write_text(svg, encoding="utf-8")
    return Drawn(name, title, caption, _for_page(svg, name, title))


def _renumber(svg: str) -> str:
    """Ids by order: matplotlib takes some of them from addresses in memory, which differ from run to run."""
    drawn = dict.fromkeys(re.findall(r'\bid="([a-z]+[0-9a-f]{10})"', svg))
    numbers = {old: f"part{number}" for number, old in enumerate(drawn)}
    return re.sub(r"\b[a-z]+[0-9a-f]{10}\b", lambda found: numbers.get(found[0], found[0]), svg)


def _for_page(svg: str, name: str, title: str) -> str:
    inner = svg[svg.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    # several figures share one page: ids must not meet, and two equal pictures have the same one
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
