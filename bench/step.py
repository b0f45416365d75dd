"""A training step of LFAN and of CAN on features: the published network beside ours, the same weights and batch.

Usage: PYTHONPATH=src:tests python bench/step.py CHECKOUT [WINDOW] [BATCH]

CHECKOUT is a folder with the papers' code. Forward, cross entropy, backward and one step of SGD, in fp32 on one
thread, with the papers' sizes; CPU seconds, the least of some steps in turns. Frames arrive as features: the
published face network is left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from parity import fusions

STEPS = 4
SIZES = {"visual": 512, "audio": 128, "text": 768}
CHANNELS = {
    "lfan": {"visual": (256, 256, 128, 128), "audio": (64, 64, 32, 32), "text": (256, 256, 128, 128)},
    "can": {"visual": (256, 256, 128, 128, 128), "audio": (128, 128, 64, 64), "text": (256, 256, 128, 128)},
}


def stepper(model: nn.Module, logits: Callable[[], Tensor], label: Tensor) -> Callable[[], float]:
    """A training step that returns its CPU seconds."""
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def step() -> float:
        started = time.process_time()
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits().flatten(0, 1), label.flatten()).backward()
        optimiser.step()
        return time.process_time() - started

    return step


def both(space: dict, fusion: str, streams: dict[str, Tensor], label: Tensor) -> tuple[float, float]:
    """Least CPU seconds of a step, published and ours; their logits are equal first."""
    ours = fusions.fixed_model(fusion).float()
    theirs = fusions.their_model(space, fusion, label.shape[1])
    theirs.load_state_dict(fusions.their_state(fusion, ours.state_dict()), strict=False)
    mask = torch.ones(label.shape, dtype=torch.bool)
    given = {fusions.THEIRS[name]: x[:, None] for name, x in streams.items()}
    given["video"] = streams["visual"][..., None, None]
    # theirs changes the mapping it is given
    calls = lambda: theirs({name: given[name] for name in fusions.THEIRS.values()}), lambda: ours(streams, mask)
    with torch.no_grad():
        torch.testing.assert_close(calls[1](), calls[0](), rtol=1e-3, atol=5e-3)
    steps = [stepper(model.train(), call, label) for model, call in zip((theirs, ours), calls, strict=True)]
    spent = [[step() for step in steps] for _ in range(STEPS)]
    slow, fast = (min(times) for times in zip(*spent, strict=True))
    return slow, fast


def main() -> None:
    """Print both times and their ratio."""
    torch.set_num_threads(1)
    checkout, *numbers = sys.argv[1:]
    window, batch = (int(number) for number in [*numbers, *(696, 4)[len(numbers) :]])
    fusions.DIMS, fusions.CHANNELS = SIZES, CHANNELS
    space = fusions.published(checkout)
    torch.manual_seed(0)
    streams = {name: torch.randn(batch, window, size) for name, size in SIZES.items()}
    label = torch.randint(0, 2, (batch, window))
    for fusion in CHANNELS:
        slow, fast = both(space, fusion, streams, label)
        print(f"{fusion}, {batch} windows of {window}: {slow:.2f} CPU s published, {fast:.2f} ours: {slow / fast:.2f}x")


if __name__ == "__main__":
    main()
