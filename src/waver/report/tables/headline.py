"""The page's first table: for each level the best method, its score, the control, the difference and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from waver.evaluation.control_names import STANDARD
from waver.evaluation.significance import LEVEL
from waver.registry import UNADAPTED
from waver.report.data import Material
from waver.report.formatting import LEVELS, PROTOCOLS, SPLITS, interval, p_value, plural, score, signed
from waver.report.ranking import MethodScores, Selection, content_free, ranked_methods, select
from waver.report.text.findings import Gap, gap_of, gaps
from waver.report.text.summary import FEW_PEOPLE, better_constants

VERDICTS = {
    "above control": "the difference is above zero, p < {level} after Holm's correction over all methods",
    "below control": "the difference is below zero, p < {level} after Holm's correction over all methods",
    "not certain": "the difference may be chance",
    "few people": "fewer than {few} participants, or too few for p < {level} after Holm's correction",
    "shows nothing": "one answer for everything scores no less",
    "no control": "the content-free control was not scored",
}
"""Verdict -> when it is given."""


@dataclass(frozen=True)
class HeadlineRow:
    """One line of the table; numbers as (text, interval or p below it).

    Attributes:
        section: id of the page's section on the level.
        sample: split and number of participants of the score.
        choice: how the method was chosen.
    """

    section: str
    level: str
    sample: str
    method: str
    choice: str
    score: tuple[str, str]
    control: tuple[str, str]
    difference: tuple[str, str]
    verdict: str


@dataclass(frozen=True)
class Headline:
    """The table, how its methods were chosen, and what its verdicts mean."""

    rows: tuple[HeadlineRow, ...]
    choice: str
    verdicts: tuple[tuple[str, str], ...]


def headline(material: Material) -> Headline:
    """One line per level that was scored; at most four."""
    chosen = [("frames", LEVELS["frame"], "frame", STANDARD), ("videos", LEVELS["video"], "video", STANDARD)]
    chosen += [
        ("personal", f"{LEVELS['participant']}, {name.lower()}", "participant", protocol)
        for protocol, name in PROTOCOLS.items()
    ]
    rows, selections = [], []
    for section, name, level, protocol in chosen:
        selection = select(material.scores, level, protocol)
        adapted = None if protocol == STANDARD else select(material.scores, level, protocol, UNADAPTED)
        if selection is not None and (protocol == STANDARD or adapted is not None):
            selections.append(selection)
            rows.append(_row(material, section, name, level, protocol, selection, adapted))
    given = dict.fromkeys(row.verdict for row in rows)
    meaning = {"few": FEW_PEOPLE, "level": score(LEVEL, 2)}
    verdicts = tuple((verdict, text.format(**meaning)) for verdict, text in VERDICTS.items() if verdict in given)
    return Headline(tuple(rows), _how_chosen(selections), verdicts)


def _row(
    material: Material,
    section: str,
    name: str,
    level: str,
    protocol: str,
    selection: Selection,
    adapted: Selection | None,
) -> HeadlineRow:
    method, split = selection.shown, selection.shown_on
    rows = ranked_methods(material.scores, level, split, protocol)
    gap = gap_of(gaps(material.comparisons, level, split, protocol=protocol), method)
    control = content_free(rows)
    return HeadlineRow(
        section=section,
        level=name,
        sample=f"{SPLITS[split]}, {plural(method.any['participants'], 'participant')}",
        method=method.name,
        choice="; ".join(filter(None, [_choice(selection), _best_adapted(selection, adapted)])),
        score=_number(method),
        control=_number(control),
        difference=("–", "") if gap is None else (signed(gap.difference), _below(gap)),
        verdict=verdict_words(method, rows, gap),
    )


def _choice(selection: Selection) -> str:
    if selection.candidates == 1:
        return "the only method"
    if selection.independent:
        return f"best of {selection.candidates} by {SPLITS[selection.chosen_on]}"
    return f"best of {selection.candidates} by this score"


def _best_adapted(selection: Selection, adapted: Selection | None) -> str:
    """Where a network does best as it is: what the best adapted one scores."""
    if adapted is None or selection.shown.method not in UNADAPTED:
        return ""
    return f"the best adapted: {adapted.shown.name}, {score(adapted.shown.value('AVGF1'))}"


def _number(method: MethodScores | None) -> tuple[str, str]:
    if method is None or method.value("AVGF1") is None:
        return "–", ""
    row = method.scores["AVGF1"]
    return score(row["value"]), interval(row["low"], row["high"])


def _below(gap: Gap) -> str:
    return ", ".join(filter(None, [interval(gap.low, gap.high), p_value(gap.p)]))


def verdict_words(method: MethodScores, rows: list[MethodScores], gap: Gap | None) -> str:
    """A key of VERDICTS: two words on what a score shows.

    Args:
        method: the method, on the split that is shown.
        rows: all methods and controls of this split.
        gap: its difference to the content-free control.
    """
    control = content_free(rows)
    if control is None or control.value("AVGF1") is None:
        return "no control"
    if better_constants(method, rows):
        return "shows nothing"
    if method.any["participants"] < FEW_PEOPLE or (gap is not None and not gap.reachable):
        return "few people"
    if gap is None or not gap.certain:
        return "not certain"
    return "above control" if gap.difference > 0 else "below control"


def _how_chosen(selections: list[Selection]) -> str:
    """On which split the methods were chosen, and whether the scores shown had a part in it."""
    splits = dict.fromkeys(one.chosen_on for one in selections if one.independent)
    names = " or ".join("in cross-validation" if split == "cv" else f"on the {SPLITS[split]}" for split in splits)
    parts = []
    if names:
        parts.append(f"The best method of a level has the highest AVGF1 {names}; the score is of other people.")
    if any(not one.independent and one.candidates > 1 for one in selections):
        parts.append(
            "Best “by this score”: the level has scores on one split alone, so the choice flatters the score; p is "
            "corrected for the choice."
        )
    if selections:
        parts.append("Controls and methods that use the person's labels are no candidates; networks as they were are.")
    return " ".join(parts)
