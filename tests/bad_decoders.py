"""Decoders that misbehave, to be called in a worker process."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import time
from pathlib import Path

import numpy as np

from waver.errors import ExcludedItem

_calls: list[str] = []


def read(name: str) -> str:
    """What a file's name says: the decoder of the rest dies, hangs, or eats memory."""
    _calls.append(name)
    logging.getLogger("decoder").warning("reads %s", name)
    match Path(name).stem:
        case "abort":
            os.abort()
        case "segv":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "ended":  # as a daemon that watches the memory does
            os.kill(os.getpid(), signal.SIGTERM)
        case "hang":
            time.sleep(60)
        case "eat":
            return str(np.ones(1 << 30, np.float64).sum())  # 8 GB
        case "excluded":
            raise ExcludedItem("no video", "bring one")
        case "disk":
            raise OSError(28, "No space left on device")
        case "odd":
            raise type("OddError", (Exception,), {})(lambda: 0)
        case "second" if len(_calls) > 1:
            os.abort()
    return f"{os.getpid()} read {name}"


def frames(name: str):
    """Numbers and pictures; the worker dies in the middle of the second file."""
    _calls.append(name)
    for number in range(5):
        if number == 3 and (len(_calls) > 1 or name == "always"):
            os.abort()
        yield number, np.full((200 + 50 * number, 300, 3), number, np.uint8)
    return f"all of {name}"
