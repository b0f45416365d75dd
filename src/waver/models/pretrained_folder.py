"""Folders of models of the transformers library: read from the disk alone, without running code that they bring.

A folder may name Python files of its own in its settings (``auto_map``). The library then asks on the terminal whether
to run them. Here such a folder is refused before the library sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from waver.errors import WaverError, is_machine_trouble
from waver.models.folder_limits import TOKENS, check_files, check_numbers, most_values

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Arguments of every ``from_pretrained``."""
LOCAL_WEIGHTS: dict[str, Any] = {**LOCAL, "weights_only": True}
"""As LOCAL, of a model: files of torch are read as tensors, and no pickled object is made."""
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
    try:
        check_files(folder)
        refuse_code(folder)
        yield
    except WaverError as problem:
        raise WaverError(f"{folder} holds no {kind} ({problem}); {remedy}") from problem
    except Exception as problem:  # each library has errors of its own for what it cannot read
        if is_machine_trouble(problem):
            raise
        reason = " ".join(str(problem).split())[:_LONGEST] or type(problem).__name__
        raise WaverError(f"{folder} holds no {kind} ({reason}); {remedy}") from problem


def read_model(kind: Any, folder: Path, **arguments: Any) -> Any:
    """A model of a folder, in a block of ``reading_folder``.

    Args:
        kind: class of the transformers library.
        folder: of pretrained files.
        arguments: further ones of ``from_pretrained``.

    Raises:
        WaverError: its settings describe a network that is far larger than its weights, or it is an adapter of another.
    """
    if (folder / "adapter_config.json").exists():  # the library would read the model that it names, wherever that is
        raise WaverError("adapter_config.json is of an adapter, which changes another model; give a whole model")
    _check_size(kind, folder, {name: value for name, value in arguments.items() if name == "gguf_file"})
    return kind.from_pretrained(folder, **LOCAL_WEIGHTS, **arguments)


def _check_size(kind: Any, folder: Path, packed: Mapping[str, str]) -> None:
    """Refuse settings of a network that is far larger than its weights: what they lack would be made at random."""
    of = getattr(kind, "config_class", None)  # the classes that choose by the settings have none
    settings = (of or AutoConfig).from_pretrained(folder, **packed, **LOCAL)
    if packed:  # the settings are in the file of the weights
        check_numbers(packed["gguf_file"], settings.to_dict(), folder)
    with torch.device("meta"):  # sizes alone, no memory
        network = kind(settings) if of else kind.from_config(settings)
    values = sum(value.numel() for value in {*network.parameters(), *network.buffers()})
    if values > (most := most_values(folder)):
        name = packed.get("gguf_file", "config.json")
        raise WaverError(f"{name} is of a network of {values:,} values, and its weights hold {most:,} at most")


def refuse_code(folder: Path) -> None:
    """Refuse a folder whose settings name code.

    Raises:
        WaverError: they do.
    """
    for file in sorted(folder.glob("*.json")):
        if file.name not in TOKENS and _names_code(file):
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
