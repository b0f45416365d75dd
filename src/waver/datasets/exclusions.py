"""Rows of the table of what could not be used."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def exclusion_row(item: str, reason: str, remedy: str, participant: str | None = None, path: str | None = None) -> Row:
    """One row (SET_ASIDE) of the stage ``ingest``.

    Args:
        item: video or participant id, or the file where there is none.
        reason: what is wrong.
        remedy: what the user can do.
        participant: participant id.
        path: file concerned, relative to the data set's root.
    """
    return {
        "stage": "ingest",
        "item": item,
        "participant": participant,
        "path": path,
        "reason": reason,
        "remedy": remedy,
    }
