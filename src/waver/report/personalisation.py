"""The chapter of personalisation: for each way to split a person's frames, the methods and what they gain."""

from __future__ import annotations

from typing import NamedTuple

from waver.report.data import Material
from waver.report.formatting import PROTOCOLS
from waver.report.ranking import scored_splits
from waver.report.tables.differences import CONTROL, WITHOUT_ADAPTATION, differences
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


class Personalised(NamedTuple):
    """The scores of one protocol on one split.

    Attributes:
        name: of the protocol, a heading.
        note: how frames were split, and what may be said of it.
        table: scores, means over participants.
        more: (label, table) of the differences, and of all frames pooled.
    """

    name: str
    note: str
    table: ShownTable
    more: list[tuple[str, ShownTable]]


def personalisation(material: Material) -> list[Personalised]:
    """The chapter's tables, the more reliable protocol first; none where nothing was adapted."""
    found = []
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
            )
            note = _NOTES[protocol].format(guard(material)) + not_applicable(material, protocol)
            found.append(Personalised(name, note, table, more))
    return found
