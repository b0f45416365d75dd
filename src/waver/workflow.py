"""What stands between Snakemake and the library: a job's log, threads, provenance and last words."""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from waver.errors import WaverError
from waver.provenance import versions, write_sidecar

_PACKAGES = ("waver", "snakemake", "torch", "numpy", "zarr", "pyarrow", "onnxruntime-gpu", "av", "decord")


@contextmanager
def job(snakemake: Any) -> Iterator[Any]:
    """Run the body of a rule's script.

    Logging and warnings go to the rule's log file; numeric libraries get the threads the job was
    given; a sidecar beside the first output tells what made it. A WaverError ends the job with its
    one sentence instead of a traceback.
    """
    log_file = _open_log(snakemake)
    _limit_threads(int(snakemake.threads))
    log = logging.getLogger("waver")
    try:
        yield snakemake
    except WaverError as error:
        log.error("%s", error)
        sys.__stderr__.write(f"{snakemake.rule}: {error}\n")  # type: ignore[union-attr]
        raise SystemExit(1) from error
    except Exception:
        log.error("%s", traceback.format_exc())
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
        "versions": versions(*_PACKAGES),
    }
