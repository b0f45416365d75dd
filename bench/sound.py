"""CPU seconds of the features of sound, and how much faster than the recording they are made.

Usage: PYTHONPATH=src python bench/sound.py [--seconds 20 60] [--vggish WEIGHTS]

The sound is made: noise that comes and goes. VGGish has random weights unless a file is given: time does not depend on
them. The change of its features by bf16 does, and is a share of their spread. One thread; times are CPU seconds, so
that other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from waver.features.audio.extract import embedder
from waver.features.audio.logmel import padded_log_mel, patch_starts, patch_statistics
from waver.features.audio.prosody import prosody
from waver.features.audio.vggish import VGGish
from waver.features.samples import RATE_HZ
from waver.shapes import FPS

PRECISIONS: tuple[Literal["fp32", "bf16"], ...] = ("fp32", "bf16")


def made_sound(seconds: int) -> Any:
    """Float32 samples at the rate of the features: half a second of noise, half a second of little."""
    draw = np.random.default_rng(0)
    loud = np.repeat(draw.choice([0.02, 0.3], 2 * seconds), RATE_HZ // 2)
    return (draw.standard_normal(len(loud)) * loud).astype(np.float32)


def measured(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, after one that warms up, and what it gave."""
    work()
    before = time.process_time()
    found = work()
    return time.process_time() - before, found


def table(weights: Path, seconds: int) -> dict[str, tuple[float, Any]]:
    """Of each feature the CPU seconds for so much sound, and what it gave."""
    samples, frames = made_sound(seconds), round(seconds * FPS)
    track = padded_log_mel(samples)
    work: dict[str, Callable[[], Any]] = {
        "log-mel": lambda: padded_log_mel(samples),
        "statistics of patches": lambda: patch_statistics(track, patch_starts(frames, len(track))),
        "prosody": lambda: prosody(samples, frames),
    }
    for precision in PRECISIONS:
        describe = embedder(weights, torch.device("cpu"), precision)
        work[f"VGGish, {precision}"] = partial(describe, samples, track, frames)
    return {name: measured(one) for name, one in work.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=[20, 60])
    parser.add_argument("--vggish", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        weights = given.vggish or Path(folder) / "vggish.pth"
        if given.vggish is None:
            torch.manual_seed(0)
            torch.save(VGGish().state_dict(), weights)
        found = {seconds: table(weights, seconds) for seconds in given.seconds}
    print(f"{'':24}" + "".join(f"{f'{seconds} s of sound':>24}" for seconds in found))
    for name in next(iter(found.values())):
        cells = (f"{own[name][0]:.3f} s, {seconds / own[name][0]:.1f}x" for seconds, own in found.items())
        print(f"{name:24}" + "".join(f"{cell:>24}" for cell in cells))
    exact, rough = (found[given.seconds[-1]][f"VGGish, {precision}"][1][0] for precision in PRECISIONS)
    print(f"bf16 moves an embedding by {np.abs(exact - rough).mean() / exact.std(axis=0).mean():.1%} of its spread")


if __name__ == "__main__":
    main()
