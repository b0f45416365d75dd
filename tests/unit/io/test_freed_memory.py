"""A process holds no more after a long recording than before it."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREED = """
import sys
import numpy as np
from waver.io.freed_memory import return_freed_memory

def held_mb():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]) / 1024

if sys.argv[1] == "returned":
    return_freed_memory()
first = np.ones(31 << 17)  # one large block that is freed
del first
before = held_mb()
large, small = [], []
for _ in range(10):
    large.append(np.ones(1 << 20))  # 8 MB
    small.append(bytearray(100_000))
del large
print(held_mb() - before)
"""


@pytest.mark.parametrize(("how", "least", "most"), [("kept", 60, 200), ("returned", -200, 10)])
def test_freed_arrays_are_the_systems_again(how, least, most):
    done = subprocess.run([sys.executable, "-c", FREED, how], capture_output=True, text=True, check=True)
    assert least < float(done.stdout) < most
