"""The cost of a run, before it is submitted.

The command is ``waver forecast --configfile X``. Jobs come from a dry run of the workflow itself, CPU time and disk
from measured rates.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from waver.cluster.planning import full_plan, require_workflow
from waver.cluster.rates import Cost, calibrate, costs, load_rates
from waver.cluster.settings import add_arguments, read_config, read_profile
from waver.cluster.slurm import minutes
from waver.cluster.workload import Workload, workload
from waver.config.model import Config
from waver.errors import WaverError

PRESETS = "config/presets"
_TRAINED = ("train", "answers", "videos")
"""Sections with options of networks."""


@dataclass(frozen=True)
class Forecast:
    """The costs of a run and what they rest on.

    Attributes:
        run: name of the run.
        costs: one a rule.
        work: the data set.
        calibrated: the run whose measurements were used, or empty.
        factors: rule -> how much slower it was there than the table says; rules that were used.
        profile: the cluster profile, for GPU and run time of the rules.
    """

    run: str
    costs: list[Cost]
    work: Workload
    calibrated: str
    factors: Mapping[str, float]
    profile: Mapping[str, Any]

    @property
    def disk_mb(self) -> float:
        return sum(cost.disk_mb for cost in self.costs)

    @property
    def inodes(self) -> float:
        return sum(cost.inodes for cost in self.costs)

    def on_gpu(self, rule: str) -> bool:
        """Whether the profile requests a GPU for this rule."""
        return any(key in self._resources(rule) for key in ("gpu", "gres", "gpu_model"))

    def runtime(self, rule: str) -> Any:
        """The profile's run time, minutes or an expression."""
        return self._resources(rule).get("runtime")

    def _resources(self, rule: str) -> dict[str, Any]:
        own = self.profile.get("set-resources", {}).get(rule, {})
        return {**self.profile.get("default-resources", {}), **own}


def forecast(
    config: Config,
    folder: Path,
    profile: Mapping[str, Any] | None = None,
    measured: Path | None = None,
    files: Sequence[str] = (),
    participants: int | None = None,
    hours: float | None = None,
    jobs: Mapping[str, int] | None = None,
) -> Forecast:
    """Forecast a run.

    Args:
        config: of the run.
        folder: working folder, where ``resources`` lies and Snakemake will be started.
        profile: the cluster profile.
        measured: ``benchmarks/<run>`` of a run to calibrate by.
        files: config files among which the measured run's is looked for, before the presets.
        participants: instead of a data set.
        hours: of video, instead of a data set.
        jobs: rule -> number of jobs, if the run is planned already.

    Raises:
        WaverError: the workflow refuses the config, or there is no data set and no number.
    """
    rates = load_rates()
    work = workload(config, rates, folder, participants, hours)
    jobs = full_plan(config).jobs if jobs is None else jobs
    factors = _factors(measured, config, jobs, work, folder, files) if measured else {}
    name = str(measured) if measured else ""
    return Forecast(config.run, costs(jobs, config, work, factors), work, name, factors, profile or {})


def _factors(
    measured: Path, config: Config, jobs: Mapping[str, int], work: Workload, folder: Path, files: Sequence[str]
) -> dict[str, float]:
    """Calibration by a run, which may be the one to be forecast, half finished."""
    if measured.name == config.run:
        return calibrate(measured, jobs, config, work)
    for file in [*map(Path, files), *sorted((folder / PRESETS).glob("*.yaml"))]:
        if (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("run") == measured.name:
            theirs = read_config([file])
            found = calibrate(measured, full_plan(theirs).jobs, theirs, workload(theirs, load_rates(), folder))
            # the table's training rates are those of one size of networks
            same = all(getattr(theirs, one).options == getattr(config, one).options for one in _TRAINED)
            return {rule: factor for rule, factor in found.items() if same or not rule.startswith("train_")}
    raise WaverError(
        f"no config file says run: {measured.name}, so {measured} cannot be read; add it: --from-configfile FILE"
    )


def lines(found: Forecast) -> list[str]:
    """The forecast as text: stages with their rules, the sum, and what it rests on."""
    head = f"{'rule':<20}{'jobs':>6}{'CPU-h':>10}{'CPU-h/job':>11}{'GPU jobs':>10}{'disk GB':>10}{'inodes':>10}"
    out = [f"Forecast of run {found.run}: {found.work.videos} videos, {found.work.hours:.1f} h", "", head]
    for stage in dict.fromkeys(cost.stage for cost in found.costs):
        own = [cost for cost in found.costs if cost.stage == stage]
        out += [_line(cost.rule, [cost], found) for cost in own]
        if len(own) > 1:
            out.append(_line(f"= {stage}", own, found))
    out += [_line("= all", found.costs, found), "", *_basis(found)]
    return out


def _line(name: str, own: Sequence[Cost], found: Forecast) -> str:
    jobs, hours = sum(cost.jobs for cost in own), sum(cost.cpu_s for cost in own) / 3600
    gpu = sum(cost.jobs for cost in own if found.on_gpu(cost.rule))
    disk, inodes = sum(cost.disk_mb for cost in own) / 1000, sum(cost.inodes for cost in own)
    uncounted = sum(cost.uncounted for cost in own)
    mark = "~" * any(cost.estimated for cost in own) + "+" * bool(uncounted)
    total, each = ("?", "?") if uncounted == jobs else (f"{hours:.1f}{mark}", f"{hours / jobs:.2f}{mark}")
    return f"{name:<20}{jobs:>6}{total:>10}{each:>11}{gpu or '-':>10}{disk:>10.1f}{inodes:>10.0f}"


def _basis(found: Forecast) -> list[str]:
    measured = load_rates()["measured"]
    slower = ", ".join(f"{rule} x {factor:.2f}" for rule, factor in found.factors.items())
    by = (
        f", calibrated by {found.calibrated} ({slower})"
        if found.calibrated
        else " (calibrate: --from benchmarks/<run>)"
    )
    out = [
        f"data set: {found.work.basis}.",
        f"rates: CPU only, {measured['cpu']}, {measured['date']}{by}. Training is taken to run all its epochs.",
        "GPU-hours: no rate was ever measured on a GPU; for the GPU jobs above, the CPU-hours are what they would "
        "take without one.",
    ]
    if any(cost.uncounted for cost in found.costs):
        out.append("?: work that was never measured, or cannot be counted yet. +: such work is missing in the number.")
    if any(cost.estimated for cost in found.costs):
        out.append("~: with an estimate for models that were never measured.")
    for cost in found.costs:
        out += cost.remarks
        if cost.like:
            reason = "its work is not counted" if cost.like == "nothing" else f"the rates of {cost.like} are used"
            out.append(f"{cost.rule} was never measured: {reason}.")
        allowed = minutes(found.runtime(cost.rule), 1)
        if allowed and cost.longest_s > 60 * allowed:
            out.append(
                f"WARNING: a job of {cost.rule} takes {cost.longest_s / 3600:.1f} CPU-hours, the profile "
                f"allows {allowed / 60:.1f} h; give it a GPU or threads, or raise its runtime."
            )
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the forecast.

    Raises:
        WaverError: there can be none.
    """
    parser = argparse.ArgumentParser(prog="waver forecast", description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--participants", type=int, help="instead of a data set")
    parser.add_argument("--hours", type=float, help="hours of video, instead of a data set")
    parser.add_argument("--from", dest="measured", type=Path, help="benchmarks/<run> of a run to calibrate by")
    parser.add_argument("--from-configfile", nargs="+", default=[], help="config file of that run, if it is no preset")
    given = parser.parse_args(arguments)
    require_workflow()
    config, profile = read_config(given.configfile, given.config), read_profile(given.profile)
    files = [*given.from_configfile, *given.configfile]
    found = forecast(config, Path.cwd(), profile, given.measured, files, given.participants, given.hours)
    sys.stdout.write("\n".join(lines(found)) + "\n")
    return 0
