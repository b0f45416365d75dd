"""What the stores of all recordings say together, whoever they are of: counts, which the consent gate alone reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from waver.errors import WaverError
from waver.report.data import Material

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
Fact = TypeVar("Fact")


def store_facts(
    material: Material,
    feature: str,
    read: Callable[[Path, Row], Fact],
    wanted: Callable[[Row], bool] = lambda row: True,
) -> Iterator[tuple[Row, Fact]]:
    """Row of the index of a feature, and what is read from its store, of each recording that has one.

    A store that cannot be read is left out and logged.

    Args:
        material: of the report.
        feature: name of it.
        read: function of the consent gate: folder of the stores, row -> numbers.
        wanted: whether the store of a row is opened at all.
    """
    for row in material.features.get(feature, []):
        if row["status"] != "ok" or not wanted(row):
            continue
        try:
            found = read(material.inputs.feature_stores[feature], row)
        except WaverError as problem:
            log.warning("the facts of %s lack a recording: %s", feature, problem)
            continue
        yield row, found
