"""How many numbers a model of answers has learnt."""

from __future__ import annotations

from typing import Any


def learnt_numbers(model: Any) -> int | None:
    """Parameters of a fitted model of answers: those of its ``network``, or weights and intercept of its ``model``.

    None for a model that has neither. A fitted vocabulary or scale is not counted.
    """
    network, regression = getattr(model, "network", None), getattr(model, "model", None)
    if network is not None:
        return int(sum(parameter.numel() for parameter in network.parameters()))
    if regression is not None:
        return int(regression.coef_.size + regression.intercept_.size)
    return None
