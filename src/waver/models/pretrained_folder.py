"""Folders of models of the transformers library: read from the disk alone, without running code that they bring.

A folder may name Python files of its own in its settings (``auto_map``). The library then asks on the terminal whether
to run them. Here such a folder is refused before the library sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waver.errors import WaverError, is_machine_trouble

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments of every ``from_pretrained``."""
LOCAL_WEIGHTS: dict[str, Any] = {**LOCAL, "weights_only": True}
"""As LOCAL, of a model: files of torch are read as tensors, and no pickled object is made."""
_TOKENS = frozenset({"tokenizer.json", "vocab.json", "added_tokens.json"})
"""Lists of words, of many megabytes; they name no code."""
_LONGEST = 300


@contextmanager
def reading_folder(folder: Path, kind: str, remedy: str) -> Iterator[None]:
    """Read a folder of pretrained files in the block, which passes LOCAL or LOCAL_WEIGHTS.

    Args:
        folder: of the files.
        kind: what it should hold, for the message.
        remedy: what the user can do.

    Raises:
        WaverError: the folder wants to run code of its own, or the block fails because of its files.
        OSError, MemoryError: the disk, the network or the memory fails.
    """
    refuse_code(folder)
    try:
        yield
    except WaverError as problem:
        raise WaverError(f"{folder} holds no {kind} ({problem}); {remedy}") from problem
    except Exception as problem:  # each library has errors of its own for what it cannot read
        if is_machine_trouble(problem):
            raise
        reason = " ".join(str(problem).split())[:_LONGEST] or type(problem).__name__
        raise WaverError(f"{folder} holds no {kind} ({reason}); {remedy}") from problem


def refuse_code(folder: Path) -> None:
    """Refuse a folder whose settings name code.

    Raises:
        WaverError: they do.
    """
    for file in sorted(folder.glob("*.json")):
        if file.name not in _TOKENS and _names_code(file):
            raise WaverError(
                f"{file} names code of the model's own (auto_map), which Waver does not run; give a model whose "
                "architecture the transformers library has"
            )


def _names_code(file: Path) -> bool:
    try:
        text = file.read_bytes()
        return b"auto_map" in text and _has_key(json.loads(text), "auto_map")
    except (ValueError, RecursionError):  # no JSON: who reads it tells
        return False


def _has_key(value: Any, key: str) -> bool:
    """Whether a mapping anywhere in a JSON value has a key."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if one.get(key):
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False
