"""Where arithmetic runs: one decision for torch, ONNX Runtime and CTranslate2.

``WAVER_DEVICE`` is ``auto`` (the default), ``cpu`` or ``cuda``. ``auto`` takes the GPU that the job was
given, which is what CUDA_VISIBLE_DEVICES names and a scheduler sets; other GPUs of the
machine belong to other jobs. A library that cannot use the GPU it was given runs on the CPU, with
a warning; under ``cuda`` that is an error. Of several GPUs the first is used.
"""

from __future__ import annotations

import ctypes
import importlib.util
import io
import logging
import os
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waver.errors import WaverError
from waver.io.onnx_trial import check_graph

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

VARIABLE = "WAVER_DEVICE"
USED: dict[str, dict[str, Any]] = {}
"""The device of each library of this process; recorded in the sidecar of the job's output."""
_logged: set[str] = set()


def begin() -> None:
    """Reset the record of the previous job, and check ``WAVER_DEVICE`` before any work is done."""
    USED.clear()
    _logged.clear()
    requested()


def requested() -> str:
    """The requested ``WAVER_DEVICE``: auto, cpu or cuda.

    Raises:
        WaverError: it is something else.
    """
    value = os.environ.get(VARIABLE, "").strip().lower() or "auto"
    if value not in ("auto", "cpu", "cuda"):
        raise WaverError(f"the environment variable {VARIABLE} is {value!r}; set it to auto, cpu or cuda")
    return value


def given() -> str:
    """The first GPU that the job was given, as CUDA_VISIBLE_DEVICES names it; empty where there is none."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    return "" if first in ("-1", "NoDevFiles") else first


def threads() -> int:
    """Threads the job was given."""
    return int(os.environ.get("OMP_NUM_THREADS") or 1)


# libraries ------------------------------------------------------------------------------------------
def torch_device() -> torch.device:
    """Device for torch. On a GPU, convolution algorithms are chosen deterministically, so that runs are reproducible.

    Raises:
        WaverError: a GPU is requested and torch cannot use one.
    """
    import torch

    obstacle = _obstacle()
    if not obstacle:
        try:
            torch.cuda.init()  # type: ignore[no-untyped-call]
        except (AssertionError, RuntimeError) as error:
            obstacle = f"torch {torch.__version__} says: {str(error).splitlines()[0]}"
    if not _settle("torch", obstacle):
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context in which torch's matrix products run in bfloat16 where ``precision`` is ``bf16``."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def encoder_settings(device: torch.device) -> dict[str, Any]:
    """Arguments of transformers' ``from_pretrained`` for a frozen encoder (measured by bench/encoder.py).

    Plain attention on a CPU: on one thread as fast as torch's fused kernel, on two threads of an idle
    machine up to 3.6 times as fast (torch 2.14). Both give the same features up to rounding (1e-6 of
    their root mean square). Weights stay in float32, where ``autocast`` runs its products in bfloat16 too.
    """
    import torch

    return {"attn_implementation": "eager" if device.type == "cpu" else "sdpa", "dtype": torch.float32}


def onnx_session(path: Path, threads: int) -> Any:
    """An ONNX Runtime session, on the GPU where one may be used.

    Args:
        path: ONNX file.
        threads: of one run.

    Raises:
        WaverError: the file is not an ONNX model, or takes far more than its size; or a GPU is requested and ONNX
            Runtime cannot use one.
    """
    import onnxruntime as ort

    check_graph(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    obstacle, complaints, cuda = _obstacle(), io.StringIO(), []
    if not obstacle:
        with redirect_stdout(complaints):
            ort.preload_dlls()  # unlike torch it does not find the CUDA libraries of packages by itself
        # cuDNN's algorithm by heuristic, not by timing, which would run again for each new picture size
        cuda = [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})]
    try:
        session = ort.InferenceSession(str(path), options, providers=[*cuda, "CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class that it exports
        raise WaverError(f"{path} cannot be loaded as an ONNX model ({error}); correct the path") from error
    # a listed CUDA provider does not imply a GPU; the provider of a session does
    providers = session.get_providers()
    if not obstacle and providers[0] != "CUDAExecutionProvider":
        why = (complaints.getvalue().splitlines() or ["its own message is above or on stderr"])[0]
        obstacle = f"onnxruntime {ort.__version__} fell back to {providers[0]} ({why})"
    _settle("onnxruntime", obstacle, providers=providers, threads=threads)
    return session


def ctranslate2_place() -> tuple[str, str]:
    """Device and compute type for CTranslate2: float16 on a GPU, int8 on a CPU.

    Raises:
        WaverError: a GPU is requested and CTranslate2 cannot use one.
    """
    import ctranslate2

    obstacle = _obstacle()
    if not obstacle and ctranslate2.get_cuda_device_count() == 0:
        obstacle = f"ctranslate2 {ctranslate2.__version__} finds no GPU that it can use"
    if not obstacle and not _load_cublas():
        obstacle = f"ctranslate2 {ctranslate2.__version__} needs libcublas.so.12 (package nvidia-cublas-cu12)"
    place = ("cuda", "float16") if not obstacle else ("cpu", "int8")
    _settle("ctranslate2", obstacle, compute_type=place[1], threads=threads())
    return place


def _load_cublas() -> bool:
    """Load CUDA 12's cuBLAS, which CTranslate2 loads by name at its first matrix product, and fails without."""
    nvidia = importlib.util.find_spec("nvidia")
    folders = list(nvidia.submodule_search_locations or []) if nvidia else []
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        packaged = [path for folder in folders if (path := Path(folder, "cublas", "lib", name)).is_file()]
        try:
            ctypes.CDLL(str(packaged[0]) if packaged else name, ctypes.RTLD_GLOBAL)
        except OSError:
            return False
    return True


# decision -------------------------------------------------------------------------------------------
def _obstacle() -> str:
    """Why no library may use a GPU here; empty where one may."""
    return _refusal() or driver()[1]


def _refusal() -> str:
    if requested() == "cpu":
        return f"{VARIABLE} is cpu"
    return "" if given() or requested() == "cuda" else "no GPU was given to this job"


def driver() -> tuple[list[str], str]:
    """Names of the GPUs that NVIDIA's driver shows to this process, or why there are none.

    The driver is queried directly: it is common to all libraries, and needs none of them.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return [], "this machine has no NVIDIA driver (libcuda.so.1)"
    count, gpu, name, names = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(100), []
    error = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
    for number in range(count.value):
        error = error or cuda.cuDeviceGet(ctypes.byref(gpu), number) or cuda.cuDeviceGetName(name, 100, gpu)
        names.append(name.value.decode())
    if error or not names:
        return [], f"NVIDIA's driver shows no GPU (error {error})"
    return names, ""


def _settle(library: str, obstacle: str, **details: Any) -> bool:
    """Record and log where a library runs; returns whether it is the GPU."""
    if obstacle and requested() == "cuda":
        raise WaverError(
            f"{VARIABLE} is cuda and {library} cannot use a GPU ({obstacle}); set it to auto or cpu, "
            "or run on a node with a GPU in the environment envs/waver-gpu.yaml"
        )
    if not obstacle:
        name, visible = driver()[0][0], os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        _log_once(logging.INFO, f"runs on GPU {given() or 0} ({name}), CUDA_VISIBLE_DEVICES={visible}")
        USED[library] = {"device": "cuda", "name": name, **details}
    else:
        if _refusal():
            _log_once(logging.INFO, f"runs on the CPU: {obstacle}")
        else:
            _log_once(
                logging.WARNING, f"{library} runs on the CPU although this job was given GPU {given()}: {obstacle}"
            )
        USED[library] = {"device": "cpu", "reason": obstacle, **details}
    return not obstacle


def _log_once(level: int, line: str) -> None:
    if line not in _logged:
        _logged.add(line)
        log.log(level, "%s", line)
