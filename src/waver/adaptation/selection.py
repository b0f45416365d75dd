"""Which epoch's network predicts: the last, or the best on the person's labels, which no method without labels has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from waver.adaptation.base import Labels
from waver.config.sections import Section


class EpochsConfig(Section):
    """What methods share that adapt for some epochs and predict then."""

    select: Literal["last", "val_oracle"] = Field(
        "last",
        description="epoch that predicts: the last, or that of the best accuracy on labels of T_va, as in the release "
        "of ACPL; decided by the method's name (shot, shot_val_oracle)",
    )


def best_epoch(after: Sequence[Tensor], labels: Labels) -> int:
    """Number from 0 of the epoch with the best accuracy; of equal ones the earliest.

    Args:
        after: logits [M, 2] of T_va after each epoch, at least one.
        labels: uint8 [M], of T_va.
    """
    true = torch.tensor(labels, dtype=torch.long)
    right = [int((logits.argmax(dim=1) == true).sum()) for logits in after]
    return right.index(max(right))
