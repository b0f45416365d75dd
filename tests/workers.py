"""Pytest plugin for runs on several workers (pytest-xdist): order of the files, and workers that die."""

from __future__ import annotations

import time
from typing import Any

import pytest

FIRST = ("tests/e2e/", "tests/workflow/")
"""Folders of the longest tests; begun first, so that the workers end together."""


def pytest_configure(config: pytest.Config) -> None:
    """Register what hears of dead workers."""
    config.pluginmanager.register(DeadWorkers(), "dead-workers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first (with ``--no-loadscope-reorder``)."""
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))


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
