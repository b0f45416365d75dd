"""Whether others on the machine may read what a run writes about people, and the recordings themselves."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

from waver.cluster.findings import Finding, ok, warning
from waver.config.model import Config

FOLDERS = ("resources", "results", "logs", "benchmarks", ".snakemake", ".waver")
"""Folders of a working folder that hold something about participants (``docs/privacy.md``)."""


def private(config: Config, folder: Path) -> list[Finding]:
    """Folders of the run, and the data set's, that others may enter or list.

    Args:
        config: of the run.
        folder: working folder.
    """
    found = [_finding("privacy", [folder / name for name in FOLDERS])]
    if config.dataset.source != "demo" and config.dataset.root:
        found.append(_finding("privacy of the data set", [Path(config.dataset.root)]))
    return found


def _finding(check: str, places: list[Path]) -> Finding:
    there = [place for place in places if place.is_dir()]
    opened = [str(place) for place in there if place.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if opened:
        text = f"others on this machine may enter {', '.join(opened)}"
        return warning(check, text, f"unless they may see the recordings: chmod go-rwx {shlex.join(opened)}")
    return ok(check, "nobody else may enter" if there else "no folder is there yet; a run makes them private")
