"""A model of a run as a folder to hand over.

The command is ``waver export-model --configfile X --model can --modalities VAT --out FOLDER``, in the working folder
of the run. It reads the trained model, its predictions of val, labels of train and val for calibration and control, and
the scores; it trains nothing. ``--onnx`` adds the network as an ONNX graph.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from waver.cluster.settings import add_config_arguments, read_config
from waver.errors import WaverError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder, and say what is in it.

    Raises:
        WaverError: see ``export_model``.
    """
    parser = argparse.ArgumentParser(prog="waver export-model", description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="name in the tables: can, or can.<variant>")
    parser.add_argument("--modalities", required=True, help="its letters, e.g. VAT")
    parser.add_argument("--seed", type=int, help="which of the trained ones [the first of train.seeds]")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    parser.add_argument("--onnx", action="store_true", help="add the network as an ONNX graph")
    parser.add_argument(
        "--licence", action="append", default=[], metavar="ROLE=TEXT", help="licence of a model that you gave by path"
    )
    add_config_arguments(parser)
    given = parser.parse_args(arguments)
    config, licences = read_config(given.configfile, given.config), _licences(given.licence)
    # what follows loads torch, which help needs not
    from waver.predict.handing_over import Source, export_model
    from waver.training.frames.variants import model_named

    seed = config.train.seeds[0] if given.seed is None else given.seed
    source = Source(config, Path.cwd(), model_named(config.train, given.model, given.modalities), seed)
    handed = export_model(source, given.out, licences, given.onnx)
    frame = handed.calibration["frame"]
    sys.stdout.write(
        f"{given.out}: {given.model} on {given.modalities}, seed {seed}; temperature {frame.temperature:.2f}, "
        f"unlikely below {frame.low:.2f}, likely from {frame.high:.2f}; read {given.out / 'MODEL_CARD.md'}\n"
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
