"""What the commands made of a participant outside the working folder of a run: found, and deleted.

Folders of ``waver predict``, ``waver export`` and ``waver import-review`` lose what is about the person; the folder of
a model that learnt from the person is marked, for nothing can be taken out of its weights.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from waver.datasets.consent import is_any_pseudonym, is_pseudonym, learner_mark
from waver.datasets.folder.annotations import TRANSCRIPTS_FILE
from waver.datasets.folder.listing import LISTING, safe_id
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.io.lock import exclusive
from waver.io.removal import remove
from waver.predict.data_tables import write_json
from waver.predict.extend import reviewed_of, take_out
from waver.predict.given import ANY_ID, LINKS, MAPPING, keep_last_number, read_mapping, write_mapping
from waver.predict.model_folder import RECORD, TRAINED_ON, WITHDRAWN
from waver.predict.outputs import RUN, index_row, write_set_aside, write_summary
from waver.predict.viewer.page import INDEX, About, write_index
from waver.provenance import file_sha256

_CODED = "codings.csv"
_REVIEWS = ("agreement.csv", "agreement.json", "disagreements.csv", _CODED)
"""Files of ``waver import-review``, each about all recordings together; the last one says which."""
_SHARED = ("summary.csv", "summary.json", "set_aside.csv", RUN, INDEX)
"""Files of ``waver predict`` about all recordings, which are written anew without the person's."""
_RECORDING = ("_frames.parquet", "_frames.csv", "_words.vtt", ".eaf", ".TextGrid", ".vtt", ".html")
"""What the name of a recording's file goes on with; the first that fits."""
_MARK = """Somebody from whom this model learnt has withdrawn (recorded on {date}).

What was learnt cannot be taken out of its weights: delete this folder and its copies, and ask whoever made it for a
model that was trained anew.
"""


@dataclass
class Left:
    """What a folder holds of a participant.

    Attributes:
        folder: that was searched.
        recordings: ids of the participant's recordings in it.
        delete: files, links and folders that are about nobody else, or about all together.
        rewrite: files that lose some lines.
        marked: it is a model that learnt from the participant.
        notes: what the user should know, or do.
    """

    folder: Path
    recordings: set[str] = field(default_factory=set)
    delete: list[Path] = field(default_factory=list)
    rewrite: list[Path] = field(default_factory=list)
    marked: bool = False
    notes: list[str] = field(default_factory=list)


def find_in(folder: Path, participant: str, secret: bytes | None) -> Left:
    """What a folder that a command wrote holds of a participant.

    Args:
        folder: ``--out`` of ``waver predict``, ``export``, ``export-model`` or ``import-review``, or its ``--add-to``.
        participant: id, as the user writes it.
        secret: of the site, by which pseudonyms and those whom a model learnt from are known; None: there is none.

    Raises:
        WaverError: its list of recordings, or its record of a model, cannot be read.
    """
    left = Left(folder)
    if (folder / RECORD).is_file():
        _find_trained_on(left, {participant, safe_id(participant)}, secret)
    elif (folder / MAPPING).is_file():
        own = [one for one in read_mapping(folder / MAPPING, ANY_ID) if one.owner == safe_id(participant)]
        left.recordings = {one.recording for one in own}
        left.rewrite += [folder / MAPPING] if own else []
        left.notes += [f"{one.file} is yours: delete it" for one in own if one.file.is_file()]
        left.delete += [*_about(left.recordings, folder), *_made_of(folder, left.recordings, participant)]
    else:
        known = _recordings(folder) | _coded(folder)
        left.recordings = {one for one in known if _is_named(one, participant, secret)}
        if secret is None and any(map(is_any_pseudonym, known)):
            left.notes.append(f"{folder}: which recordings are of the participant is not known: they have pseudonyms, "
                             "which need the secret of the site (report.secret)")  # fmt: skip
        left.delete += _about(left.recordings, folder)
    if left.recordings:
        shared = [path for name in _SHARED if (path := folder / name).is_file()]
        again = (folder / "summary.json").is_file()  # else its lines are nowhere
        (left.rewrite if again else left.delete).extend(shared)
        reviews = [path for name in _REVIEWS if (path := folder / name).is_file()]
        left.delete += reviews
        left.notes += [f"{folder} lacks its tables of agreement: import the other reviews again"] if reviews else []
    if reviewed := reviewed_of(folder, participant):
        left.delete += [folder / video for video in reviewed]
        left.rewrite.append(folder / LISTING)
    return left


def forget_in(left: Left, participant: str) -> None:
    """Delete what ``find_in`` found. A call that was interrupted is given again: what tells whose is whose goes last.

    Raises:
        WaverError: a file cannot be deleted.
    """
    folder, work = left.folder, left.folder / "work"
    with exclusive(work / "predict.lock") if work.is_dir() else contextlib.nullcontext():
        for path in left.delete:
            if path.is_symlink():  # to the recording, which is the user's own
                path.unlink()
            else:
                remove(path)
        if folder / "summary.json" in left.rewrite:
            _without(folder, left.recordings)
        if folder / LISTING in left.rewrite:
            take_out(folder, reviewed_of(folder, participant))
        if folder / MAPPING in left.rewrite:
            given = read_mapping(folder / MAPPING, ANY_ID)
            if (folder / LINKS).is_dir():  # where new recordings get ids
                keep_last_number(folder, given)
            write_mapping(folder / MAPPING, [one for one in given if one.recording not in left.recordings])
    if left.marked:
        with atomic_write(folder / WITHDRAWN) as file:
            file.write_text(_MARK.format(date=datetime.now(UTC).date().isoformat()), encoding="utf-8")


def _find_trained_on(left: Left, names: Collection[str], secret: bytes | None) -> None:
    """Whether a model learnt from somebody; its record is readable even where another version wrote it."""
    try:
        about: dict[str, Any] = json.loads((left.folder / RECORD).read_text(encoding="utf-8"))["about"]
        known = None if about.get(TRAINED_ON) is None else set(map(str, about[TRAINED_ON]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WaverError(f"{left.folder / RECORD} cannot be read; copy the folder of the model again") from error
    if known is None or secret is None:
        why = "was exported by an older version" if known is None else "needs the secret of the site (report.secret)"
        left.notes.append(f"{left.folder}: whether this model learnt from the participant is not known, as it {why}")
    left.marked = bool(known and secret and {learner_mark(name, secret) for name in names} & known)


def _recordings(folder: Path) -> set[str]:
    ends = [(path.name, next((end for end in _RECORDING if path.name.endswith(end)), "")) for path in folder.iterdir()]
    return {name.removesuffix(end) for name, end in ends if end}


def _coded(folder: Path) -> set[str]:
    """Recordings in the table of codings that ``waver import-review`` writes."""
    if not (folder / _CODED).is_file():
        return set()
    with (folder / _CODED).open(encoding="utf-8", newline="", errors="surrogateescape") as stream:
        return {row.get("recording") or "" for row in csv.DictReader(stream)}


def _is_named(recording: str, participant: str, secret: bytes | None) -> bool:
    """Whether an id of a data set, or a pseudonym of a recording, is of a participant."""
    if secret and is_pseudonym(recording.split("_")[0], participant, secret):
        return True
    return _is_of(recording, {participant, safe_id(participant)})


def _is_of(name: str, ids: Collection[str]) -> bool:
    return any(name.startswith(one) and not name[len(one) : len(one) + 1].isalnum() for one in ids)


def _about(recordings: Collection[str], folder: Path) -> Iterator[Path]:
    """Files of a folder that are about recordings; ids may begin alike, and the longest one counts."""
    others = _recordings(folder) - set(recordings)
    for path in sorted(folder.iterdir()):
        longer = (one for one in others if _is_of(path.name, [one]) and _is_of(one, recordings))
        if path.is_file() and _is_of(path.name, recordings) and not any(longer):
            yield path


def _made_of(folder: Path, recordings: Collection[str], participant: str) -> Iterator[Path]:
    """What ``waver predict`` keeps of recordings below its folder; what is about all of them is made again."""
    work = folder / "work"
    if recordings:
        yield from (path for path in sorted((folder / LINKS).glob("*")) if _is_of(path.name, recordings))
        shared = [folder / LINKS / LISTING, folder / LINKS / TRANSCRIPTS_FILE, work / "ingest", work / "predict.log"]
        yield from (path for path in shared if path.exists())
    for place, folders, files in os.walk(work):
        if Path(place) == work and "ingest" in folders:
            folders.remove("ingest")
        own = [name for name in (*folders, *files) if _is_of(name.lstrip("."), recordings)]
        own += [name for name in folders if Path(place).name == "stores" and name == safe_id(participant)]
        folders[:] = [name for name in folders if name not in own]
        yield from (Path(place) / name for name in dict.fromkeys(own))


def _without(folder: Path, recordings: Collection[str]) -> None:
    """Write the files about all recordings of ``waver predict`` again, without some."""
    rows = [
        row for row in json.loads((folder / "summary.json").read_text("utf-8")) if row["recording"] not in recordings
    ]
    files = write_summary(rows, folder)
    if (folder / "set_aside.csv").is_file():
        with (folder / "set_aside.csv").open(encoding="utf-8", newline="") as stream:
            files |= write_set_aside([row for row in csv.DictReader(stream) if row["item"] not in recordings], folder)
    if not (folder / RUN).is_file():
        return
    record = json.loads((folder / RUN).read_text("utf-8"))
    index = write_index(map(index_row, rows), folder, About(record["model"]["name"], record["model"]["sha256"][:12]))
    known = {name: sha256 for name, sha256 in record["files"].items() if (folder / name).is_file()}
    write_json(folder / RUN, record | {"files": dict(sorted({**known, **files, INDEX: file_sha256(index)}.items()))})
