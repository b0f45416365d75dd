"""Loaded by Python in every job of a traced run: writes down which functions of Waver run, and which files are read.

The folder is named by WAVER_TRACE; each job appends to a file named after its script, one line for each function
(file, line, name) or data file below the package, relative to it. Left out are what runs while a module is imported,
which counts with the module, and what ``waver.workflow.job`` does around the job's own work (log, limits, provenance).
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

_PACKAGE = f"{os.sep}src{os.sep}waver{os.sep}"
_AROUND = ("workflow/job.py", "workflow/environment.py")


def _begin(folder: str, job: str) -> None:
    stream = open(os.path.join(folder, job), "a", buffering=1)  # noqa: SIM115 (as long as the process)
    seen: set[Any] = set()

    def write(*parts: object) -> None:
        if parts not in seen:
            seen.add(parts)
            stream.write("\t".join(map(str, parts)) + "\n")

    def profile(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code not in seen:
            ours = _PACKAGE in code.co_filename and code.co_name != "<module>"
            if ours and _not_the_work(frame):
                return
            seen.add(code)
            if ours:
                write(_relative(code.co_filename), code.co_firstlineno, code.co_qualname)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        opened = str(arguments[0]) if event == "open" else ""
        if _PACKAGE in opened and not opened.endswith((".py", ".pyc")):
            write(_relative(opened), 0, "read")

    sys.addaudithook(audit)
    threading.setprofile(profile)
    sys.setprofile(profile)


def _not_the_work(frame: FrameType | None) -> bool:
    while frame is not None:
        code: CodeType = frame.f_code
        around = _relative(code.co_filename).startswith(_AROUND)
        if _PACKAGE in code.co_filename and (code.co_name == "<module>" or around):
            return True
        frame = frame.f_back
    return False


def _relative(path: str) -> str:
    return path.split(_PACKAGE)[-1]


if "WAVER_TRACE" in os.environ:
    _script = next((part for part in sys.orig_argv if f".snakemake{os.sep}scripts{os.sep}" in part), "")
    if _script:  # processes that the job starts write to the same file
        os.environ["WAVER_TRACE_JOB"] = os.path.basename(_script).split(".")[-2]
    if "WAVER_TRACE_JOB" in os.environ:
        _begin(os.environ["WAVER_TRACE"], os.environ["WAVER_TRACE_JOB"])
