"""The manifest's entries: which models and media there are, for which role, and where their bytes come from.

``manifest.yaml`` names of each asset its role, set, licence, files and sources. Sources in installed packages need no
network; an address at a hub or elsewhere does. A sum or size that no publication states is left out, never guessed.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from waver.errors import WaverError

MANIFEST = Path(__file__).with_name("manifest.yaml")
COMMAND = ".venv/bin/snakemake --cores 1 models --configfile <yours>"
"""What installs and fetches all models of a config."""
PUBLISHED = {
    "video_llava": "LanguageBind/Video-LLaVA-7B-hf",
    "qwen3_vl": "Qwen/Qwen3-VL-8B-Instruct",
    "internvl": "OpenGVLab/InternVL3-8B-hf",
    "llava_onevision": "llava-hf/llava-onevision-qwen2-7b-ov-hf",
}
"""Role of a model that is given by path -> a repository of such models at the hub."""


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
    """Its commit."""
    url: str | None = None
    member: str | None = None
    """What the address holds is a ZIP archive, and the file is the one member of it that this pattern fits."""

    @property
    def address(self) -> str:
        """URL, where the source is on a network; the hub may be a mirror, named by ``HF_ENDPOINT``."""
        hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return self.url or (f"{hub}/{self.hub}/resolve/{self.revision or 'main'}/{self.path}" if self.hub else "")

    @property
    def here(self) -> bool:
        """The source is a package, and installed."""
        return self.module is not None and importlib.util.find_spec(self.module) is not None


class AssetFile(BaseModel):
    """One file of an asset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Empty where none is published; the sum of what was fetched is then recorded, and held from there on."""
    size_bytes: int | None = Field(None, gt=0)
    sources: tuple[Source, ...]

    @property
    def size(self) -> str:
        """``17 MB``, ``4 kB``; ``size not stated``."""
        if self.size_bytes is None:
            return "size not stated"
        large = self.size_bytes >= 1e6
        return f"{self.size_bytes / (1e6 if large else 1e3):.0f} {'MB' if large else 'kB'}"


class Asset(BaseModel):
    """One model or medium."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    set: Literal["embedded", "paper", "insightface", "demo", "tiny"]
    """embedded: inside packages; paper: what the papers name; insightface: its packs of models of faces; tiny: of
    random weights."""
    of: str = ""
    """Network that these weights are of, where those of several fill the role."""
    title: str
    licence: str
    restricted: str = ""
    """Name by which ``models.accept_licences`` accepts a licence that forbids some uses."""
    origin: str
    files: tuple[AssetFile, ...] = ()
    made: str = ""
    """``"module:function"`` that writes the files of a model with random weights into a folder; it is in no source."""

    @property
    def fetched(self) -> bool:
        """Some file of it is in no installed package, and comes over a network."""
        return not all(any(source.here for source in file.sources) for file in self.files)


@cache
def manifest() -> dict[str, Asset]:
    """All assets by name."""
    entries = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    return {name: Asset(**entry) for name, entry in entries.items()}


@cache
def fetched_assets() -> tuple[str, ...]:
    """Names of the assets that come over a network, on this machine."""
    return tuple(name for name, asset in manifest().items() if asset.fetched)


def in_set(role: str, model_set: str, of: str = "") -> list[str]:
    """Names of the assets of a set that fill a role, for a network ``of`` where the role is filled by several."""
    return [
        name
        for name, asset in manifest().items()
        if (asset.role, asset.set) == (role, model_set) and asset.of in ("", of)
    ]


def same_bytes(role: str, sums: Collection[str]) -> Asset | None:
    """The asset of a role all of whose files are among files with these sha256; None where there is none."""
    for asset in manifest().values():
        if asset.role == role and asset.files and all(file.sha256 and file.sha256 in sums for file in asset.files):
            return asset
    return None


def download_command(role: str, folder: str | Path = "") -> str:
    """Fetches a model of a role that is given by path, on a node with a network; empty where none is published.

    Args:
        role: of the model.
        folder: where to; one below ``/models`` where none is given.
    """
    if role not in PUBLISHED:
        return ""
    return f".venv/bin/hf download {PUBLISHED[role]} --local-dir {shlex.quote(str(folder or f'/models/{role}'))}"


def asset_for(role: str, model_set: str, paths: Mapping[str, str], of: str = "") -> str:
    """Name of the asset that fills a role: ``path.<role>`` if the config gives a path for it.

    Raises:
        WaverError: the set has no model for the role.
    """
    if role in paths:
        return f"path.{role}"
    found = in_set(role, model_set, of)
    if not found:
        others = sorted({asset.set for asset in manifest().values() if asset.role == role and asset.of in ("", of)})
        choice = f", or choose a set that has one under models.roles.{role}: {', '.join(others)}" if others else ""
        command = download_command(role)
        fetched = f" (where there is a network: {command})" if command else ""
        raise WaverError(
            f"the {model_set!r} model set has no {role}{f' for {of}' if of else ''}; give its file or folder under "
            f"models.paths.{role}{fetched}{choice}"
        )
    return found[0]


def check_licence(name: str, accepted: Collection[str]) -> None:
    """Refuse a model whose licence forbids some uses, until the config accepts it.

    Raises:
        WaverError: the licence is not among the accepted ones.
    """
    asset = manifest().get(name)
    if asset is None or not asset.restricted or asset.restricted in accepted:
        return
    files = ", ".join(f"{file.name} ({file.size})" for file in asset.files)
    raise WaverError(
        f"{name}: {files} is under this licence: {asset.licence}; if it allows your use, set "
        f"models.accept_licences: [{asset.restricted}], or give another model under models.paths.{asset.role}"
    )
