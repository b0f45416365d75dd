"""Names of readers of data sets and where they live; nothing is imported until it is asked for."""

from __future__ import annotations

from waver.datasets.base import Reader
from waver.errors import WaverError
from waver.records import imported

READERS: dict[str, str] = {
    "bah": "waver.datasets.bah.reader:read_bah",
    "folder": "waver.datasets.folder.reader:read_folder",
}
"""``dataset.reader`` of the config -> ``"module:function"``; the demo data set is in the layout of BAH."""


def reader_target(name: str) -> str:
    """Where a reader lives.

    Raises:
        WaverError: no reader has this name.
    """
    if name not in READERS:
        raise WaverError(f"dataset.reader: {name!r} is not a known reader; known are {', '.join(READERS)}")
    return READERS[name]


def load_reader(name: str) -> Reader:
    """A reader by its name.

    Raises:
        WaverError: no reader has this name.
    """
    reader: Reader = imported(reader_target(name))
    return reader
