"""Table of variants: each minus the model without it."""

from __future__ import annotations

from collections.abc import Sequence

from waver.report.findings import LEVEL, Gap
from waver.report.inputs import Row
from waver.report.tables import ShownCell, ShownRow, ShownTable
from waver.report.wording import SPLITS, interval, p_value, plural, score, signed

COLUMNS = {"AVGF1": "AVGF1", "AVGF1_equal": "AVGF1, equal counts", "AP": "AP", "AUROC_within": "Within-question AUROC"}


def variant_table(comparisons: Sequence[Row], level: str, split: str) -> ShownTable | None:
    """Differences of the variants of a level and split; None where there are none.

    Args:
        comparisons: rows of the comparisons table.
        level: frame, video or participant.
        split: cv, test or val.
    """
    rows = [row for row in comparisons if (row["level"], row["split"]) == (level, split) and _of_variant(row)]
    if not rows:
        return None
    found: dict[tuple[str, str], dict[str, Gap]] = {}
    for row in rows:
        if row["difference"] is not None:
            names = row["method"], row["modalities"]
            gap = Gap(*names, row["difference"], row["low"], row["high"], row["p_holm"], row)
            found.setdefault(names, {})[row["metric"]] = gap
    people = plural(max(row["participants"] for row in rows), "participant")
    caption = (
        f"{SPLITS.get(split, split).capitalize()}: each variant minus the same model without it, on the same "
        f"resamples of {people}. Below a difference: its 95 % interval, and p after Holm's correction over the "
        f"variants of the model. Blue: better than the model without it with p < {score(LEVEL, 2)}."
    )
    lines = tuple(
        ShownRow(next(iter(gaps.values())).name, "", False, tuple(_cell(gaps.get(metric)) for metric in COLUMNS))
        for gaps in found.values()
    )
    return ShownTable(caption=caption, heads=tuple(COLUMNS.values()), methods=lines, controls=())


def _of_variant(row: Row) -> bool:
    return bool(row.get("variant") or row.get("video_head")) and row["reference"] == row["fusion"]


def _cell(gap: Gap | None) -> ShownCell:
    if gap is None:
        return ShownCell("–", "", float("-inf"))
    below = "\n".join(filter(None, [interval(gap.low, gap.high), p_value(gap.p)]))
    return ShownCell(signed(gap.difference), below, gap.difference, best=gap.certain and gap.difference > 0)
