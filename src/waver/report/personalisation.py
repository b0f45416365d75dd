"""The chapter of personalisation: for each way to split a person's frames, the methods and what they gain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from waver.report.consent_gate import Gate
from waver.report.data import Material
from waver.report.figures.adaptation_steps import draw_steps
from waver.report.figures.critical_difference import draw_ranks
from waver.report.figures.gain_by_group import draw_gains
from waver.report.figures.protocol_leak import LEAKING, draw_leak
from waver.report.figures.style import Drawn
from waver.report.formatting import PROTOCOLS, listed, score
from waver.report.ranking import MethodScores, ranked_methods, scored_splits
from waver.report.tables.adapted_methods import adapted_methods
from waver.report.tables.control_of_people import control_of_people
from waver.report.tables.differences import CONTROL, WITHOUT_ADAPTATION, differences
from waver.report.tables.each_participant import each_participant
from waver.report.tables.results import ShownTable, existing, results
from waver.report.text.facts import guard, not_applicable

_NOTES = {
    "frame_random": "Frames are drawn at random, as in the papers. The neighbours of a scored frame, a 24th of a "
    "second away, may be among the adaptation frames, so these scores flatter every method that uses labels or "
    "neighbours.",
    "block": "Blocks of time are held out{}. These scores are more reliable than those of random frames.",
    "video": "Whole videos are held out: adaptation sees other answers of the participant than those scored. "
    "Participants whose held-out videos lack a class are excluded.",
}

_NEAR = 0.01
"""The eight published scores of test-time adaptation are nearer than this to those of a predictor of one class."""


class Personalised(NamedTuple):
    """The scores of one protocol on one split.

    Attributes:
        name: of the protocol, a heading.
        note: how frames were split, and what may be said of it.
        table: scores, means over participants.
        more: (label, table) of the differences, of all frames pooled, of what methods did, and of single participants.
        figures: of the scores.
    """

    name: str
    note: str
    table: ShownTable
    more: list[tuple[str, ShownTable]]
    figures: list[Drawn]


def personalisation(material: Material, gate: Gate, folder: Path) -> list[Personalised]:
    """The chapter's tables and figures, the more reliable protocol first; none where nothing was adapted."""
    found: list[Personalised] = []
    adapted = list(zip(material.adapted, material.diagnostics, strict=True))
    least = material.config.evaluate.least_group
    for protocol, name in PROTOCOLS.items():
        for split in scored_splits(material.scores, "participant", protocol):
            table = results(material.scores, "participant", split, protocol)
            if table is None:
                continue
            gained, against = (
                differences(material.comparisons, "participant", split, protocol, reference)
                for reference in (WITHOUT_ADAPTATION, CONTROL)
            )
            more = existing(
                ("Difference to the network without adaptation", gained),
                ("Difference to the content-free control", against),
                ("All scored frames pooled", results(material.scores, "frame", split, protocol)),
                ("What the methods did, and chose", adapted_methods(adapted, protocol, least)),
            )
            more += each_participant(adapted, protocol, gate, least, control_of_people(material, protocol, split))
            note = _NOTES[protocol].format(guard(material)) + not_applicable(material, protocol)
            note += _one_class(ranked_methods(material.scores, "participant", split, protocol))
            found.append(Personalised(name, note, table, more, _figures(material, protocol, split, folder)))
    return found


def _one_class(rows: Sequence[MethodScores]) -> str:
    """The methods whose scores a predictor of one class could have: at a WAR of a, its AVGF1 is a / (1 + a)."""
    near = []
    for row in rows:
        reached, right = row.value("AVGF1"), row.value("WAR")
        if not row.control and reached is not None and right is not None and abs(reached - right / (1 + right)) < _NEAR:
            near.append(row.name)
    if not near:
        return ""
    return f" A predictor of one class has an AVGF1 of WAR / (1 + WAR). Within {score(_NEAR, 2)} of it: {listed(near)}."


def _figures(material: Material, protocol: str, split: str, folder: Path) -> list[Drawn]:
    adapted = list(zip(material.adapted, material.diagnostics, strict=True))
    least = material.config.evaluate.least_group
    drawn = (
        draw_ranks(adapted, protocol, folder, least),
        draw_steps(adapted, protocol, folder, least),
        draw_gains(material.scores, split, protocol, folder, least),
        draw_leak(material.scores, split, folder) if protocol == LEAKING else None,
    )
    return [one for one in drawn if one is not None]
