"""Planning stays quick: BAH-300 in full, and fifteen hundred participants.

Its CPU time is held as a multiple of what Snakemake itself takes, a plain workflow planned beside it: seconds
double where another process shares the core.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from waver.cluster.planning import full_plan, plan, snakemake
from waver.cluster.settings import read_config
from waver.config.model import Config
from waver.io.tables import PARTICIPANTS, SET_ASIDE, read_table

ROOT = Path(__file__).resolve().parents[2]
PRESET = "config/presets/bah300.yaml"
SPLITS = {"train": (195, 778), "val": (30, 124), "test": (75, 525)}
"""Participants and videos of the release (dataset paper)."""
MOST_JOBS = 500
PLAIN = f"""
rule all:
    input: expand("{{n}}.b", n=range({MOST_JOBS // 2}))

rule b:
    input: "{{n}}.a"
    output: "{{n}}.b"
    shell: "touch {{output}}"

rule a:
    output: "{{n}}.a"
    shell: "touch {{output}}"
"""
"""A workflow of as many jobs as BAH-300 may have, in two rules without a function."""
PLAIN_TIMES = 6
MANY_PLAIN_TIMES = 24
"""The most that planning may cost, in plans of PLAIN (measured: 3.1 at 300 people, idle; on a busy machine 11.6 at
1,500 and 9.5 at 3,000, with 64 shards)."""
MOST_CPU_S = 30
"""The most CPU time that planning the chain of a paper over BAH-300 may take."""


def video_names(participants: int, videos: int, first: int) -> list[str]:
    """Paths of ``videos`` videos, at most seven a participant."""
    names = []
    for number in range(participants):
        person = f"{first + number}"
        count = videos * (number + 1) // participants - videos * number // participants
        names += [
            f"Videos/{person}/Visite_1/{person}_Question_{q}_2024-10-02_15-46-1{q}_Video.mp4"
            for q in range(1, count + 1)
        ]
    return names


def write_release(root: Path, splits: dict[str, tuple[int, int]]) -> Path:
    """Empty files in the layout of the release of 300 participants, with split files, annotation and metadata."""
    (root / "split").mkdir(parents=True)
    first, every = 80000, []
    for split, (participants, videos) in splits.items():
        names = video_names(participants, videos, first)
        first += participants
        every += names
        lines = [f"{name},{number % 2},Yes and no\n" for number, name in enumerate(names)]
        (root / f"split/{split}.txt").write_text("".join(lines))
    for name in every:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    annotation = "".join(f"{name}:\n  global_ah: {number % 2}\n" for number, name in enumerate(every))
    (root / "video_annotation_transcript.yaml").write_text(annotation)
    people = sorted({name.split("/")[1] for name in every})
    (root / "meta_data.yml").write_text(
        "".join(f"'{who}':\n  Age: 40\n  Use in publications: 'No'\n" for who in people)
    )
    return root


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("bah") / "BAH", SPLITS)


def config_of(release: Path) -> Config:
    return read_config([ROOT / PRESET], [f"dataset={{root: {release}}}"])


@pytest.fixture
def plain_cpu_s(tmp_path_factory):
    """CPU seconds of planning PLAIN, now."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "Snakefile").write_text(PLAIN)
    return snakemake(folder, folder, ["--dry-run", "--quiet", "rules"]).cpu_s


def test_bah300_is_planned_in_seconds_before_ingest_and_after(release, tmp_path, plain_cpu_s):
    arguments = ["--configfile", PRESET, "--config", f"dataset={{root: {release}}}"]
    before = plan(tmp_path, arguments)
    assert before.jobs["ingest_tables"] == 1
    assert before.cpu_s < PLAIN_TIMES * plain_cpu_s
    _ingest(tmp_path, release)
    after = plan(tmp_path, arguments)
    assert "ingest_tables" not in after.jobs
    shards = config_of(release).dataset.shards
    assert after.jobs["features_faces"] == after.jobs["align_pack"] == shards
    assert after.jobs["report_html"] == 1
    assert after.total < MOST_JOBS, after.jobs
    assert after.cpu_s < PLAIN_TIMES * plain_cpu_s


@pytest.mark.parametrize(
    ("preset", "fetched", "videos"), [("paper2026", 10, 4 * 5), ("paper2025", 9, 0)], ids=["2026", "2025"]
)
def test_the_chain_of_each_paper_is_planned(release, tmp_path, preset, fetched, videos):
    arguments = ["--configfile", f"config/presets/{preset}.yaml", "--config"]
    arguments += [f"dataset={{root: {release}, layout: bah300}}", "adapt={methods: []}"]
    found = plan(tmp_path, arguments)
    # its own models are fetched: detector, VGGish, five ResNets on ImageNet, BERT, the aligner, for EmoCLIP CLIP; 13
    # models of frames, 8 windows and LFAN on five other backbones are trained
    assert found.jobs["models_fetch"] == fetched
    assert found.jobs["train_fusion"] == 5 * (10 + 3 + 8 + 5)
    assert found.jobs["train_emotions"] == found.jobs["train_backbone"] == found.jobs["train_backbone_frames"] == 6
    assert found.jobs.get("train_videos", 0) == videos
    assert found.cpu_s < MOST_CPU_S


def _ingest(folder: Path, release: Path) -> None:
    """Run ingest for real: it finds every video and sets it aside, being empty."""
    config = ["--configfile", PRESET, "--config", f"dataset={{root: {release}}}"]
    ran = snakemake(ROOT, folder, [*config, "--until", "ingest_tables"])
    assert "ingest_tables" in ran.text
    tables = folder / "resources/bah300/ingest"
    assert len(read_table(tables / "participants.parquet", PARTICIPANTS)) == 300
    excluded = read_table(tables / "set_aside.parquet", SET_ASIDE)
    assert len({row["item"] for row in excluded if "0 bytes" in row["reason"]}) == 1427


@pytest.mark.slow
def test_fifteen_hundred_participants_are_planned_from_nothing_in_seconds(tmp_path, plain_cpu_s):
    release = tmp_path / "BAH"
    for name in video_names(1_500, 7_135, 100_000):
        path = release / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    config = read_config([ROOT / PRESET], ["dataset={shards: 64}"])
    found = full_plan(config, release=release)
    shutil.rmtree(release)
    assert found.jobs["ingest_tables"] == 1
    assert found.jobs["features_faces"] == 64
    assert len(found.models) == found.jobs["models_install"] >= 3
    assert found.cpu_s < MANY_PLAIN_TIMES * plain_cpu_s
