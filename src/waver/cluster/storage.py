"""Checks of files: models, the data set, space on the disk, and locks and renames of the file system."""

from __future__ import annotations

import fcntl
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from waver.assets.manifest import read_record
from waver.cluster.findings import Finding, ok, problem, query, warning
from waver.cluster.workload import video_files
from waver.config.model import Config
from waver.provenance import file_sha256

_SLOW_S = 0.05


def models(records: Sequence[str], folder: Path, command: str) -> Finding:
    """Models of the config: installed, with the right bytes; jobs on offline nodes fetch nothing.

    Args:
        records: ``resources/models/<name>/asset.json`` of each, relative to ``folder``.
        folder: working folder.
        command: what installs them.
    """
    missing = [Path(record).parent.name for record in records if not (folder / record).is_file()]
    if missing:
        return problem("models", f"not installed: {', '.join(missing)}", f"where there is a network: {command}")
    damaged = []
    for record in records:
        for name, sha256 in read_record(folder / record).files.items():
            file = (folder / record).parent / name
            if not file.is_file() or file_sha256(file) != sha256:
                damaged.append(str(file))
    if damaged:
        text = f"missing or changed: {', '.join(damaged)}"
        return problem("models", text, f"delete their folders, then: {command}")
    return ok("models", f"all {len(records)} installed, sha256 as in the manifest")


def dataset(config: Config) -> Finding:
    """The release is there and its videos may be read."""
    if config.dataset.source == "demo":
        return ok("data set", "the demo's, made by the run")
    root = Path(config.dataset.root)
    if not config.dataset.root:
        return problem("data set", "dataset.root is empty", "--config dataset='{root: /data/BAH}'")
    if not root.is_dir():
        return problem("data set", f"{root} is no folder", "correct dataset.root")
    if not os.access(root, os.R_OK | os.X_OK):
        return problem("data set", f"{root} may not be read by you", "ask its owner, or chmod")
    first = next(video_files(root), None)
    if first is None:
        if config.dataset.source != "release":  # split files alone
            return ok("data set", f"{root} can be read")
        return problem("data set", f"no video below {root}", "give the folder that holds Videos/ and split/")
    try:
        with open(first, "rb") as stream:
            stream.read(1)
    except OSError as error:
        return problem("data set", f"{first} cannot be read ({error.strerror})", "ask its owner, or chmod")
    return ok("data set", f"{root} can be read")


def room(folder: Path, disk_mb: float, inodes: float) -> Finding:
    """Free disk and inodes against what the run is forecast to leave."""
    status = os.statvfs(folder)
    free_mb, free_inodes = status.f_bavail * status.f_frsize / 1e6, status.f_favail
    need = f"{disk_mb / 1000:.1f} GB and {inodes:,.0f} files forecast"
    have = f"{free_mb / 1000:.1f} GB and {free_inodes:,} files free"
    if free_mb < disk_mb:
        return problem("disk", f"{need}, {have}", "free disk, or work in another folder")
    if status.f_files and free_inodes < inodes:  # some file systems count no inodes
        return problem("disk", f"{need}, {have}", "delete small files, or work in another folder")
    if free_mb < 1.5 * disk_mb:
        return warning("disk", f"{need}, {have}: little room for a second run", "free disk")
    return ok("disk", f"{need}, {have}")


def quota(disk_mb: float, inodes: float) -> Finding:
    """Your quota by ``quota -w``, against the forecast."""
    answer = query(["quota", "-w"])
    if not answer.there:
        return ok("quota", "no quota program here; on Lustre see lfs quota -h -u $USER .")
    tight, seen = [], 0
    for line in answer.text.splitlines():
        name, *cells = line.split()
        numbers = [int(cell.rstrip("*")) for cell in cells if re.fullmatch(r"\d+\*?", cell)]
        if len(numbers) < 6:
            continue
        seen += 1
        # blocks of 1 KiB and files: used, soft limit, hard limit; 0 is none
        used_kib, _, hard_kib, files, _, most_files = numbers[:6]
        left_mb, left_files = (hard_kib - used_kib) * 1024 / 1e6, most_files - files
        if (hard_kib and left_mb < disk_mb) or (most_files and left_files < inodes):
            tight.append(f"{name}: {left_mb / 1000:.1f} GB and {left_files} files left")
    if tight:
        text = f"{'; '.join(tight)}; {disk_mb / 1000:.1f} GB and {inodes:,.0f} files forecast"
        return warning("quota", text, "if your working folder is there: request more, or work elsewhere")
    return ok("quota", f"{seen} quotas, none too small" if seen else "none set for you")


_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "a+") as stream:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(3)
"""


def locks(folder: Path) -> Finding:
    """A lock held by one process keeps another out and ends with it; two writers of a shard never meet."""
    remedy = "mount with flock (Lustre: -o flock; NFS: version 4), or work in another folder"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".waver-check-") as scratch:
        path = Path(scratch) / "lock"
        with open(path, "a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return problem("locks", f"flock fails in {folder} ({error.strerror})", remedy)
            while_held = _other_process(path)
        after = _other_process(path)
    if (while_held, after) != (3, 0):
        return problem("locks", f"flock in {folder} does not keep a second process out", remedy)
    return ok("locks", "flock keeps a second process out (on one node; --submit tries two)")


def _other_process(path: Path) -> int:
    return subprocess.run([sys.executable, "-c", _TRY_LOCK, str(path)], capture_output=True, check=False).returncode


def renames(folder: Path) -> Finding:
    """Files and folders take their final names in one step, so that an incomplete store never has its final name."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".waver-check-") as scratch:
        base = Path(scratch)
        (base / "new").write_text("new")
        (base / "old").write_text("old")
        (base / ".store").mkdir()
        try:
            os.replace(base / "new", base / "old")
            os.rename(base / ".store", base / "store")
        except OSError as error:
            return problem("renames", f"not possible in {folder} ({error.strerror})", "work in another folder")
        if (base / "old").read_text() != "new" or (base / "new").exists() or not (base / "store").is_dir():
            return problem("renames", f"a rename in {folder} did not take effect", "work in another folder")
    return ok("renames", "files and folders are renamed in one step")


def latency(folder: Path, files: int = 20) -> Finding:
    """Time to make a small file and see it; a job leaves some of them beside its stores."""
    spent = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".waver-check-") as scratch:
        for number in range(files):
            started = time.perf_counter()
            (Path(scratch) / str(number)).write_text("x")
            os.stat(Path(scratch) / str(number))
            spent.append(time.perf_counter() - started)
    median_s = statistics.median(spent)
    text = f"{1000 * median_s:.1f} ms to make a small file in {folder}"
    if median_s > _SLOW_S:
        return warning("latency", text, "work on a scratch file system; jobs spend their time waiting for small files")
    return ok("latency", text)
