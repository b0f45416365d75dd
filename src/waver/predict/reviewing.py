"""The work of ``waver import-review``: reviews read, held against the predictions, and added to a training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from waver.errors import WaverError
from waver.predict.codings import REVIEWER, Coding, TierOf, read_codings, read_tier_list
from waver.predict.data_tables import write_csv, write_dictionary, write_json
from waver.predict.extend import add_to
from waver.predict.given import hand_on_mapping
from waver.predict.import_review import Asked
from waver.predict.predicted_files import PredictedFiles, read_predicted
from waver.predict.review import (
    AGREEMENT,
    CODINGS,
    DISAGREEMENTS,
    Row,
    agreement_rows,
    coded,
    coders_of,
    coding_rows,
    disagreements,
    people_alpha,
)

_IN_FOLDERS = (".eaf", "_review.json", "_review.csv")
"""Files of a folder that are read."""


def import_reviews(asked: Asked) -> tuple[list[str], bool]:
    """Compare, and perhaps add to a training set.

    Returns:
        What to tell the user, and whether there was a review at all.

    Raises:
        WaverError: a file cannot be read, or belongs to no prediction.
    """
    predicted = read_predicted(asked.predictions)
    tiers = read_tier_list(asked.tiers) if asked.tiers else {}
    codings, untouched = _read(asked.reviews, predicted, tiers)
    by = coded(codings, predicted)
    rows, apart, shared = list(agreement_rows(by)), disagreements(by, predicted), people_alpha(by)
    tables = {"agreement": rows, "disagreements": apart, "codings": list(coding_rows(codings))}
    _write(asked.out, tables, shared)
    hand_on_mapping(asked.predictions, asked.out, by)
    lines = _told(rows, shared, len(coders_of(by)) - 1, len(apart), asked.out)
    lines += [f"{path}: nobody changed it, and it is left out" for path in untouched]
    if asked.add_to and codings:
        lines += _added(asked.add_to, asked.predictions, codings, asked.coder, asked.split)
    return lines, bool(codings)


def _read(
    reviews: Sequence[str], predicted: dict[str, PredictedFiles], tiers: dict[str, TierOf]
) -> tuple[list[Coding], list[Path]]:
    """Codings of all files, and the files that nobody touched."""
    segments = {recording: one.segments for recording, one in predicted.items()}
    codings: list[Coding] = []
    untouched: list[Path] = []
    for review in reviews:
        name, equals, place = review.partition("=")
        if not equals or Path(review).exists():
            name, place = REVIEWER, review
        for path in _files(Path(place)):
            found = read_codings(path, name, segments, tiers)
            codings += found
            untouched += [] if found else [path]
    return codings, untouched


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.name.lower().endswith(_IN_FOLDERS) and file.is_file()]
    if not found:
        raise WaverError(f"{path} holds no {' and no '.join(_IN_FOLDERS)}; name other files one by one")
    return found


def _write(out: Path, tables: Mapping[str, Sequence[Row]], shared: float | None) -> None:
    for name, schema in (("agreement", AGREEMENT), ("disagreements", DISAGREEMENTS), ("codings", CODINGS)):
        write_csv(out / f"{name}.csv", pa.Table.from_pylist(list(tables[name]), schema=schema))
        write_dictionary(out / f"{name}.schema.json", schema)
    write_json(out / "agreement.json", {"krippendorff_alpha_of_people": shared, "pairs": tables["agreement"]})


def _told(rows: Sequence[Row], shared: float | None, people: int, apart: int, out: Path) -> list[str]:
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


def _added(folder: Path, predictions: Path, codings: Sequence[Coding], coder: str | None, split: str) -> list[str]:
    known = sorted({one.coder for one in codings})
    if (coder is None and len(known) > 1) or (coder is not None and coder not in known):
        raise WaverError(f"--add-to takes the segments of one coder; give --coder, one of {', '.join(known)}")
    own = [one for one in codings if coder in (None, one.coder)]
    added = add_to(folder, predictions, own, split)
    left_out = [one.recording for one in own if one.recording not in added]
    lines = [f"{len(added)} recordings are in {folder}, with the reviewed segments as their annotation"]
    return lines + [f"{one} is not added: the coder was unsure of a part of it" for one in left_out]
