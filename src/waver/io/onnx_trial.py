"""Whether an ONNX graph ends soon: it is loaded and run once, on zeros, in a copy of this process.

A graph is a program. Loops, functions within functions and shapes that it states itself may need hours or terabytes,
some of them while the graph is loaded.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from waver.errors import WaverError
from waver.io.bounded import MEMORY_BYTES, SECONDS, OutOfBoundsError, in_bounds

_BYTES_A_SECOND = 4 << 20
"""Of a file, that may take one second more."""
_MEMORY_OF_BYTE = 16
_SIDE = 64
"""Of what has no size of its own: a picture's, say."""
_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_,
}  # fmt: skip


def check_graph(path: Path) -> None:
    """Refuse a graph that takes far more than its size.

    Raises:
        WaverError: it does.
    """
    if path.is_file():
        status = path.stat()
        if verdict := _verdict(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns):
            raise WaverError(f"{path} {verdict} when it is read or run; give a network that does no more than its size")


@lru_cache
def _verdict(path: Path, *stat: int) -> str:
    """What is wrong; a file that did not change is not tried again."""
    size = stat[2]
    seconds, memory_bytes = SECONDS + size // _BYTES_A_SECOND, MEMORY_BYTES + _MEMORY_OF_BYTE * size
    try:
        in_bounds(_run, path, seconds=seconds, memory_bytes=memory_bytes)
    except OutOfBoundsError as problem:
        return str(problem)
    return ""


def _run(path: Path) -> None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session.run(None, {one.name: _zeros(one) for one in session.get_inputs()})
    except Exception as problem:  # it is no graph, or not one for zeros: who reads it tells
        if "alloc" in str(problem):  # ONNX Runtime's own words for memory
            raise MemoryError from problem


def _zeros(one: Any) -> np.ndarray[Any, Any]:
    sizes = [size if isinstance(size, int) else 1 if not number else _SIDE for number, size in enumerate(one.shape)]
    return np.zeros(sizes, _TYPES[one.type])
