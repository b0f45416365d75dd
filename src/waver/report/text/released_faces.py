"""How far the release's own faces and detected ones agree, over all videos whose faces are the release's."""

from __future__ import annotations

from waver.report.consent_gate import agreement_of_faces
from waver.report.data import Material
from waver.report.formatting import count, percent
from waver.report.text.store_facts import store_facts


def released_faces(material: Material) -> list[tuple[str, str]]:
    """A fact for the page; none where faces were detected, or compared of fewer than ``least_group`` people."""
    total: dict[str, float] = {}
    people = set()
    for row, found in store_facts(
        material, "faces", agreement_of_faces, lambda row: str(row["note"]).startswith("released faces")
    ):
        total = {name: total.get(name, 0) + number for name, number in found.items()}
        people |= {row["participant"]} if found else set()
    if not total.get("frames") or len(people) < material.config.evaluate.least_group:
        return []
    frames = total["frames"]
    same = total["both"] + (frames - total["released"] - total["detected"] + total["both"])
    text = (
        f"of {count(round(frames))} frames that were looked at again, {percent(total['released'] / frames)} have a "
        f"released face, {percent(total['detected'] / frames)} a detected one, and in {percent(same / frames)} both "
        "say the same"
    )
    if total["pairs"]:
        text += f"; mean correlation of the two pictures {total['similarity'] / total['pairs']:.2f}"
    return [("Released faces", text)]
