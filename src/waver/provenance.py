"""What made an output: code fingerprints, seeds, keys of stores, and the sidecar beside a result."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from waver.store.whole import written_whole

SOURCE = Path(__file__).resolve().parent


def digest(value: Any) -> str:
    """Short, stable hash of anything JSON can hold (keys sorted)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_for(*names: object) -> int:
    """A seed in [0, 2**31) that depends on the names alone, so that adding a method moves nobody."""
    return int(hashlib.sha256("/".join(map(str, names)).encode()).hexdigest()[:8], 16) % 2**31


def file_sha256(path: str | Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_version(*modules: str) -> str:
    """Fingerprint of the modules and of every ``waver`` module they import, however deep.

    It is taken from the syntax tree without docstrings, and so ignores comments and layout. Modules
    named only in strings (the registries) are not followed: a rule adds its method's own module. Nor is
    the config followed: its values are in the rule's params.

    Args:
        modules: dotted names, e.g. ``"waver.features.faces"``; ``"module:Class"`` is accepted.
    """
    names = {name for module in modules for name in _closure(module.split(":")[0])}
    return digest({name: _fingerprint(name) for name in sorted(names)})


@cache
def script_version(path: str) -> str:
    """Fingerprint of one Python file alone, without comments and docstrings."""
    return _fingerprint_file(Path(path))


@cache
def _fingerprint(module: str) -> str:
    return _fingerprint_file(_file_of(module))


def _fingerprint_file(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_bare_string(part)]  # type: ignore[attr-defined]
    return digest(ast.dump(tree))


def _is_bare_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _closure(module: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_imports(name))
    return frozenset(seen)


@cache
def _imports(module: str) -> tuple[str, ...]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(_file_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("waver."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "waver":
            parent = str(node.module)
            for alias in node.names:
                child = f"{parent}.{alias.name}"
                found.add(child if _exists(child) else parent)
    # a registry names every method, and a rule adds the one that it runs; the config holds the keys of
    # every stage, and a rule's params hold the values of its own
    return tuple(sorted(n for n in found if not n.endswith(".registry") and not n.startswith("waver.config.")))


def _file_of(module: str) -> Path:
    path = SOURCE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return _file_of(module).is_file()


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the packages named; a missing one is left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_sidecar(output: str | Path, record: dict[str, Any]) -> None:
    """Write ``<output>.provenance.json`` beside a job's first output."""
    with written_whole(f"{output}.provenance.json") as path:
        path.write_text(json.dumps(record, indent=2, sort_keys=True, default=str) + "\n")
