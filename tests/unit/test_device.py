"""Where arithmetic runs: decided, said and recorded, with the threads that the job was given."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from waver import device
from waver.errors import WaverError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NO_GPU = pytest.mark.skipif(bool(device.driver()[0]), reason="this machine has a GPU")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for name in ("WAVER_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    device.begin()
    yield
    monkeypatch.undo()
    device.begin()


@pytest.fixture(scope="module")
def detector(installed_models):
    return installed_models / "retinaface_mobilenet" / "model.onnx"


def set_environment(monkeypatch, asked, visible):
    for name, value in (("WAVER_DEVICE", asked), ("CUDA_VISIBLE_DEVICES", visible)):
        if value is not None:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("asked", [None, "", "auto", "Auto "])
@pytest.mark.parametrize("visible", [None, "", "-1", "NoDevFiles", "-1,0"])
def test_without_a_gpu_given_the_cpu_computes_and_nobody_is_warned(monkeypatch, caplog, asked, visible):
    set_environment(monkeypatch, asked, visible)
    caplog.set_level(logging.INFO)
    assert device.torch_device() == torch.device("cpu")
    assert device.ctranslate2_place() == ("cpu", "int8")
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("INFO", "runs on the CPU: no GPU was given to this job")
    ]
    assert {used["reason"] for used in device.USED.values()} == {"no GPU was given to this job"}


def test_the_cpu_is_taken_where_it_is_asked_for(monkeypatch, caplog):
    set_environment(monkeypatch, "cpu", "0")
    caplog.set_level(logging.INFO)
    assert device.torch_device() == torch.device("cpu")
    assert [(r.levelname, r.message) for r in caplog.records] == [("INFO", "runs on the CPU: WAVER_DEVICE is cpu")]


@NO_GPU
@pytest.mark.parametrize("visible", ["0", "1,0", "GPU-8932f937-d72c"])
def test_a_given_gpu_that_cannot_be_used_is_a_warning_with_the_reason(monkeypatch, caplog, detector, visible):
    set_environment(monkeypatch, None, visible)
    for _ in range(2):  # each library says it once
        assert device.torch_device() == torch.device("cpu")
    assert device.ctranslate2_place() == ("cpu", "int8")
    assert device.onnx_session(detector, 1).get_providers() == ["CPUExecutionProvider"]
    first = visible.split(",")[0]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"{library} runs on the CPU although this job was given GPU {first}: "
        "this machine has no NVIDIA driver (libcuda.so.1)"
        for library in ("torch", "ctranslate2", "onnxruntime")
    ]
    assert {used["device"] for used in device.USED.values()} == {"cpu"}


@NO_GPU
@pytest.mark.parametrize("visible", [None, "0"])
def test_cuda_without_a_gpu_is_an_error_with_the_remedy(monkeypatch, detector, visible):
    set_environment(monkeypatch, "cuda", visible)
    calls = {
        "torch": device.torch_device,
        "ctranslate2": device.ctranslate2_place,
        "onnxruntime": lambda: device.onnx_session(detector, 1),
    }
    for library, call in calls.items():
        with pytest.raises(WaverError, match=rf"cuda and {library} cannot use a GPU .*libcuda.* set it to auto or cpu"):
            call()
    assert device.USED == {}


def test_a_device_that_means_nothing_is_refused_at_the_start(monkeypatch):
    monkeypatch.setenv("WAVER_DEVICE", "gpu")
    with pytest.raises(WaverError, match="WAVER_DEVICE is 'gpu'; set it to auto, cpu or cuda"):
        device.begin()


DRIVER = """
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *gpu, int number) { *gpu = number + 7; return 0; }
int cuDeviceGetName(char *name, int size, int gpu) { name[0] = 'A' + gpu - 7; name[1] = 0; return size == 100 ? 0 : 1; }
"""
PROGRAM = """
import json, logging, sys
from pathlib import Path
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s", level=logging.INFO)
from waver import device
session = device.onnx_session(Path(sys.argv[1]), 1)
print(device.torch_device(), *device.ctranslate2_place(), session.get_providers(), device.driver(), sep="|")
device._settle("arithmetic", "")
print(json.dumps(device.USED))
"""


def build(folder: Path, name: str, source: str) -> None:
    (folder / "source.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / name, folder / "source.c"], check=True)


@NO_GPU
def test_a_driver_that_shows_gpus_does_not_make_the_libraries_use_one(tmp_path, detector):
    """As on a cluster whose GPUs are device files only: what the libraries say counts."""
    try:
        build(tmp_path, "libcuda.so.1", DRIVER)
    except OSError:
        pytest.skip("no C compiler")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "LD_LIBRARY_PATH": str(tmp_path)}
    environment |= {"CUDA_VISIBLE_DEVICES": "3"}
    command = [sys.executable, "-c", PROGRAM, str(detector)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *said, places, gpu, used = result.stdout.splitlines()
    assert places == "cpu|cpu|int8|['CPUExecutionProvider']|(['A', 'B'], '')"
    assert gpu == "INFO runs on GPU 3 (A), CUDA_VISIBLE_DEVICES=3"
    assert len(said) == 3
    assert all(line.startswith("WARNING ") and "although this job was given GPU 3" in line for line in said)
    assert "fell back to CPUExecutionProvider (" in said[0]
    if torch.version.cuda is None:
        assert said[1].endswith(f"torch {torch.__version__} says: Torch not compiled with CUDA enabled")
    assert json.loads(used)["arithmetic"] == {"device": "cuda", "name": "A"}


# in a job -------------------------------------------------------------------------------------------
SNAKEFILE = """
rule all:
    input: "works.json", "idle.json", "refused.json"
rule works:
    output: "works.json"
    log: "works.log"
    params: detector={detector!r}, whisper={whisper!r}
    threads: 3
    script: "works.py"
rule idle:
    output: "idle.json"
    log: "idle.log"
    script: "idle.py"
rule refused:
    output: "refused.json"
    log: "refused.log"
    script: "refused.py"
"""
WORKS = """
import json, os
from pathlib import Path
import cv2, ctranslate2, numpy as np, torch
from waver.device import ctranslate2_place, onnx_session, threads, torch_device
from waver.features.speech import load_whisper
from waver.workflow.job import job

def begun():
    return len(os.listdir("/proc/self/task"))

with job(snakemake) as j:
    onnx_session(Path(j.params.detector), 1)  # the library begins a thread of its own
    count, started = {}, begun()
    session = onnx_session(Path(j.params.detector), threads())
    count["onnxruntime"], started = begun() - started, begun()
    big = torch.ones(600, 600, device=torch_device())
    big @ big
    count["torch"], started = begun() - started, begun()
    np.ones((600, 600)) @ np.ones((600, 600))
    model = load_whisper(Path(j.params.whisper), *ctranslate2_place()).model
    started = begun()
    model.encode(ctranslate2.StorageView.from_array(np.zeros((1, 80, 3000), np.float32)))
    count["ctranslate2"] = begun() - started
    Path(j.output[0]).write_text(json.dumps(count))
"""
IDLE = """
from pathlib import Path
from waver.workflow.job import job
with job(snakemake) as j:
    Path(j.output[0]).write_text("")
"""
REFUSED = """
import os
from waver.device import ctranslate2_place
from waver.workflow.job import job
os.environ["WAVER_DEVICE"] = "cuda"
with job(snakemake) as j:
    ctranslate2_place()
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, installed_models, detector):
    """Folder in which Snakemake ran three jobs that were told to have GPU 0, and what it printed."""
    folder = tmp_path_factory.mktemp("jobs")
    text = SNAKEFILE.format(detector=str(detector), whisper=str(installed_models / "whisper_base"))
    (folder / "Snakefile").write_text(text)
    for name, script in (("works", WORKS), ("idle", IDLE), ("refused", REFUSED)):
        (folder / f"{name}.py").write_text(script)
    given = {"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_ID": "4711", "SLURM_JOB_PARTITION": "gpu", "OMP_NUM_THREADS": "2"}
    environment = {k: v for k, v in os.environ.items() if k != "WAVER_DEVICE"} | given
    environment["PYTHONPATH"] = str(ROOT / "src")
    command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "3", "--keep-going", "--quiet", "rules"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return folder, result.stdout + result.stderr


@NO_GPU
def test_the_sidecar_tells_where_a_job_ran(jobs):
    folder, printed = jobs
    assert (folder / "works.json").exists(), printed
    record = json.loads((folder / "works.json.provenance.json").read_text())["device"]
    assert (record["requested"], record["CUDA_VISIBLE_DEVICES"]) == ("auto", "0")
    assert (record["SLURM_JOB_ID"], record["SLURM_JOB_PARTITION"]) == ("4711", "gpu")
    assert set(record["used"]) == {"torch", "onnxruntime", "ctranslate2"}
    assert {used["device"] for used in record["used"].values()} == {"cpu"}
    assert record["used"]["onnxruntime"]["providers"] == ["CPUExecutionProvider"]
    assert record["used"]["ctranslate2"]["compute_type"].startswith("int8")
    assert "libcuda" in record["used"]["torch"]["reason"]
    assert record["cpu"]
    assert "torch runs on the CPU although this job was given GPU 0" in (folder / "works.log").read_text()


def test_threads_given_are_threads_used(jobs):
    folder, printed = jobs
    record = json.loads((folder / "works.json.provenance.json").read_text())["device"]
    assert {name: record["threads"][name] for name in ("torch", "cv2", "openblas")} == {
        "torch": 3,
        "cv2": 3,
        "openblas": 3,
    }, printed
    assert record["used"]["ctranslate2"]["threads"] == 3
    # of three threads the caller is one; CTranslate2's caller waits for a worker that began with the model
    assert json.loads((folder / "works.json").read_text()) == {"onnxruntime": 2, "torch": 2, "ctranslate2": 2}


def test_a_gpu_given_for_nothing_is_told(jobs):
    folder, _ = jobs
    assert "WARNING GPU 0 was given to this job, which does not use one" in (folder / "idle.log").read_text()
    record = json.loads((folder / "idle.json.provenance.json").read_text())["device"]
    assert record["used"] == {}


@NO_GPU
def test_a_refused_device_ends_the_job_with_one_sentence(jobs):
    folder, printed = jobs
    (line,) = [line for line in printed.splitlines() if line.startswith("refused: ")]
    assert "WAVER_DEVICE is cuda and ctranslate2 cannot use a GPU" in line
    assert "Traceback" not in (folder / "refused.log").read_text()
    assert not (folder / "refused.json").exists()


# text encoders --------------------------------------------------------------------------------------
def test_plain_attention_in_fp32_gives_the_features_of_the_fused_and_bfloat16_does_not(installed_models):
    from transformers import AutoModel

    folder = installed_models / "minilm"
    settings = device.encoder_settings(torch.device("cpu"))
    assert settings == {"attn_implementation": "eager", "dtype": torch.float32}
    ids = torch.randint(1000, 30000, (8, 24), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(24) < torch.arange(17, 25)[:, None]).long()

    @torch.inference_mode()
    def features(attention, bf16):
        model = AutoModel.from_pretrained(folder, **settings | {"attn_implementation": attention}).eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            hidden = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        return torch.stack(hidden[-4:]).float().sum(0)[mask.bool()]

    chosen = features("eager", False)
    rms = chosen.square().mean().sqrt()
    assert (features("sdpa", False) - chosen).abs().max() < 1e-4 * rms
    assert (features("eager", True) - chosen).abs().max() > 1e-2 * rms
