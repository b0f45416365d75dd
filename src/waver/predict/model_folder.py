"""A trained model of frames as one folder to hand over: numbers and texts, nothing that is executed, nobody's data.

``weights.safetensors`` holds the network and the normalisation, ``model.json`` everything else, ``MODEL_CARD.md`` what
people should know of it. What is loaded from the folder predicts the same bits as the run's own ``model.pt``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from waver.assets.manifest import Installed
from waver.config.sections import AlignConfig, FeaturesConfig
from waver.datasets.questions import Question, Questions
from waver.errors import WaverError
from waver.io.atomic import atomic_folder, atomic_write
from waver.io.lock import exclusive
from waver.predict.controls import Controls
from waver.predict.decisions import Decisions
from waver.predict.preparation import Preparation
from waver.predict.trained import Trained
from waver.provenance import digest, file_sha256
from waver.registry import FUSIONS
from waver.training.corpus import Normalisation
from waver.training.frames.checkpoint import Checkpoint
from waver.training.frames.hmm_decoding import Decoder

FORMAT = 1
TRAINED_ON = "learnt_from"
"""Entry of ``about``: marks of the participants of train and val, which the site alone can trace back."""
WITHDRAWN = "WITHDRAWN.txt"
"""File that says that somebody has withdrawn from whom the model learnt (``waver forget``)."""
WEIGHTS, RECORD, CARD, GRAPH = "weights.safetensors", "model.json", "MODEL_CARD.md", "fusion.onnx"

_NETWORK, _NORMALISATION = "network.", "normalisation."
_KEPT = ("fusion", "modalities", "options", "window", "hop", "stride", "offset", "record")
"""Fields of a checkpoint that are plain values."""
_SEAL = "record_digest"
_OTHER_VERSION = "is of another version of Waver; export the model again with this one"
_NAMES = ("name", "run", "chosen", "model_set")
"""Texts of a trained model."""
_SHORTEST = 4
"""Characters of the shortest ids that are searched for: a shorter one may well be a count."""


@dataclass(frozen=True)
class HandedModel:
    """What a folder holds.

    Attributes:
        trained: the model, with what it takes to apply it to new recordings.
        about: for people: ``model``, ``data``, ``scores``, ``licences``, ``versions``.
    """

    trained: Trained
    about: Mapping[str, Any]


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
    with exclusive(folder.with_name(f".{folder.name}.lock"), remove=True), atomic_folder(folder) as place:
        place.mkdir()
        save_file(_tensors(model.trained.checkpoint), place / WEIGHTS)
        record = _sealed(_record(model) | {"weights_sha256": file_sha256(place / WEIGHTS)})
        texts = {RECORD: json.dumps(record, indent=2, allow_nan=False) + "\n", CARD: card}
        refuse_names("\n".join(_strings(record)), hidden, RECORD)
        refuse_names("\n".join(line for line in card.splitlines() if not line.startswith("|")), hidden, CARD)
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")


def load_model_folder(path: str | Path) -> HandedModel:
    """Read what ``write_model_folder`` wrote; nothing in it is executed.

    Raises:
        WaverError: it is no such folder, of another version of Waver, its weights are not those that were written, or
            somebody has withdrawn from whom it learnt.
    """
    folder = Path(path)
    if (folder / WITHDRAWN).exists():
        raise WaverError(
            f"{folder} has learnt from somebody who has withdrawn ({WITHDRAWN}); use a model that was trained anew"
        )
    record = _read_record(folder)
    weights = folder / WEIGHTS
    if not weights.is_file() or file_sha256(weights) != record["weights_sha256"]:
        raise WaverError(f"{weights} is missing or holds other bytes than were exported; copy the folder again")
    try:
        return _handed(record, load_file(weights))
    except SafetensorError as error:
        raise WaverError(f"{weights} cannot be read ({error}); copy the folder again") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # its format is this one's, what is in it not
        raise WaverError(f"{folder / RECORD} {_OTHER_VERSION}") from error


def _handed(record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> HandedModel:
    preparation = record["preparation"]
    FUSIONS[record["checkpoint"]["fusion"]]
    trained = Trained(
        **{name: record[name] for name in _NAMES},
        checkpoint=_checkpoint(record["checkpoint"], tensors),
        sha256=record["weights_sha256"],
        preparation=Preparation(
            FeaturesConfig(**preparation["features"]),
            AlignConfig(**preparation["align"]),
            {name: tuple(Installed(folder="", **one) for one in of) for name, of in preparation["models"].items()},
        ),
        decisions=Decisions.from_state(record["decisions"]),
        controls=Controls.from_state(record["controls"]),
        questions=_questions(record["questions"]),
    )
    return HandedModel(trained, record["about"])


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
    except (OSError, ValueError, RecursionError) as error:
        raise WaverError(
            f"{folder} is no folder of a model ({RECORD} is missing or no JSON); make it by waver export-model"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise WaverError(f"{file} {_OTHER_VERSION}")
    if not _is_sealed(record):
        raise WaverError(f"{file} says other than was exported; copy the folder again")
    return record


def _is_sealed(record: Mapping[str, Any]) -> bool:
    try:
        return _sealed(record) == record
    except ValueError:  # half of a surrogate pair
        return False


def _sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the digest of all else in it: a changed threshold would give other results in silence."""
    held: dict[str, Any] = json.loads(json.dumps({name: value for name, value in record.items() if name != _SEAL}))
    return held | {_SEAL: digest(held)}


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    network = {f"{_NETWORK}{name}": values.contiguous() for name, values in checkpoint.state.items()}
    scales = {
        f"{_NORMALISATION}{part}.{name}": values
        for part, of in checkpoint.normalisation.state().items()
        for name, values in of.items()
    }
    return network | scales


def _record(model: HandedModel) -> dict[str, Any]:
    trained, preparation = model.trained, model.trained.preparation
    checkpoint, decoder = trained.checkpoint, trained.checkpoint.decoder
    plain = {name: getattr(checkpoint, name) for name in _KEPT}
    # the order of the streams is that in which a model concatenates them; a file of tensors does not keep it
    plain |= {"streams": list(checkpoint.normalisation.sizes), "decoder": decoder.state() if decoder else None}
    models = {
        # of a model that was given by path, the title is the path
        name: [{**one.model_dump(exclude={"folder"}), "title": one.shown_title} for one in of]
        for name, of in preparation.models.items()
    }
    return {
        "format": FORMAT,
        **{name: getattr(trained, name) for name in _NAMES},
        "checkpoint": plain,
        "preparation": {
            "features": preparation.features.model_dump(mode="json"),
            "align": preparation.align.model_dump(mode="json"),
            "models": models,
        },
        "decisions": trained.decisions.state(),
        "controls": trained.controls.state() if trained.controls else None,
        "questions": asdict(trained.questions),
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
