"""What was set aside and what was mended, told without naming anyone who did not consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from waver.report.gate import ALL_WITHHELD, WITHHELD, Gate, is_recording
from waver.report.inputs import Material, Row
from waver.report.wording import count, plural


@dataclass(frozen=True)
class Aside:
    """Items set aside by one stage for one reason, or mended in one way.

    Attributes:
        items: names of consenting participants' items.
        others: how many items belong to people who are not named, in words; empty where none.
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


def set_aside(material: Material, gate: Gate) -> list[Aside]:
    """Items left out, grouped by stage, reason and remedy; the most frequent first within a stage."""
    return _grouped(_left_out(material), material, gate)


def mended(material: Material, gate: Gate) -> list[Aside]:
    """Videos used after mending, e.g. where annotation and video differed by a frame.

    That there is neither face nor sound goes without saying of a data set without video files.
    """
    missing = set() if material.recorded else {"no visual", "no audio"}
    told = ((row, "; ".join(part for part in row["note"].split("; ") if part not in missing)) for row in material.used)
    rows = ({**row, "stage": "align", "reason": note, "remedy": ""} for row, note in told if note)
    return _grouped(rows, material, gate)


def notes(material: Material, gate: Gate, thing: str) -> list[tuple[str, int]]:
    """Notes of a thing's index (e.g. the decoder used) with their counts, most frequent first."""
    rows = [row for row in material.features.get(thing, []) if row["status"] == "ok" and row["note"]]
    return Counter(gate.text(row["participant"], row["note"]) for row in rows).most_common()


def _left_out(material: Material) -> Iterator[Row]:
    yield from material.set_aside
    for thing, rows in material.features.items():
        yield from ({**row, "stage": f"features: {thing}"} for row in rows if row["status"] != "ok")
    yield from ({**row, "stage": "align"} for row in material.packs if row["status"] != "ok")


def _grouped(rows: Iterable[Row], material: Material, gate: Gate) -> list[Aside]:
    known = {row["video"]: row for row in (*material.packs, *material.videos)}
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        person = row["participant"]
        told = gate.text(person, row["reason"] or ""), gate.text(person, row["remedy"] or "")
        groups.setdefault((row["stage"], *told), []).append(row)
    order = list(dict.fromkeys(stage for stage, _, _ in groups))
    made = [_aside(key, members, known, gate) for key, members in groups.items()]
    return sorted(made, key=lambda aside: (order.index(aside.stage), -aside.number, aside.reason))


def _aside(key: tuple[str, str, str], rows: list[Row], known: dict[str, Row], gate: Gate) -> Aside:
    shown = sorted(_item(row, known, gate) for row in rows if gate.shows(row["participant"]))
    refused = sum(row["participant"] is not None and not gate.shows(row["participant"]) for row in rows)
    others = (
        [f"1 item of {WITHHELD}" if refused == 1 else f"{count(refused)} items of {ALL_WITHHELD}"] if refused else []
    )
    orphans = [gate.common(row["path"] or row["item"]) for row in rows if row["participant"] is None]
    shown += sorted(set(filter(None, orphans)))
    others += [plural(orphans.count(""), "file") + " of no known participant"] if "" in orphans else []
    return Aside(*key, number=len(rows), items=tuple(shown), others=", ".join(others))


def _item(row: Row, known: dict[str, Row], gate: Gate) -> str:
    video = known.get(row.get("video") or row.get("item") or "", {})
    name = gate.name(row["participant"])
    if video.get("question") is not None:
        name += f", question {video['question']}"
    path = gate.path(row["participant"], row.get("path") or video.get("path"))
    return f"{name} ({path})" if path else name
