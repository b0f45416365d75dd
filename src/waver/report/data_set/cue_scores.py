"""Tables of what models and rules point at in the segments of A/H, beside what the annotators name there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from waver.datasets.codebook import PAIRS
from waver.evaluation.cue_agreement import ALL
from waver.report.data import Material
from waver.report.data_set.cues_figures import ABBREVIATED, CHANNEL_NAMES, pair_name
from waver.report.formatting import SPLITS, count, interval, listed, plural, score, signed, trained_name
from waver.report.tables.results import ShownCell, ShownRow, ShownTable, existing

Row = dict[str, Any]

_HEADS = ("Segments", "Annotated", "Found", "Both", "Precision", "Chance, same question", "Chance, same person",
          "Above chance", "Recall")  # fmt: skip
_CHANCE = (
    "Chance: the mean precision if the annotations were dealt out anew among the segments of the same question, or of "
    "the same person; above chance: precision minus the greater of the two. Below a number: its 95 % interval over "
    "participants. An interval above 0 in that column says that more is found than habit and question give away."
)
_PARTS = {"visual": "picture", "audio": "voice", "text": "words"}
"""Modality -> what a reader of the annotators' codebook calls it."""


def cue_tables(material: Material) -> tuple[list[tuple[str, ShownTable]], list[tuple[str, ShownTable]]]:
    """(heading, table) of what models point at and of cues that rules find; and, to unfold, of each pair alone."""
    explained = [row for row in material.explained_cues if row["found"] is not None]
    splits = [split for split in ("test", "val") if any(row["split"] == split for row in explained)]
    here = [row for row in explained if splits and row["split"] == splits[0]]
    found = ("What models point at", _models(here, pairs=False)), ("Cues that rules find", _rules(material.cue_scores))
    return existing(*found), existing(("What models point at, by pair", _models(here, pairs=True)))


def _models(rows: Sequence[Row], pairs: bool) -> ShownTable | None:
    chosen = [row for row in rows if (row["cue"] != ALL) is pairs]
    if not chosen:
        return None
    if pairs:
        caption = "The same for each pair alone. A pair that a model never points at has no precision."
        return _table(chosen, caption, "Pair", _pair)
    caption = (
        f"{SPLITS[chosen[0]['split']].capitalize()}: of each segment of A/H in which the annotators name an "
        "inconsistency between two modalities, the pair whose evidence in the model's explanation lies furthest above "
        "what is usual for it. Precision: the share of these segments in which the annotators name that pair. "
    )
    return _table(chosen, caption + _CHANCE, "Model", _model)


def _model(row: Row) -> tuple[str, str]:
    return trained_name(row["source"], row["modalities"]), plural(row["seeds"], "seed")


def _pair(row: Row) -> tuple[str, str]:
    parts = sorted(row["cue"].split("+"), key=lambda part: (part not in _PARTS, [*_PARTS, part].index(part)))
    return " and ".join(_PARTS.get(part, part) for part in parts), trained_name(row["source"], row["modalities"])


def _rules(rows: Sequence[Row]) -> ShownTable | None:
    """Cues that rules find; None where none of them was annotated."""
    known = [row for row in rows if row["found"] is not None]
    shown = [row for row in known if row["annotated"]]
    if not shown:
        return None
    never = listed([f"{_cue(row)[0]} ({count(row['found'])})" for row in known if not row["annotated"]])
    caption = (
        "Segments of A/H in which a cue was annotated, found by the rules of the textualisation, and both. Annotators "
        f"need not name every cue they see, which lowers precision. {ABBREVIATED} {_CHANCE} Cues of too few people are "
        "left out." + (f" Found and never annotated here: {never}." if never else "")
    )
    return _table(shown, caption, "Cue", _cue)


def _cue(row: Row) -> tuple[str, str]:
    if row["cue"] == ALL:
        return "All cues", ""
    if row["cue"] in PAIRS:
        return pair_name(row["cue"]), "do not match"
    return row["cue"], CHANNEL_NAMES[row["channel"]]


def _table(rows: Sequence[Row], caption: str, first: str, name: Callable[[Row], tuple[str, str]]) -> ShownTable:
    lines = tuple(ShownRow(*name(row), False, _cells(row)) for row in rows)
    return ShownTable(caption=caption, heads=_HEADS, methods=lines, controls=(), first=first)


def _cells(row: Row) -> tuple[ShownCell, ...]:
    return (
        *(_count(row[name]) for name in ("segments", "annotated", "found", "both")),
        _number(row["precision"], interval(row["low"], row["high"])),
        _number(row["chance"]),
        _number(row["chance_of_person"]),
        _number(row["gain"], interval(row["gain_low"], row["gain_high"]), signed),
        _number(row["recall"]),
    )


def _count(number: int | None) -> ShownCell:
    return ShownCell(count(number), "", float("-inf") if number is None else float(number))


def _number(value: float | None, below: str = "", text: Callable[[float], str] = score) -> ShownCell:
    return ShownCell("–", "", float("-inf")) if value is None else ShownCell(text(value), below, value)
