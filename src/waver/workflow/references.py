"""What a name refers to, over the borders of modules, see ``waver.workflow.definitions``."""

from __future__ import annotations

from functools import cache

from waver.workflow.definitions import EFFECTS, EVERYTHING, Reference, exists, module_named


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


@cache
def run_on_import(name: str) -> frozenset[Reference]:
    """The effects of a module, of the packages that it is in, and of all that they import, however deep."""
    found, waiting = set(), [name]
    while waiting:
        found.add(module := waiting.pop())
        parents = [module[:end] for end, letter in enumerate(module) if letter == "."]
        waiting.extend(one for one in {*parents, *module_named(module).loads} - found if exists(one))
    return frozenset(Reference(module, EFFECTS) for module in found if module_named(module).effects)


def walked(reference: Reference, chain: list[str]) -> tuple[Reference, tuple[str, ...]]:
    """From a module through its submodules to the definition that a chain of attributes ends in."""
    chain = list(chain)
    while reference.name == EVERYTHING and chain:
        child = f"{reference.module}.{chain[0]}"
        reference = Reference(child, EVERYTHING) if exists(child) else Reference(reference.module, chain[0])
        chain.pop(0)
    return reference, tuple(chain)
