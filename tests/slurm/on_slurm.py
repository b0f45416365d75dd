"""Workspaces on a real Slurm: copies of the repository with a small data set, and what Slurm tells of their jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from checkout import ROOT

HOME = Path(os.environ.get("WAVER_SLURM_DIR", "/tmp/waver-slurm"))
PARTS = ("Snakefile", "rules", "workflow", "src", "config", "envs", "profiles")
SMALL = {
    "run": "small",
    "dataset": {"name": "small", "shards": 2, "root": "data"},
    "features": {"faces": {"long_side": 320, "every": 4}, "speech": {"beam": 1}},
    "train": {
        "runs": [{"fusion": "can", "modalities": "V"}],
        "seeds": [0],
        "folds": 0,
        "window": 96,
        "epochs": 2,
        "options": {},
    },
    "adapt": {"methods": ["source_only"], "protocols": ["block"], "source_epochs": 2},
    "evaluate": {"bootstrap": 100},
}
FAULTS = {"run": "faults", "adapt": {"methods": []}}
SITE = {"WAVER_CPU_PARTITION": "cpu", "WAVER_GPU_PARTITION": "gpu", "WAVER_STATUS": "squeue", "WAVER_WAIT_S": "10"}


@dataclass(frozen=True)
class Submission:
    """A job as Slurm tells of it; jobs that ended stay visible for half an hour."""

    id: str
    rule: str
    partition: str
    state: str
    node: str


@dataclass(frozen=True)
class Workspace:
    """A copy of the repository with a data set, where commands run as a user gives them."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / "snakemake"), *arguments]

    def environment(self) -> dict[str, str]:
        """A user's shell at this site: nothing of pytest's, what the profile reads, bytecode kept."""
        foreign = (
            "PYTHONPATH",
            "PYTHONDONTWRITEBYTECODE",
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
        )
        return {key: value for key, value in os.environ.items() if key not in foreign} | SITE

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment(), capture_output=True, text=True,
            check=False, timeout=1500,
        )  # fmt: skip

    def run(self, *arguments: str) -> Counter[str]:
        """Run what is missing; the number of jobs of each rule that ended well."""
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return finished_jobs(result.stderr)

    def would_run(self, *arguments: str) -> dict[str, int]:
        """Jobs that a run would start now, by rule."""
        result = self.snakemake("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        table = (result.stdout + result.stderr).split("Job stats:")[-1].split("total")[0]
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE) if rule != "all"}

    def start(self, *arguments: str) -> Head:
        """Start a run and go on."""
        output = open(self.folder / "head.log", "w+")  # noqa: SIM115 (lives as long as the process)
        process = subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        return Head(process, self)

    def submissions(self, rule: str = "") -> list[Submission]:
        """This folder's jobs in Slurm, oldest first; of one rule, with its wildcards, if it is named."""
        answer = subprocess.run(
            ["squeue", "--states=all", "--noheader", "--sort=i", "--format=%i|%k|%P|%T|%N|%Z"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows = [line.split("|") for line in answer.stdout.splitlines()]
        own = [
            Submission(row[0], row[1].removeprefix("rule_"), *row[2:5]) for row in rows if row[5] == str(self.folder)
        ]
        return [job for job in own if job.rule == rule or not rule]

    def shard_of(self, shard: str) -> list[Path]:
        """Participants' folders, below a thing's stores, of one shard."""
        from waver.io.tables import VIDEOS, read_table

        rows = read_table(self.folder / f"resources/small/ingest/shards/{shard}.videos.parquet", VIDEOS)
        return sorted({Path(row["participant"]) for row in rows})

    def stores(self, thing: str) -> dict[Path, tuple[int, int]]:
        """Whole stores of a thing: path to inode and time of its last change."""
        found = (self.folder / f"resources/small/features/{thing}/stores").glob("*/*.zarr")
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


@dataclass(frozen=True)
class Head:
    """A running ``snakemake``, the head process of a run."""

    process: subprocess.Popen[bytes]
    workspace: Workspace

    def output(self) -> str:
        return (self.workspace.folder / "head.log").read_text()

    def end(self, seconds: float = 900) -> Counter[str]:
        """Wait for a good end; the number of jobs of each rule that ended well."""
        code = self.process.wait(seconds)
        assert code == 0, self.output()
        return finished_jobs(self.output())


def finished_jobs(output: str) -> Counter[str]:
    return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", output, re.MULTILINE))


def wait_for(condition: Callable[[], object], what: str, seconds: float = 300) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)


def processes(job: str, script: str = "") -> list[int]:
    """Processes of a Slurm job; those that run a rule's script, if it is named."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        program, *rest = command.split(b"\0")
        if f"SLURM_JOB_ID={job}\0".encode() in environment and (
            not script or (b"python" in program and any(part.endswith(script.encode()) for part in rest))
        ):
            found.append(int(process.name))
    return found


def make_workspace(folder: Path) -> Workspace:
    """What a clone would hold, and a data set of six participants beside it."""
    from waver.assets.manifest import install, manifest
    from waver.config.sections import DemoConfig
    from waver.datasets.demo.build import build_demo

    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        ignore = shutil.ignore_patterns("__pycache__", "site.yaml")
        shutil.copytree(source, folder / part, ignore=ignore) if source.is_dir() else shutil.copy2(source, folder)
    (folder / "slurm").symlink_to((ROOT / "slurm").readlink())
    for name, asset in manifest().items():
        if asset.set == "demo":
            install(name, folder / "resources/models" / name, {})
    config = DemoConfig(train=3, val=1, test=2, questions=2, clauses=2, width=320, height=240, trouble=False)
    build_demo(folder / "data", folder / "made.json", folder / "resources/models", config, workers=2)
    (folder / "small.json").write_text(json.dumps(SMALL))
    (folder / "faults.json").write_text(json.dumps(FAULTS))
    return Workspace(folder)
