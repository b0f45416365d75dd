"""What stands beside the scores: paired comparisons, calibration, and where each score comes from."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from waver.config.sections import EvaluateConfig
from waver.evaluation.comparisons import COMPARISONS, REFERENCES, comparison_rows
from waver.evaluation.decomposition import DECOMPOSITION, decomposition_rows
from waver.evaluation.paired import Paired
from waver.evaluation.reliability import CALIBRATION, calibration_rows, out_of_fold
from waver.store.tables import write_table

log = logging.getLogger(__name__)

Row = dict[str, Any]


def write_statistics(
    tables: Iterable[Paired],
    config: EvaluateConfig,
    comparisons: Path,
    calibration: Path,
    decomposition: Path,
    references: Sequence[str] = REFERENCES,
) -> None:
    """Write the statistics of all tables.

    Args:
        tables: all tables; values that a Paired has already are not computed again.
        config: resamples and seed, as for the scores.
        comparisons: Parquet file to write (COMPARISONS).
        calibration: Parquet file to write (CALIBRATION).
        decomposition: Parquet file to write (DECOMPOSITION).
        references: names of the methods that the others are compared with.
    """
    everything = list(tables)
    validated = out_of_fold(paired.table for paired in everything)
    compared: list[Row] = []
    reliable: list[Row] = []
    decomposed: list[Row] = []
    for paired in everything:
        table = paired.table
        log.info("%s, %s, %s: comparing %d methods", table.level, table.split, table.protocol, len(table.methods))
        compared.extend(comparison_rows(table, references, config, paired))
        reliable.extend(calibration_rows(table, validated, config, paired))
        decomposed.extend(decomposition_rows(table, config, paired))
    write_table(comparisons, compared, COMPARISONS)
    write_table(calibration, reliable, CALIBRATION)
    write_table(decomposition, decomposed, DECOMPOSITION)
