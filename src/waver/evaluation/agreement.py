"""Agreement of coders about the same frames: Cohen's kappa of two, Krippendorff's alpha of any number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

UNKNOWN = -1
"""Code of a frame that a coder did not see, or could not tell."""


def kappa(one: Array, other: Array) -> float:
    """Cohen's kappa (1960): agreement beyond that of two coders who say each code as often, at random.

    Args:
        one: int [N], codes from 0 of one coder, or UNKNOWN; frames that either does not know are left out.
        other: int [N], of the other.

    Returns:
        1 for the same codes, 0 for chance; nan without frames, and where both say one and the same code throughout.
    """
    known = (one >= 0) & (other >= 0)
    one, other = one[known], other[known]
    if not len(one):
        return float("nan")
    codes = int(max(one.max(), other.max())) + 1
    shares = [np.bincount(side, minlength=codes) / len(side) for side in (one, other)]
    chance = float(shares[0] @ shares[1])
    return float((np.mean(one == other) - chance) / (1 - chance)) if chance < 1 else float("nan")


def alpha(codes: Array) -> float:
    """Krippendorff's alpha of nominal codes (2004, chapter 11): 1 less observed over expected disagreement.

    Args:
        codes: int [C, N], codes from 0 of C coders, or UNKNOWN. A frame that fewer than two coders know tells nothing.

    Returns:
        1 for perfect agreement, 0 for chance; nan where fewer than two codes occur.
    """
    values = np.arange(int(codes.max(initial=UNKNOWN)) + 1)
    counts = (codes[:, :, None] == values).sum(axis=0).astype(np.float64)  # [N, codes]
    known = counts.sum(axis=1)
    counts, known = counts[known > 1], known[known > 1]
    # pairs of coders within a frame, each weighted by 1 / (coders - 1)
    same = ((counts * (counts - 1)).sum(axis=1) / np.maximum(known - 1, 1)).sum()
    of_code = counts.sum(axis=0)
    total = of_code.sum()
    expected = total**2 - (of_code**2).sum()
    if expected <= 0:
        return float("nan")
    return float(1 - (total - 1) * (total - same) / expected)
