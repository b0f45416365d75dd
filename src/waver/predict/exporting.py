"""Writing the files of ``waver export``, of a run or of new recordings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from waver.datasets.consent import pseudonyms
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.io.site_secret import site_secret
from waver.io.tables import PARTICIPANTS, read_table
from waver.predict.elan import read_stamped_eaf, write_eaf
from waver.predict.export import ExportRequest
from waver.predict.formats import EAF, ENDINGS, PAGES, TABLES, ExportPurpose
from waver.predict.given import MAPPING, Given, hand_on_mapping, write_mapping
from waver.predict.of_run import packs_of, run_results
from waver.predict.result import RecordingResult
from waver.predict.result_files import write_annotations, write_frames, write_segments
from waver.predict.trained import load_trained
from waver.predict.viewer.page import About, IndexRow, write_index, write_page


def export(request: ExportRequest) -> tuple[int, int]:
    """Write the files.

    For ``publication`` and ``challenge``, recordings of those alone who allowed it, named by pseudonyms, without a link
    to the recording; for ``internal`` all, under their ids.

    Returns:
        Number of recordings written, and of those left out because of their participants' consent.

    Raises:
        WaverError: the source is no run and no predictions, or holds what the purpose may not show.
    """
    if request.purpose != "internal" and request.media:
        raise WaverError("--media links recordings, whose names tell who is seen; give --purpose internal with it")
    if request.purpose != "internal" and PAGES in request.formats:
        raise WaverError("pages show a person, and are for those who may see the recordings; give --purpose internal")
    if (request.source / "train").is_dir():
        return _of_run(request)
    if not (request.source / "run.json").is_file():
        raise WaverError(f"{request.source} holds no trained model and no predictions; give results/<run>, or the "
                         "--out of waver predict")  # fmt: skip
    if request.purpose != "internal":
        raise WaverError(f"nobody in {request.source} was asked about {request.purpose}; for your own use "
                         "give --purpose internal")  # fmt: skip
    return _of_predictions(request), 0


def _of_predictions(request: ExportRequest) -> int:
    """Copy the files that ``waver predict`` wrote; links of annotation files lead to the same recordings."""
    # pages stay: their links lead to the recordings beside them
    endings = tuple(ENDINGS[one] for one in request.formats if one != PAGES)
    endings += (".parquet", ".schema.json") if TABLES in request.formats else ()
    recordings = [file.name.removesuffix("_frames.parquet") for file in request.source.glob("*_frames.parquet")]
    request.out.mkdir(parents=True, exist_ok=True)
    for file in sorted(request.source.iterdir()):
        if file.name.endswith(".eaf") and EAF in request.formats:
            media = sorted((request.source / "recordings").glob(f"{file.stem}.*"))
            tiers, stamp = read_stamped_eaf(file)
            write_eaf(request.out / file.name, tiers, media[0] if media else None, stamp)
        elif file.is_file() and file.name.endswith(endings):
            with atomic_write(request.out / file.name) as place:
                shutil.copyfile(file, place)
    hand_on_mapping(request.source, request.out, recordings)
    return len(recordings)


def _of_run(request: ExportRequest) -> tuple[int, int]:
    """Write what a run predicted of val and test."""
    trained = load_trained(request.source, request.method, request.seed)
    model = request.source / "train" / trained.name / "model.pt"
    rows = read_table(packs_of(request.source, model)[0].parents[1] / "ingest/participants.parquet", PARTICIPANTS)
    may = _allowed(rows, request.purpose)
    names = {} if request.purpose == "internal" else pseudonyms(may, site_secret(_secret(request)))
    stamp = {"model": trained.name, "run": trained.run, "model_sha256": trained.sha256}
    record = stamp | {"purpose": request.purpose}
    about = About(trained.name, trained.sha256[:12])
    written: list[Given] = []
    pages: list[IndexRow] = []
    left_out = 0
    for one in run_results(request.source, trained, request.contributions):
        if one.result.participant not in may:
            left_out += 1
            continue
        media = None if request.media is None else Path(os.path.abspath(request.media / one.path))
        result = replace(_named(one.result, names, {given.recording for given in written}), video=media)
        if TABLES in request.formats:
            write_frames(result, request.out, record)
            write_segments(result, request.out, record)
        write_annotations(result, request.out, trained.decisions.segments, (), one.annotated, request.formats, stamp)
        if PAGES in request.formats:
            pages.append(write_page(result, request.out, about, trained.decisions.segments, one.annotated)[1])
        given = Given(media or Path(), result.participant, result.question, result.language, None, result.recording)
        written.append(given)
    if pages:
        write_index(pages, request.out, about)
    if request.purpose == "internal":
        write_mapping(request.out / MAPPING, written)
    return len(written), left_out


def _allowed(participants: Sequence[Mapping[str, Any]], purpose: ExportPurpose) -> set[str]:
    """Participants who may be shown for a purpose; unknown is no."""
    return {row["participant"] for row in participants if purpose == "internal" or row[f"consent_{purpose}"]}


def _secret(request: ExportRequest) -> Path:
    return request.secret or Path(os.path.abspath(request.source)).parents[1] / ".waver/secret"


def _named(result: RecordingResult, names: Mapping[str, str], taken: Collection[str]) -> RecordingResult:
    """The result under the pseudonym of its participant, where there are pseudonyms; no two have one name."""
    if not names:
        return result
    name = names[result.participant]
    first = name if result.question is None else f"{name}_Q{result.question}"
    free = (f"{first}_{number}" if number > 1 else first for number in range(1, len(taken) + 2))
    return replace(result, recording=next(one for one in free if one not in taken), participant=name)
