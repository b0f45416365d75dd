"""Functions called in a worker process, whose death costs the recording that it reads and nothing else.

Decoders are C libraries: a damaged file can make them abort, hang, or take all memory. The worker is started once a
thread, and again after its death; it loads no model. A recording on which it dies is tried once more in a fresh one,
for what an earlier recording spoiled is not its fault.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from functools import reduce
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, TypeVar

from waver.errors import ExcludedItem
from waver.io.shared_arrays import SharedArray, SharedArrays
from waver.io.worker_main import READ_AGAIN, main

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Item = TypeVar("Item")

PATIENCE_S = 600.0
"""Seconds without a picture, or any answer, after which a decoder hangs."""
MEMORY_BYTES = 4 << 30
"""What a recording may take while it is decoded; on Slurm no more than half of the job's memory."""
_SAID_BYTES = 2000
_ENDED = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU})
"""Signals that a system or a person sends; no decoder dies of a file by them."""
_START = f"""
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))  # PYTHONPATH knows no folder with a colon
from {main.__module__} import main
main()
"""
_mine = threading.local()


def call_in_worker(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function of a module in the worker; one that has no name there is called here.

    Args:
        function: found by its module and name.
        arguments: can be pickled, as can what it returns.

    Raises:
        ExcludedItem: the worker died of it, hung, or took too much memory.
        MemoryError: the machine has too little memory.
        Exception: what the function raised.
    """
    if not _is_named(function):
        return function(*arguments)
    try:
        next(_answers(function, arguments, False))
    except StopIteration as end:
        found: Result = end.value
        return found
    raise AssertionError(f"{function.__qualname__} is a generator")


def stream_from_worker(
    function: Callable[..., Generator[Item, None, Result]], *arguments: Any
) -> Generator[Item, None, Result]:
    """As ``call_in_worker``, for a generator: its items as they come, and what it returns."""
    if not _is_named(function):
        return (yield from function(*arguments))
    result: Result = yield from _answers(function, arguments, True)
    return result


def _is_named(function: Callable[..., Any]) -> bool:
    try:
        found: Any = reduce(getattr, function.__qualname__.split("."), sys.modules[function.__module__])
    except AttributeError:
        return False
    return found is function


def _answers(function: Callable[..., Any], arguments: tuple[Any, ...], stream: bool) -> Generator[Any, None, Any]:
    given = 0
    while True:
        worker = _worker()
        fresh, worker.used = not worker.used, True
        try:
            for number, (kind, value) in enumerate(worker.answers(function, arguments, stream), start=1):
                if kind == "end":
                    return value
                if number > given:  # those before it came from a worker that died
                    given = number
                    yield value
        except _DiedError as death:
            log.warning("%s: %s%s", arguments[0], death, death.said)
            if fresh or death.hung:
                raise death.verdict from None
        finally:
            if worker.busy:  # the reader has stopped before the end, or failed
                worker.end()


class _DiedError(Exception):
    """The worker is gone."""

    def __init__(self, verdict: ExcludedItem, said: str, hung: bool = False) -> None:
        super().__init__(verdict.reason)
        self.verdict, self.hung = verdict, hung
        self.said = f"; it said: {said}" if said else ""


def _worker() -> _Worker:
    worker: _Worker | None = getattr(_mine, "worker", None)
    if worker is None or worker.owner != os.getpid() or not worker.alive():
        worker = _mine.worker = _Worker()
    return worker


def _memory_bytes() -> int:
    """Below what the system ends the job for: the worker then fails, and not the job."""
    job_mb = int(os.environ.get("SLURM_MEM_PER_NODE") or 0)
    return min(MEMORY_BYTES, max(1 << 30, job_mb << 19)) if job_mb else MEMORY_BYTES


class _Worker:
    """A process that calls functions, one at a time."""

    def __init__(self) -> None:
        self.owner, self.used, self.busy, self.started = os.getpid(), False, False, False
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        ours, theirs = socket.socketpair()
        self._memory = os.memfd_create("pictures")
        self._shared = SharedArrays(self._memory)
        self._line = Connection(ours.detach())
        with theirs:
            numbers = [theirs.fileno(), self._memory]
            command = [sys.executable, "-c", _START, json.dumps(sys.path), *map(str, [*numbers, _memory_bytes()])]
            try:
                self._process = subprocess.Popen(
                    command, pass_fds=numbers, stdin=subprocess.DEVNULL,
                    stdout=self._said, stderr=self._said,
                )  # fmt: skip
            except OSError as error:  # of whatever number: no recording is to blame
                self._close()
                raise OSError(errno.EIO, f"the worker process does not start ({error.strerror})") from error

    def alive(self) -> bool:
        return not self._line.closed and self._process.poll() is None

    def answers(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], stream: bool
    ) -> Generator[tuple[str, Any], None, None]:
        """Items and the end of one call; raises what the function raised."""
        self.busy = True
        try:
            self._line.send((function.__module__, function.__qualname__, arguments, stream))
            while True:
                if not self._line.poll(PATIENCE_S):
                    self._hung()
                kind, value = self._line.recv()
                if kind == "ready":
                    self.started = True
                    continue
                if kind == "log":
                    logging.getLogger(value.name).handle(value)
                    continue
                if kind in ("end", "error"):
                    self.busy = False
                if kind == "error":
                    raise value
                if kind == "item" and isinstance(value, tuple) and isinstance(value[-1], SharedArray):
                    value = (*value[:-1], self._shared.take(value[-1]))
                    self._line.send_bytes(b"")
                yield kind, value
        except (EOFError, ConnectionError):
            self._died()

    def _hung(self) -> None:
        state = Path(f"/proc/{self._process.pid}/stat")
        waiting = state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "D"
        said = self._text()
        self.end()
        if waiting:
            raise TimeoutError(errno.ETIMEDOUT, f"the disk does not answer for {PATIENCE_S:.0f} s")
        verdict = ExcludedItem(f"its decoder did not answer for {PATIENCE_S:.0f} s", READ_AGAIN)
        raise _DiedError(verdict, said, hung=True)

    def _died(self) -> None:
        code = self._process.wait()
        said = self._text()
        self.end()
        if -code in _ENDED:
            raise MemoryError("the system ended the decoder, mostly for want of memory: give the job more")
        if not self.started:  # no recording is to blame
            log.warning("the worker process does not start; it said: %s", said)
            raise OSError(errno.ENOMEM, "the worker process does not start, mostly for want of memory")
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise _DiedError(ExcludedItem(f"its decoder crashed ({how})", READ_AGAIN), said)

    def _text(self) -> str:
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _SAID_BYTES))
        return self._said.read().decode(errors="replace").strip()

    def end(self) -> None:
        """End the process."""
        self.busy = False
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._line.close()
        self._said.close()
        os.close(self._memory)

    def __del__(self) -> None:  # its thread has ended
        if self.owner == os.getpid() and not self._line.closed:
            self.end()
