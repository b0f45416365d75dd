"""How the cost of training grows with the number of videos and the length of the window, measured and fitted.

Usage: PYTHONPATH=src python bench/shape.py [FUSION ...]

An epoch of training and a validation of Waver's own loop, on random features of the papers' sizes, in CPU seconds
on one thread; both see all videos. Videos are 40 s long. The fit is cost = a * videos^b * window^c in least squares
of the logs; b = 1 and c = 0 mean that every frame costs the same, wherever it stands. Windows do not overlap
(hop = window), so that all rows see the same frames.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch

from waver.config.sections import TrainConfig
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.corpus import VideoSample
from waver.training.frames.training import FrameTraining
from waver.training.trainer import Job, train

SIZES = {"visual": 512, "audio": 128, "text": 768}
FRAMES = 960
VIDEOS = (2, 4, 8, 16)
WINDOWS = (96, 240, 480, 960)


def sample(number: int, draw: np.random.Generator) -> VideoSample:
    """A video of random features."""
    features = {name: draw.standard_normal((FRAMES, size), np.float32) for name, size in SIZES.items()}
    valid = {name: np.ones(FRAMES, bool) for name in SIZES}
    label = (draw.random(FRAMES) < 0.2).astype(np.uint8)
    return VideoSample(f"{number}_Q1", f"{number}", "train", 1, features, valid, label, True)


def epoch_seconds(fusion: str, videos: list[VideoSample], window: int) -> float:
    """CPU seconds of one epoch and one validation."""
    config = TrainConfig(window=window, hop=window, batch=max(1, 960 // window), epochs=1)
    torch.manual_seed(0)
    model = load(FUSIONS, fusion)(SIZES, method_config(FUSIONS, fusion, {}))
    with tempfile.TemporaryDirectory() as folder:
        job = Job(config, 0, "bench", Path(folder) / "history.jsonl", Path(folder) / "state")
        started = time.process_time()
        train(FrameTraining(model, videos, videos, config, 0), job)
        return time.process_time() - started


def main() -> None:
    """Print a row a measurement, and the fitted exponents of each fusion."""
    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    everyone = [sample(number, draw) for number in range(max(VIDEOS))]
    for fusion in sys.argv[1:] or FUSIONS:
        rows = []
        epoch_seconds(fusion, everyone[:2], WINDOWS[0])  # the first call also loads and plans
        for count, window in product(VIDEOS, WINDOWS):
            seconds = epoch_seconds(fusion, everyone[:count], window)
            rows.append((count, window, seconds))
            print(f"{fusion}: {count} videos, window {window}: {seconds:.2f} CPU s")
        count, window, seconds = np.log(np.array(rows)).T
        design = np.stack([np.ones_like(count), count, window], 1)
        fitted = np.linalg.lstsq(design, seconds, rcond=None)[0]
        off = np.expm1(np.abs(design @ fitted - seconds).max())
        print(f"{fusion}: cost ~ videos^{fitted[1]:.2f} * window^{fitted[2]:.2f}, off by at most {off:.0%}")


if __name__ == "__main__":
    main()
