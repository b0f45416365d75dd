"""What was excluded and what was repaired, without the name of anyone who did not consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from waver.report.consent_gate import ALL_WITHHELD, WITHHELD, Gate, is_recording
from waver.report.data import Material, Row
from waver.report.formatting import count, plural
from waver.report.reasons import OTHER_REASON, shown_note, shown_reason, shown_remedy


@dataclass(frozen=True)
class Exclusion:
    """Items that one stage excluded for one reason, or repaired in one way.

    Attributes:
        items: names of consenting participants' items.
        others: how many items belong to people who are not named, as text; empty where none do.
    """

    stage: str
    reason: str
    remedy: str
    number: int
    items: tuple[str, ...]
    others: str


def identifiers(material: Material) -> dict[str, set[str]]:
    """Everything that names a participant: video ids, and names of recordings."""
    names: dict[str, set[str]] = {row["participant"]: set() for row in material.participants}
    for row in (*material.videos, *material.packs, *(r for rows in material.features.values() for r in rows)):
        names.setdefault(row["participant"], set()).update({row["video"], *_of_path(row.get("path"))})
    for row in material.set_aside:
        # a recording of no known participant is somebody's all the same
        owner = row["participant"] or f"unknown owner of {row['path'] or row['item']}"
        of_item = {row["item"]} if row["participant"] else _of_path(row["item"])
        names.setdefault(owner, set()).update(of_item | _of_path(row["path"]))
    return names


def _of_path(path: str | None) -> set[str]:
    if not path or not is_recording(path):
        return set()
    stem = PurePath(path).stem
    # the stem of "video.mp4" is a word of the language, that of a release's file is not
    telling = {stem} if len(stem) >= 8 and any(letter.isdigit() for letter in stem) else set()
    return {path, PurePath(path).name} | telling


def exclusions(material: Material, gate: Gate) -> list[Exclusion]:
    """Excluded items, grouped by stage, reason and remedy; the most frequent first within a stage."""
    return _grouped(_excluded(material), material, gate)


def repaired(material: Material, gate: Gate) -> list[Exclusion]:
    """Videos used after a repair, e.g. where annotation and video differed by a frame.

    Every video of a data set without video files lacks face and sound; this is not repeated here.
    """
    missing = set() if material.recorded else {"no visual", "no audio"}
    texts = ((row, "; ".join(part for part in row["note"].split("; ") if part not in missing)) for row in material.used)
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row, note in texts:
        if note:
            groups.setdefault(("align", shown_note(note) or OTHER_REASON, ""), []).append(row)
    return _made(groups, material, gate)


def notes(material: Material, feature: str) -> list[tuple[str, int]]:
    """Notes in the index of a feature (e.g. the decoder) with their counts, most frequent first."""
    rows = [row for row in material.features.get(feature, []) if row["status"] == "ok" and row["note"]]
    return Counter(note for row in rows if (note := shown_note(row["note"]))).most_common()


def _excluded(material: Material) -> Iterator[Row]:
    yield from material.set_aside
    for feature, rows in material.features.items():
        yield from ({**row, "stage": f"features: {feature}"} for row in rows if row["status"] != "ok")
    yield from ({**row, "stage": "align"} for row in material.packs if row["status"] != "ok")


def _grouped(rows: Iterable[Row], material: Material, gate: Gate) -> list[Exclusion]:
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        texts = shown_reason(row["reason"] or ""), shown_remedy(row["remedy"] or "")
        stage = row["stage"] if row["stage"].startswith(("features: ", "align")) else "ingest"
        groups.setdefault((stage, *texts), []).append(row)
    return _made(groups, material, gate)


def _made(groups: Mapping[tuple[str, str, str], list[Row]], material: Material, gate: Gate) -> list[Exclusion]:
    known = {row["video"]: row for row in (*material.packs, *material.videos)}
    order = list(dict.fromkeys(stage for stage, _, _ in groups))
    made = [_exclusion(key, members, known, gate) for key, members in groups.items()]
    return sorted(made, key=lambda exclusion: (order.index(exclusion.stage), -exclusion.number, exclusion.reason))


def _exclusion(key: tuple[str, str, str], rows: list[Row], known: dict[str, Row], gate: Gate) -> Exclusion:
    shown = sorted(_item(row, known, gate) for row in rows if gate.shows(row["participant"]))
    refused = sum(row["participant"] is not None and not gate.shows(row["participant"]) for row in rows)
    others = (
        [f"1 item of {WITHHELD}" if refused == 1 else f"{count(refused)} items of {ALL_WITHHELD}"] if refused else []
    )
    orphans = sum(row["participant"] is None for row in rows)
    others += [plural(orphans, "item") + " of no known participant"] if orphans else []
    return Exclusion(*key, number=len(rows), items=tuple(shown), others=", ".join(others))


def _item(row: Row, known: dict[str, Row], gate: Gate) -> str:
    video = known.get(row.get("video") or row.get("item") or "", {})
    name = gate.name(row["participant"])
    if video.get("question") is not None:
        name += f", question {video['question']}"
    return name
