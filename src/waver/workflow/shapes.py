"""The shape of a definition, see ``waver.workflow.definitions``."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from waver.errors import WaverError
from waver.workflow.definitions import (
    EFFECTS,
    EVERYTHING,
    Definition,
    Module,
    Reference,
    bound_by,
    content,
    data_file,
    exists,
    imported,
    is_text,
    module_named,
)

_LAYOUT = frozenset({"ctx", "type_comment", "kind", "returns", "annotation", "type_ignores"})
_MARKS = ("ClassVar", "InitVar", "KW_ONLY")


@cache
def definition(reference: Reference) -> Definition:
    """What a reference points to; an import that is handed on is followed to where the name is defined.

    Raises:
        WaverError: the module does not exist.
    """
    module = module_named(reference.module)
    if reference.name == EVERYTHING:
        return _all_of(module)
    if reference.name == EFFECTS:
        return shape_of(module, module.effects, "")
    return shape_of(module, module.statements[reference.name], reference.name)


def resolved(reference: Reference) -> Reference:
    """The definition itself, where a module only hands on what it imports."""
    while reference.name not in (EVERYTHING, EFFECTS):
        module = module_named(reference.module)
        if reference.name in module.statements:
            break
        target = module.imports.get(reference.name)
        if not isinstance(target, Reference):
            return Reference(reference.module, EVERYTHING)  # a library's name, or one that is made at run time
        reference = target
    return reference


def _all_of(module: Module) -> Definition:
    names = [Reference(module.name, name) for name in sorted(module.statements)]
    return Definition(EVERYTHING, (*names, Reference(module.name, EFFECTS)), frozenset(), frozenset())


def shape_of(module: Module, statements: Iterable[ast.stmt], name: str) -> Definition:
    """The definition that some statements of a module make.

    Args:
        module: where they stand.
        statements: what makes the definition.
        name: its own name, which does not count unless it is a class.
    """
    writer = _Writer(module, name)
    tree = writer.body(list(statements))
    shape = hashlib.sha256(json.dumps(tree, ensure_ascii=False).encode()).hexdigest()
    return Definition(shape, tuple(writer.references), frozenset(writer.libraries), frozenset(writer.files))


class _Writer:
    """Writes trees as lists, and collects what they refer to."""

    def __init__(self, module: Module, name: str) -> None:
        self.module, self.name = module, name
        self.references: dict[Reference, int] = {}
        self.libraries: set[str] = set()
        self.files: set[Path] = set()
        self.imports: dict[str, Reference | str] = {}
        self.scopes: list[frozenset[str]] = []
        self._in_class = self._validated = False

    def body(self, statements: list[ast.stmt]) -> list[Any]:
        written = []
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif not is_text(statement) and not self._bare(statement):
                written.append(self.node(statement))
        return written

    def _bare(self, statement: ast.stmt) -> bool:
        """An annotation alone has no effect except for type checkers; in a class it defines a field."""
        return isinstance(statement, ast.AnnAssign) and statement.value is None and not self._in_class

    def node(self, node: Any) -> Any:
        if isinstance(node, ast.AST):
            write: Callable[[_Writer, Any], Any] = _WRITTEN_BY.get(type(node), _Writer._fields)
            return write(self, node)
        if isinstance(node, list):
            return self.body(node) if node and isinstance(node[0], ast.stmt) else [self.node(part) for part in node]
        return node

    def _fields(self, node: ast.AST) -> list[Any]:
        """Name of the node, and its fields in their order."""
        kind: Any = type(node)
        return [kind.__name__, *[[key, self.node(getattr(node, key))] for key in _counted(kind)]]

    def _constant(self, node: ast.Constant) -> list[Any]:
        return ["Constant", type(node.value).__name__, repr(node.value)]

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> list[Any]:
        targets = {name for part in node.generators for name in bound_by([part.target])}
        written: list[Any] = self._within(frozenset(targets), lambda: self._fields(node))
        return written

    def _path(self, node: ast.Call | ast.BinOp) -> list[Any]:
        return self._file(node) or self._fields(node)

    def _within(self, names: frozenset[str], write: Any) -> Any:
        self.scopes.append(names)
        was, self._in_class = self._in_class, False
        try:
            return write()
        finally:
            self.scopes.pop()
            self._in_class = was

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[Any]:
        arguments, inner = node.args, node.body if isinstance(node.body, list) else [node.body]
        names = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None} | bound_by(inner)
        outside = [self.node(arguments), [self.node(mark) for mark in getattr(node, "decorator_list", [])]]
        body = self._within(frozenset(names), lambda: self.node(node.body))
        return [type(node).__name__, self._own(getattr(node, "name", "")), outside, body]

    def _own(self, name: str) -> str:
        """A definition's own name does not count, that of a function within it does."""
        return "" if name == self.name and not self.scopes else name

    def _class(self, node: ast.ClassDef) -> list[Any]:
        before = self._in_class, self._validated
        self._in_class, self._validated = True, any(self._validates(base) for base in node.bases)
        try:
            return self._fields(node)
        finally:
            self._in_class, self._validated = before

    def _validates(self, base: ast.expr) -> bool:
        """Whether a base makes a model of pydantic, whose annotations decide which values it takes."""
        target = self._target(base)
        if isinstance(target, str):
            return target.split(".")[0] == "pydantic"
        if target is None or target[0].name in (EVERYTHING, EFFECTS):
            return False
        found = resolved(target[0])
        if found.name == EVERYTHING:
            return False
        module = module_named(found.module)
        writer = _Writer(module, found.name)
        bases = [b for s in module.statements[found.name] if isinstance(s, ast.ClassDef) for b in s.bases]
        return any(writer._validates(b) for b in bases)

    def _annotated(self, node: ast.AnnAssign) -> list[Any]:
        if not self._in_class:
            value = node.value or ast.Constant(None)
            return self._fields(ast.Assign(targets=[node.target], value=value))
        kind = ast.unparse(node.annotation).split("[")[0].split(".")[-1]
        annotation = node.annotation if self._validated or kind in _MARKS else None
        return ["Field", *(self.node(part) for part in (node.target, node.value, annotation))]

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = imported(node, self.module.name)
        self.imports |= found
        for target in found.values():
            if isinstance(target, Reference) and exists(target.module):
                self._effects_of(target.module)

    def _name(self, node: ast.Name) -> list[Any]:
        if node.id in self.imports or not any(node.id in scope for scope in self.scopes):
            target = self._target(node)
            if target is not None:
                return self._written(target)
        return ["Name", self._own(node.id)]

    def _attribute(self, node: ast.Attribute) -> list[Any]:
        target = self._target(node)
        if target is None:
            return ["Attribute", self.node(node.value), node.attr]
        return self._written(target)

    def _written(self, target: tuple[Reference, tuple[str, ...]] | str) -> list[Any]:
        if isinstance(target, str):
            self.libraries.add(target.split(".")[0])
            return ["Library", target]
        reference, rest = target
        self._effects_of(reference.module)
        reference = resolved(reference)
        self._effects_of(reference.module)
        if reference == Reference(self.module.name, self.name):
            return ["Self", *rest]
        return ["Reference", self._number(reference), *rest]

    def _effects_of(self, module: str) -> None:
        if module_named(module).effects:
            self._number(Reference(module, EFFECTS))

    def _number(self, reference: Reference) -> int:
        return self.references.setdefault(reference, len(self.references))

    def _target(self, node: ast.expr) -> tuple[Reference, tuple[str, ...]] | str | None:
        """What a name or a chain of attributes refers to, outside of functions' own variables."""
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = self.imports.get(node.id)
        if root is None and any(node.id in scope for scope in self.scopes):
            return None
        root = root or self.module.imports.get(node.id)
        if node.id in self.module.statements and root is None:
            return Reference(self.module.name, node.id), tuple(chain)
        if root is None:
            return None
        if isinstance(root, str):
            return ".".join([root, *chain])
        return _walked(root, chain)

    def _file(self, node: ast.AST) -> list[Any] | None:
        path = data_file(node, self.module.path)
        if path is None:
            return None
        if not path.exists():
            raise WaverError(f"{self.module.path}: {path.name} is not in its folder; correct the name or add the file")
        self.files.add(path)
        return ["File", content(path)]


def _walked(reference: Reference, chain: list[str]) -> tuple[Reference, tuple[str, ...]]:
    """From a module through its submodules to the definition that a chain of attributes ends in."""
    chain = list(chain)
    while reference.name == EVERYTHING and chain:
        child = f"{reference.module}.{chain[0]}"
        reference = Reference(child, EVERYTHING) if exists(child) else Reference(reference.module, chain[0])
        chain.pop(0)
    return reference, tuple(chain)


@cache
def _counted(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of node that are more than layout and annotations."""
    return tuple(str(key) for key in kind._fields if key not in _LAYOUT)


_WRITTEN_BY: dict[type[ast.AST], Callable[[_Writer, Any], Any]] = {
    ast.Name: _Writer._name,
    ast.Attribute: _Writer._attribute,
    ast.Constant: _Writer._constant,
    ast.Call: _Writer._path,
    ast.BinOp: _Writer._path,
    ast.AnnAssign: _Writer._annotated,
    ast.ClassDef: _Writer._class,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), _Writer._function),
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _Writer._comprehension),
}
"""Kind of node -> what writes it; any other is written field by field."""
