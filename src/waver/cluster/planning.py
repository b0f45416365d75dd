"""The jobs of a run, by a dry run of the workflow over a data set that does not exist yet.

Snakemake cannot plan past ingest, a checkpoint, before ingest has run. So the plan is made in a
scratch folder where the files that the rules of models and ingest would write lie empty: planning opens
none of them.
"""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from waver.config.model import Config
from waver.errors import WaverError
from waver.workflow.definitions import SOURCE

ROOT = SOURCE.parents[1]
_MODELS = ("models_install", "models_fetch")
LOCAL = frozenset({"all", "models", "tables"})
"""Rules that only name files."""


@dataclass(frozen=True)
class Plan:
    """A dry run.

    Attributes:
        jobs: rule -> number of jobs, without LOCAL rules.
        models: records of the models and media that the config uses; a full plan names them.
        cpu_s: CPU seconds of planning.
        wall_s: its wall seconds.
    """

    jobs: dict[str, int]
    cpu_s: float
    wall_s: float
    models: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.jobs.values())


def require_workflow(root: Path = ROOT) -> None:
    """Check that there is a workflow to plan, and what plans it.

    Args:
        root: the checkout from which Waver was imported; an installed package has none.

    Raises:
        WaverError: it holds no Snakefile, or Snakemake is not installed.
    """
    if not (root / "Snakefile").is_file():
        raise WaverError(
            f"{SOURCE} was installed without the workflow (Snakefile, rules, envs, profiles); clone the repository, "
            "run make setup there, and use the command of that folder, .venv/bin/waver"
        )
    missing = [name for name in ("snakemake", "yte") if importlib.util.find_spec(name) is None]
    if missing:
        raise WaverError(
            f"{' and '.join(missing)} cannot be imported by {sys.executable}; run make setup, or give at the root of "
            "the clone: pip install --editable '.[workflow]'"
        )


def plan(folder: Path, arguments: Sequence[str], root: Path = ROOT) -> Plan:
    """What ``snakemake <arguments>`` would run in ``folder``.

    Args:
        folder: working folder.
        arguments: of snakemake, e.g. ``["--configfile", ...]``.
        root: the checkout that holds the Snakefile.

    Raises:
        WaverError: Snakemake refuses; its last words are in the message.
    """
    return _job_stats(snakemake(root, folder, ["--dry-run", "--quiet", "rules", *arguments]))


def full_plan(config: Config, root: Path = ROOT, release: Path | None = None) -> Plan:
    """All jobs of a config from nothing to the report, whatever is there already.

    Args:
        config: of the run; neither its data set nor its models need be there.
        root: the checkout that holds the Snakefile.
        release: a data set for Snakemake to look through while it plans, to measure how long that takes;
            else an empty folder, the jobs being the same.

    Returns:
        The plan; its times are those of planning what comes after ingest.

    Raises:
        WaverError: the workflow refuses the config.
    """
    with tempfile.TemporaryDirectory(prefix="waver-plan-") as name:
        folder = Path(name)
        arguments = ["--configfile", str(_scratch_config(config, folder, release))]
        summary = snakemake(root, folder, ["--summary", *arguments])
        first = _first_files(summary.text)
        _touch(folder, [file for files in first.values() for file in files])
        rest = plan(folder, arguments, root)
    models = tuple(sorted(file for rule in _MODELS for file in first.get(rule, [])))
    # a model is a job of its own; a job of ingest writes many files
    early = {rule: len(files) if rule in _MODELS else 1 for rule, files in first.items()}
    late = {rule: count for rule, count in rest.jobs.items() if rule not in first}
    return Plan({**early, **late}, rest.cpu_s, rest.wall_s, models)


def _scratch_config(config: Config, folder: Path, release: Path | None) -> Path:
    """The whole config as one file, with an empty release in the place of the user's."""
    values = config.model_dump(mode="json")
    if config.dataset.source != "demo":
        values["dataset"]["root"] = str(release or folder / "release")
        (folder / "release").mkdir()
    values["models"]["paths"] = {role: str(Path(path).absolute()) for role, path in config.models.paths.items()}
    (folder / "config").mkdir()
    file = folder / "config/config.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def _first_files(summary: str) -> dict[str, list[str]]:
    """Rule -> files of the rules up to the checkpoint."""
    found: dict[str, list[str]] = {}
    for line in summary.splitlines():
        file, _, rule = (*line.split("\t"), "", "", "")[:3]
        if rule.startswith(("models_", "ingest_")):
            found.setdefault(rule, []).append(file)
    return dict(sorted(found.items(), reverse=True))


def _touch(folder: Path, files: Sequence[str]) -> None:
    now = time.time()
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
        os.utime(folder / file, (now, now))  # none newer than another


@dataclass(frozen=True)
class Said:
    """What Snakemake printed, and the CPU and wall seconds it took."""

    text: str
    cpu_s: float
    wall_s: float


def snakemake(root: Path, folder: Path, arguments: Sequence[str]) -> Said:
    """Run Snakemake in a folder, with the workflow and the presets of ``root``.

    Raises:
        WaverError: it fails; its last words are in the message.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", "16", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--nolock", *arguments]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # from the root, so that relative presets and the default profile are found
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode:
        words = " ".join((result.stderr + result.stdout).strip().splitlines()[-3:])
        raise WaverError(f"Snakemake refuses: {words}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Said(result.stdout + "\n" + result.stderr, cpu_s, time.perf_counter() - started)


def _job_stats(said: Said) -> Plan:
    table = said.text.split("Job stats:")[-1].split("total")[0] if "Job stats:" in said.text else ""
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    return Plan({rule: count for rule, count in counts.items() if rule not in LOCAL}, said.cpu_s, said.wall_s)
