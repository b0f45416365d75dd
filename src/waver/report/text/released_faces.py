"""How far the release's own faces and detected ones agree, over all videos whose faces are the release's."""

from __future__ import annotations

import logging

from waver.errors import WaverError
from waver.report.consent_gate import agreement_of_faces
from waver.report.data import Material
from waver.report.formatting import count, percent

log = logging.getLogger(__name__)


def released_faces(material: Material) -> list[tuple[str, str]]:
    """A fact for the page; none where faces were detected, or compared of fewer than ``least_group`` people."""
    total: dict[str, float] = {}
    people = set()
    for row in material.features.get("faces", []):
        if row["status"] != "ok" or not row["note"].startswith("released faces"):
            continue
        try:
            found = agreement_of_faces(material.inputs.feature_stores["faces"], row)
        except WaverError as problem:
            log.warning("the agreement of faces lacks a recording: %s", problem)
            continue
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
