"""A trained model on new recordings: ``waver predict --model results/<run> INPUT... --out DIR`` (docs/predict.md)."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from waver.datasets.languages import ISO_639_1
from waver.device import VARIABLE
from waver.errors import WaverError
from waver.predict.methods import NONE, WITHOUT_LABELS
from waver.predict.options import TAKE_BACK, Options
from waver.workflow.environment import set_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict.

    Returns:
        0; 2 where some recordings could not be used: they are listed, and the others are there.

    Raises:
        WaverError: the model, the output folder or an option cannot be used.
    """
    options = _options(_parser().parse_args(arguments))
    sys.stderr.write("waver predict: reading the model and the recordings\n")
    sys.stderr.flush()
    os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
    os.environ[VARIABLE] = options.device
    set_environment()
    from waver.predict.batch import predict_all  # loads torch, after the environment is set

    return predict_all(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="waver predict", description=__doc__.split(":")[0])
    add = parser.add_argument
    add("input", nargs="+", type=Path, metavar="INPUT", help="recording, folder of recordings, or list (CSV)")
    add("--model", required=True, type=Path, help="results/<run>, or a folder of export-model")
    add("--out", required=True, type=Path, help="folder for the results; a second call goes on in it")
    add("--method", default="", metavar="FUSION/MODALITIES", help="model of the run [the best one on val]")
    add("--seed", type=int, help="training of that model [the best one on val]")
    add("--question", help="number of the question asked in all recordings that no list says it of")
    add("--participant", default="", help="id of who is seen in all of them, likewise [each is somebody else]")
    add("--language", help="ISO 639-1 code of the speech in all of them, likewise [found out]; - instead of a number, "
        "id or code: what an earlier call said holds no more")  # fmt: skip
    add(
        "--transcripts", default="auto", metavar="auto|none|DIR",
        help="auto: recognise the speech; none: leave words out; or a folder with .vtt, .srt or .txt files that are "
        "named as the recordings are [auto]",
    )  # fmt: skip
    add("--personalise", default=NONE, choices=(NONE, *WITHOUT_LABELS), help="adapt to each participant [none]")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute [auto]")
    return parser


def _options(given: argparse.Namespace) -> Options:
    """The arguments, checked as far as that takes no model.

    Raises:
        WaverError: one of them cannot be used.
    """
    taken_back = frozenset(
        name for name in ("participant", "question", "language") if getattr(given, name) == TAKE_BACK
    )
    language = None if "language" in taken_back else given.language
    question = None if "question" in taken_back else given.question
    if language is not None and language.lower() not in ISO_639_1:
        raise WaverError(f"--language {language} is no ISO 639-1 code; give one such as en or fr")
    if question is not None and not re.fullmatch("0*[1-9][0-9]{0,8}", question):
        raise WaverError(f"--question {question} is no number; they count from 1: leave it out where it is not known")
    folder = None if given.transcripts in ("auto", "none") else Path(given.transcripts)
    if folder is not None and not folder.is_dir():
        raise WaverError(f"--transcripts {folder} is no folder; give one, auto or none")
    if not given.model.exists():
        raise WaverError(f"--model {given.model} is not there; give results/<run>, or a folder of waver export-model")
    return Options(
        inputs=tuple(given.input),
        model=given.model,
        out=Path(os.path.abspath(given.out)),
        method=given.method.strip("/"),
        seed=given.seed,
        question=int(question) if question else None,
        participant="" if "participant" in taken_back else given.participant,
        language=language.lower() if language else None,
        transcripts=folder,
        recognise=given.transcripts == "auto",
        words=given.transcripts != "none",
        personalise=given.personalise,
        device=given.device,
        taken_back=taken_back,
    )
