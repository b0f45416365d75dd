"""A whole run on a tiny data set, made once and shared by the tests of this folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from canaries import plant

import preloaded
from checkout import ROOT
from insightface_files import write_embedding
from tiny_bert import write_bert
from tiny_speech import saved_ctc
from tiny_whisper import write_whisper
from waver.workflow.environment import FOLDERS, SETTINGS

TRACING = str(ROOT / "tests/tracing")
PARTS = ("Snakefile", "rules", "workflow", "src", "config", "envs", "profiles")
TINY = {
    "run": "tiny",
    "dataset": {"name": "tiny", "shards": 2, "root": "data"},
    "models": {
        "paths": {
            "face_embedding": "given/w600k_r50.onnx",
            "aligner_en": "given/aligner",
            "word_encoder": "given/words",
            "sentence_encoder": "given/sentences",
        }
    },
    "features": {"faces": {"long_side": 320, "every": 4}, "speech": {"beam": 1}, "words": {"layers": 2}},
    "train": {
        "runs": [{"fusion": "lfan", "modalities": "VAT"}, {"fusion": "can", "modalities": "V", "variants": ["w24"]}],
        "variants": {"w24": {"window": 48}},
        "seeds": [0],
        "window": 96,
        "epochs": 2,
        "folds": 2,
        "options": {},
    },
    "answers": {"runs": [{"model": "tfidf", "inputs": "TQ"}]},
    "videos": {
        "runs": [{"model": "discrepancy", "modalities": "VATCQ"}, {"model": "focalnet_tiny", "modalities": "V"}],
        "recipes": {name: {"epochs": 1, "batch": 4} for name in ("discrepancy", "focalnet_tiny")},
        "options": {
            "discrepancy": {"size": 8, "heads": 2, "feedforward": 8, "hidden": 8},
            "focalnet_tiny": {"width": 4, "depths": [1], "frames": 2},
        },
    },
    "adapt": {
        "methods": ["shot", "eata"],
        "protocols": ["block"],
        "source_epochs": 2,
        "fusions": [{"fusion": "lfan", "modalities": "VAT", "methods": ["tent"]}],
    },
    "evaluate": {"bootstrap": 100, "least_group": 1},
}

EXPLAINED = {
    "adapt": {"fusions": []},
    "train": {
        "runs": [{"fusion": "conflict", "modalities": "VT"}],
        "options": {
            "conflict": {
                "channels": {"visual": [8], "text": [8]},
                "size": 8,
                "shared": 4,
                "layers": 0,
                "video_head": True,
            }
        },
    },
}
"""A model that explains itself and has a head for whole videos, for the rules that only such a model has."""
EXPLAINED_FILES = [f"results/tiny/train/conflict/VT/0/{name}.parquet" for name in ("explanations", "videos")]
ASKED_FOR = ("results/tiny/adapt/shot/block/participant/90006.parquet", "results/tiny/adapt/splits/block.parquet")
"""No part of a run either."""


@dataclass(frozen=True)
class Workspace:
    """A copy of the repository with a data set, where Snakemake runs as a user's would."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results/tiny"

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "2", "--configfile", "tiny.json"]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        run = preloaded.run if "--dry-run" in arguments else subprocess.run
        return run(
            [*command, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def copy(self, folder: Path) -> Workspace:
        """The same in another folder, with the times of its files, for a test that changes what is there."""
        return Workspace(shutil.copytree(self.folder, folder, symlinks=True))

    def run(self, *arguments: str) -> Counter[str]:
        """Run what is missing; the number of jobs of each rule that ran."""
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr + self.logs()
        return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", result.stderr, re.MULTILINE))

    def would_run(self, *arguments: str) -> set[str]:
        """Rules of which a run would start jobs now."""
        result = self.snakemake("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return self.rules(result.stdout + result.stderr)

    @staticmethod
    def rules(text: str) -> set[str]:
        """Rules of the jobs that a dry run tells."""
        table = text.split("Job stats:")[-1].split("total")[0]
        return set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"all"}

    def config(self, **changes: object) -> tuple[str, ...]:
        """Arguments that overlay the config: ``train__lr=0.1`` sets train.lr."""
        values: dict[str, object] = {}
        for name, value in changes.items():
            *sections, key = name.split("__")
            place = values
            for section in sections:
                place = place.setdefault(section, {})  # type: ignore[assignment]
            place[key] = value
        overlay = self.folder / "overlay.json"
        overlay.write_text(json.dumps(values))
        return ("tiny.json", "overlay.json")

    def logs(self) -> str:
        return "\n".join(f"== {log}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("logs/**/*.log")))


BACKBONE = {
    "models": {"paths": {"speech_recogniser": "given/whisper"}},
    "train": {"folds": 0},
    "features": {"visual": {"backbone": "resnet18", "options": {"size": 128}}},
    "backbone": {
        "stages": ["emotions", "ah"],
        "emotions": {"sets": [{"path": "pictures"}], "epochs": 1, "batch": 4, "at_once": 4},
        "ah": {"epochs": 1, "batch": 4, "at_once": 4, "every": 48},
    },
}
"""A visual backbone with a training of its own, whose features are as long as those of the packs that are there; and a
recogniser in the format of transformers."""
BACKBONE_FILES = [f"resources/{name}/train/resnet18/asset.json" for name in ("emotions", "tiny")]
BACKBONE_FILES += ["resources/models/converted/speech_recogniser/asset.json"]
JUDGED = "results/tiny/train/backbones/resnet18/predictions.parquet"
"""Its frames, by the packs as they are: its own features would take as long as all other jobs."""
DEMO = {"train": 3, "val": 1, "test": 2, "questions": 2, "clauses": 2, "width": 320, "height": 240, "trouble": False}


def _make_data(folder: Path, trace: Path) -> None:
    """The data set, made as by the rule ``ingest_demo``, in a traced process; and pictures of emotions."""
    from waver.assets.manifest import install, manifest

    models = folder / "resources/models"
    for name, asset in manifest().items():
        if asset.set == "demo":
            install(name, models / name, {})
    made = ["from pathlib import Path", "from waver.config.sections import DemoConfig"]
    made += ["from waver.datasets.demo.build import build_demo"]
    made += [f"build_demo(Path('data'), Path('made.json'), Path({str(models)!r}), DemoConfig(**{DEMO}), workers=2)"]
    path = f"{folder / 'src'}{os.pathsep}{TRACING}"
    environment = os.environ | {"PYTHONPATH": path, "WAVER_TRACE": str(trace), "WAVER_TRACE_JOB": "ingest_demo"}
    subprocess.run([sys.executable, "-c", "\n".join(made)], cwd=folder, env=environment, check=True)
    plant(folder / "data")
    draw = np.random.default_rng(0)
    for part in ("train", "val"):
        for emotion in ("anger", "disgust", "fear", "happiness", "sadness", "surprise"):
            picture = folder / f"pictures/{part}/{emotion}/0.png"
            picture.parent.mkdir(parents=True)
            cv2.imwrite(str(picture), draw.integers(0, 256, (64, 64, 3), dtype=np.uint8))


def _make_models(folder: Path) -> None:
    """Small models with random weights, in the formats of those of the papers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    write_embedding(folder / "w600k_r50.onnx")
    saved_ctc(folder / "aligner")
    words = write_bert(folder / "words", ["i", "you", "the", "to", "and", "but", "not", "want", "smoke", "."])
    modules = [Transformer(str(words)), Pooling(16, pooling_mode=("mean",)), Normalize()]
    SentenceTransformer(modules=modules).save(str(folder / "sentences"))
    write_whisper(folder / "whisper")


@dataclass(frozen=True)
class FirstRuns:
    """Two first runs that went on side by side.

    Attributes:
        runs: their workspaces.
        home: home folder of both, empty before.
        temporary: folder for temporary files of both, empty before.
        touched: files of the Python environment that were written, made or removed meanwhile.
        offline: what a command is begun with to have no network, as they had none; empty where the machine lets us not.
        output: what Snakemake said in each.
        trace: folder of what each rule executed, of the second run and of a backbone's own training.
    """

    runs: tuple[Workspace, Workspace]
    home: Path
    temporary: Path
    touched: set[str]
    offline: list[str]
    output: tuple[str, str]
    trace: Path


def _environment_files() -> set[tuple[str, int]]:
    """Files of the Python environment, each with the time of the last change of any kind (ctime, ns)."""
    return {(str(path), path.lstat().st_ctime_ns) for path in Path(sys.prefix).resolve().rglob("*")}


def _read_only(folder: str, command: list[str]) -> list[str]:
    """The command with a folder that cannot be written to, where the machine lets us (root, with mounts of its own)."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    wrapped = ["unshare", "--mount", "sh", "-c", mount, folder]
    possible = (
        shutil.which("unshare") and not subprocess.run([*wrapped, "true"], capture_output=True, check=False).returncode
    )
    return [*wrapped, *command] if possible else command


@cache
def _offline() -> list[str]:
    """Begins a command in a network namespace of its own: its one interface, the loopback, is down.

    Empty where the machine lets neither root nor a user make one.
    """
    ways = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]) if shutil.which("unshare") else ()
    possible = (way for way in ways if not subprocess.run([*way, "true"], capture_output=True, check=False).returncode)
    return next(possible, [])


@pytest.fixture(scope="session")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> FirstRuns:
    """Every rule runs for the first time in two workspaces at once, which share the environment and the home folder.

    But those of a visual backbone's own training, which takes longer than all of them: they run in the second alone.
    """
    top = tmp_path_factory.mktemp("run")
    folder, trace = top / "waver", top / "trace"
    trace.mkdir()
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / part, ignore=ignore) if source.is_dir() else shutil.copy2(source, folder)
    _make_data(folder, trace)
    _make_models(folder / "given")
    (folder / "tiny.json").write_text(json.dumps(TINY))
    runs = (Workspace(folder), Workspace(folder).copy(top / "beside"))
    home, temporary = top / "home", top / "tmp"
    home.mkdir()
    temporary.mkdir()
    before = _environment_files()
    own = {name: value for name, value in os.environ.items() if name not in (*FOLDERS, *SETTINGS, "PYTHONPATH")}
    own |= {"HOME": str(home), "TMPDIR": str(temporary)}
    for run in runs:
        (run.folder / "explained.json").write_text(json.dumps(EXPLAINED))
        (run.folder / "backbone.json").write_text(json.dumps(BACKBONE))
    traced = own | {"PYTHONPATH": TRACING, "WAVER_TRACE": str(trace)}
    both = dict(zip(runs, (own, traced), strict=True))
    everything = _side_by_side(both)
    explained = _side_by_side(both, "explained.json", "--", *EXPLAINED_FILES, *ASKED_FOR)
    _side_by_side({runs[1]: traced}, "backbone.json", "--", *BACKBONE_FILES)
    _side_by_side({runs[1]: traced}, "backbone.json", "--allowed-rules", "train_backbone_frames", "--", JUDGED)
    touched = {path for path, _ in before ^ _environment_files()}
    output = tuple(map("".join, zip(everything, explained, strict=True)))
    return FirstRuns(runs, home, temporary, touched, _offline(), output, trace)


def _side_by_side(runs: Mapping[Workspace, dict[str, str]], *arguments: str) -> list[str]:
    """Run Snakemake in several workspaces at once, each with an environment; what each said."""
    command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "1", "--configfile", "tiny.json", *arguments]
    command = [*_offline(), *_read_only(str(Path(sys.prefix).resolve()), command)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, cwd=run.folder, env=own, **streams) for run, own in runs.items()]
    with ThreadPoolExecutor() as pool:
        output = list(pool.map(lambda process: process.communicate()[0], started))
    for run, process, said in zip(runs, started, output, strict=True):
        assert process.returncode == 0, said + run.logs()
    return output


@pytest.fixture(scope="session")
def finished(first_runs: FirstRuns) -> Workspace:
    """A workspace in which everything has run once."""
    return first_runs.runs[0]
