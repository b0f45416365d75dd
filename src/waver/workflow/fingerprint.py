"""Fingerprints of code: which definitions a job can reach, as one short hash.

A job's fingerprint changes with what the job executes, and with nothing else: not with a comment, a docstring, an
annotation or the layout, nor when a module is moved, renamed, merged or split, or a function renamed. The data files
that the definitions read count with their contents, and so do the versions of the libraries that decide numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from waver.provenance import digest
from waver.workflow.definitions import EFFECTS, EVERYTHING, SOURCE, Definition, Reference, module_named, script
from waver.workflow.references import resolved, run_on_import
from waver.workflow.shapes import definition, shape_of

SCRIPTS = SOURCE.parents[1] / "workflow/scripts"
"""The rules' scripts, in a checkout."""

NOT_FOLLOWED = {
    "waver.config": "the values that a job uses are in its rule's params",
    "waver.workflow": "the frame of a job (log, limits, provenance, fingerprints) computes no result",
    "waver.training.tensorboard": "scalars for TensorBoard are for the eye, and no job reads them",
    "waver:__version__": "the number of a release computes nothing",
    "waver.assets.entries:MANIFEST": "the entry of the model that a job installs is in its rule's params",
}
"""Module, package or definition -> why it is no part of a fingerprint."""

_ONNXRUNTIME = ("onnxruntime", "onnxruntime-gpu")
LIBRARIES = {
    "av": ("av",),
    "ctranslate2": ("ctranslate2",),
    "cv2": ("opencv-python-headless",),
    "decord": ("decord",),
    "faster_whisper": ("faster-whisper", "ctranslate2", *_ONNXRUNTIME),
    "insightface": ("insightface", *_ONNXRUNTIME),
    "librosa": ("librosa",),
    "onnxruntime": _ONNXRUNTIME,
    "sentence_transformers": ("sentence-transformers", "transformers", "torch"),
    "sklearn": ("scikit-learn",),
    "tokenizers": ("tokenizers",),
    "torch": ("torch",),
    "transformers": ("transformers", "torch"),
    "whisperx": ("whisperx", "faster-whisper", "ctranslate2", "torch"),
}
"""Import name of a library that decides numbers -> the distributions whose major and minor version count."""


def code_version(*entries: str | Callable[..., Any]) -> str:
    """Fingerprint of definitions and of all that they refer to, however deep.

    Tables in modules named ``registry`` are not followed, for they name every method: a rule names its own. See
    ``NOT_FOLLOWED`` for what else is left out.

    Args:
        entries: functions or classes, or their names (``"waver.features.faces.extract:extract_faces"``), or modules.

    Raises:
        WaverError: a module of that name does not exist.
    """
    return _fingerprint(tuple(_referred(entry) for entry in entries))


def script_version(path: str | Path, *entries: str | Callable[..., Any]) -> str:
    """Fingerprint of a rule's script with all that it refers to, and of the methods that the job is about.

    Args:
        path: the script; its statements are what the job executes.
        entries: see ``code_version``.
    """
    return _fingerprint(tuple(_referred(entry) for entry in entries), Path(path))


def code(rule: str, *methods: str) -> str:
    """Fingerprint of a rule's script and of the methods that one of its jobs is about, e.g. ``"module:Class"``."""
    return script_version(SCRIPTS / f"{rule}.py", *methods)


def code_of(rule: str, *methods: str) -> Callable[[Any], str]:
    """The same for a rule's params: taken where a job of the rule is planned, and not by every job of a run."""
    return lambda wildcards: code(rule, *methods)


def closure(entries: Iterable[str | Callable[..., Any]], path: str | Path | None = None) -> dict[Reference, Definition]:
    """The definitions that a fingerprint is taken from: of entries, and of a rule's script."""
    return _reached([_referred(entry) for entry in entries], Path(path) if path else None)


def followed(reference: Reference) -> bool:
    """Whether a definition is part of a fingerprint, see ``code_version``."""
    module, name = reference
    parents = [module[:end] for end, letter in enumerate(module + ".") if letter == "."]
    if any(key in NOT_FOLLOWED for key in (*parents, f"{module}:{name}")):
        return False
    return not (module.split(".")[-1] == "registry" and _is_table(reference))


def _is_table(reference: Reference) -> bool:
    statements = module_named(reference.module).statements.get(reference.name, [])
    return bool(statements) and not any(hasattr(statement, "body") for statement in statements)


def _referred(entry: str | Callable[..., Any]) -> Reference:
    if not isinstance(entry, str):
        return resolved(Reference(entry.__module__, entry.__qualname__.split(".")[0]))
    module, _, name = entry.partition(":")
    return resolved(Reference(module, name or EVERYTHING))


@cache
def _fingerprint(entries: tuple[Reference, ...], path: Path | None = None) -> str:
    """A hash that distinguishes what definitions do and how they refer to each other, whatever they are called.

    Each definition begins with the digest of its shape, and takes those of its references into its own until no more
    definitions can be distinguished.
    """
    found = _reached(entries, path)
    known = {reference: one.shape for reference, one in found.items()}
    kinds = 0
    while len(set(known.values())) > kinds:
        kinds = len(set(known.values()))
        known = {reference: digest([known[reference], *_of_references(one, known)]) for reference, one in found.items()}
    libraries = {library for one in found.values() for library in one.libraries}
    first = [known[entry] for entry in (*([_SCRIPT] if path else []), *entries) if entry in known]
    return digest([first, sorted(set(known.values())), _versions(libraries)])


def _of_references(one: Definition, known: Mapping[Reference, str]) -> Iterator[list[str]]:
    references = [known.get(reference, reference.name) for reference in one.references]
    yield references if one.ordered else sorted(references)
    yield sorted(known[reference] for reference in one.effects if reference in known)


_SCRIPT = Reference("", EFFECTS)


def _reached(entries: Collection[Reference], path: Path | None) -> dict[Reference, Definition]:
    found: dict[Reference, Definition] = {}
    if path is not None:
        module = script(path)
        found[_SCRIPT] = shape_of(module, module.effects, "")
    waiting = [*entries, *(effect for entry in entries for effect in run_on_import(entry.module))]
    waiting += [reference for one in found.values() for reference in (*one.references, *one.effects)]
    while waiting:
        reference = waiting.pop()
        if reference not in found and followed(reference):
            found[reference] = definition(reference)
            waiting += [*found[reference].references, *found[reference].effects]
    return found


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    names = {name for library in libraries for name in LIBRARIES.get(library, ())}
    return {name: minor for name in sorted(names) for minor in _minor(name)}


@cache
def _minor(distribution: str) -> tuple[str, ...]:
    """Major and minor version of a distribution; nothing where it is not installed."""
    try:
        return (".".join(version(distribution).split(".")[:2]),)
    except PackageNotFoundError:
        return ()
