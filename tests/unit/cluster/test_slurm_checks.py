from __future__ import annotations

import sys

import pytest

from waver.cluster import slurm

PROFILE = {
    "retries": 2,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 40,
    "default-resources": {"slurm_partition": "cpu", "runtime": "60 * attempt"},
    "set-resources": {"features_faces": {"slurm_partition": "gpu", "gpu": 1, "runtime": "240 * attempt"}},
}
SINFO = "cpu*|up|1-00:00:00|2|(null)\ngpu|up|1-00:00:00|2|gpu:fake:2\n"


def test_a_site_without_slurm_is_told_so_and_no_problem(site):
    found = slurm.reachable()
    assert (found.level, found.text) == ("warning", "none here")


def test_a_controller_that_does_not_answer_is_a_problem(site):
    site(sinfo="slurm_load_partitions: Unable to contact slurm controller", fails=True)
    site(squeue="")
    found = slurm.reachable()
    assert found.level == "problem"
    assert "Unable to contact" in found.text


def test_a_site_that_answers(site):
    site(sinfo="cpu*\n", squeue="1 cpu a\n2 cpu b\n")
    assert slurm.reachable().line == "ok       Slurm: answers; 2 jobs of yours in the queue"


def test_what_the_profile_asks_of_each_partition():
    requested = slurm.wanted_partitions(PROFILE)
    assert requested["cpu"] == {"rules": [], "first": 60, "last": 180, "gpu": False}
    assert requested["gpu"] == {"rules": ["features_faces"], "first": 240, "last": 720, "gpu": True}


def test_partitions_that_serve(site):
    site(sinfo=SINFO)
    assert [found.level for found in slurm.partitions(PROFILE)] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("sinfo", "level", "words"),
    [
        ("cpu*|up|1-00:00:00|2|(null)\nlong|up|infinite|2|gpu:2\n", "problem", "here are cpu, long"),
        (SINFO.replace("gpu|up", "gpu|down"), "problem", "is down"),
        (SINFO.replace("gpu:fake:2", "(null)"), "problem", "no GPU"),
        (SINFO.replace("gpu|up|1-00:00:00", "gpu|up|2:00:00"), "problem", "240 min"),
        (SINFO.replace("gpu|up|1-00:00:00", "gpu|up|10:00:00"), "warning", "720 min"),
        (SINFO.replace("gpu|up|1-00:00:00", "gpu|up|infinite"), "ok", "limit infinite"),
    ],
)
def test_partitions_that_do_not(site, sinfo, level, words):
    site(sinfo=sinfo)
    gpu = slurm.partitions(PROFILE)[1]
    assert gpu.level == level
    assert words in gpu.text


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("30", 30), ("30:30", 30.5), ("2:00:00", 120), ("1-0", 1440), ("2-12:30:00", 3630), ("infinite", float("inf"))],
)
def test_time_limits_as_slurm_writes_them(limit, minutes):
    assert slurm.minutes_of(limit) == minutes


@pytest.mark.parametrize(("runtime", "minutes"), [("60 * attempt", 120), (90, 90), ("max(1, 2)", 0), (None, 0)])
def test_run_times_as_profiles_write_them(runtime, minutes):
    assert slurm.minutes(runtime, 2) == minutes


def test_accounts(site):
    with_account = {"default-resources": {"slurm_account": "lab"}}
    assert "not checked" in slurm.account(with_account).text
    site(sacctmgr="lab\nother\n")
    assert slurm.account(with_account).level == "ok"
    assert slurm.account({}).level == "warning"
    wrong = slurm.account({"default-resources": {"slurm_account": "theirs"}})
    assert (wrong.level, wrong.remedy) == ("problem", "export WAVER_ACCOUNT")
    assert "lab, other" in wrong.text


def test_job_status_by_sacct_needs_accounting(site):
    site(sacct="Slurm accounting storage is disabled", fails=True)
    found = slurm.job_status({})
    assert (found.level, found.remedy) == ("problem", "export WAVER_STATUS=squeue")
    site(sacct="1|COMPLETED\n")
    assert slurm.job_status({}).level == "ok"


@pytest.mark.parametrize(("age", "level"), [(100, "warning"), (300, "ok")])
def test_squeue_must_remember_jobs_for_long_enough(site, age, level):
    site(scontrol=f"MaxStepCount            = 40000\nMinJobAge               = {age} sec\n")
    found = slurm.job_status(PROFILE)
    assert found.level == level
    assert ("WAVER_WAIT_S=33" in found.remedy) == (level == "warning")


SRUN = """#!{python}
import subprocess, sys
command = sys.argv[1:]
open({log!r}, "w").write(" ".join(command))
while command[0].startswith("--"):
    command.pop(0)
raise SystemExit(subprocess.run(command).returncode)
"""


@pytest.mark.slow
def test_a_job_tells_its_devices_and_is_kept_out_by_a_lock(tmp_path, monkeypatch, site):
    log = tmp_path / "srun.log"
    program = tmp_path / "bin/srun"
    program.write_text(SRUN.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    profile = {"default-resources": {"slurm_account": "lab"}}
    found = slurm.submitted("cpu", {"gpu": False}, profile, tmp_path)
    assert found.level == "ok", found.text
    assert "GPUs none, torch sees 0" in found.text
    assert log.read_text().startswith("--partition=cpu --time=3 --ntasks=1 --mem=2000 --account=lab ")
    assert slurm.submitted("gpu", {"gpu": True}, {}, tmp_path).level == "warning"
    assert "--gpus=1" in log.read_text()


def test_a_job_that_cannot_start_is_a_problem(tmp_path, site):
    site(srun="srun: error: invalid partition specified: gpu", fails=True)
    found = slurm.submitted("gpu", {"gpu": True}, {}, tmp_path)
    assert found.level == "problem"
    assert "invalid partition" in found.text
