"""Is this machine or cluster suitable? One line per check.

The command is ``waver doctor --configfile X``. Nothing is sent anywhere, and nothing is left behind; ``--submit``
alone starts jobs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from waver.cluster import machine, slurm, storage
from waver.cluster.findings import Finding, ok, problem
from waver.cluster.forecast import forecast
from waver.cluster.planning import ROOT, full_plan, require_workflow
from waver.cluster.privacy import private
from waver.cluster.settings import add_arguments, read_config, read_profile
from waver.config.model import Config
from waver.errors import WaverError

INSTALL = (".venv/bin/snakemake", "models", "--cores", "1")
LOCKS = tuple(ROOT / "envs" / name for name in ("cpu.txt", "embedded.txt"))


def findings(config: Config, profile: dict[str, Any], folder: Path, command: str, submit: bool) -> Iterator[Finding]:
    """All checks, in the order in which problems are best solved.

    Args:
        config: of the run.
        profile: the cluster profile.
        folder: working folder.
        command: what installs the models, for a remedy.
        submit: start a job of a minute on each partition.
    """
    yield from _try("Python", machine.python)
    yield from _try("packages", machine.packages, LOCKS)
    yield from _try("codecs", machine.codecs)
    yield from _try("GPU", machine.gpus)
    if config.dataset.source == "demo":
        yield from _try("demo speech", machine.speech_synthesiser, folder / "resources/models")
    yield from _try("data set", storage.dataset, config)
    yield from _try("privacy", private, config, folder)
    yield from _try("workflow", _workflow, config, folder, command)
    for check in (storage.locks, storage.renames, storage.latency):
        yield from _try(check.__name__, check, folder)
    yield from _cluster(profile, folder, submit)


def _workflow(config: Config, folder: Path, command: str) -> list[Finding]:
    """Checks that need the plan of the run: its models, and space for its outputs."""
    planned = full_plan(config)
    found = [ok("workflow", f"{planned.total} jobs from nothing to the report")]
    found.append(storage.models(planned.models, folder, command))
    try:
        costs = forecast(config, folder, jobs=planned.jobs)
    except WaverError as error:
        return [*found, problem("disk", f"no forecast: {error}", "correct dataset.root")]
    return [*found, storage.room(folder, costs.disk_mb, costs.inodes), storage.quota(costs.disk_mb, costs.inodes)]


def _cluster(profile: dict[str, Any], folder: Path, submit: bool) -> Iterator[Finding]:
    there = list(_try("Slurm", slurm.reachable))
    yield from there
    if there[0].level != "ok":
        return
    yield from _try("partitions", slurm.partitions, profile)
    yield from _try("account", slurm.account, profile)
    yield from _try("job status", slurm.job_status, profile)
    for partition, wanted in slurm.wanted_partitions(profile).items() if submit else ():
        yield from _try(f"job on {partition}", slurm.submitted, partition, wanted, profile, folder)


def _try(name: str, check: Callable[..., Finding | list[Finding]], *arguments: object) -> Iterator[Finding]:
    """A check that raises is also a finding, and the others are still run."""
    try:
        found = check(*arguments)
    except WaverError as error:
        yield problem(name, str(error), "correct it and try again")
    except Exception as error:
        yield problem(
            name, f"the check broke ({type(error).__name__}: {error})", "report this with your site's versions"
        )
    else:
        yield from found if isinstance(found, list) else [found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings as they come; 1 where one is a problem.

    Raises:
        WaverError: there is no workflow, or the config or the profile is wrong.
    """
    parser = argparse.ArgumentParser(prog="waver doctor", description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--submit", action="store_true", help="also run a job of a minute on each partition")
    given = parser.parse_args(arguments)
    require_workflow()
    config, profile = read_config(given.configfile, given.config), read_profile(given.profile)
    install = [*INSTALL]
    for option in ("configfile", "config"):
        install += [f"--{option}", *getattr(given, option)] if getattr(given, option) else []
    seen: list[Finding] = []
    for finding in findings(config, profile, Path.cwd(), shlex.join(install), given.submit):
        sys.stdout.write(finding.line + "\n")
        sys.stdout.flush()
        seen.append(finding)
    counts = {level: sum(finding.level == level for finding in seen) for level in ("ok", "warning", "problem")}
    sys.stdout.write(", ".join(f"{count} {level}" for level, count in counts.items()) + "\n")
    return int(counts["problem"] > 0)
