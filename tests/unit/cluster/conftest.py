"""Programs of a site that is not here: small scripts that answer as the real ones do."""

from __future__ import annotations

import shutil
import sys

import pytest


@pytest.fixture
def site(tmp_path, monkeypatch):
    """``site(sinfo="...")`` puts a program of that name on the PATH, which holds no others but a shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for needed in ("bash", "which"):  # by Snakemake
        (folder / needed).symlink_to(str(shutil.which(needed)))
    monkeypatch.setenv("PATH", str(folder))

    def add(fails: bool = False, **programs: str) -> None:
        for name, answer in programs.items():
            stream, code = ("stderr", 1) if fails else ("stdout", 0)
            lines = [
                f"#!{sys.executable}",
                "import sys",
                f"sys.{stream}.write({answer!r})",
                f"raise SystemExit({code})",
            ]
            (folder / name).write_text("\n".join(lines))
            (folder / name).chmod(0o755)

    return add
