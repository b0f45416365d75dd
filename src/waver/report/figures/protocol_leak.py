"""Figure of what scores owe to how a person's frames are split: random frames, blocks of time, whole videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from waver.registry import ADAPTATIONS
from waver.report.figures.style import INK, LINE, Drawn, finish, line_styles, new_figure, plot_style
from waver.report.formatting import CONTENT_FREE, PROTOCOLS, score
from waver.report.ranking import Row, ranked_methods

LEAKING = "frame_random"
"""The split whose adaptation frames are neighbours of the scored ones."""


class Kept(NamedTuple):
    """Scores of a method under each protocol that it was scored under; ``name`` is that of its row."""

    name: str
    value: dict[str, float]


def scores_by_protocol(scores: Sequence[Row], split: str) -> list[Kept]:
    """Means over participants of every method of personalisation, by falling score of random frames.

    The content-free control comes last: what it gains by random frames is no knowledge of the person. A method that has
    no score under random frames, or under no other protocol, is left out.
    """
    found: dict[tuple[str, str, str | None], Kept] = {}
    for protocol in PROTOCOLS:
        for row in ranked_methods(scores, "participant", split, protocol):
            value = row.value("AVGF1")
            if value is not None and (row.method in ADAPTATIONS or row.method == CONTENT_FREE):
                found.setdefault(row.identity, Kept(row.name, {})).value[protocol] = value
    both = [(key, kept) for key, kept in found.items() if LEAKING in kept.value and len(kept.value) > 1]
    both.sort(key=lambda one: (one[0][0] == CONTENT_FREE, -one[1].value[LEAKING], one[1].name))
    return [kept for _, kept in both]


def draw_leak(scores: Sequence[Row], split: str, folder: Path) -> Drawn | None:
    """A line a method, a mark a protocol; None where there are no scores of random frames and of another protocol."""
    shown = scores_by_protocol(scores, split)
    if not shown:
        return None
    name = f"leak-{split}"
    with plot_style(name):
        figure = new_figure(8.6, 1.4 + 0.34 * len(shown))
        axes = figure.subplots()
        for place, kept in enumerate(shown):
            ends = min(kept.value.values()), max(kept.value.values())
            axes.plot(ends, (place, place), color=LINE, linewidth=1.4, zorder=0)
        protocols = [protocol for protocol in PROTOCOLS if any(protocol in kept.value for kept in shown)]
        for protocol, style in line_styles(protocols).items():
            marks = [(kept.value[protocol], place) for place, kept in enumerate(shown) if protocol in kept.value]
            axes.plot(*zip(*marks, strict=True), **style.mark(7, edge=0.8), label=PROTOCOLS[protocol])
        axes.set_yticks(range(len(shown)), [kept.name for kept in shown])
        axes.tick_params(axis="y", colors=INK)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(lambda value, _: score(value, 2))
        axes.set_xlabel("AVGF1, mean over participants")
        figure.legend(loc="outside upper left", ncols=3)
        caption = (
            "AVGF1 of each method by how a participant's frames were split. Random frames have neighbours of the "
            "scored frames among those adapted on: where their mark lies right of the others, by more than that of the "
            "network as it was does, the method recognises moments that it was adapted on. The scored frames and "
            "people are not the same, so that marks of single methods differ by chance too."
        )
        return finish(figure, name, folder, "What random frames leak", caption)
