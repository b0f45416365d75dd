"""The frame of every job between Snakemake and the library: its log, threads, provenance and errors."""

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
from waver.errors import WaverError, is_machine_trouble, trouble_sentence
from waver.provenance import file_sha256, versions, write_sidecar
from waver.workflow.environment import close_network, set_environment
from waver.workflow.sensitivity import recorded_classes

_LOG = logging.getLogger("waver")
close_network()
set_environment()  # a script imports this module first, and then the libraries that read where their caches are
PACKAGES = ("waver", "snakemake", "torch", "numpy", "zarr", "pyarrow", "onnxruntime-gpu", "av", "decord")


@contextmanager
def job(snakemake: Any) -> Iterator[Any]:
    """Run the body of a rule's script.

    Logging and warnings go to the rule's log file; numeric libraries get the threads the job was
    given; a sidecar next to the first output records its provenance, the sha256 of what it wrote and where it ran (of
    the report, which is published, next to the log). A WaverError ends the job with its one sentence instead of a
    traceback, and any other error with its kind: what its text quotes stays in the log.
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
    except Exception as error:
        _LOG.error("%s", traceback.format_exc())
        if is_machine_trouble(error) or isinstance(error, PermissionError):
            message = trouble_sentence(error)
        else:
            where = snakemake.log[0]
            message = f"{_place(error)}; its text, which may quote a file, and how it came to it are in {where}"
        sys.__stderr__.write(f"{snakemake.rule}: {message}\n")  # type: ignore[union-attr]
        raise SystemExit(1) from error
    finally:
        log_file.flush()
    write_sidecar(_sidecar_target(snakemake), _record(snakemake))


def _place(error: Exception) -> str:
    """Kind of an error that nobody foresaw, and the line where it arose, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(frames[-1].filename).name}, line {frames[-1].lineno}"


def _sidecar_target(snakemake: Any) -> Path:
    """What the sidecar is written next to: the first output; of the folder ``report``, which is published, the log."""
    output, log_file = Path(snakemake.output[0]), Path(snakemake.log[0])
    if "report" not in output.parts[:-1]:
        return output
    Path(f"{output}.provenance.json").unlink(missing_ok=True)  # of an earlier version
    return log_file.with_suffix("")


def _open_log(snakemake: Any) -> Any:
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    # names of files may hold bytes that are no UTF-8; it stays open as long as the job
    stream = open(path, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
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
        "output": {str(path): file_sha256(path) for path in snakemake.output if Path(path).is_file()},
        "sensitivity": recorded_classes(snakemake.rule, _named_outputs(snakemake.output)),
        "threads": int(snakemake.threads),
        "host": socket.gethostname(),
        "device": device_record(),
        "versions": versions(*PACKAGES),
    }


def _named_outputs(output: Any) -> dict[str, str]:
    """Path -> the name that the rule gives to it; empty where it gives none."""
    names = {str(path): "" for path in output}
    for name, found in output.items() if hasattr(output, "items") else ():
        names |= {str(path): name for path in ([found] if isinstance(found, str) else found)}
    return names


def device_record() -> dict[str, Any]:
    """Where this process computes: the requested and the allocated device, what each library used, and its threads."""
    record: dict[str, Any] = {
        "requested": device.requested(),
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "used": {library: dict(used) for library, used in device.USED.items()},
        "cpu": _cpu_name(),
        "threads": _threads_used(),
    }
    torch = sys.modules.get("torch")
    if torch is not None and not torch.cuda.is_initialized():
        record["used"].setdefault("torch", {"device": "cpu"})
    slurm = ("SLURM_JOB_ID", "SLURM_JOB_PARTITION")
    return record | {name: os.environ[name] for name in slurm if name in os.environ}


def _threads_used() -> dict[str, int]:
    """Threads that the loaded libraries report."""
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
    if device.given() and not device.USED and device.requested() != "cpu":
        _LOG.warning("GPU %s was given to this job, which does not use one; run it on CPU nodes", device.given())
