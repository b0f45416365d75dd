"""Low-rank changes on the disk, in the layout of the PEFT library: a folder of settings and factors, without the base.

The arithmetic is ``waver.models.lora``'s. The layout is PEFT's, so that other programs read what was trained here, and
the factors inside a published checkpoint are read by the same function.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from waver.errors import WaverError, first_names
from waver.models.lora import LoraLinear, LoraSettings, add_change
from waver.models.pretrained_folder import reading_folder

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
OWNER = "base_model.model."
"""What PEFT puts before the names of the network."""
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_OTHERS = ("use_dora", "use_rslora", "modules_to_save", "rank_pattern", "alpha_pattern")
"""Settings of PEFT under which the change is more than one product."""

Factors = dict[str, tuple[Tensor, Tensor]]
"""Name of a linear layer from D to E -> its factors [R, D] and [E, R]."""


def save_adapter(network: nn.Module, settings: LoraSettings, folder: Path, base: str) -> None:
    """Write what the factors of a network learned.

    Args:
        network: whose layers ``waver.models.lora.adapt`` changed.
        settings: that it was given.
        folder: to write into.
        base: name of the network that was adapted, for whoever reads the folder.
    """
    layers = {name: part for name, part in network.named_modules() if isinstance(part, LoraLinear)}
    state = {}
    for name, part in layers.items():
        state[OWNER + name + _DOWN] = part.down.weight.detach().cpu().contiguous()
        state[OWNER + name + _UP] = part.up.weight.detach().cpu().contiguous()
    record = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": sorted(layers),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def merge_adapter(network: nn.Module, folder: Path) -> None:
    """Add the change that a folder holds to the weights of a network, for good.

    Raises:
        WaverError: the folder holds no adapter of low rank, one of another network, or one that changes more than the
            weights of linear layers.
    """
    with reading_folder(folder, "adapter in PEFT's layout", "give the folder of a fine-tuned adapter"):
        record = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        scale = _scale(record)
    merge_factors(network, factors_of(state, folder), scale, folder)


def _scale(record: Mapping[str, Any]) -> float:
    """What the product of the factors is multiplied by.

    Raises:
        WaverError: the adapter is of a kind that is not known here.
    """
    used = [key for key in _OTHERS if record.get(key)]
    if record.get("peft_type") != "LORA" or record.get("bias", "none") != "none" or used:
        raise WaverError(f"it is no plain LoRA: {', '.join(used) or record.get('peft_type')}")
    return float(record["lora_alpha"]) / float(record["r"])


def factors_of(state: Mapping[str, Tensor], source: Path, prefix: str = OWNER) -> Factors:
    """The factors among named tensors.

    Args:
        state: names as in an adapter's file, or with the adapter's own name before ``weight``, as in a running PEFT
            model.
        source: where it is from, for the message.
        prefix: what stands before the layers' names.

    Raises:
        WaverError: a tensor is no factor, or a factor lacks the other one.
    """
    named = {key.removeprefix(prefix).replace(".default.weight", ".weight"): value for key, value in state.items()}
    layers = sorted({key.removesuffix(_DOWN).removesuffix(_UP) for key in named})
    wrong = [layer for layer in layers if not {layer + _DOWN, layer + _UP} <= named.keys()]
    if wrong or not layers:
        where = first_names(wrong) or "an empty file"
        raise WaverError(f"{source}: no pair of low-rank factors in {where}; give an adapter of LoRA, whole")
    return {layer: (named[layer + _DOWN], named[layer + _UP]) for layer in layers}


def merge_factors(network: nn.Module, factors: Factors, scale: float, source: Path) -> None:
    """Add scale times the product of each pair to the weight of its layer; all are checked before one is changed.

    Raises:
        WaverError: the network has no linear layer of that name and those sizes.
    """
    linear = {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear)}
    wrong = [
        name
        for name, (down, up) in factors.items()
        if name not in linear or linear[name].weight.shape != (up.shape[0], down.shape[1]) or len(down) != up.shape[1]
    ]
    if wrong:
        names = first_names(wrong)
        raise WaverError(f"{source} changes layers that this network does not have: {names}; give its own base")
    for name, (down, up) in factors.items():
        add_change(linear[name], down, up, scale)
