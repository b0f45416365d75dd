"""Data files of the package that code names, as ``Path(__file__).with_name("words.yaml")``."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from waver.workflow import definitions
from waver.workflow.definitions import Module, Reference, module_named

_CODE = frozenset({".py", ".pyc"})
_LISTS = frozenset({"glob", "rglob", "iterdir"})


def content(path: Path) -> str:
    """Digest of a data file, or of the files in a folder but for code."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [file.read_bytes() for file in files if file.is_file() and file.suffix not in _CODE]
    return hashlib.sha256("".join(hashlib.sha256(one).hexdigest() for one in found).encode()).hexdigest()


def data_file(node: ast.AST, module: Module) -> Path | None:
    """The data file that an expression names, if it does; the folder, where the file's name is made at run time.

    Args:
        node: the expression, such as ``Path(__file__).with_name("words.yaml")``.
        module: what contains it.
    """
    found = _evaluated(node, module)
    if found is None:
        folder = _folder(node, module)
        return folder if folder is not None and folder.is_relative_to(definitions.SOURCE) else None
    return found if found != module.path and found not in module.path.parents else None


def _folder(node: ast.AST, module: Module) -> Path | None:
    """The folder of which an expression lists the files, or takes one whose name is no constant."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr=attr)) if attr in _LISTS or attr == "joinpath":
            return _evaluated(inner, module)
        case ast.Call(func=ast.Attribute(value=inner, attr="with_name")):
            found = _evaluated(inner, module)
            return found.parent if found is not None else None
        case ast.BinOp(left=inner, op=ast.Div()):
            return _evaluated(inner, module)
    return None


def _evaluated(node: ast.AST, module: Module) -> Path | None:
    match node:
        case ast.Name(id="__file__"):
            return module.path
        case ast.Name(id=name):
            return _constant(name, module)
        case ast.Call(func=ast.Name(id="Path") | ast.Attribute(attr="Path"), args=[inner]):
            return _evaluated(inner, module)
        case ast.Call(func=ast.Name(id="files") | ast.Attribute(attr="files"), args=[ast.Constant(value=str(package))]):
            parts = package.split(".")
            return definitions.SOURCE.joinpath(*parts[1:]) if parts[0] == "waver" else None
        case ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute"), args=[]):
            return _evaluated(inner, module)
        case ast.Attribute(value=inner, attr="parent") | ast.Call(func=ast.Attribute(attr="dirname"), args=[inner]):
            found = _evaluated(inner, module)
            return found.parent if found is not None else None
        case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(place))):
            found = _evaluated(inner, module)
            return found.parents[place] if found is not None else None
        case ast.Call(func=ast.Attribute(value=inner, attr="with_name"), args=[ast.Constant(value=str(name))]):
            found = _evaluated(inner, module)
            return found.with_name(name) if found is not None else None
        case ast.BinOp(left=inner, op=ast.Div(), right=right):
            return _joined(inner, [right], module)
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="path"), attr="join"), args=[inner, *rest]):
            return _joined(inner, rest, module)
        case ast.Call(func=ast.Attribute(value=inner, attr="joinpath"), args=rest):
            return _joined(inner, rest, module)
    return None


def _joined(inner: ast.AST, rest: list[ast.expr], module: Module) -> Path | None:
    names = [one.value for one in rest if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    found = _evaluated(inner, module)
    return found.joinpath(*names) if found is not None and len(names) == len(rest) else None


def _constant(name: str, module: Module) -> Path | None:
    """The path that a constant of the module, or one that it imports, stands for."""
    match module.statements.get(name), module.imports.get(name):
        case [ast.Assign(targets=[ast.Name()], value=value)] | [ast.AnnAssign(value=value)], _ if value is not None:
            return None if _mentions(value, name) else _evaluated(value, module)
        case None, Reference(other, of) if of not in (definitions.EVERYTHING, name) or other != module.name:
            return _constant(of, module_named(other)) if of != definitions.EVERYTHING else None
    return None


def _mentions(value: ast.expr, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(value))
