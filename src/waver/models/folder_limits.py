"""What the files of a model's folder may ask for: no more than a model of their size needs.

A few kilobytes of settings can describe a network of a thousand million layers, or a tokenizer that makes a hundred
million letters of one. The libraries that read them build what is described before they look for its weights.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from waver.errors import WaverError
from waver.models.tokenizer_patterns import check_patterns

TOKENS = frozenset({"tokenizer.json", "vocab.json", "added_tokens.json"})
"""Lists of words, of many megabytes; they name no code."""
_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.pt", "*.pth")
_SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
_LAYERS = re.compile(r"(layers?|depths?|blocks|stages)$")
_COUNTED = re.compile(r"(expert|head|label|group|adapter)(?!.*(size|dim)$)")
"""Keys of numbers of parts, each of which has weights in a file."""
_ANY = re.compile(r"theta|pixels|edge|max_length|length_penalty|sampling_rate|^$")
"""Keys that say nothing of how large a network is."""
_ANY_VALUE = 1 << 53
_SPECTRUM = re.compile(r"n_fft|feature_size|mel_bins|frame_length|hop_length|window_size")
"""Keys of the sizes of a filter bank, which is made when the settings are read."""
_MOST_LAYERS, _BYTES_OF_LAYER = 32, 4096
_MOST_PARTS, _BYTES_OF_PART = 4096, 128
_MOST_OF_SPECTRUM = 8192
_LONGEST_LIST = 512
"""Numbers of a list, such as one for each layer."""
_VALUES_OF_BYTE, _SPARE_VALUES = 6, 20_000_000
"""Values of a network for each byte of its weights, which may be packed; and some more in any case."""
_MOST_GROWTH = 64
"""Letters that a tokenizer may write for one."""
_MOST_PADDING = 100_000


def check_files(folder: Path) -> None:
    """Refuse a folder whose files ask for absurdly much when they are read.

    Args:
        folder: of pretrained files, as the transformers library saves them.

    Raises:
        WaverError: a file is a pipe or a device, names files elsewhere, or states sizes that its weights cannot have.
    """
    files = {file.name: file for file in sorted(folder.glob("*")) if _is_plain(file)}
    for name in _SETTINGS:
        check_numbers(name, _content(files.get(name)), folder)
    for name in sorted(set(_shards(_content(files.get("model.safetensors.index.json"))))):
        if Path(name).name != name:
            raise WaverError("model.safetensors.index.json names weights outside of the folder")
    _check_tokenizer(_content(files.get("tokenizer.json")))


def check_numbers(name: str, settings: Any, folder: Path) -> None:
    """Refuse settings with a number that a network of a folder's weights cannot have.

    Args:
        name: of the file that has them.
        settings: its content.
        folder: of the weights.

    Raises:
        WaverError: they have one.
    """
    most_of = _bounds(folder)
    for key, number in _numbers(settings):
        most = next((most for keys, most in most_of if keys.search(key)), most_values(folder))
        if abs(number) > most:
            raise WaverError(f"{name} has {key}: {number}, of which a model of these files has {most} at most")


def most_values(folder: Path) -> int:
    """Values of a network whose weights are all in a folder, at most."""
    return _SPARE_VALUES + _VALUES_OF_BYTE * _weights_bytes(folder)


def _bounds(folder: Path) -> list[tuple[re.Pattern[str], int]]:
    """Keys, and how large their numbers may be in the settings of a folder."""
    size = _weights_bytes(folder)
    return [
        (_SPECTRUM, _MOST_OF_SPECTRUM),
        (_LAYERS, _MOST_LAYERS + size // _BYTES_OF_LAYER),
        (_COUNTED, _MOST_PARTS + size // _BYTES_OF_PART),
        (_ANY, _ANY_VALUE),
    ]


def _weights_bytes(folder: Path) -> int:
    """Bytes of all files of weights in a folder."""
    return sum(file.stat().st_size for pattern in _WEIGHTS for file in folder.glob(pattern) if file.is_file())


def _is_plain(file: Path) -> bool:
    """Whether it is a file; links are followed, as model hubs keep their files behind links."""
    try:
        mode = file.stat().st_mode
    except OSError:  # a link to nowhere, or round in a circle: who reads it tells
        return False
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise WaverError(f"{file.name} is no file but a pipe or a device, from which reading may never end")
    return stat.S_ISREG(mode)


def _content(file: Path | None) -> Any:
    try:
        return None if file is None else json.loads(file.read_bytes())
    except (ValueError, RecursionError):  # no JSON: who reads it tells
        return None


def _numbers(value: Any) -> Iterator[tuple[str, int]]:
    """Keys and whole numbers of settings at any depth; those of a list have its key."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        key, one = left.pop()
        if isinstance(one, dict):
            left += [(str(name), inner) for name, inner in one.items() if name not in ("label2id", "id2label")]
        elif isinstance(one, list):
            left += [(key, inner) for inner in one]
            if len(one) > _LONGEST_LIST:
                yield f"{key}, one of its layers", len(one)
        elif isinstance(one, int):
            yield key, one


def _shards(index: Any) -> Iterator[str]:
    names = index.get("weight_map") if isinstance(index, Mapping) else None
    yield from (str(name) for name in (names.values() if isinstance(names, Mapping) else ()))


def _check_tokenizer(settings: Any) -> None:
    if not isinstance(settings, Mapping):
        return
    growth = 1
    for part in _mappings([settings.get("normalizer"), settings.get("pre_tokenizer")]):
        written = part.get("content", part.get("prepend"))
        growth *= max(len(written), 1) if isinstance(written, str) else 1
        if growth > _MOST_GROWTH:
            raise WaverError(f"tokenizer.json writes more than {_MOST_GROWTH} letters for one")
    parts = {name: settings.get(name) for name in ("normalizer", "pre_tokenizer")}
    check_patterns([part["Regex"] for part in _mappings(parts) if isinstance(part.get("Regex"), str)], parts)
    padding = settings.get("padding")
    strategy = padding.get("strategy") if isinstance(padding, Mapping) else None
    fixed = strategy.get("Fixed") if isinstance(strategy, Mapping) else None
    if isinstance(fixed, int) and fixed > _MOST_PADDING:
        raise WaverError(f"tokenizer.json fills every text to {fixed} tokens")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings in a value."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left += one.values()
        elif isinstance(one, list):
            left += one
