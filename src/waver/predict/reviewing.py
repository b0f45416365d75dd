"""The work of ``waver import-review``: reviews read, held against the predictions, and added to a training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from waver.datasets.elan.tier_list import TierOf, read_tier_list
from waver.errors import WaverError
from waver.predict.codings import REVIEWER, Coding, read_codings
from waver.predict.data_tables import write_csv, write_dictionary, write_json
from waver.predict.elan import read_stamp
from waver.predict.extend import add_to
from waver.predict.given import hand_on_mapping
from waver.predict.import_review import ImportRequest
from waver.predict.predicted_files import PredictedFiles, read_predicted
from waver.predict.review import (
    AGREEMENT,
    CODINGS,
    DISAGREEMENTS,
    Row,
    agreement_rows,
    check_coding,
    coded,
    coders_of,
    coding_rows,
    disagreements,
    people_alpha,
)
from waver.predict.tiers import REVIEWED

_IN_FOLDERS = (".eaf", "_review.json", "_review.csv")
"""Files of a folder that are read."""


@dataclass
class _Read:
    """What the files hold.

    Attributes:
        codings: of all files that could be used.
        untouched: files that nobody changed.
        problems: why a file could not be used.
        notes: what is to be known of one that was.
    """

    codings: list[Coding] = field(default_factory=list)
    untouched: list[Path] = field(default_factory=list)
    problems: list[WaverError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_reviews(request: ImportRequest) -> tuple[list[str], bool]:
    """Compare, and perhaps add to a training set.

    Returns:
        What to tell the user, and whether there was a review and every file could be used.

    Raises:
        WaverError: no file can be used, or the files do not go together.
    """
    predicted = read_predicted(request.predictions)
    tiers = read_tier_list(request.tiers) if request.tiers else {}
    read = _read(request.reviews, predicted, tiers)
    if read.problems and not read.codings and not read.untouched:
        raise read.problems[0]
    by = coded(read.codings, predicted)
    rows, apart, shared = list(agreement_rows(by)), disagreements(by, predicted), people_alpha(by)
    tables = {"agreement": rows, "disagreements": apart, "codings": list(coding_rows(read.codings))}
    _write(request.out, tables, shared)
    hand_on_mapping(request.predictions, request.out, by)
    lines = _summary(rows, shared, len(coders_of(by)) - 1, len(apart), request.out)
    lines += [f"{path}: nobody changed it, and it is left out" for path in read.untouched]
    if request.add_to and read.codings:
        lines += _add_to_dataset(request.add_to, request.predictions, read.codings, request.coder, request.split)
    lines += read.notes
    lines += [f"{len(read.problems)} files could not be used:"] if read.problems else []
    return [*lines, *(f"  {problem}" for problem in read.problems)], bool(read.codings) and not read.problems


def _read(reviews: Sequence[str], predicted: dict[str, PredictedFiles], tiers: dict[str, TierOf]) -> _Read:
    segments = {recording: one.segments for recording, one in predicted.items()}
    read = _Read(notes=[f"without its annotation: {one.problem}" for one in predicted.values() if one.problem])
    for review in reviews:
        name, equals, place = review.partition("=")
        if not equals or Path(review).exists():
            name, place = REVIEWER, review
        for path in _files(Path(place), read.problems):
            try:
                found = read_codings(path, name, segments, tiers)
                for one in found:
                    check_coding(one, predicted[one.recording])
                read.notes += _of_another(path, found, predicted)
            except WaverError as problem:
                text = str(problem)
                read.problems.append(problem if str(path) in text else WaverError(f"{path}: {text}"))
                continue
            read.codings += found
            read.untouched += [] if found else [path]
    return read


def _of_another(path: Path, found: Sequence[Coding], predicted: Mapping[str, PredictedFiles]) -> list[str]:
    """What is to be known of a file that another model predicted.

    Raises:
        WaverError: it shows no more than that model's segments, of which nobody can tell what a person changed.
    """
    stamp = read_stamp(path) if path.suffix.lower() == ".eaf" else {}
    if not stamp or not found:
        return []
    own = predicted[found[0].recording].stamp
    other = {name for name in ("model_sha256", "stamp") if name in own and stamp.get(name, own[name]) != own[name]}
    if "model_sha256" in other:
        by, these = (f"{one.get('model')} of {one.get('run')}" for one in (stamp, own))
        said = f"{path} was predicted by {by}, and these predictions by another, {these}"
    elif other:
        said = f"{path} is of an earlier prediction by the same model"
    else:
        return []
    if any(one.corrected for one in found):
        raise WaverError(f"{said}; what a person changed of it is not known: give the predictions that it is of, or "
                         f"mark each stretch in its tier {REVIEWED}")  # fmt: skip
    return [f"{said}; it is used, as its tier {REVIEWED} holds what a person says"]


def _files(path: Path, problems: list[WaverError]) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.name.lower().endswith(_IN_FOLDERS) and file.is_file()]
    if not found:
        problems.append(WaverError(f"{path} holds no {' and no '.join(_IN_FOLDERS)}; name other files one by one"))
    return found


def _write(out: Path, tables: Mapping[str, Sequence[Row]], shared: float | None) -> None:
    for name, schema in (("agreement", AGREEMENT), ("disagreements", DISAGREEMENTS), ("codings", CODINGS)):
        write_csv(out / f"{name}.csv", pa.Table.from_pylist(list(tables[name]), schema=schema))
        write_dictionary(out / f"{name}.schema.json", schema)
    write_json(out / "agreement.json", {"krippendorff_alpha_of_people": shared, "pairs": tables["agreement"]})


def _summary(rows: Sequence[Row], shared: float | None, people: int, apart: int, out: Path) -> list[str]:
    lines = [
        f"{row['coder']} and {row['other']}: kappa {_number(row['kappa'])} on {row['frames']} frames of "
        f"{row['recordings']} recordings, segment F1 {_number(row['segment_F1_10'])} at overlap .1 and "
        f"{_number(row['segment_F1_50'])} at .5"
        for row in rows
    ]
    if people > 2:
        lines.append(f"Krippendorff's alpha of {people} people: {_number(shared)}")
    return [*lines, f"{apart} stretches in which a person and the model differ: {out / 'disagreements.csv'}"]


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _add_to_dataset(
    folder: Path, predictions: Path, codings: Sequence[Coding], coder: str | None, split: str
) -> list[str]:
    known = sorted({one.coder for one in codings})
    if (coder is None and len(known) > 1) or (coder is not None and coder not in known):
        raise WaverError(f"--add-to takes the segments of one coder; give --coder, one of {', '.join(known)}")
    own = [one for one in codings if coder in (None, one.coder)]
    added = add_to(folder, predictions, own, split)
    left_out = [one.recording for one in own if one.recording not in added]
    lines = [f"{len(added)} recordings are in {folder}, with the reviewed segments as their annotation"]
    return lines + [f"{one} is not added: the coder was unsure of a part of it" for one in left_out]
