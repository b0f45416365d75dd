"""A model of a run as a folder to hand over.

The command is ``waver export-model --model results/<run> --method can/VAT --out FOLDER``. It reads the trained model,
its predictions and labels of val, and the scores; it trains nothing. ``--onnx`` adds the network as an ONNX graph.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from waver.errors import WaverError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder, and say what is in it.

    Raises:
        WaverError: see ``waver.predict.handing_over.export_model``.
    """
    parser = argparse.ArgumentParser(prog="waver export-model", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--model", required=True, type=Path, help="results/<run> of a finished run")
    add("--method", default="", metavar="FUSION/MODALITIES", help="model of the run [the best one on val]")
    add("--seed", type=int, help="training of that model [the best one on val]")
    add("--out", required=True, type=Path, help="folder to write")
    add("--onnx", action="store_true", help="add the network as an ONNX graph")
    add(
        "--licence", action="append", default=[], metavar="ROLE=TEXT",
        help="licence of a model that was given by path, or trained in the run",
    )  # fmt: skip
    add("--secret", type=Path, help="secret of the site, see waver export [.waver/secret beside results]")
    given = parser.parse_args(arguments)
    licences = _licences(given.licence)
    if not given.model.is_dir():
        raise WaverError(f"--model {given.model} is not there; give results/<run> of a finished run")
    from waver.predict.handing_over import export_model  # loads torch, which help needs not

    handed = export_model(
        given.model, given.method.strip("/"), given.seed, given.out, licences, given.onnx, given.secret
    )
    bands = handed.trained.decisions.bands
    sys.stdout.write(
        f"{given.out}: {handed.trained.name}, {handed.trained.chosen}; unclear from {bands.low:.2f}, likely from "
        f"{bands.high:.2f}; read {given.out / 'MODEL_CARD.md'}\n"
    )
    return 0


def _licences(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in given:
        role, equals, text = pair.partition("=")
        if not equals or not text.strip():
            raise WaverError(f"--licence {pair}: write ROLE=TEXT, e.g. --licence word_encoder='Apache-2.0'")
        found[role] = text.strip()
    return found
