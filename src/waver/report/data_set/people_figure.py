"""Figure of the participants: what they stated about themselves and allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waver.report.data_set.groups import Grouping
from waver.report.figures.style import BLUE, INK, MUTED, PAPER, Drawn, finish, new_figure, plot_style

_COLUMNS = (
    ("Age group", "Sex"),
    ("Province", "Student"),
    ("Ethnicity, simplified", "Consent to publications", "Consent to challenges"),
)
"""Panels of each column of the figure, from above."""

Printed = Mapping[str, Mapping[str, float]]
"""Statement -> group -> its printed share, percent."""


def draw_people(groupings: Sequence[Grouping], printed: Printed, least: int, folder: Path) -> Drawn | None:
    """A panel of bars for each statement; None where nothing is stated.

    Args:
        groupings: the people by each statement.
        printed: shares of the release of 224, drawn as marks; empty where the data is no release.
        least: ``evaluate.least_group``.
        folder: of the figures.
    """
    by_title = {one.title: one for one in groupings}
    columns = [[by_title[title] for title in titles if title in by_title] for titles in _COLUMNS]
    columns = [panels for panels in columns if panels]
    if not columns:
        return None
    rows = max(sum(len(one.groups) + 2 for one in panels) for panels in columns)
    with plot_style("people"):
        figure = new_figure(10.2, 0.6 + 0.24 * rows)
        for part, panels in zip(figure.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
            # what a column has less than the longest stays empty, so that all bars have one height
            ratios = [float(len(one.groups)) for one in panels]
            ratios.append(max(rows - sum(ratios) - 2 * len(panels), 0.01))
            axes = part.subplots(len(ratios), 1, height_ratios=ratios)
            for own, one in zip(axes, panels, strict=False):
                _panel(own, one, printed.get(one.title, {}))
            axes[-1].set_axis_off()
        marks = " Diamonds: shares of the release of 224 (dataset paper, section 3.2)." if printed else ""
        caption = (
            "Look for groups that are small or missing: scores say little about them. Bars: share of all participants, "
            f"with their number. No number is given of groups of fewer than {least} people (“too few”), nor of one "
            f"that would give another away (“withheld”).{marks}"
        )
        return finish(figure, "people", folder, "Who the participants are", caption)


def _panel(axes: Any, one: Grouping, printed: Mapping[str, float]) -> None:
    places = range(len(one.groups))
    axes.barh(places, [group.share or 0 for group in one.groups], color=BLUE, height=0.62, alpha=0.85)
    for place, group in enumerate(one.groups):
        mark = printed.get(group.name)
        axes.annotate(
            group.text, (max(group.share or 0, mark or 0), place), (6, 0), textcoords="offset points", va="center",
            fontsize=8, color=MUTED if group.share is None else INK,
        )  # fmt: skip
        if mark is not None:
            axes.plot([mark], [place], marker="D", markersize=4.5, color=PAPER, markeredgecolor=INK, markeredgewidth=1)
    axes.set_yticks(places, [group.name for group in one.groups])
    axes.set_xlim(0, 160)
    axes.set_ylim(len(one.groups) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(one.title)
