"""Parameters of installed models, counted in their files without building a network."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from waver.assets.manifest import Installed
from waver.errors import WaverError
from waver.io.safetensors_shapes import safetensors_shapes

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance", "position_ids")
"""Endings of names of arrays that are stored with a network and not trained."""

_PART = re.compile(r"-\d+-of-\d+(?=\.\w+$)")
"""In the name of a file, that it is one of several parts of a model."""


def parameters_in(record: Installed) -> int | None:
    """Number of trained weights of an installed model; None where its files have no known format.

    Statistics of batch normalisation and scales of quantised weights do not count. Of several files of weights (the
    same model in two formats) the first counts, with all parts of it where it is divided.
    """
    for parts in _models(record):
        try:
            shapes = {name: shape for part in parts for name, shape in _READERS[_kind(part)](record.file(part))}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, RuntimeError, WaverError):
            continue
        if shapes:
            return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(_BUFFERS))
    return None


def _models(record: Installed) -> list[list[str]]:
    """Files of weights, those that are parts of one model together: ``model-00001-of-00004.safetensors``."""
    found: dict[str, list[str]] = {}
    for name in record.files:
        if _kind(name) in _READERS:
            found.setdefault(_PART.sub("", name), []).append(name)
    return list(found.values())


def _kind(name: str) -> str:
    return Path(name).suffix.lower()


Shapes = Iterator[tuple[str, tuple[int, ...]]]


def _hdf5(path: Path) -> Shapes:
    import h5py

    from waver.io.hdf5 import own_arrays

    with h5py.File(path, "r") as archive:
        for name, item in own_arrays(archive, "model_weights" if "model_weights" in archive else None):
            yield name.split(":")[0], tuple(item.shape)  # Keras names arrays like beta:0


def _onnx(path: Path) -> Shapes:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    kinds = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16}
    for array in graph.initializer:
        if array.data_type in kinds:
            yield array.name, tuple(array.dims)


def _torch(path: Path) -> Shapes:
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    while isinstance(content, dict) and (inner := content.get("state_dict", content.get("model"))) is not None:
        content = inner
    yield from ((name, tuple(array.shape)) for name, array in _tensors(content))


def _tensors(content: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(content, Mapping):
        return []
    return ((str(name), array) for name, array in content.items() if hasattr(array, "shape"))


def _binary(path: Path) -> Shapes:
    """``model.bin``: of CTranslate2 (faster-whisper), or of torch under the old name of transformers."""
    with open(path, "rb") as stream:
        torch_like = stream.read(2) in (b"PK", b"\x80\x02")
    yield from _torch(path) if torch_like else _ctranslate2(path)


def _ctranslate2(path: Path) -> Shapes:
    with open(path, "rb") as stream:
        (version,) = struct.unpack("<I", stream.read(4))
        if not 2 <= version <= 7:
            raise ValueError(f"binary version {version}")
        _text(stream)
        stream.read(4)
        (count,) = struct.unpack("<I", stream.read(4))
        for _ in range(count):
            name = _text(stream)
            (rank,) = struct.unpack("<B", stream.read(1))
            shape = struct.unpack(f"<{rank}I", stream.read(4 * rank))
            _, length = struct.unpack("<BI", stream.read(5))
            stream.seek(length, 1)
            if rank and not name.endswith("_scale"):
                yield name, shape


def _text(stream: BinaryIO) -> str:
    (length,) = struct.unpack("<H", stream.read(2))
    return stream.read(length).split(b"\0")[0].decode()


_READERS = {
    ".safetensors": safetensors_shapes,
    ".hdf5": _hdf5,
    ".h5": _hdf5,
    ".onnx": _onnx,
    ".pt": _torch,
    ".pth": _torch,
    ".bin": _binary,
}
