"""Published weights of EmoCLIP: CLIP's own names for the towers, the release's for the temporal transformer."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from waver.models.video.emoclip import EmoClip
from waver.models.weights import fill, read_state, trimmed

log = logging.getLogger(__name__)

_PARTS = (
    "scale",
    "clip.logit_scale",
    "clip.text_model.",
    "clip.text_projection.",
    "clip.vision_model.",
    "clip.visual_projection.",
)
_VISION = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "ln_pre": "vision_model.pre_layrnorm",
    "ln_post": "vision_model.post_layernorm",
    "proj": "visual_projection.weight",
    "transformer.resblocks": "vision_model.encoder.layers",
}
_TEXT = {
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "text_projection": "text_projection.weight",
    "transformer.resblocks": "text_model.encoder.layers",
    "logit_scale": "logit_scale",
}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_TEMPORAL = {
    "0.fn.norm": "norm1",
    "0.fn.fn.to_qkv": "qkv",
    "0.fn.fn.to_out.0": "out",
    "1.fn.norm": "norm2",
    "1.fn.fn.net.0": "fc1",
    "1.fn.fn.net.3": "fc2",
}


def load_emoclip_weights(model: EmoClip, path: str | Path) -> tuple[str, ...]:
    """Load a file of weights, of the release or of Waver.

    Args:
        model: built with ``sizes="released"`` for the release's weights.
        path: a state dict; of the release either the whole network, or that for further tasks, which has neither
            text tower nor scale.

    Returns:
        Prefixes of the parts that the file does not have: they stay as the CLIP checkpoint has them.

    Raises:
        WaverError: the file cannot be read, or its parameters are not EmoCLIP's.
    """
    state = read_state(path, "EmoCLIP")
    if any(name.startswith("backbone.") for name in state):
        state = from_release(state)
    left = fill(model, state, path, f"EmoCLIP with {model.config.sizes} sizes", _PARTS)
    log.info("EmoCLIP has the weights of %s%s", path, f", without {', '.join(left)}" if left else "")
    return left


def from_release(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the release under our names."""
    # the network for further tasks keeps the image tower alone, without its prefix, and a head of its own
    alone = "backbone.conv1.weight" in state
    renamed: dict[str, Tensor] = {}
    for name, value in trimmed(state, ignore=("mlp.",)).items():
        if name.startswith("temporal."):
            renamed[_temporal(name)] = value
        elif not name.startswith("backbone."):
            renamed["scale" if name == "logit_scale" else name] = value
        else:
            inner = name.removeprefix("backbone.")
            visual = alone or inner.startswith("visual.")
            renamed |= _of_tower(inner.removeprefix("visual."), value, _VISION if visual else _TEXT)
    return renamed


def _temporal(name: str) -> str:
    found = re.fullmatch(r"temporal\.temporal_transformer\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    if not found or found[2] not in _TEMPORAL:
        return name
    return f"temporal.layers.{found[1]}.{_TEMPORAL[found[2]]}.{found[3]}"


def _of_tower(name: str, value: Tensor, table: Mapping[str, str]) -> dict[str, Tensor]:
    """One tensor of CLIP, or the three that it stands for."""
    start = next((start for start in table if name == start or name.startswith(f"{start}.")), None)
    if start is None:
        return {f"backbone.{name}": value}
    name = f"clip.{table[start]}{name.removeprefix(start)}"
    for theirs, ours in _BLOCK.items():
        name = name.replace(f".{theirs}.", f".{ours}.")
    if ".attn.in_proj_" in name:
        parts = zip("qkv", value.chunk(3), strict=True)
        return {name.replace(".attn.in_proj_", f".self_attn.{letter}_proj."): part for letter, part in parts}
    # CLIP multiplies from the right
    return {name: value.T if start in ("proj", "text_projection") else value}
