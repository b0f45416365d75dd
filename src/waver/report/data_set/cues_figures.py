"""Figures of what the annotators saw: cues of each channel, and which modalities do not match."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from waver.datasets.codebook import CHANNELS, PAIRS
from waver.datasets.questions import Questions
from waver.evaluation.cue_shares import CONFLICT, CueShare, CueShares
from waver.report.data_set.groups import TOO_FEW
from waver.report.figures.style import BLUE, INK, LINE, MUTED, Drawn, finish, new_figure, plot_style
from waver.report.formatting import percent, plural

CHANNEL_NAMES = {"facial": "face", "language": "words", "audio": "voice", "body": "body",
                 "inconsistencies": "inconsistencies"}  # fmt: skip
"""Channel of the codebook -> what the page calls it."""
ABBREVIATED = "Mot, Cap and Opp are motivation, capability and opportunity; No mot and so on: the lack of it."
_SEEN = tuple(channel for channel in CHANNELS if channel != CONFLICT)


def draw_cues(shares: CueShares, least: int, folder: Path) -> Drawn | None:
    """A panel for each channel; None where no cue is named in any.

    Args:
        shares: of all cues.
        least: ``evaluate.least_group``.
        folder: of the figures.
    """
    channels = {name: shares.channel(name) for name in _SEEN}
    channels = {name: own for name, own in channels.items() if own}
    if not channels:
        return None
    most = max(len(own) for own in channels.values())
    with plot_style("cues"):
        figure = new_figure(10.2, 1.0 + 0.24 * most)
        for axes, (name, own) in zip(
            figure.subplots(1, len(channels), squeeze=False)[0], channels.items(), strict=True
        ):
            _panel(axes, own, most, of_people(own, shares.people, least))
            axes.set_title(CHANNEL_NAMES[name].capitalize())
        caption = (
            f"Share of {_basis(shares)} in which the annotators name a cue of the codebook (dataset paper, Tables 9 to "
            "12), with 95 % intervals over participants, and in brackets in how many people it is seen at all, where "
            "that is about nobody alone. Cues at the top are what a model has to see to see what the "
            f"annotators saw. {ABBREVIATED} No share is given of a cue that fewer than {least} people show (“too few”)."
        )
        return finish(figure, "cues", folder, "Cues by channel", caption)


def draw_conflict(shares: CueShares, questions: Questions, least: int, folder: Path) -> Drawn | None:
    """Pairs of modalities that do not match, in all and by question; None where no pair is named.

    Args:
        shares: of all cues.
        questions: of the data set.
        least: ``evaluate.least_group``.
        folder: of the figures.
    """
    pairs = shares.channel(CONFLICT)
    if not pairs:
        return None
    with plot_style("conflict"):
        figure = new_figure(10.2, 0.9 + 0.38 * len(pairs))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
        people = of_people(pairs, shares.people, least)
        _panel(left, pairs, len(pairs), people, names=[pair_name(share.cue) for share in pairs])
        left.set_title("Which modalities do not match")
        _by_question(right, pairs, shares, questions)
        caption = (
            f"Left: share of {_basis(shares)} in which the annotators say that two modalities contradict each other "
            "(dataset paper, Table 13), with 95 % intervals over participants, and in brackets in how many people; a "
            "segment can have several. Right: the same by question, intervals below. A fusion that compares other "
            "modalities than those at the top looks for conflict where the annotators see little. "
            f"No share is given of fewer than {least} people (“too few”)."
        )
        return finish(figure, "conflict", folder, "Conflict between modalities", caption)


def of_people(shares: Sequence[CueShare], everybody: int, least: int) -> list[str]:
    """`` (12)`` for each cue that 12 people show; empty where they, or those who do not, are fewer than ``least``."""
    enough = [share.disclosed and (share.people == everybody or everybody - share.people >= least) for share in shares]
    return [f" ({share.people:,})" if one else "" for share, one in zip(shares, enough, strict=True)]


def _basis(shares: CueShares) -> str:
    return f"the {plural(shares.segments, 'A/H segment')} with cues, of {plural(shares.people, 'person', 'people')},"


def pair_name(cue: str) -> str:
    """``face and words`` of ``FL`` or ``inconsistencies: FL``."""
    return " and ".join(CHANNEL_NAMES.get(part, part) for part in PAIRS[cue.rpartition(" ")[2]])


def _panel(axes: Any, shares: Sequence[CueShare], rows: int, people: Sequence[str], names: Sequence[str] = ()) -> None:
    """Points with intervals, one below the other, at the top of a panel for ``rows`` of them."""
    for place, share in enumerate(shares):
        if share.disclosed:
            axes.plot([share.low, share.high], [place, place], color=INK, linewidth=1)
            axes.plot([share.value], [place], marker="o", markersize=5.5, color=BLUE, linestyle="none")
            axes.annotate(
                percent(share.value) + people[place], (max(share.high, share.value), place), (6, 0),
                textcoords="offset points", va="center", fontsize=8,
            )  # fmt: skip
        else:
            axes.annotate(TOO_FEW, (0, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=MUTED)
    axes.set_yticks(range(len(shares)), names or [share.cue.partition(": ")[2] for share in shares])
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(0, 1.7)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.grid(axis="x")


def _by_question(axes: Any, pairs: Sequence[CueShare], shares: CueShares, questions: Questions) -> None:
    """Squares whose shade and text give the share of a pair in the segments of a question."""
    table = {number: {share.cue: share for share in own} for number, own in shares.by_question.items()}
    for column, own in enumerate(table.values()):
        for place, pair in enumerate(pairs):
            share = own.get(pair.cue)
            disclosed = share is None or share.disclosed
            value = share.value if share is not None and share.disclosed else 0.0
            axes.bar(column, 0.86, bottom=place - 0.43, width=0.9, color=BLUE, alpha=0.08 + 0.5 * value, linewidth=0)
            text, colour = (percent(value), INK) if disclosed else (TOO_FEW, MUTED)
            within = f"\n{100 * share.low:.0f}–{100 * share.high:.0f}" if share is not None and share.disclosed else ""
            axes.text(column, place, text + within, ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(range(len(table)), [f"Q{number}\n{questions.response(number)}" for number in table], fontsize=8)
    axes.set_yticks(np.arange(len(pairs)), [pair_name(pair.cue) for pair in pairs])
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlim(-0.55, max(len(table) - 0.45, 0.55))
    axes.spines[:].set_color(LINE)
    axes.set_title("By question")
