"""Files of weights: read, checked against a network as a whole, loaded."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from waver.errors import WaverError

_ENVELOPES = ("state_dict", "model_state_dict", "model", "state")
"""Keys under which training programs keep the parameters beside their own records."""
_COUNTER = "num_batches_tracked"
"""Of batch normalisation; files older than it lack it, and no result depends on it in evaluation."""
_SHOWN = 5


class _Record:
    """Stands in for the objects of the training program that wrote a file: each becomes a plain dict."""

    def __new__(cls, *_: Any) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


def _inert(path: str | Path) -> list[Any]:
    """Names of the objects in a file that are neither tensors nor plain values, with what takes their place."""
    if not zipfile.is_zipfile(path):  # torch's format before 1.6
        return []
    return [(_Record, name) for name in torch.serialization.get_unsafe_globals_in_checkpoint(path)]


def read_state(path: str | Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file written by ``torch.save``; nothing in the file is executed.

    Args:
        path: a state dict, alone or in a dict with other records.
        name: of the network, for the message.

    Raises:
        WaverError: the file cannot be read or holds no tensors by name.
    """
    try:
        with torch.serialization.safe_globals(_inert(path)):
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that are no archive fail in many ways inside the unpickler
        # torch puts advice before the cause, and its documentation after
        reason = " ".join(str(error).split("WeightsUnpickler error:")[-1].split("Check the documentation")[0].split())
        raise WaverError(f"{path} cannot be read as {name} weights ({reason}); give a PyTorch state dict") from error
    inner = [content.get(key) for key in _ENVELOPES] if isinstance(content, dict) else []
    found = next((part for part in (content, *inner) if _holds_tensors(part)), None)
    if found is None:
        raise WaverError(f"{path} holds no tensors by name, as {name} weights would; give a PyTorch state dict")
    # several processes leave a prefix of their own
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def _holds_tensors(part: Any) -> bool:
    return isinstance(part, dict) and bool(part) and all(isinstance(value, Tensor) for value in part.values())


def load_weights(
    module: nn.Module, path: str | Path, name: str, strip: Sequence[str] = (), ignore: Sequence[str] = ()
) -> None:
    """Read a file of weights into a network, all of it.

    Args:
        module: the network, on any device; one on ``meta`` takes the file's tensors for its own.
        path: a state dict saved by ``torch.save``.
        name: of the network, for messages.
        strip: prefixes taken off the file's names.
        ignore: prefixes, after that, of what is not used.

    Raises:
        WaverError: the file cannot be read; or parameters are missing, unknown or of another shape.
    """
    fill(module, trimmed(read_state(path, name), strip, ignore), path, name)


def trimmed(state: Mapping[str, Tensor], strip: Sequence[str] = (), ignore: Sequence[str] = ()) -> dict[str, Tensor]:
    """A state dict without the prefixes ``strip``, and then without the entries that begin with ``ignore``."""
    kept = {}
    for key, value in state.items():
        for prefix in strip:
            key = key.removeprefix(prefix)
        if not key.startswith(tuple(ignore)):
            kept[key] = value
    return kept


def fill(
    module: nn.Module, state: Mapping[str, Tensor], path: str | Path, name: str, parts: Sequence[str] = ()
) -> tuple[str, ...]:
    """Load a state dict whose names are the network's own.

    Args:
        module: the network.
        state: name -> tensor; floating-point values are taken as float32.
        path: where it is from, for the message.
        name: of the network, for the message.
        parts: prefixes of parts of the network that the file may lack, each as a whole.

    Returns:
        The parts that are not in the file and were left as they are.

    Raises:
        WaverError: parameters are missing, unknown or of another shape; all kinds are told at once.
    """
    wanted = module.state_dict()
    own = {part for part in parts if any(key.startswith(part) for key in wanted)}
    absent = tuple(p for p in parts if p in own and not any(key.startswith(p) for key in state))
    expected = {key: value for key, value in wanted.items() if not key.startswith(absent)}
    missing = [key for key in expected if key not in state and not key.endswith(_COUNTER)]
    unknown = [key for key in state if key not in wanted]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    problems = [*_some("missing", missing), *_some("unknown", unknown), *_some("", shapes)]
    if problems or not state:
        reasons = "; ".join(problems) or "none of its parameters is there"
        raise WaverError(f"{path} does not hold {name} ({reasons}); give the weights of {name}")
    values = {key: state.get(key, torch.zeros_like(value, device="cpu")) for key, value in expected.items()}
    values = {key: value.float() if value.is_floating_point() else value for key, value in values.items()}
    on_meta = any(value.is_meta for value in wanted.values())
    module.load_state_dict(values, strict=False, assign=on_meta)
    return absent


def _some(what: str, items: Iterable[str]) -> list[str]:
    found = list(items)
    more = [f"and {len(found) - _SHOWN} more {what or 'of other shapes'}"] if len(found) > _SHOWN else []
    return [f"{what} {item}".strip() for item in found[:_SHOWN]] + more
