"""Program that ends a test which is over its time limit, and all that a process of tests leaves behind.

``limits.py`` starts one beside each process that runs tests, and tells it on standard input when a test
starts (``<limit in seconds> <name>``) and ends (an empty line). It is a process of its own because nothing
inside the process of tests can be relied on: code in C may hold the interpreter, and a segmentation fault
ends it without a word, while Snakemake and its jobs run on.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MARK = "WAVER_TEST_PROCESSES"
"""Environment variable by which what a process of tests has started is known after that process is dead."""
GRACE_S = 10.0
"""At most so long (or once more its limit) a test may take to end when it was interrupted."""
POLL_S = 0.5


class Process(NamedTuple):
    """One process; numbers are used again, so the start (clock ticks since boot) belongs to its identity."""

    pid: int
    start: int


def table() -> dict[Process, int]:
    """The parent's number of each process that lives."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if fields[0] not in "ZX":
                found[Process(int(entry.name), int(fields[19]))] = int(fields[1])
    return found


def with_descendants(roots: set[Process], parents: dict[Process, int]) -> set[Process]:
    """Those of ``roots`` that live, and all that descend from them."""
    found = more = roots & parents.keys()
    while more:
        pids = {process.pid for process in more}
        more = {child for child, pid in parents.items() if pid in pids} - found
        found = found | more
    return found


def marked(mark: str, parents: dict[Process, int]) -> set[Process]:
    """Processes that inherited a mark in their environment."""
    found = set()
    for process in parents:
        try:
            if f":{mark}:".encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.add(process)
        except OSError:
            continue
    return found


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal; a process that has ended meanwhile needs none."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def kill_all(alive: Callable[[], set[Process]]) -> None:
    """Kill processes, and those that they start meanwhile, until none is left."""
    for _ in range(100):
        left = alive()
        if not left:
            return
        for process in left:
            send(process, signal.SIGKILL)
        time.sleep(0.05)


class Guard:
    """Watches over one process of tests."""

    def __init__(self, pid: int, mark: str) -> None:
        # one that is dead already has no start, and what it has left is cleared away
        self.runner = next((process for process in table() if process.pid == pid), Process(pid, 0))
        self.mark = mark
        self.started: set[Process] = set()
        self.test, self.limit, self.deadline, self.warned = "", 0.0, float("inf"), False

    def told(self, line: str) -> None:
        """Take a line of the protocol."""
        limit, _, self.test = line.partition(" ")
        self.limit, self.warned = float(limit or "inf"), False
        self.deadline = time.monotonic() + self.limit

    def watch(self) -> bool:
        """Look once; False when the process of tests is no more."""
        parents = table()
        if self.runner not in parents:
            return False
        self.started = self._descendants(parents)
        if time.monotonic() > self.deadline:
            self._interrupt() if not self.warned else self._end()
        return True

    def _descendants(self, parents: dict[Process, int]) -> set[Process]:
        mine = {process for process in parents if process.pid == os.getpid()}
        return with_descendants({self.runner}, parents) - {self.runner} - mine

    def _interrupt(self) -> None:
        """End what the test has started, and ask the test to fail (SIGALRM)."""
        self.warned, self.deadline = True, time.monotonic() + min(GRACE_S, self.limit)
        self._say("is interrupted")
        # the next test may begin before the last of these is dead: what it starts is not among them
        of_the_test = self._alive()
        send(self.runner, signal.SIGALRM)
        kill_all(lambda: with_descendants(of_the_test, table()))

    def _end(self) -> None:
        """End the process; a fatal signal makes its fault handler print where every thread was."""
        self.deadline = time.monotonic() + GRACE_S
        self._say("could not be interrupted; its process is killed")
        send(self.runner, signal.SIGABRT)
        end = time.monotonic() + 2
        while self.runner in table() and time.monotonic() < end:
            time.sleep(0.1)
        send(self.runner, signal.SIGKILL)

    def _say(self, what: str) -> None:
        print(f"\n{self.test} ran longer than its limit of {self.limit:g} s and {what}", file=sys.stderr, flush=True)

    def _alive(self) -> set[Process]:
        """What the process of tests has started and still lives."""
        parents = table()
        alive = with_descendants(self.started | marked(self.mark, parents), parents) | self._descendants(parents)
        return {process for process in alive if process.pid != os.getpid()} - {self.runner}

    def kill_started(self) -> None:
        """Kill what the process of tests has started, until nothing is left of it."""
        kill_all(self._alive)


def main(pid: int, mark: str) -> None:
    """Watch until the process of tests is no more, then clear away what it has left."""
    guard, rest = Guard(pid, mark), b""
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    looked = 0.0
    while True:
        for _ in selector.select(POLL_S):
            read = os.read(sys.stdin.fileno(), 65536)
            if not read:
                selector.unregister(sys.stdin.fileno())
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                guard.told(line.decode())
        if time.monotonic() - looked >= POLL_S:
            looked = time.monotonic()
            if not guard.watch():
                break
    guard.kill_started()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
