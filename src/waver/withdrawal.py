"""What was made of a participant who withdraws, found and deleted.

The command is ``waver forget ID --configfile X``. It lists, and with ``--delete`` deletes, in the working folder: the
stores of the participant's recordings, the tables and packs that have rows of the participant, the data set's trained
backbones, and the runs that were made from it, with their models and logs. Features of other participants are kept, and
so is what was made of other shards and learnt from nobody: their packs, and what models that were not trained answered.
The same workflow makes the rest again, without the participant.
"""

from __future__ import annotations

import argparse
import glob
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq

from waver.cluster.settings import add_config_arguments, read_config
from waver.config.model import Config
from waver.datasets.clean_text import composed
from waver.datasets.folder.listing import safe_id
from waver.errors import WaverError
from waver.io.removal import remove
from waver.io.site_secret import site_secret

_TEXTS = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".log", ".html", ".md", ".eaf", ".vtt", ".srt"}
)
_PARTICIPANT = re.compile(r"[^/\\\0]{1,200}")
_RAW = "raw"
"""Folder of ingest with the recordings of a generated data set."""


def made_from(participant: str, config: Config, folder: Path) -> list[Path]:
    """Files and folders that hold what was made of a participant, or of everybody together with the participant.

    Args:
        participant: participant id.
        config: names the data set.
        folder: working folder of the runs.

    Raises:
        WaverError: the id cannot name a folder.
    """
    if not _PARTICIPANT.fullmatch(participant) or participant in (".", ".."):
        raise WaverError(
            "an id is the name of a participant, of 1 to 200 characters without a slash; give it as it stands in the "
            "data set"
        )
    data = folder / "resources" / config.dataset.name
    stores = sorted(data.glob(f"features/*/stores/{glob.escape(participant)}"))
    tables = [*data.glob("ingest/**/*.parquet"), *folder.glob("results/**/*.parquet")]
    known = stores or any(_rows_of(table, participant) for table in tables)
    if not known and not _is_logged(participant, folder / "logs"):  # ingest may have deleted the stores, and logs it
        return []
    runs = [run for run in sorted(folder.glob("results/*")) if _is_of(run, participant, config.dataset.name)]
    logs = [folder / "logs" / run.name for run in runs]
    logs += [path for path in sorted(folder.glob("logs/*")) if path not in logs and any(mentions(participant, path))]
    first = [folder / "benchmarks" / run.name for run in runs]
    first += [folder / ".snakemake/log", folder / ".snakemake/slurm_logs"]
    made = [path for run in runs for path in _all_but(set(_asked_of_others(run, participant)), run)]
    # indexes, packs and the stores of answers hold all participants of a shard
    shared = [*_of_shards(data / "align", "packs", participant), data / "train"]
    for feature in sorted(data.glob("features/*")):
        shared += _of_shards(feature, "stores", participant)
    read = [path for path in sorted(data.glob("ingest/*")) if not path.name.startswith(_RAW)]
    # by the tables, the stores and the logs the rest is found again after a kill: they go last
    return [path for path in (*first, *made, *shared, *read, *stores, *logs) if path.exists()]


def _of_shards(folder: Path, held: str, participant: str) -> Iterator[Path]:
    """Files of the shards that a participant is in, or may be in: packs or stores first, which their indexes tell of.

    Args:
        folder: has an index of each shard, ``<shard>.parquet``, and files beside it.
        held: folder in it with what the indexes are of, ``<shard>.zarr``, and perhaps folders of participants.
        participant: participant id.
    """
    others = {path.stem for path in folder.glob("*.parquet") if _is_of_others(path, participant)}
    own = [*sorted((folder / held).glob("*.zarr")), *sorted((folder / held).glob(".*"))]
    own += [path for path in sorted(folder.glob("*")) if path.is_file()]
    yield from (path for path in own if path.name.partition(".")[0] not in others)


def _asked_of_others(run: Path, participant: str) -> Iterator[Path]:
    """Tables of what models answered about shards that a participant is not in, if these learnt from nobody.

    The journals beside them may hold answers about everybody who was ever in the shard, and are not among them.
    """
    for table in sorted(run.glob("zeroshot/*/*/*.parquet")):
        trained = (table.parents[1] / "adapter").exists()
        if not trained and _is_of_others(table, participant):
            yield from (table, *table.parent.glob(f"{table.name}.*"))


def _all_but(kept: Collection[Path], folder: Path) -> Iterator[Path]:
    """What of a folder is not kept, as few files and folders as it takes."""
    if not any(path.is_relative_to(folder) for path in kept):
        yield folder
    elif folder not in kept:
        for path in sorted(folder.iterdir()):
            yield from _all_but(kept, path)


def _is_logged(participant: str, logs: Path) -> bool:
    """Whether logs name a participant; a small number in them may be anything, and is nobody's id."""
    return not re.fullmatch("[0-9]{1,3}", participant) and any(mentions(participant, logs))


def _is_of(run: Path, participant: str, dataset: str) -> bool:
    """Whether a run was made from the data set, or a table of it has a row of the participant."""
    made = f"resources/{dataset}/"
    if any(made in sidecar.read_text(encoding="utf-8", errors="replace") for sidecar in run.rglob("*.provenance.json")):
        return True
    return any(_rows_of(table, participant) for table in run.rglob("*.parquet"))


def _rows_of(table: Path, participant: str) -> bool:
    """Whether a table has a column ``participant`` with the id in it; a broken table may."""
    try:
        return participant in _people(table)
    except (OSError, ValueError):  # pyarrow's errors are subclasses
        return True


def _is_of_others(table: Path, participant: str) -> bool:
    """Whether a table says of each row whom it is about, and none is about the participant."""
    try:
        return "participant" in pq.read_schema(table).names and participant not in _people(table)
    except (OSError, ValueError):
        return False


def _people(table: Path) -> set[str]:
    """What stands in the column ``participant`` of a table, if it has one."""
    if "participant" not in pq.read_schema(table).names:
        return set()
    return set(pq.read_table(table, columns=["participant"]).column(0).unique().to_pylist())


def mentions(participant: str, root: Path) -> Iterator[Path]:
    """Files below a folder whose path or text names a participant; paths only of files that are no text.

    Args:
        participant: participant id.
        root: folder, or file.
    """
    name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(composed(participant))}(?![A-Za-z0-9])")
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if not path.is_file():
            continue
        texts = [str(path.relative_to(root))]
        if path.suffix.lower() in _TEXTS:
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
        if any(name.search(composed(text)) for text in texts):
            yield path


def forget(participant: str, config: Config, folder: Path) -> list[Path]:
    """Delete what was made of a participant; what was deleted.

    Args:
        participant: participant id.
        config: names the data set and its root.
        folder: working folder of the runs.

    Raises:
        WaverError: a workflow runs in the folder, or the data set still names the participant, whom the next run would
            bring back.
    """
    if any((folder / ".snakemake/locks").glob("*")):
        raise WaverError(
            f"a workflow runs in {folder}, or was killed; wait for its end, or give snakemake --unlock, and try again"
        )
    root = Path(config.dataset.root) if config.dataset.root else None
    written = {participant, unquote(participant)}  # the reader of folders gives ids that can name files
    still = [path for name in written for path in mentions(name, root)] if root and root.exists() else []
    if still:
        raise WaverError(
            f"{still[0]} and {len(still) - 1} more files of the data set name the participant; take the participant "
            "out of them first, or the next run makes everything again"
        )
    found = made_from(participant, config, folder)
    for path in found:
        remove(path)
    return found


def _as_stored(participant: str, config: Config, folder: Path) -> str:
    """An id as the stores have it: as it is written where that is known here, else as the reader of folders makes it.

    Raises:
        WaverError: as ``made_from``.
    """
    safe = safe_id(participant)
    if safe == participant or "/" in participant:
        return safe
    return participant if made_from(participant, config, folder) else safe


def _elsewhere(place: Path, participant: str, secret: Path, delete: bool) -> list[str]:
    """What became, or would become, of a folder outside the working folder."""
    from waver.predict.forgetting import find_in, forget_in  # loads torch

    left = find_in(place, participant, site_secret(secret) if secret.is_file() else None)
    would = "" if delete else "would be "
    if delete:
        forget_in(left, participant)
    lines = [f"{would}deleted: {path}" for path in left.delete] + [f"{would}rewritten: {path}" for path in left.rewrite]
    lines += [f"{would}marked, as it learnt from the participant: {place}"] if left.marked else []
    left_over = {path for name in (participant, safe_id(participant)) for path in mentions(name, place) if delete}
    still = [f"still names the participant: {path}" for path in sorted(left_over)]
    nothing = [] if left.notes else [f"nothing in {place} is known to be of this participant"]
    return [*(lines or nothing), *left.notes, *still]


def main(arguments: Sequence[str] | None = None) -> int:
    """List or delete what was made of a participant, and name the files that are left with the id in them.

    Raises:
        WaverError: see ``forget``; or one of the folders is none.
    """
    parser = argparse.ArgumentParser(prog="waver forget", description=__doc__.split("\n")[0])
    parser.add_argument("participant", help="participant id")
    parser.add_argument("--delete", action="store_true", help="delete it; else it is listed alone")
    parser.add_argument(
        "--in", dest="folders", action="append", default=[], type=Path, metavar="DIR",
        help="output folder of predict, export, export-model or import-review, or its --add-to; may be given again",
    )  # fmt: skip
    add_config_arguments(parser)
    given = parser.parse_args(arguments)
    if wrong := next((place for place in given.folders if not place.is_dir()), None):
        raise WaverError(f"--in {wrong} is no folder; give one that waver predict, export or import-review wrote")
    config, folder = read_config(given.configfile, given.config), Path.cwd()
    participant = _as_stored(given.participant, config, folder)
    done = (forget if given.delete else made_from)(participant, config, folder)
    head = "deleted" if given.delete else "would be deleted (give --delete)"
    lines = [f"{head}: {path.relative_to(folder)}" for path in done] or ["nothing here was made of this participant"]
    if not done and given.folders:
        lines = []
    for place in given.folders:
        lines += _elsewhere(place, given.participant, folder / config.report.secret, given.delete)
    if given.delete:
        kept = [folder / part for part in (f"resources/{config.dataset.name}", "results", "logs", "benchmarks")]
        left = [path for part in kept for path in mentions(participant, part)]
        lines += [f"still names the participant: {path.relative_to(folder)}" for path in left]
        if any("/ingest/raw" in line for line in lines):
            lines.append("the generated data set still names the participant: the next run makes everything again")
        lines.append("models and copies that left this folder have learned from the participant: call them back")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
