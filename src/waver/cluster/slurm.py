"""Checks of the cluster: is Slurm available, with the partitions, account and limits of the profile?"""

from __future__ import annotations

import fcntl
import getpass
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waver.cluster.findings import Finding, ok, problem, query, warning

Profile = Mapping[str, Any]
_VARIABLES = "WAVER_CPU_PARTITION and WAVER_GPU_PARTITION"


def reachable() -> Finding:
    """The controller answers and knows the user."""
    partitions = query(["sinfo", "--noheader", "--format=%P"])
    if not partitions.there:
        return warning("Slurm", "none here", "on a cluster, try on a login node; else run without --profile")
    queue = query(["squeue", "--noheader", "--user", getpass.getuser()])
    for name, answer in (("sinfo", partitions), ("squeue", queue)):
        if not answer.works:
            return problem("Slurm", f"{name} fails: {answer.text[:200]}", "ask your site; is the controller up?")
    return ok("Slurm", f"answers; {len(queue.text.splitlines())} jobs of yours in the queue")


def wanted_partitions(profile: Profile) -> dict[str, dict[str, Any]]:
    """Partition -> what the profile requests of it: rules, longest first and last run time in minutes, GPU."""
    defaults = profile.get("default-resources", {})
    attempts = 1 + int(profile.get("retries", 0))
    found: dict[str, dict[str, Any]] = {}
    for rule, own in {"": {}, **profile.get("set-resources", {})}.items():
        resources = {**defaults, **own}
        place = found.setdefault(
            str(value(resources.get("slurm_partition", ""))), {"rules": [], "first": 0.0, "last": 0.0, "gpu": False}
        )
        place["rules"] += [rule] if rule else []
        place["first"] = max(place["first"], minutes(resources.get("runtime"), 1))
        place["last"] = max(place["last"], minutes(resources.get("runtime"), attempts))
        place["gpu"] = place["gpu"] or any(value(resources.get(key)) for key in ("gpu", "gres", "gpu_model"))
    return found


def value(resource: Any) -> Any:
    """What Snakemake takes a profile's resource for: an expression, or where it is none, a text.

    An expression on the job's input gets one that names a model.
    """
    if not isinstance(resource, str):
        return resource
    try:
        return eval(resource, {"__builtins__": {}, "input": {"model": "its record"}})
    except (NameError, SyntaxError):
        return resource


def minutes(runtime: Any, attempt: int) -> float:
    """Minutes of a profile's ``runtime`` in an attempt; 0 where it is not a number or ``<n> * attempt``."""
    found = re.fullmatch(r"\s*([\d.]+)\s*(\*\s*attempt)?\s*", str(runtime))
    return float(found.group(1)) * (attempt if found.group(2) else 1) if found else 0.0


def partitions(profile: Profile) -> list[Finding]:
    """Each partition of the profile: there, up, with GPUs where requested, and with time enough."""
    answer = query(["sinfo", "--noheader", "--format=%P|%a|%l|%D|%G"])
    if not answer.works:
        return [problem("partitions", f"sinfo fails: {answer.text[:200]}", "ask your site")]
    there: dict[str, list[list[str]]] = {}
    for line in answer.text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        there.setdefault(cells[0].rstrip("*"), []).append(cells)
    return [_partition(name, wanted, there) for name, wanted in wanted_partitions(profile).items()]


def _partition(name: str, wanted: dict[str, Any], there: dict[str, list[list[str]]]) -> Finding:
    check = f"partition {name or '(default)'}"
    if not name:
        return ok(check, "the profile leaves it to the site")
    if name not in there:
        return problem(check, f"not here; here are {', '.join(sorted(there))}", f"export {_VARIABLES}")
    rows = there[name]
    if all(row[1] != "up" for row in rows):
        return problem(check, f"is {rows[0][1]}", f"wait, or export {_VARIABLES}")
    if wanted["gpu"] and not any("gpu" in row[4] for row in rows):
        return problem(check, "has no GPU (GRES), and the profile requests one", "export WAVER_GPU_PARTITION")
    limit = minutes_of(rows[0][2])
    text = f"up, {sum(int(row[3]) for row in rows)} nodes, limit {rows[0][2]}"
    if limit < wanted["first"]:
        return problem(check, f"{text}, and a job requests {wanted['first']:.0f} min", "lower runtime in the profile")
    if limit < wanted["last"]:
        text = f"{text}, and the last attempt of a job requests {wanted['last']:.0f} min"
        return warning(check, text, "lower retries or runtime in the profile")
    return ok(check, text)


def minutes_of(limit: str) -> float:
    """Minutes of Slurm's ``days-hours:minutes:seconds``; infinite where there is no limit.

    Without days, two numbers are minutes and seconds, and one is minutes.
    """
    if not re.fullmatch(r"[\d:-]+", limit):
        return float("inf")
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:
        hours, mins, secs = (*parts, 0, 0)[:3]
    else:
        hours, mins, secs = {1: (0, parts[0], 0), 2: (0, *parts)}.get(len(parts)) or parts
    return int(days or 0) * 1440 + hours * 60 + mins + secs / 60


def account(profile: Profile) -> Finding:
    """The account that jobs are charged to, if there is accounting."""
    name = value(profile.get("default-resources", {}).get("slurm_account"))
    answer = query(
        ["sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={getpass.getuser()}", "format=account"]
    )
    known = sorted({line.strip() for line in answer.text.splitlines() if line.strip()}) if answer.works else []
    if name and known and name not in known:
        return problem("account", f"{name} is not yours; yours are {', '.join(known)}", "export WAVER_ACCOUNT")
    if name:
        return ok("account", f"{name}" if known else f"{name} (sacctmgr does not answer, so it was not checked)")
    if known:
        text = f"none given; the site's default is taken of {', '.join(known)}"
        return warning("account", text, "export WAVER_ACCOUNT if the site requires one")
    return ok("account", "none given, and none known")


def job_status(profile: Profile) -> Finding:
    """How Snakemake detects the end of a job: sacct needs an accounting database, squeue a long enough MinJobAge."""
    command = profile.get("slurm-status-command", "sacct")
    if command == "sacct":
        answer = query(["sacct", "--noheader", "--starttime=now-1hour"])
        if answer.works:
            return ok("job status", "by sacct")
        return problem("job status", f"sacct fails: {answer.text[:200]}", "export WAVER_STATUS=squeue")
    wait_s = int(profile.get("slurm-init-seconds-before-status-checks", 40))
    found = re.search(r"^MinJobAge\s*=\s*(\d+)", query(["scontrol", "show", "config"]).text, re.MULTILINE)
    if found and int(found.group(1)) < 3 * wait_s:
        text = f"squeue forgets a job after {found.group(1)} s, and its first query is after {wait_s} s"
        return warning("job status", text, f"export WAVER_WAIT_S={max(1, int(found.group(1)) // 3)}")
    return ok("job status", f"by {command}")


_ON_NODE = """
import fcntl, json, os, platform, sys
result = {"host": platform.node(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
with open(sys.argv[1], "a+") as stream:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        result["locked_out"] = False
    except OSError:
        result["locked_out"] = True
import torch, onnxruntime
result["torch"] = torch.cuda.device_count()
result["onnxruntime"] = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
print(json.dumps(result))
"""


def submitted(partition: str, wanted: Mapping[str, Any], profile: Profile, folder: Path) -> Finding:
    """Run a short job: which devices it sees, and whether it respects a lock held here."""
    check = f"job on {partition}"
    command = ["srun", f"--partition={partition}", "--time=3", "--ntasks=1", "--mem=2000"]
    name = value(profile.get("default-resources", {}).get("slurm_account"))
    command += [f"--account={name}"] if name else []
    command += ["--gpus=1"] if wanted["gpu"] else []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".waver-check-") as scratch:
        lock = Path(scratch) / "lock"
        with open(lock, "a+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            answer = query([*command, sys.executable, "-c", _ON_NODE, str(lock)], timeout_s=300)
    if not answer.works:
        return problem(check, f"failed or waited too long: {answer.text[-300:]}", "see squeue and sinfo")
    try:
        result = json.loads(answer.text.splitlines()[-1])
    except (ValueError, IndexError):
        return problem(check, f"printed {answer.text[-200:]!r}", "is .venv on a file system that the nodes share?")
    if not result["locked_out"]:
        remedy = "two jobs could write one shard: mount with flock, or work in another folder"
        return problem(check, f"a lock held here is not respected on {result['host']}", remedy)
    text = f"ran on {result['host']}; GPUs {result['devices'] or 'none'}, torch sees {result['torch']}"
    if wanted["gpu"] and not (result["torch"] and result["onnxruntime"]):
        return warning(check, f"{text}: its work would run on the CPU", "install envs/gpu.txt on the shared disk")
    return ok(check, text)
