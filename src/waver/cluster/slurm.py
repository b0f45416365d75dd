"""Checks of the cluster: is Slurm there, and does it know the partitions, account and limits of the profile?"""

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

from waver.cluster.findings import Finding, ask, ok, problem, warning

Profile = Mapping[str, Any]
_VARIABLES = "WAVER_CPU_PARTITION and WAVER_GPU_PARTITION"


def reachable() -> Finding:
    """The controller answers, and knows you."""
    asked = ask(["sinfo", "--noheader", "--format=%P"])
    if not asked.there:
        return warning("Slurm", "none here", "on a cluster, try on a login node; else run without --profile")
    queue = ask(["squeue", "--noheader", "--user", getpass.getuser()])
    for name, answer in (("sinfo", asked), ("squeue", queue)):
        if not answer.works:
            return problem("Slurm", f"{name} fails: {answer.text[:200]}", "ask your site; is the controller up?")
    return ok("Slurm", f"answers; {len(queue.text.splitlines())} jobs of yours in the queue")


def wanted_partitions(profile: Profile) -> dict[str, dict[str, Any]]:
    """Partition -> what the profile asks of it: rules, longest first and last run time in minutes, GPU."""
    defaults = profile.get("default-resources", {})
    attempts = 1 + int(profile.get("retries", 0))
    found: dict[str, dict[str, Any]] = {}
    for rule, own in {"": {}, **profile.get("set-resources", {})}.items():
        asked = {**defaults, **own}
        place = found.setdefault(
            str(value(asked.get("slurm_partition", ""))), {"rules": [], "first": 0.0, "last": 0.0, "gpu": False}
        )
        place["rules"] += [rule] if rule else []
        place["first"] = max(place["first"], minutes(asked.get("runtime"), 1))
        place["last"] = max(place["last"], minutes(asked.get("runtime"), attempts))
        place["gpu"] = place["gpu"] or any(value(asked.get(key)) for key in ("gpu", "gres", "gpu_model"))
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
    """Each partition of the profile: there, up, with GPUs where asked, and with time enough."""
    asked = ask(["sinfo", "--noheader", "--format=%P|%a|%l|%D|%G"])
    if not asked.works:
        return [problem("partitions", f"sinfo fails: {asked.text[:200]}", "ask your site")]
    there: dict[str, list[list[str]]] = {}
    for line in asked.text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        there.setdefault(cells[0].rstrip("*"), []).append(cells)
    return [_partition(name, asks, there) for name, asks in wanted_partitions(profile).items()]


def _partition(name: str, asks: dict[str, Any], there: dict[str, list[list[str]]]) -> Finding:
    check = f"partition {name or '(default)'}"
    if not name:
        return ok(check, "the profile leaves it to the site")
    if name not in there:
        return problem(check, f"not here; here are {', '.join(sorted(there))}", f"export {_VARIABLES}")
    rows = there[name]
    if all(row[1] != "up" for row in rows):
        return problem(check, f"is {rows[0][1]}", f"wait, or export {_VARIABLES}")
    if asks["gpu"] and not any("gpu" in row[4] for row in rows):
        return problem(check, "has no GPU (GRES), and the profile asks for one", "export WAVER_GPU_PARTITION")
    limit = minutes_of(rows[0][2])
    text = f"up, {sum(int(row[3]) for row in rows)} nodes, limit {rows[0][2]}"
    if limit < asks["first"]:
        return problem(check, f"{text}, and a job asks for {asks['first']:.0f} min", "lower runtime in the profile")
    if limit < asks["last"]:
        text = f"{text}, and the last attempt of a job asks for {asks['last']:.0f} min"
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
    """The account that jobs are charged to, where accounting is kept."""
    name = value(profile.get("default-resources", {}).get("slurm_account"))
    answer = ask(
        ["sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={getpass.getuser()}", "format=account"]
    )
    known = sorted({line.strip() for line in answer.text.splitlines() if line.strip()}) if answer.works else []
    if name and known and name not in known:
        return problem("account", f"{name} is not yours; yours are {', '.join(known)}", "export WAVER_ACCOUNT")
    if name:
        return ok("account", f"{name}" if known else f"{name} (sacctmgr does not answer, so it was not checked)")
    if known:
        text = f"none given; the site's default is taken of {', '.join(known)}"
        return warning("account", text, "export WAVER_ACCOUNT if the site wants one")
    return ok("account", "none given, and none known")


def job_status(profile: Profile) -> Finding:
    """How Snakemake learns that a job ended: sacct needs an accounting database, squeue a memory long enough."""
    command = profile.get("slurm-status-command", "sacct")
    if command == "sacct":
        asked = ask(["sacct", "--noheader", "--starttime=now-1hour"])
        if asked.works:
            return ok("job status", "by sacct")
        return problem("job status", f"sacct fails: {asked.text[:200]}", "export WAVER_STATUS=squeue")
    wait_s = int(profile.get("slurm-init-seconds-before-status-checks", 40))
    found = re.search(r"^MinJobAge\s*=\s*(\d+)", ask(["scontrol", "show", "config"]).text, re.MULTILINE)
    if found and int(found.group(1)) < 3 * wait_s:
        text = f"squeue forgets a job after {found.group(1)} s, and it is first asked after {wait_s} s"
        return warning("job status", text, f"export WAVER_WAIT_S={max(1, int(found.group(1)) // 3)}")
    return ok("job status", f"by {command}")


_ON_NODE = """
import fcntl, json, os, platform, sys
said = {"host": platform.node(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
with open(sys.argv[1], "a+") as stream:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said["locked_out"] = False
    except OSError:
        said["locked_out"] = True
import torch, onnxruntime
said["torch"] = torch.cuda.device_count()
said["onnxruntime"] = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
print(json.dumps(said))
"""


def submitted(partition: str, asks: Mapping[str, Any], profile: Profile, folder: Path) -> Finding:
    """Run a job of a minute: which devices it sees, and whether a lock held here keeps it out there."""
    check = f"job on {partition}"
    command = ["srun", f"--partition={partition}", "--time=3", "--ntasks=1", "--mem=2000"]
    name = value(profile.get("default-resources", {}).get("slurm_account"))
    command += [f"--account={name}"] if name else []
    command += ["--gpus=1"] if asks["gpu"] else []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".waver-check-") as scratch:
        lock = Path(scratch) / "lock"
        with open(lock, "a+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            answer = ask([*command, sys.executable, "-c", _ON_NODE, str(lock)], timeout_s=300)
    if not answer.works:
        return problem(check, f"failed or waited too long: {answer.text[-300:]}", "see squeue and sinfo")
    try:
        said = json.loads(answer.text.splitlines()[-1])
    except (ValueError, IndexError):
        return problem(check, f"said {answer.text[-200:]!r}", "is .venv on a file system that the nodes share?")
    if not said["locked_out"]:
        remedy = "two jobs could write one shard: mount with flock, or work in another folder"
        return problem(check, f"a lock held here does not hold on {said['host']}", remedy)
    text = f"ran on {said['host']}; GPUs {said['devices'] or 'none'}, torch sees {said['torch']}"
    if asks["gpu"] and not (said["torch"] and said["onnxruntime"]):
        return warning(check, f"{text}: its work would run on the CPU", "install envs/gpu.txt on the shared disk")
    return ok(check, text)
