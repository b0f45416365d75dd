"""What it takes to ask a model that was never measured: an estimate from its parameters and the tokens that it reads.

A pass over T tokens takes about 2 T operations a parameter (Kaplan et al., "Scaling laws for neural language models",
2020, section 2.1), so that of two models on one machine the times are to each other as parameters times tokens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from waver.cluster.model_jobs import Part
from waver.config.model import Config
from waver.io.safetensors_shapes import safetensors_shapes
from waver.registry import ZERO_SHOT_MODELS

_GPU_OPERATIONS_S = 1e14
"""Of half precision, that a large GPU of a data centre sustains: a round number, measured nowhere here."""


class Estimate(NamedTuple):
    """CPU seconds of all jobs of a part, and in words what they rest on."""

    cpu_s: float
    basis: str


def estimated(part: Part, config: Config, rates: Mapping[str, Any]) -> Estimate | None:
    """What a part of the rule ``zeroshot_ask`` costs that has no rates; None where nothing is known of its model.

    Args:
        part: of a model that was never measured.
        config: of the run.
        rates: the table.
    """
    reference: Mapping[str, Any] = rates["prompt_estimate"]
    own = reference["models"].get(part.model)
    if own is None:
        return None
    counted = _parameters(config.models.paths.get(ZERO_SHOT_MODELS[part.model].asset))
    parameters = counted or float(own["parameters"])
    shown = part.items * (own["frame"] * config.zeroshot.frames.number + reference["text"]["shared"])
    tokens = shown + part.amount["prompt"] * reference["text"]["prompt"]
    measured = rates["rules"]["zeroshot_ask"]["models"][reference["like"]]
    second = measured["prompt"] / (float(reference["parameters"]) * reference["tokens"])
    gpu_h = 2 * parameters * tokens / _GPU_OPERATIONS_S / 3600
    source = "counted in its folder" if counted else "of the papers' checkpoint"
    basis = (
        f"never measured: ESTIMATED from {parameters / 1e9:.1f} billion parameters ({source}), {tokens:,.0f} tokens "
        f"and the measured time of {reference['like']}; on a GPU perhaps {gpu_h:.1f} h, at 1e14 operations a second"
    )
    return Estimate(measured["job"] * part.amount["job"] + second * parameters * tokens, basis)


def _parameters(folder: Path | str | None) -> float:
    """Numbers in the weights of a folder; 0 where they are not there, or in files of another kind."""
    found = Path(folder).expanduser().rglob("*.safetensors") if folder else ()
    try:
        files = [file for place in sorted({file.parent for file in found}) for file in _loaded(place)]
        return float(sum(math.prod(shape) for file in files for _, shape in safetensors_shapes(file)))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return 0.0


def _loaded(place: Path) -> list[Path]:
    """Files of a folder that transformers reads: the whole model, else the parts of its index; else all of them."""
    whole, index = place / "model.safetensors", place / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    if index.is_file():
        return [place / name for name in set(json.loads(index.read_text("utf-8"))["weight_map"].values())]
    return list(place.glob("*.safetensors"))
