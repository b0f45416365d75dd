"""Checks of this machine: Python, packages, codecs, the demo's speech, GPUs."""

from __future__ import annotations

import ctypes
import io
import platform
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from waver.assets.manifest import installed, package_folder
from waver.cluster.findings import Finding, ok, problem, query, warning
from waver.errors import WaverError

_NEEDED = (3, 11)
_FRAMES = 5


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The pins are for one Python."""
    text = ".".join(map(str, found))
    if found[:2] != _NEEDED:
        remedy = "give its path: make setup PYTHON=/path/to/python3.11"
        return problem("Python", f"{text}, and the pins need 3.11", remedy)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return problem("Python", f"the pins are for Linux on x86_64, this is {platform.platform()}", "use another node")
    return ok("Python", f"{text} at {sys.executable}")


def packages(locks: Iterable[Path]) -> Finding:
    """Installed packages against ``name==version`` of the lines of lock files; other packages are ignored."""
    pins = [line.split()[0] for lock in locks for line in lock.read_text().splitlines() if "==" in line]
    wrong = [found for found in map(_differs, pins) if found]
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        return problem("packages", f"{len(wrong)} of {len(pins)} differ from the lock: {shown}", "run make setup")
    return ok("packages", f"all {len(pins)} as locked")


def _differs(pin: str) -> str:
    name, wanted = pin.split("==")
    try:
        got = version(name).split("+")[0]  # 2.13.0+cpu is 2.13.0
    except PackageNotFoundError:
        return f"{name} is missing"
    return "" if got == wanted else f"{name} {got}, not {wanted}"


def codecs() -> Finding:
    """Decode H.264 and AAC with both decoders; the clip is made on the spot."""
    clip = _clip()
    if not clip:
        return warning("codecs", "H.264 or AAC cannot be encoded here, so decoding was not tried", "run make setup")
    import av
    import decord

    with av.open(io.BytesIO(clip)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    with av.open(io.BytesIO(clip)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(clip)
        file.flush()
        reader = decord.VideoReader(file.name, num_threads=1)
        by_decord = reader.get_batch(range(len(reader))).shape[0]
    if (pictures, by_decord) != (_FRAMES, _FRAMES) or not samples:
        text = f"of {_FRAMES} frames PyAV decoded {pictures}, decord {by_decord}; {samples} samples of sound"
        return problem("codecs", text, "run make setup; a PyAV built from source needs H.264 and AAC")
    return ok("codecs", "H.264 and AAC decode (PyAV and decord; no ffmpeg program is needed)")


def _clip() -> bytes:
    """A fifth of a second of grey with a tone, MP4; empty where it cannot be made."""
    import av

    target = io.BytesIO()
    try:
        with av.open(target, "w", format="mp4") as container:
            video, sound = container.add_stream("libx264", rate=24), container.add_stream("aac", rate=16000)
            video.width, video.height, video.pix_fmt, sound.layout = 64, 48, "yuv420p", "mono"
            video.codec_context.thread_count = 1
            for number in range(_FRAMES):
                picture = np.full((48, 64, 3), 40 * number, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            tone = np.sin(np.arange(3200) / 16000 * 2 * np.pi * 440, dtype=np.float32)[None] / 2
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(sound.encode(frame))
            container.mux(video.encode(None))
            container.mux(sound.encode(None))
    except (av.FFmpegError, ValueError):
        return b""
    return target.getvalue()


def speech_synthesiser(models: Path) -> Finding:
    """The demo speaks by the espeak-ng library of a package; no program of that name is needed."""
    record = models / "espeak" / "asset.json"
    if not record.is_file():
        return warning("demo speech", "the synthesiser is not installed yet", "the run installs it from its package")
    try:
        ctypes.CDLL(str(installed(record).file()))
        data = package_folder("espeakng_loader") / "espeak-ng-data"
    except (OSError, WaverError) as error:
        return problem("demo speech", f"the synthesiser does not load ({error})", "run make setup")
    if not data.is_dir():
        return problem("demo speech", f"{data} is missing", "run make setup")
    return ok("demo speech", "the synthesiser loads")


def gpus() -> Finding:
    """GPUs of this machine, and whether the libraries can use them."""
    import torch

    answer = query(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    names = answer.text.splitlines() if answer.works else []
    if not names:
        return ok("GPU", "none on this machine; a GPU job sees that of its node (try --submit)")
    if not torch.cuda.is_available():
        text = f"{len(names)} x {names[0]}, but torch {torch.__version__} cannot use it"
        return warning("GPU", text, "install envs/gpu.txt (conda: envs/waver-gpu.yaml) or accept CPU speed")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return warning("GPU", "torch sees it, ONNX Runtime has no CUDA provider", "install envs/gpu.txt")
    return ok("GPU", f"{torch.cuda.device_count()} x {names[0]}, seen by torch {torch.__version__}")
