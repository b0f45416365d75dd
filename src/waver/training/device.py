"""Where the arithmetic runs and in which precision, decided once."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def best_device() -> torch.device:
    """The first GPU where the job sees one, else the CPU; results repeat bit by bit on either."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context in which matrix products run in bfloat16 where ``precision`` is ``bf16``."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
