"""Stores of participants and videos that a data set lists no more: who leaves has withdrawn, and they are deleted.

Nothing is deleted where the lists may be incomplete; what would have been is then a row of the excluded items.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from waver.datasets.base import DataSet
from waver.datasets.exclusions import exclusion_row
from waver.io.removal import remove

log = logging.getLogger(__name__)

_FEW = 3
"""So many participants may withdraw between two runs, or a tenth of them; more are rather a list that lost lines."""
_NAMED = 20
"""Ids that the log names."""


def departed(found: DataSet, features: Path, recorded: bool) -> list[Path]:
    """Stores that may be deleted; where they may not, a row of ``set_aside`` for each that would be.

    Args:
        found: what the reader gave, of everybody, whatever the run is for.
        features: folder of the features of this data set (``<feature>/stores/<participant>/<video>.zarr``).
        recorded: the data set has video files.
    """
    stores = list(_unlisted(found, features))
    if not stores:
        return []
    people = {row["participant"] for row in found.answers} | found.unusable
    doubts = list(found.doubts)
    if recorded and 2 * len(found.videos) < len(found.answers):
        doubts.append("most of the listed videos cannot be used")
    gone = {path.name for path in stores if path.name not in people and path.parent.name == "stores"}
    there = {path.name for path in _people(features)}
    if 2 * len(gone) > len(there) or len(gone) > max(_FEW, len(there) // 10):
        doubts.append("more participants are listed no more than withdraw at a time")
    if not doubts:
        return stores
    log.warning(
        "stores of %d participants or videos that no list names any more are kept, as %s; complete the data set, or "
        "delete what was made of a participant with: waver forget ID --delete", len(_items(stores)), doubts[0],
    )  # fmt: skip
    for item in _items(stores):
        reason, remedy = "no list names it any more, and what was made of it is kept", "see the log of ingest_tables"
        found.set_aside.append(exclusion_row(item, reason, remedy))
    return []


def delete(stores: Sequence[Path]) -> None:
    """Delete stores, and say so before."""
    if not stores:
        return
    items = _items(stores)
    shown = ", ".join(items[:_NAMED]) + (" and others" if len(items) > _NAMED else "")
    log.warning("no list of the data set names them any more, so their %d stores are deleted: %s", len(stores), shown)
    for path in stores:
        remove(path)
    for folder in {path.parent for path in stores if path.parent.name != "stores"}:
        if not any(folder.iterdir()):
            folder.rmdir()


def _unlisted(found: DataSet, features: Path) -> Iterator[Path]:
    """Folders of participants, and stores of videos, that are in no list."""
    people = {row["participant"] for row in found.answers} | found.unusable
    videos = {row["video"] for row in found.answers}
    for folder in _people(features):
        if folder.name not in people:
            yield folder
        elif folder.name not in found.unusable:
            yield from (path for path in sorted(folder.glob("*.zarr")) if path.name.removesuffix(".zarr") not in videos)


def _people(features: Path) -> list[Path]:
    """Folders of participants; shards have stores beside them that belong to several."""
    folders = (path for path in features.glob("*/stores/*") if path.is_dir() and not path.name.startswith("."))
    return sorted(path for path in folders if path.suffix != ".zarr")


def _items(stores: Sequence[Path]) -> list[str]:
    return sorted({path.name.removesuffix(".zarr") for path in stores})
