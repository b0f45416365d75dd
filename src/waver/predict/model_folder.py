"""A trained model of frames as one folder to hand over: numbers and texts, nothing that is executed, nobody's data.

``weights.safetensors`` holds the network and the normalisation, ``model.json`` everything else, ``MODEL_CARD.md`` what
people should know of it. What is loaded from the folder predicts the same bits as the run's own ``model.pt``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from waver.datasets.questions import Question, Questions
from waver.errors import WaverError
from waver.io.atomic import atomic_write, folder_written_whole
from waver.io.lock import exclusive
from waver.predict.bands import Calibration
from waver.predict.linear_control import LinearControl
from waver.provenance import file_sha256
from waver.training.corpus import Normalisation
from waver.training.frames.checkpoint import Checkpoint
from waver.training.frames.hmm_decoding import Decoder

FORMAT = 1
WEIGHTS, RECORD, CARD, GRAPH = "weights.safetensors", "model.json", "MODEL_CARD.md", "fusion.onnx"

_NETWORK, _NORMALISATION = "network.", "normalisation."
_KEPT = ("fusion", "modalities", "options", "window", "hop", "stride", "offset", "record")
"""Fields of a checkpoint that are plain values."""
_SHORTEST = 4
"""Characters of the shortest ids that are searched for: a shorter one may well be a count."""


@dataclass(frozen=True)
class HandedModel:
    """What a folder holds.

    Attributes:
        checkpoint: the model as ``waver.training.frames.predict.predict`` takes it.
        calibration: frame or video -> how its margins are read.
        video_rule: from frames to a video: ``rule`` and ``window_frames`` of ``waver.evaluation.video_aggregation``.
        controls: frame or video -> the content-free control, for the same recordings.
        questions: those that model and controls know by number.
        question_shares: question -> share of A/H among its training recordings; without those that few people got.
        config: sections of the config that decide the features: ``features``, ``align``, ``models``.
        about: for people: ``data``, ``scores``, ``licences``, ``versions``.
    """

    checkpoint: Checkpoint
    calibration: Mapping[str, Calibration]
    video_rule: Mapping[str, Any]
    controls: Mapping[str, LinearControl]
    questions: Questions
    question_shares: Mapping[int, float]
    config: Mapping[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)


def write_model_folder(folder: Path, model: HandedModel, card: str, identifiers: Iterable[str]) -> None:
    """Write a folder, whole or not at all.

    Args:
        folder: to write; an older one is replaced.
        model: what it holds.
        card: text of the model card.
        identifiers: ids of participants and videos, none of which may be in a text of the folder.

    Raises:
        WaverError: a text names a participant; or what is in the folder's place is no folder of a model.
    """
    if folder.exists() and not (folder / RECORD).is_file():
        raise WaverError(f"{folder} is there and holds no model; give --out a new folder")
    hidden = tuple(identifiers)
    with exclusive(folder.with_name(f".{folder.name}.lock"), remove=True), folder_written_whole(folder) as place:
        place.mkdir()
        save_file(_tensors(model.checkpoint), place / WEIGHTS)
        record = _record(model) | {"weights_sha256": file_sha256(place / WEIGHTS)}
        texts = {RECORD: json.dumps(record, indent=2, allow_nan=False) + "\n", CARD: card}
        refuse_names("\n".join(_strings(record)), hidden, RECORD)
        refuse_names("\n".join(line for line in card.splitlines() if not line.startswith("|")), hidden, CARD)
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")


def load_model_folder(path: str | Path) -> HandedModel:
    """Read what ``write_model_folder`` wrote; nothing in it is executed.

    Raises:
        WaverError: it is no such folder, of another version of Waver, or its weights are not those that were written.
    """
    folder = Path(path)
    record = _read_record(folder)
    weights = folder / WEIGHTS
    if not weights.is_file() or file_sha256(weights) != record["weights_sha256"]:
        raise WaverError(f"{weights} is missing or holds other bytes than were exported; copy the folder again")
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise WaverError(f"{weights} cannot be read ({error}); copy the folder again") from error
    return HandedModel(
        checkpoint=_checkpoint(record["checkpoint"], tensors),
        calibration={level: Calibration(**state) for level, state in record["calibration"].items()},
        video_rule=record["video_rule"],
        controls={level: LinearControl.from_state(state) for level, state in record["controls"].items()},
        questions=_questions(record["questions"]),
        question_shares={int(question): float(share) for question, share in record["question_shares"]},
        config=record["config"],
        about=record["about"],
    )


def add_graph(folder: Path, graph: bytes) -> None:
    """Put an ONNX graph into a folder."""
    with atomic_write(folder / GRAPH) as file:
        file.write_bytes(graph)


def refuse_names(text: str, identifiers: Iterable[str], where: str) -> None:
    """Hold a text to naming nobody; numbers that are no text, such as those in tables, are left out of it.

    Raises:
        WaverError: it names a participant or a video.
    """
    for name in identifiers:
        if (
            len(name) >= _SHORTEST
            and name in text
            and re.search(rf"(?<![A-Za-z0-9.]){re.escape(name)}(?![A-Za-z0-9])", text)
        ):
            raise WaverError(
                f"{where} would name a participant or a recording, so no folder was written; please report this"
            )


def _strings(value: Any) -> Iterator[str]:
    """Every text in a record, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _questions(record: Mapping[str, Any]) -> Questions:
    """Inverse of ``asdict``."""
    known = [
        (int(number), Question(tuple((code, text) for code, text in one["text"]), one["kind"], tuple(one["affect"])))
        for number, one in record["known"]
    ]
    return Questions(int(record["count"]), tuple(known))


def _read_record(folder: Path) -> dict[str, Any]:
    file = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WaverError(
            f"{folder} is no folder of a model ({RECORD} is missing or no JSON); make it by waver export-model"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise WaverError(f"{file} is of another version of Waver; export the model again with this one")
    return record


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    network = {f"{_NETWORK}{name}": values.contiguous() for name, values in checkpoint.state.items()}
    scales = {
        f"{_NORMALISATION}{part}.{name}": values
        for part, of in checkpoint.normalisation.state().items()
        for name, values in of.items()
    }
    return network | scales


def _record(model: HandedModel) -> dict[str, Any]:
    checkpoint = model.checkpoint
    plain = {name: getattr(checkpoint, name) for name in _KEPT}
    # the order of the streams is that in which a model concatenates them; a file of tensors does not keep it
    plain |= {"streams": list(checkpoint.normalisation.sizes)}
    decoder = checkpoint.decoder
    return {
        "format": FORMAT,
        "checkpoint": plain | {"decoder": decoder.state() if decoder else None},
        "calibration": {level: one.state() for level, one in model.calibration.items()},
        "video_rule": dict(model.video_rule),
        "controls": {level: one.state() for level, one in model.controls.items()},
        "questions": asdict(model.questions),
        "question_shares": [list(pair) for pair in model.question_shares.items()],
        "config": dict(model.config),
        "about": dict(model.about),
    }


def _checkpoint(record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Checkpoint:
    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}

    state = {
        kind: {name: part(f"{_NORMALISATION}{kind}.")[name] for name in record["streams"]} for kind in ("mean", "std")
    }
    decoder = record["decoder"]
    return Checkpoint(
        **{name: record[name] for name in _KEPT},
        normalisation=Normalisation.from_state(state),
        state=part(_NETWORK),
        decoder=Decoder.from_state(decoder) if decoder else None,
    )
