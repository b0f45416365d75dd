"""What was predicted, as files for ELAN, R, SPSS and Praat: ``waver export results/<run>`` (docs/review.md)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from waver.errors import WaverError
from waver.predict.formats import FORMATS, PAGES, PURPOSES, ExportPurpose


@dataclass(frozen=True)
class ExportRequest:
    """What the user asks for.

    Attributes:
        source: ``results/<run>``, or the output folder of ``waver predict``.
        out: folder to write.
        purpose: whom the files are for.
        formats: of ``FORMATS``, and ``PAGES``.
        method: ``<fusion>/<modalities>`` of a run; empty: the best on val.
        seed: of its training; None: the best on val.
        media: root of the data set, to link the recordings from; None: no links.
        contributions: compute what each modality contributes, which runs the model anew.
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
    contributions: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Export.

    Raises:
        WaverError: see ``waver.predict.exporting.export``.
    """
    parser = argparse.ArgumentParser(prog="waver export", description=__doc__.split(":")[0])
    add = parser.add_argument
    add("source", type=Path, help="results/<run>, or the output folder of waver predict")
    add("--out", required=True, type=Path, help="folder to write")
    add("--purpose", choices=PURPOSES, default=PURPOSES[0],
        help="publication, challenge: of participants who allowed it, under pseudonyms; internal: of all [publication]",
    )  # fmt: skip
    known = (*FORMATS, PAGES)
    add("--format", help=f"some of {','.join(known)}; {PAGES} with --purpose internal [all that the purpose allows]")
    add("--method", default="", metavar="FUSION/MODALITIES", help="model of the run [the best one on val]")
    add("--seed", type=int, help="training of that model [the best one on val]")
    add("--media", type=Path, help="root of the data set, to link recordings from (--purpose internal)")
    add("--secret", type=Path, help="secret of the site, for pseudonyms [.waver/secret beside results]")
    add("--contributions", action="store_true", help="compute what each modality of a run's model contributes")
    given = parser.parse_args(arguments)
    formats = tuple(given.format.split(",")) if given.format else known if given.purpose == "internal" else FORMATS
    if unknown := [one for one in formats if one not in known]:
        raise WaverError(f"--format {unknown[0]} is not known; give some of {','.join(known)}")
    from waver.predict.exporting import export  # loads torch

    written, left_out = export(
        ExportRequest(given.source, given.out, given.purpose, formats, given.method.strip("/"), given.seed, given.media,
              given.secret, given.contributions)
    )  # fmt: skip
    note = f"; {left_out} left out, whose participants did not allow {given.purpose}" if left_out else ""
    sys.stdout.write(f"{written} recordings in {given.out}{note}\n")
    return 0
