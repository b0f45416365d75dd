"""The shape of a definition, see ``waver.workflow.definitions``."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from waver.errors import WaverError
from waver.workflow.data_files import content, data_file
from waver.workflow.definitions import (
    EFFECTS,
    EVERYTHING,
    Definition,
    Module,
    Reference,
    bound_by,
    file_of,
    imported,
    imports_in,
    loaded_by,
    module_named,
)
from waver.workflow.import_effects import is_text
from waver.workflow.references import resolved, run_on_import, walked

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


def _all_of(module: Module) -> Definition:
    names = [Reference(module.name, name) for name in sorted(module.statements)]
    return Definition(EVERYTHING, tuple(names), frozenset(), frozenset(), run_on_import(module.name), ordered=False)


def shape_of(module: Module, statements: Iterable[ast.stmt], name: str) -> Definition:
    """The definition that some statements of a module make.

    Args:
        module: where they stand.
        statements: what makes the definition.
        name: its own name, which does not count unless it is a class.
    """
    writer, statements = _Writer(module, name), list(statements)
    tree = writer.within((), statements, lambda: writer.body(statements))
    shape = hashlib.sha256(json.dumps(tree, ensure_ascii=False).encode()).hexdigest()
    return Definition(
        shape, tuple(writer.references), frozenset(writer.libraries), frozenset(writer.files), frozenset(writer.effects)
    )


class _Scope(NamedTuple):
    """Names that a function binds, and what it imports."""

    names: frozenset[str]
    imports: dict[str, list[Reference | str]]


class _Writer:
    """Writes trees as lists, and collects what they refer to."""

    def __init__(self, module: Module, name: str) -> None:
        self.module, self.name = module, name
        self.references: dict[Reference, int] = {}
        self.libraries: set[str] = set()
        self.files: set[Path] = set()
        self.effects: set[Reference] = set()
        self.scopes: list[_Scope] = []
        self._in_class = self._validated = False

    def body(self, statements: list[ast.stmt]) -> list[Any]:
        written = []
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                written += self._import(statement)
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
        written: list[Any] = self.within(targets, [], lambda: self._fields(node))
        return written

    def _path(self, node: ast.Call | ast.BinOp) -> list[Any]:
        return self._file(node) or self._fields(node)

    def within(self, names: Iterable[str], statements: Iterable[ast.AST], write: Any) -> Any:
        """What is written in a scope that binds names, and others by the imports among its statements."""
        imports: dict[str, list[Reference | str]] = {}
        for statement in imports_in(statements):
            for name, target in imported(statement, self.module.name).items():
                imports.setdefault(name, []).append(target)
        self.scopes.append(_Scope(frozenset(names), imports))
        was, self._in_class = self._in_class, False
        try:
            return write()
        finally:
            self.scopes.pop()
            self._in_class = was

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[Any]:
        arguments, inner = node.args, node.body if isinstance(node.body, list) else [node.body]
        marks = getattr(node, "decorator_list", [])
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        outside = [self.node(arguments), [self.node(mark) for mark in marks]]
        if any(self._reads_annotations(mark) for mark in marks):
            outside.append([self.node(a.annotation) for a in every])
        names = {a.arg for a in every} | bound_by(inner)
        body = self.within(names, inner, lambda: self.node(node.body))
        return [type(node).__name__, self._own(getattr(node, "name", "")), outside, body]

    def _reads_annotations(self, mark: ast.expr) -> bool:
        """Whether a decorator acts by annotations: ``singledispatch``'s ``register``, and ``validate_call``."""
        target = self._target(mark.func if isinstance(mark, ast.Call) else mark)
        return target == "pydantic.validate_call" or (isinstance(mark, ast.Attribute) and mark.attr == "register")

    def _own(self, name: str) -> str:
        """A definition's own name does not count, that of a function within it does."""
        return "" if name == self.name and len(self.scopes) == 1 else name

    def _class(self, node: ast.ClassDef) -> list[Any]:
        before = self._in_class, self._validated
        self._in_class = True
        self._validated = any(self._validates(base) for base in [*node.bases, *node.decorator_list])
        try:
            return self._fields(node)
        finally:
            self._in_class, self._validated = before

    def _validates(self, base: ast.expr) -> bool:
        """Whether a base or a decorator makes a model of pydantic, whose annotations decide which values it takes."""
        while isinstance(base, ast.Subscript | ast.Call):
            base = base.value if isinstance(base, ast.Subscript) else base.func
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
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        return ["Field", *(self.node(part) for part in (node.target, node.value, annotation))]

    def _import(self, node: ast.Import | ast.ImportFrom) -> list[Any]:
        """Within a function an import counts where its name is used; elsewhere it defines one of several."""
        targets = list(imported(node, self.module.name).values())
        for module in loaded_by(node):
            self.effects |= run_on_import(module)
        if len(self.scopes) > 1 or self.module.path != file_of(self.module.name):
            return []
        return [["Import", *(self._written((target, ()) if isinstance(target, Reference) else target))]
                for target in targets]  # fmt: skip

    def _name(self, node: ast.Name) -> list[Any]:
        if self._in_class and not isinstance(node.ctx, ast.Load):
            return ["Name", node.id]
        target = self._target(node)
        return ["Name", self._own(node.id)] if target is None else self._written(target)

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
        self.effects |= run_on_import(reference.module)
        reference = resolved(reference)
        if reference == Reference(self.module.name, self.name):
            return ["Self", *rest]
        return ["Reference", self._number(reference), *rest]

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
        scope = next((one for one in reversed(self.scopes) if node.id in one.imports or node.id in one.names), None)
        if scope is not None and node.id not in scope.imports:
            return None
        roots: list[Reference | str] = scope.imports[node.id] if scope is not None else self._of_module(node.id)
        for other in roots[:-1]:  # of a name that is imported here or there
            self._written(other if isinstance(other, str) else walked(other, chain))
        if not roots:
            return None
        return ".".join([roots[-1], *chain]) if isinstance(roots[-1], str) else walked(roots[-1], chain)

    def _of_module(self, name: str) -> list[Reference | str]:
        """What a name of the module is: its own definition, unless that is made from an import of the same name."""
        own, target = name in self.module.statements, self.module.imports.get(name)
        if own and (target is None or name != self.name):
            return [Reference(self.module.name, name)]
        return [] if target is None else [target]

    def _file(self, node: ast.AST) -> list[Any] | None:
        path = data_file(node, self.module)
        if path is None:
            return None
        if not path.exists():
            raise WaverError(f"{self.module.path}: {path.name} is not in its folder; correct the name or add the file")
        self.files.add(path)
        return ["File", content(path)]


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
