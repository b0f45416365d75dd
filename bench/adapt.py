"""Adapting to all people at once against one by one, and what of a step of the methods over features could be shared.

Usage: PYTHONPATH=src:tests python bench/adapt.py [PEOPLE] [FRAMES]

The people are made. TDA, DPE and ReTA run over their T_te, a fifth of the frames, of CLIP's width; one by one for a
few of them, at once for all, in turns, one thread. Printed are ratios of CPU time, the largest difference of logits,
and how the time grows with people and frames. For the methods over features: the time of a step with
features of one number, where hardly any arithmetic is left, over that of a step with real ones. What is shared between
people by stacking their parameters is at most that part of the time; the last lines stack a step of information
maximisation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shifted import target_of
from waver.adaptation.base import BOTTLENECK, SourceModel, SourceView
from waver.adaptation.participants import split_population
from waver.adaptation.runner import adapt_one, build_adapter
from waver.adaptation.vision_language.runner import TOGETHER, predict_people

WIDTH, ALONE, VIEWS = 512, 3, 16
AT_ONCE = {"tda": 1, "dpe": 1, "reta": VIEWS}
OVER_FEATURES = {"shot": {"epochs": 2}, "nrc": {"epochs": 1}, "mmd": {"epochs": 2}, "acpl": {"epochs": 2}}


def cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and what the work gave."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def frames_of(person: int, count: int, views: int) -> Iterator[Tensor]:
    """Views [V, D] of each frame; neighbouring frames are alike, and after a hundred they come again."""
    draw = torch.Generator().manual_seed(person)
    scene, made = torch.randn(WIDTH, generator=draw), []
    for _ in range(min(count, 100)):
        scene = 0.95 * scene + 0.3 * torch.randn(WIDTH, generator=draw)
        made.append(functional.normalize(scene + 0.2 * torch.randn(views, WIDTH, generator=draw), dim=1))
    return islice(cycle(made), count)


class Timed:
    """Runs of one method, and the CPU seconds of each number of people and of frames."""

    def __init__(self, method: str) -> None:
        texts = functional.normalize(torch.randn(2, 9, WIDTH, generator=torch.Generator().manual_seed(0)), dim=-1)
        weights = functional.normalize(texts.mean(dim=1), dim=-1).T
        self._start = SimpleNamespace(scale=100.0, weights=lambda _: weights, sentences=lambda _: texts)
        self._adapter, self._views = build_adapter(method, {}), AT_ONCE[method]
        self.spent: dict[tuple[int, int], list[float]] = {}

    def run(self, people: int, frames: int, first: int = 0) -> list[Tensor]:
        """Logits of each person's frames."""
        streams = [frames_of(first + person, frames, self._views) for person in range(people)]
        spent, (logits, _) = cpu_s(lambda: predict_people(self._adapter, self._start, streams, [frames] * people))
        self.spent.setdefault((people, frames), []).append(spent)
        return logits

    def s(self, people: int, frames: int) -> float:
        """Mean CPU seconds of a run."""
        return float(np.mean(self.spent[people, frames]))


def at_once(people: int, frames: int) -> None:
    """Print lines for each method that adapts to people at once, and how its time grows."""
    for method, views in AT_ONCE.items():
        timed, apart = Timed(method), 0.0
        for person in range(ALONE):
            (alone,) = timed.run(1, frames, person)
            apart = max(apart, float((alone - timed.run(people, frames)[person]).abs().max()))
        for fewer in ((TOGETHER, frames), (people // 4, frames), (people, frames // 4)):
            timed.run(*fewer)
        one, whole = timed.s(1, frames), timed.s(people, frames)
        few = timed.s(TOGETHER, frames) / TOGETHER
        print(f"{method:5} {one / whole * people:4.1f} times as fast, {one / few:4.1f} of {TOGETHER} people at a time")
        print(f"      logits apart by {apart:.0e}; a step's frames take {people * views * WIDTH * 4 / 1e6:.1f} MB")
        growth = [whole / timed.s(people // 4, frames), whole / timed.s(people, frames // 4)]
        print(
            f"      times the time: of 4 times the people {growth[0]:.1f}, of 4 times the frames {growth[1]:.1f}",
            flush=True,
        )


def over_features(frames: int, width: int) -> None:
    """Print for each method how much of a step's time is left where there is hardly any arithmetic."""
    for method, options in OVER_FEATURES.items():
        spent = [_step_s(method, options, frames, size) for size in (width, 1, width, 1)]
        full, bare = spent[0] + spent[2], spent[1] + spent[3]
        share = f"of one number {bare / full:.2f} of it"
        print(f"{method:5} {full / 2 * 1e3:.2f} ms a step of {width} numbers a frame, {share}", flush=True)


def _step_s(method: str, options: dict[str, Any], frames: int, width: int) -> float:
    draw = np.random.default_rng(0)
    label = (np.arange(frames) % 5 == 0).astype(np.uint8)
    target = target_of(draw.standard_normal((frames, width), np.float32), label)
    known = draw.standard_normal((4 * frames, width), np.float32)
    source = SourceView(known, np.tile(label, 4), np.zeros(4 * frames, np.int32))
    adapter, model = build_adapter(method, options), SourceModel(width).eval()
    split = split_population(target, "frame_random", 0.0)
    given = source if adapter.needs.source else None
    spent, result = cpu_s(lambda: adapt_one(adapter, model, target, split, given, 0))
    return spent / result.diagnostics["steps"]


def stacked(width: int, people: int, steps: int = 30, batch: int = 64) -> float:
    """CPU seconds a step and person of information maximisation on the stacked bottlenecks of so many people."""
    weight = (torch.randn(people, width, BOTTLENECK) * width**-0.5).requires_grad_(True)
    head, momentum = torch.randn(people, BOTTLENECK, 2), torch.zeros(people, width, BOTTLENECK)
    given = torch.randn(people, batch, width)

    def descend() -> None:
        for _ in range(steps):
            hidden = given @ weight
            spread, mean = torch.var_mean(hidden, dim=1, unbiased=False, keepdim=True)
            share = ((hidden - mean) / (spread + 1e-5).sqrt() @ head).softmax(dim=2)
            middle = share.mean(dim=1)
            loss = (middle * middle.log()).sum() - (share * share.log()).sum(dim=2).mean(dim=1).sum()
            (gradient,) = torch.autograd.grad(loss, weight)
            with torch.no_grad():
                momentum.mul_(0.9).add_(gradient.add_(weight, alpha=1e-3))
                weight.sub_(gradient.add_(momentum, alpha=0.9), alpha=1e-4)

    return cpu_s(descend)[0] / steps / people


def main(people: int, frames: int) -> None:
    """Print the lines."""
    torch.set_num_threads(1)
    at_once(people, frames // 5)
    for width in (256, 1024):
        over_features(frames, width)
    for width in (16, 256, 1024):
        ones, many = zip(*((stacked(width, 1, 400), stacked(width, people)) for _ in range(2)), strict=True)
        ratio = sum(ones) / sum(many)
        print(f"a step on {people} stacked bottlenecks of {width}: {ratio:.1f} times as fast", flush=True)


if __name__ == "__main__":
    given = [int(value) for value in sys.argv[1:]]
    main(*(given + [75, 4500][len(given) :]))
