"""Pytest plugin: a time limit on every test, and a worker that dies is one failure of the run.

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
    """Register what follows."""
    config.addinivalue_line("markers", f"timeout(seconds): the test and its fixtures may take these, not {LIMIT_S:g} s")
    config.pluginmanager.register(TimeLimits(), "time-limits")
    config.pluginmanager.register(DeadWorkers(), "dead-workers")


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
        if self.guard is None:
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


class DeadWorkers:
    """Hooks of the process that hands tests to workers of pytest-xdist."""

    def __init__(self) -> None:
        self.starts: dict[str, float] = {}
        self.dead: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> object:
        """With ``--dist loadfile``, a scheduler that outlives its workers."""
        from scheduling import FileScheduling

        return FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.starts[nodeid] = time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Say when the worker died."""
        seconds = time.monotonic() - self.starts.get(crashitem, time.monotonic())
        report.longrepr = f"{report.longrepr} after {seconds:.0f} s"

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            self.dead.append(node.gateway.id)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A worker that died between tests, where no test failed of it, fails the run all the same."""
        if self.dead and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.dead:
            terminalreporter.write_sep("=", f"workers that died: {', '.join(self.dead)}", red=True)
