"""Stores that are missing or damaged: what is said, and how the same command comes to make them again.

Snakemake knows the indexes and not the stores. When a run starts, an index of which a store is missing is removed
(``waver.cluster.recover``) and its rule runs. So a damaged store is removed by the job that finds it: it is worth
nothing, and the next run makes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from waver.errors import DamagedStore, MissingStore
from waver.io.store_file import Damage, FileReader

log = logging.getLogger(__name__)

_NONE_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)  # a folder is of an earlier version of Waver


@contextmanager
def reading(store: Path, file: FileReader | None = None) -> Iterator[None]:
    """Say what is wrong with a store, and remove a damaged one.

    Args:
        store: its path.
        file: the file that is read, to remove no other; None while it is opened.

    Raises:
        MissingStore: it is not there.
        DamagedStore: it is not as it was written.
    """
    try:
        yield
    except _NONE_THERE as error:
        log.info("%s is not a finished store", store)  # ids of people belong in the job's log, not in an error
        raise MissingStore(_sentence(store, "missing", "delete {index} and run again")) from error
    except Damage as damage:
        log.info("%s is damaged: %s", store, damage)
        gone = _remove(store, file)
        remedy = "it was removed: run again" if gone else "it cannot be removed: delete it and {index}, and run again"
        raise DamagedStore(_sentence(store, f"damaged ({damage})", remedy)) from damage


def _remove(store: Path, file: FileReader | None) -> bool:
    """Remove a damaged store, but not one that took its place meanwhile; whether it is gone."""
    try:
        try:
            now = FileReader(store)
            damaged = file is not None and now.identity == file.identity
        except Damage:
            damaged = True
        if damaged:
            store.unlink()
    except FileNotFoundError:
        return True
    except OSError as error:
        log.warning("the damaged store cannot be removed: %s", error.strerror)
        return False
    return True


def _sentence(store: Path, what: str, remedy: str) -> str:
    """A sentence with the index of a store and without its name."""
    place = next((place for place in store.parents if place.name in ("stores", "packs")), None)
    if place is None:
        return f"a store is {what}; run the rule that writes it (the log names the store)"
    indexes = sorted(place.parent.glob("*.parquet"))
    shard = [index for index in indexes if index.stem == store.stem or _lists(index, store.stem)]
    if not shard:
        return f"a store below {place} is {what}; run the rule that writes it (the log names the store)"
    sentence = f"a store that {shard[0]} lists is {what}; {remedy.format(index=shard[0])}"
    return f"{sentence}: existing stores are kept, missing ones are written again"


def _lists(index: Path, video: str) -> bool:
    try:
        return video in pq.read_table(index, columns=["video"])["video"].to_pylist()
    except (OSError, pa.ArrowException):  # no readable index
        return False
