"""What a trained model needs made of a recording: the config and the models of its run's features.

Both are read from the provenance beside the run's own files, job by job from the model back to the features: what the
model learnt from, whatever the config of the run has become since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waver.assets.manifest import Installed, install, manifest, missing_files, read_record
from waver.config.sections import AlignConfig, FeaturesConfig
from waver.errors import WaverError
from waver.io.atomic import atomic_folder
from waver.io.lock import exclusive
from waver.modalities import derived_modalities, modality_names, stored_modalities
from waver.provenance import file_sha256

RECORD = "asset.json"
_OF_CONFIG = ("faces", "visual", "audio", "speech", "words")
AGAIN = "run the workflow of this model again, or use a folder made by waver export-model"


@dataclass(frozen=True)
class Preparation:
    """From a recording to what a model sees.

    Attributes:
        features: config of the features.
        align: config of the common clock.
        models: feature -> the frozen models that make it; their folders hold the files, or are not there.
    """

    features: FeaturesConfig
    align: AlignConfig
    models: Mapping[str, tuple[Installed, ...]] = field(default_factory=dict)

    def needed(self, letters: str) -> list[str]:
        """Features to make for a model of these modalities, in the order of the flow."""
        names = modality_names(letters)
        derived = {one.feature: one.sources for one in derived_modalities()}
        before = {"visual": ("faces",), "words": ("speech",), "cues": ("speech", "audio"), **derived}
        wanted = {one.feature for one in stored_modalities() if one.name in names}
        waiting = list(wanted)
        while waiting:
            new = set(before.get(waiting.pop(), ())) - wanted
            wanted |= new
            waiting += new
        if not wanted & {"faces", "audio"}:
            wanted.add("audio")  # the clock of a recording
        return [name for name in ("faces", "visual", "audio", "speech", "words", "cues", *derived) if name in wanted]

    def decisive(self, features: Sequence[str]) -> dict[str, Any]:
        """What decides the arrays of some features: slices of the config and fingerprints of models."""
        config, models = self.features.model_dump(), self.models
        slices = {name: [config.get(name), [model.key for model in models.get(name, ())]] for name in features}
        return {**slices, "align": self.align.model_dump()}


def preparation_of(pack: Path, root: Path) -> Preparation:
    """How the packs that a model was trained on were made.

    Args:
        pack: index table of one of them.
        root: working folder of the run, to which the paths in its records are relative.

    Raises:
        WaverError: what the run was made from is not there any more, or was made by an earlier version.
    """
    aligned = provenance(pack)
    indexes = dict(zip(aligned["params"]["features"], aligned["input"], strict=False))
    if "words" in indexes:
        indexes["speech"] = next(one for one in provenance(root / indexes["words"])["input"] if "/speech/" in one)
    made = {name: provenance(root / index) for name, index in indexes.items()}
    config = {name: made[name]["params"]["config"] for name in _OF_CONFIG if name in made}
    models = {
        name: tuple(_record(root / path) for path in one["input"] if Path(path).name == RECORD)
        for name, one in made.items()
    }
    return Preparation(FeaturesConfig(**config), AlignConfig(**aligned["params"]["config"]), models)


def _record(path: Path) -> Installed:
    try:
        return read_record(path).model_copy(update={"folder": str(path.parent)})
    except (OSError, ValueError) as error:
        raise WaverError(f"{path} cannot be read, which names a model of the run; {AGAIN}") from error


def provenance(output: Path) -> dict[str, Any]:
    """The record beside a job's first output (``waver.provenance.write_sidecar``).

    Raises:
        WaverError: it cannot be read.
    """
    path = Path(f"{output}.provenance.json")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WaverError(f"{path} cannot be read, which says how the model was made; {AGAIN}") from error
    return found


def place_models(models: Iterable[Installed], folder: Path) -> dict[str, Path]:
    """Put models into a folder: links to their files or, where these are gone, the files of packages.

    Returns:
        Role -> record of the model (``asset.json``), whose folder is absolute.

    Raises:
        WaverError: a model is not there any more and in no package, or the package holds other bytes.
    """
    return {model.role: _placed(model, folder / model.name) for model in models}


def _placed(model: Installed, target: Path) -> Path:
    record = target / RECORD
    if record.is_file() and read_record(record).key == model.key and not missing_files(record):
        return record
    here = model.model_copy(update={"folder": str(target)}).model_dump_json(indent=2) + "\n"
    files = {name: Path(model.folder) / name for name in model.files}
    if model.folder and all(file.is_file() for file in files.values()):
        with exclusive(target.with_name(f".{target.name}.lock"), remove=True), atomic_folder(target) as place:
            for name, file in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).symlink_to(file.resolve())
            (place / RECORD).write_text(here)
    elif model.name in manifest() and not manifest()[model.name].fetched:
        if install(model.name, target, {}).key != model.key:
            raise WaverError(f"the packages here hold another {model.name} than the model was trained with; "
                             "install Waver with the packages of its lock")  # fmt: skip
    else:
        _adopt(model, target)
        record.write_text(here)
    return record


def _adopt(model: Installed, target: Path) -> None:
    """Hold that a user has brought the files of a model that comes in no package.

    Raises:
        WaverError: one is missing, or holds other bytes.
    """
    for name, sha256 in model.files.items():
        file = target / name
        if not file.is_file() or file_sha256(file) != sha256:
            names = ", ".join(model.files)
            raise WaverError(
                f"{model.name}, which the model was trained with, is gone; bring its files ({names}) to {target}"
            )
