"""Models and media by name: where their bytes come from, in order, and how they are verified.

The manifest (``manifest.yaml``) names each asset's role, licence, files and sha256. An asset is
*installed* once into ``resources/models/<name>/`` by a rule of its own, the only one that may reach
for a network; every other job takes the installed record as an input and works offline.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from waver.errors import WaverError
from waver.io.atomic import folder_written_whole
from waver.io.lock import exclusive
from waver.provenance import digest, file_sha256
from waver.workflow.environment import open_network

MANIFEST = Path(__file__).with_name("manifest.yaml")


class Source(BaseModel):
    """One place where a file can be had; exactly one of module, hub and url is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module: str | None = None
    """Import name of an installed package, located without importing it."""
    path: str = ""
    """File inside the package or the hub's repository."""
    parts: tuple[str, ...] = ()
    """``module/path`` of further pieces to append, for files that a registry holds in pieces."""
    constant: str | None = None
    """The bytes are this module-level constant of a Python file."""
    hub: str | None = None
    """Repository of a model hub."""
    revision: str | None = None


class AssetFile(BaseModel):
    """One file of an asset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    sources: tuple[Source, ...]


class Asset(BaseModel):
    """One model or medium."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    set: Literal["embedded", "paper", "demo"]
    title: str
    licence: str
    origin: str
    files: tuple[AssetFile, ...]


class Installed(BaseModel):
    """Record of an installed asset: ``resources/models/<name>/asset.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    set: str
    title: str
    licence: str
    folder: str
    files: dict[str, str]
    """File name and sha256."""

    @property
    def shown_title(self) -> str:
        """The title as the report may show it: of a model that was given by path, without the folders."""
        return PurePath(self.title).name if self.set == "path" else self.title

    @property
    def key(self) -> str:
        """Fingerprint of the bytes, for the keys of stores made with it."""
        return digest({"name": self.name, "files": self.files})

    def file(self, name: str | None = None) -> Path:
        """Path of one file; of the only one where no name is given."""
        chosen = name or next(iter(self.files))
        return Path(self.folder) / chosen


@cache
def manifest() -> dict[str, Asset]:
    """All assets by name."""
    entries = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    return {name: Asset(**entry) for name, entry in entries.items()}


def asset_for(role: str, model_set: str, paths: dict[str, str]) -> str:
    """Name of the asset that fills a role: ``path.<role>`` if the config gives a path for it.

    Raises:
        WaverError: the set has no model for the role.
    """
    if role in paths:
        return f"path.{role}"
    found = [name for name, asset in manifest().items() if (asset.role, asset.set) == (role, model_set)]
    if not found:
        raise WaverError(
            f"the {model_set!r} model set has no {role}; give its file or folder under models.paths.{role}"
        )
    return found[0]


def fingerprint(name: str, paths: dict[str, str]) -> str:
    """What decides an installed asset: its entry, or path, size and time of change of what the config gives."""
    if not name.startswith("path."):
        return digest(manifest()[name].model_dump())
    source = Path(paths[name.removeprefix("path.")])
    stats = [(str(file), file.stat()) for file in _files_of(source)]
    return digest([str(source), *((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)])


def install(name: str, folder: str | Path, paths: dict[str, str]) -> Installed:
    """Put an asset's files into ``folder``, verified, and return its record.

    Raises:
        WaverError: no source has a file with the right bytes.
    """
    target = Path(folder)
    with exclusive(target.with_name(f".{target.name}.lock"), remove=True), folder_written_whole(target) as place:
        place.mkdir()
        if name.startswith("path."):
            about = _install_path(name, place, Path(paths[name.removeprefix("path.")]))
        else:
            about = _install_asset(name, place)
        record = Installed(name=name, folder=str(target), **about)
        (place / "asset.json").write_text(record.model_dump_json(indent=2) + "\n")
    return record


def installed(record: str | Path) -> Installed:
    """Read the record that ``install``, or the training of a backbone, wrote, and verify the files by sha256.

    A process reads a file once, unless the file changes.

    Raises:
        WaverError: a file that it lists is gone, or holds other bytes.
    """
    gone = missing_files(record)
    if gone:
        raise WaverError(f"{gone[0]} is gone; delete {record} and run again")
    found = read_record(record)
    for name, sha256 in found.files.items():
        file = Path(record).parent / name
        stat = file.stat()
        if _sha256_of(file, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) != sha256:
            raise WaverError(f"{file} holds other bytes than were installed; delete {record} and run again")
    return found


@cache
def _sha256_of(file: Path, *state: int) -> str:
    """Sum of a file in one state (inode, size, times of change); it is kept in memory alone."""
    return file_sha256(file)


def read_record(record: str | Path) -> Installed:
    """As ``installed``, whatever became of the files."""
    return Installed(**json.loads(Path(record).read_text(encoding="utf-8")))


def missing_files(record: str | Path) -> list[Path]:
    """Files that a record lists and that are missing next to it."""
    files = [Path(record).parent / name for name in read_record(record).files]
    return [file for file in files if not file.exists()]


def package_folder(module: str) -> Path:
    """Folder of an installed package, found without running its code.

    Raises:
        WaverError: the package is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise WaverError(f"the package with module {module!r} is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def _install_asset(name: str, target: Path) -> dict[str, Any]:
    """Put the files of an entry into a folder; returns the entries of its record."""
    asset = manifest()[name]
    for file in asset.files:
        _install_file(name, file, target / file.name)
    shas = {file.name: file.sha256 for file in asset.files}
    return {**asset.model_dump(include={"role", "set", "title", "licence"}), "files": shas}


def _install_path(name: str, target: Path, source: Path) -> dict[str, Any]:
    """Link the files that the config gives into a folder; returns the entries of its record."""
    if not source.exists():
        raise WaverError(f"models.paths.{name.removeprefix('path.')}: {source} does not exist; correct the path")
    base = source.parent if source.is_file() else source
    shas = {}
    for file in _files_of(source):
        relative = str(file.relative_to(base))
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        (target / relative).symlink_to(file.resolve())
        shas[relative] = file_sha256(file)
    role = name.removeprefix("path.")
    return {"role": role, "set": "path", "title": str(source), "licence": "see its origin", "files": shas}


def _files_of(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())


def _install_file(name: str, file: AssetFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    for source in file.sources:
        try:
            _reader(source)(source, target)
        except (OSError, WaverError, ImportError, ValueError) as error:
            problems.append(str(error))
            continue
        actual = file_sha256(target)
        if actual == file.sha256:
            return
        problems.append(f"{source.module or source.hub}: sha256 {actual[:12]}, expected {file.sha256[:12]}")
        target.unlink()
    raise WaverError(
        f"no source of {name}/{file.name} gave the right bytes ({'; '.join(problems)}); "
        "run `make setup`, or give a path under models.paths"
    )


def _reader(source: Source) -> Callable[[Source, Path], None]:
    if source.hub:
        return _from_hub
    return _from_constant if source.constant else _from_package


def _from_package(source: Source, target: Path) -> None:
    pieces = [(str(source.module), source.path)]
    pieces += [(part.split("/", 1)[0], part.split("/", 1)[1]) for part in source.parts]
    with open(target, "wb") as out:
        for module, path in pieces:
            with open(package_folder(module) / path, "rb") as piece:
                shutil.copyfileobj(piece, out)


def _from_constant(source: Source, target: Path) -> None:
    tree = ast.parse((package_folder(str(source.module)) / source.path).read_bytes())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == source.constant:
            value: Any = ast.literal_eval(node.value)
            target.write_bytes(value)
            return
    raise WaverError(f"{source.module}/{source.path} has no constant {source.constant}")


def _from_hub(source: Source, target: Path) -> None:
    open_network()  # jobs are kept from it; this is the one that may ask a hub
    from huggingface_hub import hf_hub_download

    got = hf_hub_download(str(source.hub), source.path, revision=source.revision)
    shutil.copyfile(got, target)
