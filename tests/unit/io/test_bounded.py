"""Calls in a copy of the process that has little time and memory."""

import os
import signal
import time

import pytest

from waver.io import bounded
from waver.io.bounded import OutOfBoundsError, in_bounds


def test_the_answer_comes_back_and_nothing_else():
    actual = []
    assert in_bounds(lambda: (actual.append(1), {"a": [1, 2]})[1]) == {"a": [1, 2]}
    assert actual == []
    assert in_bounds(lambda: b"x" * (1 << 20)) == b"x" * (1 << 20)
    with pytest.raises(KeyError, match="no such"):
        in_bounds({}.__getitem__, "no such")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: time.sleep(60), "takes more than 1 s"),
        (lambda: bytearray(2 << 30), "takes more than 768 MB of memory"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "crashes, or takes over 768 MB"),
    ],
)
def test_a_call_without_end_is_ended(monkeypatch, call, told):
    monkeypatch.setattr(bounded, "_WAITED", 0.2)
    with pytest.raises(OutOfBoundsError, match=told):
        in_bounds(call, seconds=1)
