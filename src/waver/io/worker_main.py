"""The worker process of ``waver.io.worker_process``: calls functions and sends what they give, until nobody listens."""

from __future__ import annotations

import copy
import ctypes
import faulthandler
import importlib
import logging
import pickle
import resource
import signal
import sys
from functools import reduce
from multiprocessing.connection import Connection
from typing import Any

from waver.errors import ExcludedItem
from waver.io.shared_arrays import PLACES, SharedArrays

READ_AGAIN = "play it to the end in a video player; if it does not play, copy it again from its source"
_DIE_WITH_PARENT = 1


class _Forward(logging.Handler):
    """Hands the worker's log to the job's."""

    def __init__(self, line: Connection) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = self.format(record), None
        record.exc_info = record.exc_text = None
        self._line.send(("log", record))


class _Caller:
    """The process that calls, with the memory that it takes pictures from."""

    def __init__(self, line: Connection, shared: SharedArrays) -> None:
        self._line, self._shared = line, shared
        self._placed, self._taken = 0, 0

    def item(self, item: Any) -> None:
        """Hand over an item; the last part of a tuple, if it is a picture, by shared memory."""
        if not (isinstance(item, tuple) and self._shared.fits(item[-1])):
            self._line.send(("item", item))
            return
        while self._placed - self._taken >= (1 if self._shared.needs_all(item[-1]) else PLACES):
            self._line.recv_bytes()
            self._taken += 1
        placed = self._shared.put(item[-1], self._placed % PLACES)
        self._placed += 1
        self._line.send(("item", (*item[:-1], placed)))

    def settle(self) -> None:
        """Wait until all is taken."""
        while self._taken < self._placed:
            self._line.recv_bytes()
            self._taken += 1


def serve(line: Connection, shared: SharedArrays, memory_bytes: int) -> None:
    """Answer calls until the other end is closed.

    Args:
        line: gives (module, name, arguments, whether it is a generator).
        shared: memory for pictures.
        memory_bytes: of the message about a recording that takes more.
    """
    caller = _Caller(line, shared)
    line.send(("ready", None))
    while True:
        try:
            module, name, arguments, stream = line.recv()
        except EOFError:
            return
        try:
            function: Any = reduce(getattr, name.split("."), importlib.import_module(module))
            line.send(("end", _stream(caller, function(*arguments)) if stream else function(*arguments)))
        except (BrokenPipeError, ConnectionResetError):
            return
        except MemoryError:
            reason = f"decoding it takes more than {memory_bytes >> 30} GB of memory"
            line.send(("error", ExcludedItem(reason, READ_AGAIN)))
        except Exception as problem:
            line.send(("error", _sendable(problem)))


def _stream(caller: _Caller, items: Any) -> Any:
    try:
        while True:
            caller.item(next(items))
    except StopIteration as end:
        return end.value
    finally:
        caller.settle()


def _sendable(problem: Exception) -> Exception:
    """The exception, or one of its closest type that can be sent."""
    logging.getLogger(__name__).info("in the decoder", exc_info=problem)
    try:
        pickle.dumps(problem)
        copy.copy(problem)  # made anew from its arguments, as the caller will make it
    except Exception:
        return OSError(*problem.args[:2]) if isinstance(problem, OSError) else RuntimeError(type(problem).__name__)
    return problem


def main() -> None:
    """Serve the calls of the process that started this one.

    Its arguments are numbers: descriptors of a socket and of a file in memory, and the bytes that it may take.
    """
    number, shared, memory_bytes = map(int, sys.argv[1:])
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    faulthandler.enable()
    line = Connection(number)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_Forward(line)])
    serve(line, SharedArrays(shared), memory_bytes)
