"""Reviews against predictions: ``waver import-review PATH... --predictions DIR --out DIR`` (docs/review.md)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImportRequest:
    """What the user asks for.

    Attributes:
        reviews: ``[CODER=]PATH`` of files, and of folders with files.
        predictions: output folder of ``waver predict`` or ``waver export``.
        out: folder to write.
        tiers: list of coders and tiers, for files that others made; None: files that ``waver`` wrote.
        add_to: data set that gets the reviewed recordings; None: none does.
        coder: whose segments it gets; None: of the only one.
        split: of participants who are new in it.
    """

    reviews: Sequence[str]
    predictions: Path
    out: Path
    tiers: Path | None = None
    add_to: Path | None = None
    coder: str | None = None
    split: str = "train"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and perhaps add to a training set.

    Returns:
        0; 2 where no file holds a review, or some file could not be used: it is listed, and the others are there.

    Raises:
        WaverError: see ``waver.predict.reviewing.import_reviews``.
    """
    given = _parser().parse_args(arguments)
    from waver.predict.reviewing import import_reviews  # loads much

    request = ImportRequest(
        given.review, given.predictions, given.out, given.tiers, given.add_to, given.coder, given.split
    )
    lines, complete = import_reviews(request)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if complete else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="waver import-review", description=__doc__.split(":")[0])
    add = parser.add_argument
    add(
        "review",
        nargs="+",
        metavar="[CODER=]PATH",
        help="file (.eaf, .txt, .TextGrid, .csv, .json), or folder with .eaf and _review files",
    )
    add("--predictions", required=True, type=Path, help="output folder of waver predict or waver export")
    add("--out", required=True, type=Path, help="folder for agreement, disagreements and codings")
    add("--tiers", type=Path, help="YAML: coder -> tier, for files that others made")
    add("--add-to", type=Path, metavar="FOLDER", help="data set that gets the recordings with the reviewed segments")
    add("--coder", help="whose segments are added, where several coded [the only one]")
    add("--split", default="train", help="split of new participants of that data set [train]")
    return parser
