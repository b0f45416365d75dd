"""What stands between Snakemake and the library: a job's log, threads, provenance and last words."""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from waver import device
from waver.errors import WaverError
from waver.job_environment import set_environment
from waver.provenance import versions, write_sidecar

_LOG = logging.getLogger("waver")
set_environment()  # a script imports this module first, and then the libraries that read where their caches are
_PACKAGES = ("waver", "snakemake", "torch", "numpy", "zarr", "pyarrow", "onnxruntime-gpu", "av", "decord")


@contextmanager
def job(snakemake: Any) -> Iterator[Any]:
    """Run the body of a rule's script.

    Logging and warnings go to the rule's log file; numeric libraries get the threads the job was
    given; a sidecar beside the first output tells what made it and where it ran. A WaverError ends the
    job with its one sentence instead of a traceback.
    """
    log_file = _open_log(snakemake)
    _limit_threads(int(snakemake.threads))
    try:
        device.begin()
        yield snakemake
        _blame_idle_gpu()
    except WaverError as error:
        _LOG.error("%s", error)
        sys.__stderr__.write(f"{snakemake.rule}: {error}\n")  # type: ignore[union-attr]
        raise SystemExit(1) from error
    except Exception:
        _LOG.error("%s", traceback.format_exc())
        raise
    finally:
        log_file.flush()
    write_sidecar(snakemake.output[0], _record(snakemake))


def _open_log(snakemake: Any) -> Any:
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 (lives as long as the job)
    form = "%(asctime)s %(name)s %(levelname)s %(message)s"
    logging.basicConfig(stream=stream, level=logging.INFO, format=form, force=True)
    for chatty in ("numba", "matplotlib", "PIL", "httpx", "fontTools"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return stream


def _limit_threads(threads: int) -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    threadpool_limits(threads)  # for libraries that were loaded before the variables were set
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def _record(snakemake: Any) -> dict[str, Any]:
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "params": dict(snakemake.params.items()),
        "input": [str(path) for path in snakemake.input],
        "threads": int(snakemake.threads),
        "host": socket.gethostname(),
        "device": device_record(),
        "versions": versions(*_PACKAGES),
    }


def device_record() -> dict[str, Any]:
    """Where this process computes: what was asked for and given, what each library used, and its threads."""
    record: dict[str, Any] = {
        "asked": device.asked(),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "used": {library: dict(really) for library, really in device.USED.items()},
        "cpu": _cpu_name(),
        "threads": _threads_used(),
    }
    torch = sys.modules.get("torch")
    if torch is not None and not torch.cuda.is_initialized():
        record["used"].setdefault("torch", {"device": "cpu"})
    slurm = ("SLURM_JOB_ID", "SLURM_JOB_PARTITION")
    return record | {name: os.environ[name] for name in slurm if name in os.environ}


def _threads_used() -> dict[str, int]:
    """Threads that the libraries loaded will use, as they tell."""
    used: dict[str, int] = {}
    for pool in threadpool_info():
        used[pool["internal_api"]] = max(used.get(pool["internal_api"], 0), pool["num_threads"])
    if "torch" in sys.modules:
        used["torch"] = sys.modules["torch"].get_num_threads()
    if "cv2" in sys.modules:
        used["cv2"] = sys.modules["cv2"].getNumThreads()
    return used


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _blame_idle_gpu() -> None:
    if device.given() and not device.USED and device.asked() != "cpu":
        _LOG.warning("GPU %s was given to this job, which has no use for one; run it on CPU nodes", device.given())
