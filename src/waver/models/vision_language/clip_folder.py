"""CLIP checkpoints: folders of the transformers library, with their tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, CLIPModel
from transformers.utils.logging import disable_progress_bar

from waver.models.pretrained_folder import LOCAL, read_model, reading_folder

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's pixels, red, green, blue, on a scale from 0 to 1."""


def load_clip(folder: Path) -> tuple[Any, Any]:
    """CLIP of a folder in float32, and its tokenizer.

    Raises:
        WaverError: the folder holds no CLIP checkpoint, or no tokenizer.
    """
    disable_progress_bar()
    with reading_folder(folder, "CLIP checkpoint with a tokenizer", "correct the path"):
        clip = read_model(CLIPModel, folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    return clip, tokenizer
