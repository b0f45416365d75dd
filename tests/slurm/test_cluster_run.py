"""``snakemake --profile slurm`` on a real Slurm: as on one machine, in the right places, with what was asked for."""

from __future__ import annotations

import json
import shutil

import pytest
from on_slurm import HOME

from checkout import ROOT

pytestmark = pytest.mark.slurm

RUN = ("--profile", "slurm", "--configfile")
ON_GPU = {"features_faces", "features_visual", "features_speech", "features_words", "train_fusion"}


def test_scores_are_those_of_a_run_without_slurm(finished, local):
    for table in ("scores.json", "scores.parquet"):
        path = f"results/small/evaluate/{table}"
        assert (finished.folder / path).read_bytes() == (local.folder / path).read_bytes()
    assert (finished.folder / "results/small/report/report.html").stat().st_size > 10_000


def test_each_rule_ran_in_its_partition_and_gpu_jobs_had_a_gpu(finished):
    ran = {job for job in finished.submissions() if job.state == "COMPLETED"}
    partitions = {job.rule.split("_wildcards_")[0]: job.partition for job in ran}
    assert partitions.keys() > ON_GPU
    assert {rule for rule, partition in partitions.items() if partition == "gpu"} == ON_GPU
    for job in ran:
        given = (HOME / f"log/tasks/{job.id}.0").read_text()
        assert ("CUDA_VISIBLE_DEVICES=" in given) == (job.partition == "gpu"), job.rule


def test_a_job_records_the_gpu_it_was_given_and_says_that_it_ran_on_the_cpu(finished):
    features, logs = finished.folder / "resources/small/features", finished.folder / "logs/small"
    for thing, partition in (("visual", "gpu"), ("audio", "cpu")):
        actual = json.loads((features / f"{thing}/000.parquet.provenance.json").read_text())["device"]
        assert (actual["CUDA_VISIBLE_DEVICES"] is not None) == (partition == "gpu")
        # the GPUs of the test are false
        said = f"runs on the CPU although this job was given GPU {actual['CUDA_VISIBLE_DEVICES']}"
        assert (said in (logs / f"features_{thing}/000.log").read_text()) == (partition == "gpu")


def test_models_are_installed_where_snakemake_runs(finished):
    assert not [job for job in finished.submissions() if "models" in job.rule]


def test_libraries_use_the_threads_and_the_gpu_that_the_job_was_given(finished):
    for name in ("probe.smk", "probe.py"):
        shutil.copy2(ROOT / "tests/slurm" / name, finished.folder)
    finished.run("--profile", "slurm", "--snakefile", "probe.smk")
    for rule, threads in (("features_faces", 2), ("align_pack", 1)):
        actual = json.loads((finished.folder / f"probe/{rule}.json").read_text())
        assert (actual["threads"], actual["torch"], actual["OMP_NUM_THREADS"]) == (threads, threads, str(threads))
        assert set(actual["pools"].values()) == {threads}
        assert actual["node"].startswith("gpu") == (actual["gpus"] is not None) == (rule == "features_faces")


def test_a_second_run_plans_nothing(finished):
    assert finished.would_run(*RUN, "small.json") == {}


@pytest.mark.parametrize(
    "change", [{"train": {"lr": 0.01}}, {"features": {"words": {"layers": 2}}}, {"report": {"title": "Other"}}]
)
def test_an_edited_key_plans_the_same_jobs_as_without_slurm(finished, local, change):
    for workspace in (finished, local):
        (workspace.folder / "change.json").write_text(json.dumps(change))
    there = finished.would_run(*RUN, "small.json", "change.json")
    assert there == local.would_run("--cores", "2", "--configfile", "small.json", "change.json")
    assert there
