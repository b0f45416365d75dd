"""What a trained model costs: parameters, operations of a window, seconds of an epoch and of a frame."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from waver.device import torch_device
from waver.provenance import seed_for
from waver.shapes import FPS
from waver.training.corpus import VideoSample
from waver.training.frames.checkpoint import build_model, load_checkpoint
from waver.training.frames.predict import video_logits
from waver.training.frames.windows import in_steps
from waver.training.profiling.record import VIDEO_S, Cost, write_cost
from waver.training.trained_model import recorded_model

REPEATS = 9
LONGEST_S = 20.0
"""Seconds after which a call is not repeated any more."""
_PART = 1 / 3
"""Share of the repeats at the beginning that warm up and are not counted."""


def measure(
    record: Mapping[str, Any],
    models: Sequence[Path],
    histories: Sequence[Path],
    weights: Mapping[str, Path],
    output: Path,
) -> None:
    """Measure a model of frames; arguments as in ``waver.training.profiling.measure``.

    Raises:
        WaverError: the model is not of this version.
    """
    del weights  # built on nothing
    checkpoint = load_checkpoint(models[0])
    device = torch_device()
    model = build_model(checkpoint).to(device)
    steps = in_steps(checkpoint)
    window = made_up(checkpoint.normalisation.sizes, steps.window_steps)
    frames = round(VIDEO_S * FPS)
    video = made_up(checkpoint.normalisation.sizes, -(-frames // checkpoint.stride))
    parameters, trainable = parameters_of(model)
    epochs, epoch_s = epochs_of(histories)
    spent = seconds_of(lambda: video_logits(model, video, *steps, device))
    cost = Cost(
        method=record["method"],
        modalities=checkpoint.modalities,
        parameters=parameters,
        trainable=trainable,
        unit="window",
        frames=checkpoint.window,
        flops=flops_of(model, *_inputs(window, device)),
        epochs=epochs,
        epoch_s=epoch_s,
        frame_s=spent / frames,
        video_frames=frames,
        threads=torch.get_num_threads(),
        device=device_name(device),
        model=recorded_model(record, models[0]),
    )
    write_cost(output, cost)


def parameters_of(model: nn.Module) -> tuple[int, int]:
    """Parameters, and of these those that are trained; buffers count as neither."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)


def flops_of(model: nn.Module, *inputs: Any) -> int:
    """Floating-point operations of one forward pass in evaluation mode; see ``Cost.flops``."""
    model.eval()
    counter = FlopCounterMode(display=False)
    # fused attention would be counted as nothing: plain products instead, which do the same work
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops())


def seconds_of(call: Callable[[], Any], repeats: int | None = None) -> float:
    """Wall seconds of a call, median of repeats; the first third warm up caches and are left out.

    A call that takes long is repeated twice only.
    """
    spent: list[float] = []
    while len(spent) < (repeats or REPEATS) and (len(spent) < 3 or sum(spent) < LONGEST_S):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent[round(len(spent) * _PART) :])


def epochs_of(histories: Iterable[Path]) -> tuple[tuple[int, ...], float | None]:
    """Epochs of each history, and their median seconds; None of models without epochs."""
    lengths, seconds = [], []
    for path in histories:
        epochs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        lengths.append(len(epochs))
        seconds += [float(epoch["seconds"]) for epoch in epochs if epoch.get("seconds") is not None]
    return tuple(lengths), statistics.median(seconds) if seconds else None


def device_name(device: torch.device) -> str:
    """Name of the GPU or of the CPU."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def made_up(sizes: Mapping[str, int], frames: int) -> VideoSample:
    """A video of so many frames that never was, its features as if z-scored.

    Args:
        sizes: modality name -> D.
        frames: T.
    """
    rng = np.random.default_rng(seed_for("cost", frames))
    features = {name: rng.normal(size=(frames, size)).astype(np.float32) for name, size in sizes.items()}
    valid = {name: np.ones(frames, bool) for name in sizes}
    return VideoSample("", "", "", None, features, valid, np.zeros(frames, np.uint8), False)


def _inputs(window: VideoSample, device: torch.device) -> tuple[dict[str, Tensor], Tensor]:
    streams = {name: torch.from_numpy(values)[None].to(device) for name, values in window.features.items()}
    return streams, torch.ones(1, window.frames, dtype=torch.bool, device=device)
