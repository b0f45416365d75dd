"""From what there is to do to what it costs: measured rates per unit, recalibrated by finished runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from waver.cluster.face_jobs import face_parts
from waver.cluster.model_jobs import parts_of_rule
from waver.cluster.prompt_costs import estimated
from waver.cluster.workload import Workload
from waver.config.model import Config
from waver.errors import WaverError

_ADAPTING = ("adapt_target", "adapt_fusion", "adapt_faces", "adapt_vision_language")
RATES = Path(__file__).with_name("rates.yaml")


@dataclass(frozen=True)
class Cost:
    """One rule over a whole run.

    Attributes:
        rule: its name.
        jobs: number of jobs.
        cpu_s: CPU seconds of the jobs' own work and of starting them.
        disk_mb: left on the disk.
        inodes: files and folders left on the disk.
        like: the rule whose rates were taken for want of its own; empty where it has some.
        longest_s: CPU seconds of the longest job.
        estimated: jobs whose own work was never measured, and is estimated in ``cpu_s``.
        uncounted: jobs whose own work is not in ``cpu_s``, for it was never measured or cannot be known.
        remarks: what a reader must know of the number, in words.
    """

    rule: str
    jobs: int
    cpu_s: float
    disk_mb: float
    inodes: float
    like: str
    longest_s: float = 0.0
    uncounted: int = 0
    remarks: tuple[str, ...] = ()
    estimated: int = 0

    @property
    def stage(self) -> str:
        return self.rule.split("_")[0]


@cache
def load_rates() -> dict[str, Any]:
    """The committed table of rates."""
    rates: dict[str, Any] = yaml.safe_load(RATES.read_text(encoding="utf-8"))
    return rates


def units(rule: str, jobs: Mapping[str, int], config: Config, work: Workload) -> dict[str, float]:
    """How often each unit of the table occurs in a rule, see the head of ``rates.yaml``."""
    count = jobs[rule]
    faces, train = config.features.faces, config.train
    # once more for each other visual backbone
    frames = work.frames() * (1 + len(train.backbones) if rule in ("features_visual", "align_pack") else 1)
    adapted = count / config.dataset.shards
    tables = sum(n for name, n in jobs.items() if name.startswith("train_"))
    adapting = sum(n for name, n in jobs.items() if name in _ADAPTING)
    tables += adapting // config.dataset.shards
    # each training job writes its own table; scoring reads them all
    tables = tables if rule.startswith("evaluate_") else count
    return {
        "job": count,
        "video": work.videos,
        "frame": frames,
        "megapixel": frames / faces.every * 0.75 * faces.long_side**2 / 1e6,
        "recognised_frame": frames if config.features.speech.source == "recognise" else 0.0,
        "trained_frame": count * train.epochs * work.window_frames(train.window, train.hop),
        # every fold is left out once
        "folded_frame": count
        * train.epochs
        * max(0, train.folds - 1)
        * work.window_frames(train.window, train.hop, "train", "val"),
        "source_frame": count * config.adapt.source_epochs * _source_frames(config, work),
        "adapted_frame": adapted * work.frames(*config.adapt.target_splits),
        "scored_frame": tables * work.frames("val", "test"),
    }


def _source_frames(config: Config, work: Workload) -> float:
    """Frames of an epoch of the source models; in a cross-validation, every fold is left out once, and chooses once."""
    if config.adapt.targets == "cross_validation":
        return max(1, config.train.folds - 2) * work.frames("train", "val")
    return work.frames("train")


def costs(
    jobs: Mapping[str, int], config: Config, work: Workload, factors: Mapping[str, float] | None = None
) -> list[Cost]:
    """What each rule costs.

    Args:
        jobs: rule -> number of jobs, as the workflow plans them.
        config: of the run.
        work: how much there is to do.
        factors: rule -> how much slower this machine is than that of the table, see ``calibrate``.
    """
    rates = load_rates()
    found = []
    for rule, count in jobs.items():
        known = _like(rule, rates["rules"])
        own = rates["rules"].get(known, {})
        amount = units(rule, jobs, config, work)
        left = {**own, **rates["rules"].get(rule, {})}
        sums = {kind: _sum(left.get(kind, {}), amount) for kind in ("disk_mb", "inodes")}
        cpu = _cpu_of_models(rule, config, work, rates) if "models" in own else _cpu_of_rule(own, amount)
        factor, start_s = (factors or {}).get(rule, 1.0), rates["start_cpu_s"]
        found.append(
            Cost(
                rule,
                count,
                cpu.sum_s * factor + count * start_s,
                sums["disk_mb"],
                sums["inodes"] + count * rates["job_inodes"],
                "" if known == rule else known or "nothing",
                cpu.longest_s * factor + start_s,
                cpu.uncounted,
                cpu.remarks,
                cpu.estimated,
            )
        )
    return found


@dataclass(frozen=True)
class _Cpu:
    """CPU seconds of the jobs' own work, see ``Cost``."""

    sum_s: float
    longest_s: float
    uncounted: int = 0
    remarks: tuple[str, ...] = ()
    estimated: int = 0


def _cpu_of_rule(own: Mapping[str, Any], amount: Mapping[str, float]) -> _Cpu:
    if "cpu_s" not in own:
        return _Cpu(0.0, 0.0, int(amount["job"]))
    seconds = _sum(own["cpu_s"], amount)
    return _Cpu(seconds, seconds / amount["job"])


def _cpu_of_models(rule: str, config: Config, work: Workload, rates: dict[str, Any]) -> _Cpu:
    """Of a rule whose jobs train models of very different cost, each with rates of its own."""
    known: dict[str, dict[str, float]] = rates["rules"][rule]["models"]
    seconds, longest, uncounted, guessed, remarks = 0.0, 0.0, 0, 0, []
    parts = face_parts(config, work, rates) if rule == "adapt_faces" else parts_of_rule(rule, config, work, rates)
    for part in (one for one in parts if one.jobs):
        which = f"{rule}, {part.model} (jobs: {part.jobs})"
        remarks += [f"{which}: {part.note}."] if part.note else []
        estimate = None if part.model in known else estimated(part, config, rates)
        if estimate is not None:
            seconds, longest = seconds + estimate.cpu_s, max(longest, estimate.cpu_s / part.jobs)
            guessed += part.jobs
            remarks.append(f"{which}: {estimate.basis}.")
            continue
        if part.missing or part.model not in known:
            uncounted += part.jobs
            remarks.append(f"{which}: {part.missing or 'never measured'}; the work is not counted.")
            continue
        own = _sum(known[part.model], part.amount)
        seconds, longest = seconds + own, max(longest, own / part.jobs)
        if part.other:
            remarks.append(f"{which}: measured with the default options of the network, which has others here.")
    return _Cpu(seconds, longest, uncounted, tuple(remarks), guessed)


def calibrate(folder: Path, jobs: Mapping[str, int], config: Config, work: Workload) -> dict[str, float]:
    """How much slower or faster than the table each rule was in a finished or half-finished run.

    Args:
        folder: ``benchmarks/<run>`` of that run.
        jobs: the jobs of that run, as planned.
        config: of that run.
        work: its data set.

    Returns:
        Rule -> measured over forecast CPU seconds of one job.

    Raises:
        WaverError: the folder holds no measurement.
    """
    start_s = float(load_rates()["start_cpu_s"])
    whole = [cost for cost in costs(jobs, config, work) if not cost.uncounted]
    expected = {cost.rule: cost.cpu_s / cost.jobs - start_s for cost in whole}
    measured = {rule: _cpu_seconds(folder / rule) for rule in expected}
    found = {rule: sum(s) / len(s) / expected[rule] for rule, s in measured.items() if s and expected[rule] > 0}
    if not found:
        raise WaverError(f"{folder} holds no measured job; give the folder of a run: --from benchmarks/<run>")
    return found


def _cpu_seconds(folder: Path) -> list[float]:
    """CPU seconds of the jobs of a rule that were long enough to be measured."""
    found = []
    for path in sorted(folder.rglob("*.jsonl")) if folder.is_dir() else []:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                seconds = float(json.loads(line)["cpu_time"])
            except (ValueError, KeyError, TypeError):  # half a line of a killed job, or "NA"
                continue
            if math.isfinite(seconds) and seconds > 0:
                found.append(seconds)
    return found


def _like(rule: str, rules: Mapping[str, Any]) -> str:
    """The rule whose rates are taken; empty where there are none."""
    if rule in rules:
        return str(rules[rule].get("like", rule)).replace("nothing", "")
    stage = rule.split("_")[0]
    return next((name for name in rules if name.split("_")[0] == stage), "")


def _sum(rates: Mapping[str, float], amount: Mapping[str, float]) -> float:
    return sum(rate * amount[unit] for unit, rate in rates.items())
