"""Where a margin is cut, so that as many items are called positive as are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def cut(margin: npt.NDArray[Any], positives: int) -> float:
    """The value between two margins above which the number of items is nearest to ``positives``.

    Where all items tie, nothing tells them apart, and all get the larger class.
    """
    value, count = np.unique(-np.round(margin, 9), return_counts=True)
    if len(value) == 1:
        return -float(value[0]) + (-1 if 2 * positives > len(margin) else 1)
    best = int(np.argmin(np.abs(np.cumsum(count)[:-1] - positives)))
    return -float(value[best] + value[best + 1]) / 2
