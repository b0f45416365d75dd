"""What adapting one person costs by each method over features, and 75 people by all of them on two cores.

Usage: PYTHONPATH=src:tests python bench/adapted_people.py [FRAMES] [WIDTH] [SOURCE_FRAMES] [METHOD ...]

The person is made, of that many frames in four videos; the settings are the defaults. Printed are CPU seconds of one
thread, and at the end their sum times 75 over two cores, with the largest memory of this process. Starting the jobs and
reading the packs are not in it.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import torch

from shifted import target_of
from waver.adaptation.base import SourceModel, SourceView
from waver.adaptation.participants import split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.records import VisionLanguageRecord
from waver.registry import ADAPTATIONS

PEOPLE, CORES = 75, 2
METHODS = [name for name, record in ADAPTATIONS.items() if not isinstance(record, VisionLanguageRecord)]


def main(frames: int, width: int, known: int, methods: list[str]) -> None:
    """Print a line a method, and the sum."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    draw, total = np.random.default_rng(0), 0.0
    label = (np.arange(frames) // 100 % 5 == 0).astype(np.uint8)
    target = target_of(draw.standard_normal((frames, width), np.float32) + label[:, None], label)
    old = (np.arange(known) // 100 % 5 == 0).astype(np.uint8)
    source = SourceView(draw.standard_normal((known, width), np.float32), old, np.arange(known, dtype=np.int32) // 2500)
    model, split = SourceModel(width).eval(), split_population(target, "block", 1.0)
    for method in methods:
        adapter = build_adapter(method, {})
        started = time.process_time()
        result = adapt_one(adapter, model, target, split, source if adapter.needs.source else None, 0)
        spent = time.process_time() - started
        total += spent
        print(f"{method:12} {spent:7.1f} s CPU, {result.diagnostics['steps']} steps", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    minutes = total * PEOPLE / CORES / 60
    print(f"{PEOPLE} people on {CORES} cores: {minutes:.0f} minutes; at most {peak:.1f} GB a process")


if __name__ == "__main__":
    sizes = [int(value) for value in sys.argv[1:4]]
    main(*(sizes + [4500, 512, 500_000][len(sizes) :]), sys.argv[4:] or METHODS)
