"""What methods of personalisation did: steps, predictions before and after, frames that they chose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from waver.report.formatting import count, network_name, percent, plural, row_name, score
from waver.report.tables.results import ShownCell, ShownRow, ShownTable

Row = dict[str, Any]

_HEADS = (
    "Network", "Optimiser steps", "Predicted A/H", "Entropy (nats)", "Class changed", "Frames chosen",
    "Pseudo-labels right",
)  # fmt: skip
_NOTHING = ShownCell("–", "", float("-inf"))

_CAPTION = (
    "Means over participants of what each method did, on frames that it was scored on: the share predicted A/H and the "
    "mean entropy before and after, and the share of frames whose class changed. Frames chosen: those with a "
    "pseudo-label at the end, of the frames adapted on; or those in a cache or learned from when the stream had "
    "passed, of the frames scored. Below: how many when first chosen, or after a tenth of the stream. Pseudo-labels "
    "are held against labels that no method is given. Methods with fewer than {} are left out."
)


def adapted_methods(adapted: Iterable[tuple[Row, Sequence[Row]]], protocol: str, least: int) -> ShownTable | None:
    """A line a method; None where nobody's line may be shown.

    Args:
        adapted: metadata and diagnostics of each table of predictions.
        protocol: how a participant's frames were split.
        least: people without whom a method has no line.
    """
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for about, lines in adapted:
        if about["protocol"] == protocol:
            of = found.setdefault((row_name(about), about.get("network", "")), {})
            for line in lines:
                if "left_out" not in line:
                    of.setdefault(line["participant"], []).append(line)
    rows = [
        ShownRow(name, "", False, tuple(_cells(network, list(people.values()), least)))
        for (name, network), people in sorted(found.items())
        if len(people) >= least
    ]
    if not rows:
        return None
    return ShownTable(_CAPTION.format(plural(least, "participant")), _HEADS, tuple(rows), ())


def _cells(network: str, people: Sequence[Sequence[Row]], least: int) -> Iterator[ShownCell]:
    """Cells of a method.

    Args:
        network: that was adapted.
        people: lines of each participant, one a seed.
        least: people without whom a cell is empty.
    """
    yield ShownCell(network_name(network), "", float("-inf"))
    steps = _mean(people, lambda line: line["steps"])
    yield ShownCell(count(round(steps)), "", steps)
    for name, write in (("predicted_positive", percent), ("entropy", score)):
        before, after = (_mean(people, lambda line, key=f"{name}_{when}": line[key]) for when in ("before", "after"))
        yield ShownCell(write(after), f"before: {write(before)}", after)
    flips = _mean(people, lambda line: line["flips"])
    yield ShownCell(percent(flips), "", flips)
    yield from _chosen(people, least)


def _chosen(people: Sequence[Sequence[Row]], least: int) -> Iterator[ShownCell]:
    """How many frames were chosen, and how many of the pseudo-labels were right."""
    chose = [own for own in ([line for line in lines if line.get("chosen")] for lines in people) if own]
    if len(chose) < least:
        yield from (_NOTHING, _NOTHING)
        return
    first, last = (_mean(chose, lambda line, at=at: line["chosen"][at]["frames"]) for at in (0, -1))
    of = _mean(chose, _could_choose)
    yield ShownCell(f"{count(round(last))} of {count(round(of))}", f"first: {count(round(first))}", last)
    begun, ended = (_mean(chose, lambda line, at=at: line["chosen"][at].get("right"), least) for at in (0, -1))
    yield ShownCell(_part(ended), f"first: {_part(begun)}", ended) if ended == ended else _NOTHING


def _could_choose(line: Row) -> int:
    """Frames that a method chooses from: T_tr where it makes pseudo-labels, else T_te."""
    subset = "train" if "right" in line["chosen"][-1] else "test"
    return int(line[f"{subset}_positives"] + line[f"{subset}_negatives"])


def _mean(people: Sequence[Sequence[Row]], value: Any, least: int = 1) -> float:
    """Mean over participants of the means over their seeds; nan where fewer than ``least`` have a value."""
    known = [[found for found in map(value, lines) if found is not None] for lines in people]
    means = [float(np.mean(own)) for own in known if own]
    return float(np.mean(means)) if len(means) >= least else float("nan")


def _part(share: float) -> str:
    return percent(share) if share == share else "–"
