"""Waver's own source as a graph: each top-level definition, what it does, and which others it refers to.

Code is read as syntax trees and never imported. What a definition *does* is written down as its shape: the tree
without comments, layout, docstrings, annotations and imports, in which every reference to another definition of Waver
is a number and every reference to a library is its full dotted name. A module's path, the name under which something
is imported and the name of a function or constant are therefore no part of any shape.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from waver.errors import WaverError
from waver.workflow.import_effects import acts, changed_by, changes, is_text

SOURCE = Path(__file__).resolve().parents[1]
"""The folder of the package; modules are found below its parent."""

EFFECTS = "<module>"
"""Name, in a ``Reference``, of the statements of a module that run on import and define no name."""
EVERYTHING = "*"
"""Name, in a ``Reference``, of all that a module defines."""


class Reference(NamedTuple):
    """A definition: the dotted name of its module, and its own name."""

    module: str
    name: str


@dataclass(frozen=True)
class Definition:
    """What one top-level function, class or constant does.

    Attributes:
        shape: digest of its tree, without what does not count.
        references: the definitions that it refers to, in the order in which they first stand in the shape.
        libraries: top-level names of the libraries that it refers to.
        files: data files of the package that it names; their contents are part of the shape.
        effects: what runs on import of the modules that it refers to, and of those that they import.
        ordered: the order of the references counts; it does not where they are all that a module defines.
    """

    shape: str
    references: tuple[Reference, ...]
    libraries: frozenset[str]
    files: frozenset[Path]
    effects: frozenset[Reference] = frozenset()
    ordered: bool = True


@dataclass
class Module:
    """The definitions of one file.

    Attributes:
        name: dotted name; of a script its path.
        path: the file.
        statements: name of a definition -> the statements that make it.
        effects: what runs on import and is no definition.
        imports: name in the module -> what it refers to: ``waver.x:f`` as a reference, a library as a dotted name.
        loads: modules of Waver that it imports, and which run with it.
    """

    name: str
    path: Path
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, Reference | str] = field(default_factory=dict)
    loads: set[str] = field(default_factory=set)


def file_of(module: str) -> Path:
    """The file of a module of Waver, whether it exists or not."""
    path = SOURCE.parent.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")


@cache
def exists(module: str) -> bool:
    """Whether there is such a module."""
    return file_of(module).is_file()


@cache
def module_named(name: str) -> Module:
    """A module of Waver by its dotted name.

    Raises:
        WaverError: there is none.
    """
    if not exists(name):
        raise WaverError(f"there is no module {name} in {SOURCE}; correct the name where a rule or a registry has it")
    return _read(name, file_of(name))


@cache
def script(path: Path) -> Module:
    """A rule's script: everything in it is an effect."""
    module = Module(str(path), path)
    for statement in _tree(path).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= imported(statement, module.name)
            module.loads.update(loaded_by(statement))
        else:
            module.effects.append(statement)
    return module


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _read(name: str, path: Path) -> Module:
    module = Module(name, path)
    for statement in _tree(path).body:
        _add(module, statement)
    return module


def _add(module: Module, statement: ast.stmt) -> None:
    match statement:
        case ast.Import() | ast.ImportFrom():
            module.imports |= imported(statement, module.name)
            module.loads.update(loaded_by(statement))
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            for inner in statement.body:
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    module.imports |= imported(inner, module.name)
            for inner in statement.orelse:
                _add(module, inner)
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()])):
            pass
        case _ if is_text(statement):
            pass
        case _:
            _define(module, statement)


def _define(module: Module, statement: ast.stmt) -> None:
    """Enter a statement under the names that it defines, and as an effect where it does more."""
    changed = changed_by(statement)
    if changed in module.statements:
        names = {changed}
    else:
        names = bound_by([statement])
        if isinstance(statement, _CONDITIONAL):  # which import defines the name is known at run time
            for inner in imports_in([statement]):
                names.update(imported(inner, module.name))
                module.loads.update(loaded_by(inner))
    for name in sorted(names):
        module.statements.setdefault(name, []).append(statement)
    if not names or (changes(module, statement) if changed in names else acts(module, statement)):
        module.effects.append(statement)


_CONDITIONAL = (ast.Try, ast.TryStar, ast.If, ast.Match, ast.With)


def imported(statement: ast.Import | ast.ImportFrom, module: str) -> dict[str, Reference | str]:
    """Name -> what it refers to, of one import statement in a module."""
    if isinstance(statement, ast.Import):
        names = [
            (a.asname or a.name.split(".")[0], a.name if a.asname else a.name.split(".")[0]) for a in statement.names
        ]
        return {
            name: Reference(target, EVERYTHING) if target.split(".")[0] == "waver" else target for name, target in names
        }
    if statement.level:
        raise WaverError(f"{module}: a relative import cannot be followed; write the module's full name")
    parent = str(statement.module)
    found: dict[str, Reference | str] = {}
    for alias in statement.names:
        if alias.name == "*" and parent.split(".")[0] == "waver":
            raise WaverError(f"{module}: an import of everything cannot be followed; name what is imported")
        target = f"{parent}.{alias.name}"
        if parent.split(".")[0] != "waver":
            found[alias.asname or alias.name] = target
        elif exists(target):
            found[alias.asname or alias.name] = Reference(target, EVERYTHING)
        else:
            found[alias.asname or alias.name] = Reference(parent, alias.name)
    return found


def loaded_by(statement: ast.Import | ast.ImportFrom) -> list[str]:
    """Modules of Waver that an import runs, without the packages that they are in."""
    names = [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        names = [str(statement.module), *(f"{statement.module}.{name}" for name in names)]
    return [name for name in names if name.split(".")[0] == "waver" and exists(name)]


def imports_in(statements: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports of a scope, those of nested functions and classes left out."""
    waiting = list(statements)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, (*_NESTED, ast.expr)):
            waiting[:0] = ast.iter_child_nodes(node)


_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_by(statements: Iterable[ast.AST]) -> set[str]:
    """Names that statements bind in their own scope; those of nested functions and classes are not theirs."""
    names: set[str] = set()
    globals_: set[str] = set()
    waiting = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, _NESTED):
            names.add(node.name)
        elif isinstance(node, _OWN_SCOPE):  # but for x := ..., which binds outside of it
            names.update(part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
        elif isinstance(node, ast.Global):
            globals_.update(node.names)
        elif not isinstance(node, ast.Constant | ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                names.add(node.name)
            if isinstance(node, ast.MatchMapping) and node.rest:
                names.add(node.rest)
            waiting.extend(ast.iter_child_nodes(node))
    return names - globals_
