"""The papers' average precision on 256,744 frames: one histogram against a thousand passes, equal first.

Usage: PYTHONPATH=src python bench/average_precision.py [CHECKOUT]

CHECKOUT is a folder with the papers' code, whose own function is timed; without it, a short form of the same passes.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import auc

from waver.evaluation.metrics import THRESHOLDS, average_precision_paper

FRAMES = 256_744


def released(checkout: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The function of the published code, whose labels are floats."""
    sys.path.insert(0, checkout)
    module = importlib.import_module("bah_metrics")
    module.auc = lambda x, y: np.float64(auc(x, y))  # today's scikit-learn returns a plain float, which it stops at
    return lambda probability, label: module.average_precision(probability, label.astype(float))


def thousand_passes(probability: np.ndarray, label: np.ndarray) -> float:
    """As the released evaluation goes over all frames once for each threshold."""
    total = int(label.sum())
    precision, recall = [], []
    for threshold in THRESHOLDS:
        predicted = probability >= threshold
        hits, called = int((predicted & (label == 1)).sum()), int(predicted.sum())
        precision.append(hits / called if called else 0.0)
        recall.append(hits / total)
    return float(auc(recall, precision))


def seconds(call, repeats: int) -> float:
    """Least CPU seconds of some calls."""
    spent = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return min(spent)


def main() -> None:
    """Print both times and their ratio."""
    passes = released(sys.argv[1]) if len(sys.argv) > 1 else thousand_passes
    random = np.random.default_rng(0)
    probability = random.random(FRAMES)
    label = (random.random(FRAMES) < 0.2).astype(np.int64)
    assert abs(passes(probability, label) - average_precision_paper(probability, label)) < 1e-12
    slow = seconds(lambda: passes(probability, label), 2)
    fast = seconds(lambda: average_precision_paper(probability, label), 10)
    print(f"{slow * 1e3:.0f} ms in passes, {fast * 1e3:.1f} ms by a histogram: {slow / fast:.0f} times faster")


if __name__ == "__main__":
    main()
