"""Pretrained text encoders: how they are read, and batches of texts of like length."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from waver.device import encoder_settings
from waver.errors import WaverError
from waver.models.pretrained_folder import LOCAL, read_model, reading_folder

MOST_TOKENS = 256
"""Tokens of a piece of text, with the special ones, as in the papers' released features; a longer one is cut."""

BATCH_TOKENS = 4096
"""Tokens of a forward pass, padding included."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a transformers or sentence-transformers folder.

    Raises:
        WaverError: the folder holds none that tells words from special tokens.
    """
    with reading_folder(folder, "tokenizer", "give the folder of a text encoder"):
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **LOCAL)
    if not tokenizer.is_fast:
        raise WaverError(f"the tokenizer in {folder} has no tokenizer.json; save it with one")
    return tokenizer


def load_backbone(folder: Path, device: torch.device, role: str = "word_encoder") -> Any:
    """The transformer of a folder, in float32, in eval mode, on its device.

    Args:
        folder: of a transformers model.
        device: where it runs.
        role: under which the config gives the folder, for messages.

    Raises:
        WaverError: the folder holds none.
    """
    disable_progress_bar()
    with reading_folder(folder, "text encoder", "correct the path"):
        model, found = read_model(AutoModel, folder, output_loading_info=True, **encoder_settings(device))
    check_complete(folder, found, "text encoder", role, unused=("pooler.",))
    return model.eval().to(device)


def check_complete(folder: Path, found: Mapping[str, Any], kind: str, role: str, unused: tuple[str, ...] = ()) -> None:
    """Refuse a model of which transformers has drawn a part at random.

    Args:
        folder: that was read.
        found: what ``from_pretrained`` tells with ``output_loading_info``.
        kind: what the folder should hold, for the message.
        role: under which the config gives the folder.
        unused: how names of parameters begin that the folder may lack.

    Raises:
        WaverError: the folder lacks parameters.
    """
    missing = sorted(name for name in found["missing_keys"] if not name.startswith(unused))
    if missing:
        raise WaverError(
            f"{folder} holds no whole {kind}: it lacks {len(missing)} parameters ({missing[0]}, ...); "
            f"correct models.paths.{role}"
        )


def most_tokens(model: Any, wanted: int = MOST_TOKENS) -> int:
    """Tokens of a text that a model takes, special ones included, at most ``wanted``."""
    positions = int(getattr(model.config, "max_position_embeddings", wanted))
    # of RoBERTa's positions the first two are never used
    return min(
        wanted, positions - 2 if model.config.model_type in ("roberta", "xlm-roberta", "camembert") else positions
    )


def pooling(folder: Path) -> Literal["mean", "first"]:
    """How a sentence-transformers folder makes one vector of its tokens; the mean where it does not say.

    Raises:
        WaverError: it does it in a way that is not known here.
    """
    file = folder / "1_Pooling" / "config.json"
    modes = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    chosen = {name.removeprefix("pooling_mode_") for name, on in modes.items() if on is True and "pooling_mode" in name}
    if "pooling_mode" in modes:  # as sentence-transformers 6 writes it
        named = modes["pooling_mode"]
        chosen = {
            f"{name}_{'token' if name == 'cls' else 'tokens'}"
            for name in ([named] if isinstance(named, str) else named)
        }
    known: dict[frozenset[str], Literal["mean", "first"]] = {
        frozenset(): "mean",
        frozenset({"mean_tokens"}): "mean",
        frozenset({"cls_token"}): "first",
    }
    if frozenset(chosen) not in known:
        raise WaverError(f"{file} pools by {', '.join(sorted(chosen))}; known are mean_tokens and cls_token")
    return known[frozenset(chosen)]


def padded(rows: Sequence[Sequence[int]], value: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids of several texts as int64 [B, T], and which of them are there, int64 [B, T]."""
    ids = torch.full((len(rows), max(map(len, rows))), value)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids.to(device), mask.to(device)


def like_lengths(lengths: Sequence[int], budget: int = BATCH_TOKENS) -> list[list[int]]:
    """Numbers of the texts, longest first, in batches of at most ``budget`` tokens, padding included."""
    batches: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > budget:
            batches.append([])
        batches[-1].append(number)
    return batches
