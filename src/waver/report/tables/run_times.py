"""Run time and memory per rule, from Snakemake's benchmark files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waver.report.formatting import span

STAGES = ("ingest", "features", "align", "train", "adapt", "zeroshot", "evaluate", "report")


@dataclass(frozen=True)
class Cost:
    """One rule: jobs run, their wall seconds summed and longest, CPU seconds, peak memory in MB."""

    stage: str
    rule: str
    jobs: int
    wall_s: float
    longest_s: float
    cpu_s: float
    peak_mb: float

    @property
    def wall(self) -> str:
        return span(self.wall_s)

    @property
    def longest(self) -> str:
        return span(self.longest_s)

    @property
    def cpu(self) -> str:
        return span(self.cpu_s) if self.cpu_s else "–"

    @property
    def memory(self) -> str:
        if not self.peak_mb:
            return "–"
        return f"{self.peak_mb / 1024:.1f} GB" if self.peak_mb >= 1024 else f"{self.peak_mb:.0f} MB"


def costs(folder: Path) -> list[Cost]:
    """Rules in order of stages; empty where there are no benchmark files.

    Args:
        folder: ``benchmarks/<run>``, holding ``<rule>/<wildcards>.jsonl``.
    """
    if not folder.is_dir():
        return []
    found = [_cost(rule) for rule in sorted(path for path in folder.iterdir() if path.is_dir())]
    return sorted((cost for cost in found if cost.jobs), key=lambda cost: (_place(cost.stage), cost.rule))


def _cost(folder: Path) -> Cost:
    jobs = [job for path in sorted(folder.rglob("*.jsonl")) for job in jobs_in(path)]
    wall = [number_of(job, "s") for job in jobs]
    return Cost(
        stage=folder.name.split("_")[0],
        rule=folder.name,
        jobs=len(jobs),
        wall_s=sum(wall),
        longest_s=max(wall, default=0.0),
        cpu_s=sum(number_of(job, "cpu_time") for job in jobs),
        peak_mb=max((number_of(job, "max_rss") for job in jobs), default=0.0),
    )


def jobs_in(path: Path) -> Iterator[dict[str, Any]]:
    """Measurements of a benchmark file, one per run of the job; none where there is no file."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            job = json.loads(line)
        except json.JSONDecodeError:
            # a job that is killed while it writes leaves half a line
            continue
        if isinstance(job, dict):
            yield job


def number_of(job: dict[str, Any], key: str) -> float:
    """A measured number; 0 where the job was too short to be measured."""
    try:
        value = float(job.get(key, 0.0))
    except (TypeError, ValueError):
        return 0.0
    return value if math.isfinite(value) else 0.0


def _place(stage: str) -> int:
    return STAGES.index(stage) if stage in STAGES else len(STAGES)
