"""AffectGPT from a folder: its three public parts, and the released checkpoint that connects them.

The folder holds ``language_model`` (Qwen2.5-7B-Instruct), ``clip`` (clip-vit-large-patch14), ``hubert``
(chinese-hubert-large), each a folder of the transformers library, and ``checkpoint.pth``. The checkpoint has the
projections, and low-rank factors of the language model's layers as PEFT names them in a running model; they are added
to the weights. Frozen encoders that a checkpoint repeats are not read from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, CLIPModel, HubertModel
from transformers.utils.logging import disable_progress_bar

from waver.errors import WaverError, first_names
from waver.models.affectgpt.network import AffectGpt
from waver.models.lora_adapter import factors_of, merge_factors
from waver.models.pretrained_folder import LOCAL, read_model, reading_folder
from waver.models.weights import fill, read_state

LANGUAGE_MODEL, CLIP, HUBERT, CHECKPOINT = "language_model", "clip", "hubert", "checkpoint.pth"
ALPHA = 32
"""Of the released factors; their rank is in their shapes."""
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Layers of the language model that were changed."""
_OWNER = "llama_model.base_model.model."
_ELSEWHERE = ("visual_encoder.", "acoustic_encoder.", "image_llama_proj.")
"""Frozen encoders, which have files of their own, and the projection of single images, which no video needs."""


def load_affectgpt(folder: Path, dtype: torch.dtype, device: torch.device) -> tuple[AffectGpt, Any]:
    """The network of a folder in eval mode on its device, and the language model's tokenizer.

    Args:
        folder: as above.
        dtype: of all weights; the release runs in float32.
        device: where it runs.

    Raises:
        WaverError: a part is missing, is of another kind or not whole.
    """
    disable_progress_bar()
    kind, remedy = "language model with a tokenizer", "give Qwen2.5-7B-Instruct, as AffectGPT was trained with it"
    with reading_folder(folder / LANGUAGE_MODEL, kind, remedy):
        tokenizer = AutoTokenizer.from_pretrained(folder / LANGUAGE_MODEL, **LOCAL)
    words = _part(folder / LANGUAGE_MODEL, kind, remedy, AutoModelForCausalLM, dtype)
    clip = _part(folder / CLIP, "CLIP model", "give clip-vit-large-patch14", CLIPModel, dtype)
    hubert = _part(folder / HUBERT, "HuBERT model", "give chinese-hubert-large", HubertModel, dtype)
    network = AffectGpt(clip, hubert, words)
    read_checkpoint(network, folder / CHECKPOINT)
    return network.to(device), tokenizer


def _part(folder: Path, kind: str, remedy: str, network: Any, dtype: torch.dtype) -> Any:
    with reading_folder(folder, kind, remedy):
        model, found = read_model(network, folder, dtype=dtype, output_loading_info=True)
        # drawn at random where they are missing; the vector of masked sound is used in training alone
        if missing := sorted(set(found["missing_keys"]) - {"masked_spec_embed"}):
            raise WaverError(f"it lacks {first_names(missing)}")
    return model


def read_checkpoint(network: AffectGpt, path: Path) -> None:
    """Give a network the projections of a checkpoint, and its language model the change.

    Raises:
        WaverError: the checkpoint lacks a part, or has one that is not known; nothing is changed then.
    """
    state = {key: value for key, value in read_state(path, "AffectGPT").items() if not key.startswith(_ELSEWHERE)}
    between = network.projections.state_dict()
    factors = {key: value for key, value in state.items() if key.startswith(_OWNER) and ".lora_" in key}
    if unknown := sorted(state.keys() - between.keys() - factors.keys()):
        raise WaverError(f"{path} is no checkpoint of AffectGPT with its best fusion: it has {first_names(unknown)}")
    changed = factors_of(factors, path, _OWNER)
    named = {
        name
        for name, part in network.language_model.named_modules()
        if isinstance(part, nn.Linear) and name.rpartition(".")[2] in LAYERS
    }
    if missing := sorted(named - changed.keys()):
        raise WaverError(f"{path} is no whole checkpoint of AffectGPT: no factors for {first_names(missing)}")
    rank = len(next(iter(changed.values()))[0])
    fill(network.projections, {key: state[key] for key in between.keys() & state.keys()}, path, "AffectGPT")
    merge_factors(network.language_model, changed, ALPHA / rank, path)
