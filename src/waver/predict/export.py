"""What was predicted, as files for ELAN, R, SPSS and Praat: ``waver export results/<run>`` (docs/review.md)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from waver.datasets.consent import Purpose, pseudonyms
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.io.site_secret import site_secret
from waver.io.tables import PARTICIPANTS, read_table
from waver.predict.elan import read_eaf, write_eaf
from waver.predict.inputs import MAPPING, Given, write_mapping
from waver.predict.outputs import write_result
from waver.predict.recording_files import EAF, FORMATS, TABLES, TEXTGRID, VTT, Shown, write_recording
from waver.predict.result import RecordingResult

ExportPurpose = Literal[Purpose, "internal"]
PURPOSES: tuple[ExportPurpose, ...] = get_args(ExportPurpose)
_ENDINGS = {
    TABLES: (".csv", ".parquet", ".schema.json"),
    EAF: (".eaf",),
    VTT: (".vtt",),
    TEXTGRID: (".TextGrid",),
}


@dataclass(frozen=True)
class Asked:
    """What the user asks for.

    Attributes:
        source: ``results/<run>``, or the output folder of ``waver predict``.
        out: folder to write.
        purpose: whom the files are for.
        formats: of ``FORMATS``.
        method: ``<fusion>/<modalities>`` of a run; empty: the best on val.
        seed: of its training; None: the best on val.
        media: root of the data set, to link the recordings from; None: no links.
        secret: file with the secret of the site, for pseudonyms; None: that of the run's working folder.
    """

    source: Path
    out: Path
    purpose: ExportPurpose = "publication"
    formats: Collection[str] = FORMATS
    method: str = ""
    seed: int | None = None
    media: Path | None = None
    secret: Path | None = None


def export(asked: Asked) -> tuple[int, int]:
    """Write the files.

    For ``publication`` and ``challenge``, recordings of those alone who allowed it, named by pseudonyms, without a link
    to the recording; for ``internal`` all, under their ids.

    Returns:
        Number of recordings written, and of those left out because of their participants' consent.

    Raises:
        WaverError: the source is no run and no predictions, or holds what the purpose may not show.
    """
    if asked.purpose != "internal" and asked.media:
        raise WaverError("--media links recordings, whose names tell who is seen; give --purpose internal with it")
    if (asked.source / "train").is_dir():
        return _of_run(asked)
    if not (asked.source / "run.json").is_file():
        raise WaverError(f"{asked.source} holds no trained model and no predictions; give results/<run>, or the --out "
                         "of waver predict")  # fmt: skip
    if asked.purpose != "internal":
        raise WaverError(f"nobody in {asked.source} was asked about {asked.purpose}; for your own use give "
                         "--purpose internal")  # fmt: skip
    return _of_predictions(asked), 0


def _of_predictions(asked: Asked) -> int:
    """Copy the files that ``waver predict`` wrote; links of annotation files lead to the same recordings."""
    endings = tuple(ending for one in asked.formats for ending in _ENDINGS[one])
    recordings = [file.name.removesuffix("_frames.parquet") for file in asked.source.glob("*_frames.parquet")]
    asked.out.mkdir(parents=True, exist_ok=True)
    for file in sorted(asked.source.iterdir()):
        if file.name.endswith(".eaf") and EAF in asked.formats:
            media = sorted((asked.source / "recordings").glob(f"{file.stem}.*"))
            write_eaf(asked.out / file.name, read_eaf(file), media[0] if media else None)
        elif file.is_file() and file.name.endswith(endings):
            with atomic_write(asked.out / file.name) as place:
                shutil.copyfile(file, place)
    return len(recordings)


def _of_run(asked: Asked) -> tuple[int, int]:
    """Write what a run predicted of val and test."""
    from waver.predict.of_run import packs_of, run_results  # loads torch
    from waver.predict.trained import load_trained

    trained = load_trained(asked.source, asked.method, asked.seed)
    model = asked.source / "train" / trained.name / "model.pt"
    rows = read_table(packs_of(asked.source, model)[0].parents[1] / "ingest/participants.parquet", PARTICIPANTS)
    may = _allowed(rows, asked.purpose)
    names = {} if asked.purpose == "internal" else pseudonyms(may, site_secret(_secret(asked)))
    record = {"model": trained.name, "model_sha256": trained.sha256, "purpose": asked.purpose}
    written: list[Given] = []
    left_out = 0
    for one in run_results(asked.source, trained):
        if one.result.participant not in may:
            left_out += 1
            continue
        result = _named(one.result, names, {given.recording for given in written})
        media = None if asked.media is None else Path(os.path.abspath(asked.media / one.path))
        shown = Shown(one.annotated, media)
        if TABLES in asked.formats:
            write_result(result, asked.out, record)
        write_recording(result, asked.out, trained.decisions.segments, record, shown, asked.formats)
        given = Given(media or Path(), result.participant, result.question, result.language, None, result.recording)
        written.append(given)
    if asked.media is not None:
        write_mapping(asked.out / MAPPING, written)
    return len(written), left_out


def _allowed(participants: Sequence[Mapping[str, Any]], purpose: ExportPurpose) -> set[str]:
    """Participants who may be shown for a purpose; unknown is no."""
    return {row["participant"] for row in participants if purpose == "internal" or row[f"consent_{purpose}"]}


def _secret(asked: Asked) -> Path:
    return asked.secret or Path(os.path.abspath(asked.source)).parents[1] / ".waver/secret"


def _named(result: RecordingResult, names: Mapping[str, str], taken: Collection[str]) -> RecordingResult:
    """The result under the pseudonym of its participant, where there are pseudonyms; no two have one name."""
    if not names:
        return result
    name = names[result.participant]
    first = name if result.question is None else f"{name}_Q{result.question}"
    free = (f"{first}_{number}" if number > 1 else first for number in range(1, len(taken) + 2))
    return replace(result, recording=next(one for one in free if one not in taken), participant=name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Export.

    Raises:
        WaverError: see ``export``.
    """
    parser = argparse.ArgumentParser(prog="waver export", description=__doc__.split(":")[0])
    add = parser.add_argument
    add("source", type=Path, help="results/<run>, or the output folder of waver predict")
    add("--out", required=True, type=Path, help="folder to write")
    add("--purpose", choices=PURPOSES, default=PURPOSES[0],
        help="publication, challenge: of participants who allowed it, under pseudonyms; internal: of all [publication]",
    )  # fmt: skip
    add("--format", default=",".join(FORMATS), help=f"some of {','.join(FORMATS)} [all]")
    add("--method", default="", metavar="FUSION/MODALITIES", help="model of the run [the best one on val]")
    add("--seed", type=int, help="training of that model [the best one on val]")
    add("--media", type=Path, help="root of the data set, to link recordings from (--purpose internal)")
    add("--secret", type=Path, help="secret of the site, for pseudonyms [.waver/secret beside results]")
    given = parser.parse_args(arguments)
    formats = tuple(given.format.split(","))
    if unknown := [one for one in formats if one not in FORMATS]:
        raise WaverError(f"--format {unknown[0]} is not known; give some of {','.join(FORMATS)}")
    os.umask(0o077)
    written, left_out = export(
        Asked(given.source, given.out, given.purpose, formats, given.method.strip("/"), given.seed, given.media,
              given.secret)
    )  # fmt: skip
    told = f"; {left_out} left out, whose participants did not allow {given.purpose}" if left_out else ""
    sys.stdout.write(f"{written} recordings in {given.out}{told}\n")
    return 0
