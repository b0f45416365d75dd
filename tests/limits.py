"""Pytest plugin: a time limit on every test.

A test with its fixtures may take ``LIMIT_S``, or the seconds of its marker ``timeout``. Over that it fails, and
what it started is killed; a test that cannot be interrupted (code in C) loses its process (``guard.py``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from guard import MARK

LIMIT_S = 900.0


def pytest_configure(config: pytest.Config) -> None:
    """Register the limits and their marker."""
    config.addinivalue_line("markers", f"timeout(seconds): the test and its fixtures may take these, not {LIMIT_S:g} s")
    config.pluginmanager.register(TimeLimits(), "time-limits")


def limit_s(item: pytest.Item) -> float:
    """Seconds that a test and its fixtures may take."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else LIMIT_S


class TimeLimits:
    """Hooks of a process that runs tests: a worker of pytest-xdist, or pytest itself without workers."""

    def __init__(self) -> None:
        self.stderr = os.dup(2)  # before pytest captures it
        self.guard: subprocess.Popen[bytes] | None = None
        self.test, self.limit, self.start, self.interruptible, self.late = "", 0.0, 0.0, False, False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell the guard that a test starts and ends."""
        self.test, self.limit, self.start, self.late = item.nodeid, limit_s(item), time.monotonic(), False
        before = signal.signal(signal.SIGALRM, self._alarm)
        self._tell(f"{self.limit} {self.test}")
        try:
            return (yield)
        finally:
            self._tell("")
            signal.signal(signal.SIGALRM, before)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        yield from self._phase()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        yield from self._phase()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        yield from self._phase()

    def pytest_enter_pdb(self) -> None:
        """A person who looks around has all the time."""
        self._tell("")

    def _phase(self) -> Generator[None, None, None]:
        """Let the alarm fail a test only where pytest takes the failure for the test's own."""
        self.interruptible = True
        try:
            if self.late:
                self._fail()
            yield
        finally:
            self.interruptible = False

    def _alarm(self, *_: Any) -> None:
        __tracebackhide__ = True
        if time.monotonic() - self.start >= self.limit:  # else it was meant for the test before
            self.late = True
            if self.interruptible:
                self._fail()

    def _fail(self) -> None:
        __tracebackhide__ = True
        self.late = False
        pytest.fail(f"{self.test} ran longer than its limit of {self.limit:g} s")

    def _tell(self, line: str) -> None:
        if self.guard is None or self.guard.poll() is not None:
            mark = f"{os.getpid()}.{time.time_ns()}"
            os.environ[MARK] = f"{os.environ.get(MARK, '')}:{mark}:"
            command = [sys.executable, "-S", "-E", str(Path(__file__).parent / "guard.py"), str(os.getpid()), mark]
            # in a session of its own: a signal to the group of the tests must not end it before them
            self.guard = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=self.stderr, stderr=self.stderr, start_new_session=True
            )
        assert self.guard.stdin is not None
        self.guard.stdin.write(f"{line}\n".encode())
        self.guard.stdin.flush()
