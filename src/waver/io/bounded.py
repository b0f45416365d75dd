"""Calls that a stranger's file can make endless: in a copy of this process that has little time and memory.

For code of libraries whose work depends on what the file says and not on how large it is: templates, graphs, patterns.
The copy (a fork) uses no GPU, and its death costs nothing.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeVar

from waver.errors import WaverError

Result = TypeVar("Result")

SECONDS = 2
"""Of the processor, for one call."""
MEMORY_BYTES = 768 << 20
_WAITED = 30
"""Seconds of the clock for one of the processor: the machine may be busy."""
_TRIES = 3
_DIE_WITH_PARENT = 1


class OutOfBoundsError(WaverError):
    """A call took more time or memory than it may; the message is a clause without subject."""


def in_bounds(
    function: Callable[..., Result], *arguments: object, seconds: int = SECONDS, memory_bytes: int = MEMORY_BYTES
) -> Result:
    """Call a function in a copy of this process.

    Args:
        function: of Python code or a library's; what it changes is lost.
        arguments: of it.
        seconds: of the processor that it may take.
        memory_bytes: that it may take beside what the process has.

    Returns:
        What it returns, which can be pickled.

    Raises:
        OutOfBoundsError: it took too much time or memory, or crashed.
        Exception: what it raised, by its own type where that can be pickled.
    """
    for _ in range(_TRIES):
        answer, status, used_s = _attempt(function, arguments, seconds, memory_bytes)
        if answer is not None or not os.WIFSIGNALED(status) or used_s > seconds / 2:
            break  # else it waited for a lock that another thread held when it was made
    if answer is None:
        slow = not os.WIFSIGNALED(status) or os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        size = _size(memory_bytes)
        raise OutOfBoundsError(f"takes more than {seconds} s" if slow else f"crashes, or takes over {size}")
    failed, value = answer
    if isinstance(value, MemoryError):
        raise OutOfBoundsError(f"takes more than {_size(memory_bytes)} of memory")
    if failed:
        raise value
    found: Result = value
    return found


def _attempt(
    function: Callable[..., object], arguments: tuple[object, ...], seconds: int, memory_bytes: int
) -> tuple[tuple[bool, Any] | None, int, float]:
    """What a copy answers (whether it failed, and with what; None: nothing), how it ended, and the seconds it used."""
    ours, theirs = Pipe(duplex=False)
    copy = os.fork()
    if not copy:
        _answer(theirs, function, arguments, seconds, memory_bytes)
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(_WAITED * seconds) else None
    except EOFError:  # it died
        answer = None
    finally:
        ours.close()
        os.kill(copy, signal.SIGKILL)  # not yet waited for, so that its number is no other process's
        _, status, used = os.wait4(copy, 0)
    return answer, status, used.ru_utime + used.ru_stime


def _size(memory_bytes: int) -> str:
    return f"{memory_bytes >> 20} MB"


def _answer(
    line: Connection, function: Callable[..., object], arguments: tuple[object, ...], seconds: int, memory_bytes: int
) -> NoReturn:
    """What the copy does: its answer, and no more of what the process would do at its end."""
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        _limit(resource.RLIMIT_CPU, seconds)
        _limit(resource.RLIMIT_DATA, _own_bytes() + memory_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        with open(os.devnull, "w", encoding="ascii") as nowhere:  # what libraries print may quote people
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            line.send((False, function(*arguments)))
        except Exception as problem:
            _send_problem(line, problem)
        except BaseException as problem:  # a library's panic
            _send_problem(line, RuntimeError(str(problem)))
    finally:
        os._exit(0)


def _send_problem(line: Connection, problem: Exception) -> None:
    """An exception by its own type, where it is one that can be made again from its text."""
    try:
        again = type(problem)(*problem.args)
    except Exception:
        again = RuntimeError(str(problem))
    try:
        line.send((True, again))
    except Exception:  # cannot be pickled
        line.send((True, RuntimeError(str(problem))))


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _own_bytes() -> int:
    """What counts for the limit of memory already."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
