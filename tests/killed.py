"""The death of a training between two epochs, told by its log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Killed(BaseException):
    """Stands in for the signal that ends a job."""


class _Death(logging.Handler):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.left = epochs

    def emit(self, record: logging.LogRecord) -> None:
        if "of at most" in record.getMessage():
            self.left -= 1
            if not self.left:
                raise Killed


@contextmanager
def killed_after(epochs: int) -> Iterator[None]:
    """The training inside dies when its log reports the last of so many epochs, which are saved by then."""
    logger, handler = logging.getLogger("waver.training.trainer"), _Death(epochs)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    except Killed:
        return
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    raise AssertionError(f"the training ended before {epochs} epochs were done")
