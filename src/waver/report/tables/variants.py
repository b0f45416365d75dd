"""Table of variants: each minus its base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from waver.evaluation.significance import LEVEL
from waver.report.data import Row
from waver.report.formatting import SPLITS, interval, plural, score, signed
from waver.report.ranking import AVERAGED, COMPARABLE, MethodScores, ranked_methods, spread
from waver.report.tables.differences import p_text
from waver.report.tables.results import ShownCell, ShownRow, ShownTable
from waver.report.text.findings import Gap, resampled

COLUMNS = {"AVGF1": "AVGF1", "AVGF1_equal": "AVGF1, equal counts", "AP": "AP", "AUROC_within": "Within-question AUROC"}


def variant_table(comparisons: Sequence[Row], level: str, split: str, scores: Sequence[Row] = ()) -> ShownTable | None:
    """Differences of the variants of a level and split; None where there are none.

    Args:
        comparisons: rows of the comparisons table.
        level: frame, video or participant.
        split: cv, test or val.
        scores: rows of the scores table, for the scores of single seeds.
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
    drawn = resampled([gap for of in found.values() for gap in of.values()])
    caption = (
        f"{SPLITS.get(split, split).capitalize()}: each variant minus its base model, on the same "
        f"resamples of {people}. Below a difference: its 95 % interval, and p{f' of {drawn}' if drawn else ''} after "
        f"Holm's correction over the variants of the model. Blue: better than the base model with "
        f"p < {score(LEVEL, 2)}. {AVERAGED} {COMPARABLE} After “base”: the same of the base model."
    )
    scored = {(row.method, row.modalities): row for row in ranked_methods(scores, level, split)}
    lines = tuple(
        ShownRow(
            next(iter(gaps.values())).name,
            "",
            False,
            tuple(_cell(gaps.get(metric), metric, scored) for metric in COLUMNS),
        )
        for gaps in found.values()
    )
    return ShownTable(caption=caption, heads=tuple(COLUMNS.values()), methods=lines, controls=())


def _of_variant(row: Row) -> bool:
    return bool(row.get("variant") or row.get("video_head")) and row["reference"] == row["fusion"]


def _cell(gap: Gap | None, metric: str, scored: Mapping[tuple[str, str], MethodScores]) -> ShownCell:
    if gap is None:
        return ShownCell("–", "", float("-inf"))
    models = {"seeds": (gap.method, gap.modalities), "base": (gap.row["reference"], gap.row["reference_modalities"])}
    spreads = [
        (word, spread(scored[names].scores.get(metric, {}))) for word, names in models.items() if names in scored
    ]
    seeds = [f"{word} {one}" for word, one in spreads if one]
    p = p_text(gap.p, gap.row["least_p_holm"])
    below = "\n".join(filter(None, [interval(gap.low, gap.high), p, *seeds]))
    return ShownCell(signed(gap.difference), below, gap.difference, best=gap.certain and gap.difference > 0)
