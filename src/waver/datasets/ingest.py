"""From a data set's files to tables: participants, videos, answers, segments, transcripts, and what was excluded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from waver.datasets.absent_files import check_root
from waver.datasets.base import SCHEMAS, DataSet, Source, arrow_table, check
from waver.datasets.codebook import unlisted_by_channel
from waver.datasets.departures import delete, departed
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.registry import load_reader
from waver.datasets.row_checks import exclude_misfits
from waver.datasets.sharding import shard_of
from waver.errors import WaverError
from waver.io.tables import write_arrow

log = logging.getLogger(__name__)

_BY_SHARD = ("videos", "answers", "segments", "transcripts")
_OF_QUESTIONS = ("videos", "answers")
"""Tables that carry the record of the questions (``waver.datasets.questions``)."""


def ingest(
    root: Path,
    layout: str,
    shards: int,
    tables: dict[str, Path],
    shard_folder: Path,
    cache: Path,
    recorded: bool = True,
    reader: str = "bah",
    purpose: Literal["research", "challenge"] = "research",
) -> None:
    """Read a data set and write its tables.

    Args:
        root: folder of the data set.
        layout: for the reader of BAH: bah300, bah224, abaw8, or auto to look.
        shards: number of groups of participants.
        tables: participants, videos, answers, segments, transcripts, set_aside -> Parquet file to write; that of
            the participants has the release's ``layout``, where the reader knows one, in its metadata. In
            ``features`` beside their folder, stores of whom the lists name no more are deleted.
        shard_folder: gets ``<shard>.{videos,answers,segments,transcripts}.parquet`` for every shard, byte
            for byte the same where nothing changed.
        cache: JSON file of probes and checksums by path, size and time of change.
        recorded: there are video files; False reads split files, transcripts and segments alone.
        reader: name in ``waver.datasets.registry``.
        purpose: what the tables are for; of a challenge, participants who did not allow it are excluded.

    Raises:
        WaverError: there is no data set, a file of it is broken, a participant is in two splits, the reader gave
            tables that do not fit together, or nobody allowed the purpose.
    """
    check_root(root)
    found = load_reader(reader)(Source(root, layout, cache, recorded))
    left = departed(found, tables["participants"].parents[1] / "features", recorded)
    exclude_misfits(found)
    check(found)
    if purpose == "challenge":
        found = for_challenges(found)
    found.set_aside.sort(key=lambda row: (row["item"], row["path"] or "", row["reason"]))
    _tell_unlisted(found.segments, tables["segments"])
    log.info("rows: %s", ", ".join(f"{name} {len(found.table(name))}" for name in SCHEMAS))
    _write(found, shards, tables, shard_folder)
    delete(left)


def _tell_unlisted(segments: Sequence[Row], file: Path) -> None:
    """Log how many texts of cues count as nothing, and where they stand; what they say is not for a log."""
    counts = unlisted_by_channel(row["cues"] for row in segments)
    unknown, every = (sum(column) for column in zip(*counts.values(), strict=True)) if counts else (0, 0)
    if unknown:
        channels = ", ".join(f"{channel} {own}" for channel, (own, _) in counts.items() if own)
        log.warning(
            "%d of %d texts of cues are no cue of the codebook and count as nothing: %s (column cues of %s)",
            unknown, every, channels, file,
        )  # fmt: skip


def for_challenges(found: DataSet) -> DataSet:
    """The part of a data set that may be used in challenges; who did not allow that is excluded with everything.

    Raises:
        WaverError: nobody allowed it.
    """
    allowed = {row["participant"] for row in found.participants if row["consent_challenge"]}
    if not allowed:
        raise WaverError("no participant allowed use in challenges; set dataset.purpose to research")
    videos = {row["video"] for row in found.answers if row["participant"] in allowed}
    reason, remedy = "no consent to use in challenges", "nothing, or set dataset.purpose to research"
    refused = [row["participant"] for row in found.participants if row["participant"] not in allowed]
    kept = DataSet(
        participants=[row for row in found.participants if row["participant"] in allowed],
        set_aside=[*found.set_aside, *(exclusion_row(who, reason, remedy, who) for who in refused)],
        questions=found.questions,
        layout=found.layout,
    )
    for name in _BY_SHARD:
        kept.table(name).extend(row for row in found.table(name) if row["video"] in videos)
    return kept


def _write(found: DataSet, shards: int, tables: Mapping[str, Path], shard_folder: Path) -> None:
    record = found.questions.record()
    metadata: dict[str, Row] = {name: record for name in _OF_QUESTIONS if record}
    if found.layout:
        metadata["participants"] = {"layout": found.layout}
    whole = {name: arrow_table(name, found.table(name)) for name in SCHEMAS}
    for name, table in whole.items():
        write_arrow(tables[name], table, metadata.get(name))
    owner = {row["video"]: row["participant"] for row in found.answers}
    for name in _BY_SHARD:
        groups: dict[str, list[Row]] = {f"{shard:03d}": [] for shard in range(shards)}
        for row in found.table(name):
            groups[shard_of(owner[row["video"]], shards)].append(row)
        for shard, members in groups.items():
            path = shard_folder / f"{shard}.{name}.parquet"
            write_arrow(path, arrow_table(name, members), metadata.get(name))
    for path in shard_folder.glob("[0-9][0-9][0-9].*.parquet"):  # of a config with more shards
        if int(path.name[:3]) >= shards:
            path.unlink()
