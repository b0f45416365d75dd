"""The data set at hand against the release that the papers describe, count by count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waver.adaptation.protocol import split_counts
from waver.report.formatting import count, listed
from waver.report.papers.published import releases
from waver.shapes import FPS

LAYOUTS = {"bah224": "224", "bah300": "300"}
"""Layout (``waver.datasets.bah.layouts``) -> the release that it is; other layouts are compared with none."""

_NAMES = {
    "participants": "participants",
    "participants_with_ah": "participants with A/H",
    "videos": "videos",
    "videos_with_ah": "videos with A/H",
    "frames": "frames",
    "frames_with_ah": "frames with A/H",
    "hours": "hours",
    "hours_with_ah": "hours with A/H",
    "segments": "A/H segments",
    "personal_splits": "participants whose frames divide as printed",
}
_ROUNDING_H = 0.00501
"""The papers print hours with two digits."""

Row = Mapping[str, Any]
Counts = dict[tuple[str, str], float]
"""(quantity, split) -> its count; without those that the data at hand does not tell."""


@dataclass(frozen=True)
class ComparedCount:
    """One printed count.

    Attributes:
        name: what is counted, and where.
        yours: of the data at hand, as text.
        printed: of the paper, as text.
        difference: yours minus printed, as text; empty where equal or unknown.
    """

    name: str
    yours: str
    printed: str
    difference: str


@dataclass(frozen=True)
class Comparison:
    """The data at hand beside a release.

    Attributes:
        summary: how many counts are equal.
        partial: what a partial copy lacks; empty where nothing is missing.
        source: paper and table of the counts.
        rows: every printed count.
        misprints: what is known to be wrong in print.
    """

    summary: str
    partial: str
    source: str
    rows: tuple[ComparedCount, ...]
    misprints: tuple[str, ...]


def counts(answers: Sequence[Row], packs: Iterable[Row], segments: Sequence[Row], recorded: bool = True) -> Counts:
    """What the papers count, of the data at hand; nothing is given where it is not known.

    Args:
        answers: rows of ANSWERS, one a listed video.
        packs: rows of PACK_INDEX of the videos that can be used.
        segments: rows of SEGMENTS.
        recorded: there are video files; then the listed videos that cannot be used are counted as ``unusable``.
    """
    packs = list(packs)
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for quantity, split, amount in (*_of_answers(answers), *_of_frames(packs)):
        found[quantity, split] += amount
        found[quantity, "all"] += amount
    split_of = {row["video"]: row["split"] for row in answers}
    for row in segments:
        found["segments", split_of.get(row["video"], "")] += 1
        found["segments", "all"] += 1
    if recorded and packs:
        found["unusable", "all"] = len({row["video"] for row in answers} - {row["video"] for row in packs})
    if any(row["labelled"] and row["split"] == "test" for row in packs):
        found["personal_splits", "test"] = _personal_splits(packs)
    return dict(found)


def _of_answers(answers: Sequence[Row]) -> Iterable[tuple[str, str, float]]:
    people = {row["participant"]: row["split"] for row in answers}
    positive = [row for row in answers if row["label"] == 1]
    yield from (("participants", split, 1) for split in people.values())
    for person in {row["participant"] for row in positive}:
        yield "participants_with_ah", people[person], 1
    yield from (("videos", row["split"], 1) for row in answers)
    yield from (("videos_with_ah", row["split"], 1) for row in positive)


def _of_frames(packs: Iterable[Row]) -> Iterable[tuple[str, str, float]]:
    for row in packs:
        if row["labelled"]:
            yield "frames", row["split"], row["frames"]
            yield "frames_with_ah", row["split"], row["positive_frames"]
            yield "hours_with_ah", row["split"], row["positive_frames"] / FPS / 3600
        if row["duration_s"]:
            yield "hours", row["split"], row["duration_s"] / 3600


def _personal_splits(packs: Sequence[Row]) -> int:
    """Participants of test whose frames, by the rule of personalisation, are those of a row of Table 23, each once."""
    frames: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in packs:
        if row["labelled"] and row["split"] == "test":
            frames[row["participant"]][0] += row["positive_frames"]
            frames[row["participant"]][1] += row["frames"] - row["positive_frames"]
    printed = Counter(tuple(row) for release in releases().values() for row in release.get("personal_splits", ()))
    return (Counter(tuple(split_counts(*both)) for both in frames.values()) & printed).total()


def compare(layout: str, yours: Counts, least_group: int) -> Comparison | None:
    """The counts of the data at hand beside the printed ones.

    Where a split has fewer people than ``least_group``, or so many fewer or more than printed, its counts of A/H and
    those of all are withheld: they, or their difference, would be about these people alone.

    Args:
        layout: of the data, as ingest found it.
        yours: see ``counts``.
        least_group: fewest people about whom anything is told.

    Returns:
        None where the layout is that of no release with printed counts.
    """
    if layout not in LAYOUTS:
        return None
    name = _release(layout, yours)
    release = releases()[name]
    printed = {
        (quantity, split): float(value)
        for quantity, splits in release["counts"].items()
        for split, value in splits.items()
    }
    hidden = _withheld(printed, yours, least_group)
    rows = tuple(_compared(place, yours.get(place), value, hidden) for place, value in printed.items())
    equal = sum(row.yours != "–" and not row.difference for row in rows)
    return Comparison(
        summary=f"Your copy and the printed release of {name} participants: {equal} of {len(rows)} counts are equal",
        partial=_partial(printed, yours, name),
        source=release["counted_in"],
        rows=rows,
        misprints=tuple(release["misprints"]),
    )


def _release(layout: str, yours: Counts) -> str:
    """The release with as many participants in each split that is there; else the one whose files lie like these."""
    here = {
        split: yours["participants", split] for split in ("train", "val", "test") if yours.get(("participants", split))
    }
    for name, release in releases().items():
        printed = release["counts"]["participants"]
        if here and all(printed[split] == number for split, number in here.items()):
            return name
    return LAYOUTS[layout]


def _withheld(printed: Counts, yours: Counts, least_group: int) -> set[str]:
    """Splits whose counts with A/H, or the differences of these, are about a few people."""
    few = set()
    for (quantity, split), number in printed.items():
        here = yours.get((quantity, split), 0)
        if quantity in ("participants", "videos") and 0 < abs(here - number) < least_group:
            few.add(split)
        if quantity == "participants" and 0 < here < least_group:
            few.add(split)
    return few | ({"all"} if few else set())


def _compared(place: tuple[str, str], yours: float | None, printed: float, hidden: set[str]) -> ComparedCount:
    quantity, split = place
    shown = _hours if quantity.startswith("hours") else _number
    rounding = _ROUNDING_H if quantity.startswith("hours") else 0.0
    name = f"{_NAMES[quantity]}, {split}"
    if yours is None:
        return ComparedCount(name, "–", shown(printed), "")
    if (quantity.endswith("_with_ah") or quantity in ("segments", "personal_splits")) and split in hidden:
        return ComparedCount(name, "withheld", shown(printed), "withheld")
    difference = yours - printed
    text = "" if abs(difference) <= rounding else f"{'+' if difference > 0 else '−'}{shown(abs(difference))}"
    return ComparedCount(name, shown(yours), shown(printed), text)


def _partial(printed: Counts, yours: Counts, release: str) -> str:
    sentences = []
    missing = _fewer(printed, yours, ("all",)) or _fewer(printed, yours, ("train", "val", "test"))
    if missing:
        sentences.append(f"This run has {listed(missing)} of the release of {release} participants.")
    unusable = yours.get(("unusable", "all"), 0)
    if unusable:
        sentences.append(f"{_number(unusable)} of {_number(yours['videos', 'all'])} listed videos cannot be used.")
    return " ".join([*sentences, "Its scores are not those of the whole release."]) if sentences else ""


def _fewer(printed: Counts, yours: Counts, splits: Sequence[str]) -> list[str]:
    """What is fewer than printed; a split may lack what another has too many of."""
    return [
        f"{_number(here)} of {_number(printed[quantity, split])} {quantity}"
        + (f" of {split}" if split != "all" else "")
        for split in splits
        for quantity in ("participants", "videos")
        if (here := yours.get((quantity, split), 0)) < printed[quantity, split]
    ]


def _number(value: float) -> str:
    return count(round(value))


def _hours(value: float) -> str:
    return f"{value:.2f}"
