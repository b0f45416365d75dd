"""Each method minus a reference: the content-free control, or the network without adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from waver.evaluation.significance import LEVEL
from waver.registry import UNADAPTED
from waver.report.formatting import (
    CONTENT_FREE,
    SPLITS,
    interval,
    listed,
    p_value,
    plural,
    score,
    signed,
    uses_labels,
)
from waver.report.ranking import AVERAGED, identity
from waver.report.tables.results import COLUMNS, ShownCell, ShownRow, ShownTable, note_of
from waver.report.text.findings import Gap, bound, gaps, in_reach, resampled, unknown

COMPARED = {"AVGF1": "AVGF1", "AP": "AP", "AUROC_within": "Within-question AUROC"}


class Reference(NamedTuple):
    """What methods are compared with.

    Attributes:
        methods: its names.
        head: what it is called in a head.
        name: what it is called in a sentence.
    """

    methods: tuple[str, ...]
    head: str
    name: str


CONTROL = Reference((CONTENT_FREE,), "control", "the content-free control")
WITHOUT_ADAPTATION = Reference(UNADAPTED, "un-adapted", "the same network without adaptation")


def differences(
    comparisons: Sequence[dict[str, Any]],
    level: str,
    split: str,
    protocol: str = "standard",
    reference: Reference = CONTROL,
) -> ShownTable | None:
    """Methods minus a reference, with interval and corrected p; None where nothing was compared.

    Args:
        comparisons: rows of the comparisons table.
        level: frame, video or participant.
        split: of the table.
        protocol: standard, or how a participant's frames were split for adaptation.
        reference: what they are compared with.
    """
    methods = _gap_rows(comparisons, level, split, protocol, reference, controls=False)
    if not methods:
        return None
    name = reference.name
    people = max(row["participants"] for row in comparisons if (row["level"], row["split"]) == (level, split))
    found = {
        metric: gaps(comparisons, level, split, metric, protocol, references=reference.methods) for metric in COMPARED
    }
    drawn = resampled([gap for column in found.values() for gap in column])
    return ShownTable(
        caption=f"{SPLITS.get(split, split).capitalize()}: each method minus {name}, on the same "
        f"resamples of {plural(people, 'participant')}. Below a difference: its 95 % interval, and p"
        f"{f' of {drawn}' if drawn else ''} after Holm's correction over the methods of the column. Blue: above "
        f"{name} with p < {score(LEVEL, 2)}. Per person: Hodges-Lehmann shift of the participants' own scores, and how "
        f"many participants score higher.{_out_of_reach(found, name)} {AVERAGED}",
        heads=(*(f"{head} minus {reference.head}" for head in COMPARED.values()), "Per person"),
        methods=methods,
        controls=_gap_rows(comparisons, level, split, protocol, reference, controls=True),
    )


def _out_of_reach(found: dict[str, list[Gap]], name: str) -> str:
    """The columns in which no method can differ from the reference with certainty, however good it is."""
    lost: dict[str, list[str]] = {}
    for metric, column in found.items():
        if column and not any(gap.reachable for gap in column):
            lost.setdefault(unknown(column), []).append(COLUMNS[metric])
    text = "".join(f" Whether a method is above {name} in {listed(names)} {why}" for why, names in lost.items())
    rows = [gap.row for gap in found["AVGF1"] if gap.row["least_p_wilcoxon_holm"] is not None]
    if rows and not any(in_reach(row["least_p_wilcoxon_holm"]) for row in rows):
        row = min(rows, key=lambda row: float(row["least_p_wilcoxon_holm"]))
        text += " Per person, Wilcoxon's test cannot find a difference: "
        text += f"{bound(row['n_participants'], row['methods_in_wilcoxon_family'], row['least_p_wilcoxon_holm'])}."
    return text


def _gap_rows(
    comparisons: Sequence[dict[str, Any]], level: str, split: str, protocol: str, reference: Reference, controls: bool
) -> tuple[ShownRow, ...]:
    of: dict[tuple[str, str, str | None], dict[str, Gap]] = {}
    for metric in COMPARED:
        for gap in gaps(comparisons, level, split, metric, protocol, controls, reference.methods):
            of.setdefault(identity(gap.row), {})[metric] = gap
    rows = []
    for (method, modalities, _), found in of.items():
        note = note_of(method, modalities)
        cells = [_gap_cell(found.get(metric)) for metric in COMPARED]
        rows.append(
            ShownRow(next(iter(found.values())).name, note, controls, (*cells, _people_cell(found.get("AVGF1"))))
        )
    return tuple(rows)


def _gap_cell(gap: Gap | None) -> ShownCell:
    if gap is None:
        return ShownCell("–", "", float("-inf"))
    below = "\n".join(filter(None, [interval(gap.low, gap.high), p_text(gap.p, gap.row["least_p_holm"])]))
    above = gap.certain and gap.difference > 0 and not uses_labels(gap.method)
    return ShownCell(signed(gap.difference), below, gap.difference, best=above)


def p_text(p: float | None, least: float | None) -> str:
    """``p .31``; ``p .31, minimum .25`` where no result could have given a small enough p."""
    unreachable = least is not None and not in_reach(least)
    bound = f", minimum {score(least, 3 if least < 0.1 else 2)}" if least is not None and unreachable else ""
    return f"{p_value(p)}{bound}" if p_value(p) else ""


def _people_cell(gap: Gap | None) -> ShownCell:
    """Shift of the participants' own scores, with how many are higher and p of Wilcoxon's test."""
    if gap is None or gap.row["shift"] is None:
        return ShownCell("–", "", float("-inf"))
    shift, p = gap.row["shift"], gap.row["p_wilcoxon_holm"]
    higher = f"{gap.row['improved']} of {gap.row['n_participants']} higher"
    test = p_text(p, gap.row["least_p_wilcoxon_holm"])
    below = "\n".join(filter(None, [f"{gap.row['own_score']}", higher, test]))
    above = p is not None and p < LEVEL and shift > 0 and not uses_labels(gap.method)
    return ShownCell(signed(shift), below, shift, best=above)
