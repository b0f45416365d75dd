"""AffectGPT of tiny parts with random weights, in the folders and the checkpoint of the released one."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import HubertConfig, HubertModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tiny_clip import write_clip
from waver.models.affectgpt.checkpoint import LAYERS

RANK, SIDE = 3, 28


def write_affectgpt(folder: Path) -> Path:
    """Write the four parts; the language model reads bytes."""
    write_clip(folder / "clip", SIDE, 64)
    torch.manual_seed(1)
    HubertModel(_hubert()).save_pretrained(folder / "hubert")
    write_tokenizer(folder / "language_model")
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = Qwen2ForCausalLM(Qwen2Config(vocab_size=300, num_key_value_heads=1, max_position_embeddings=2048, **sizes))
    words.save_pretrained(folder / "language_model")
    torch.save({"model": released_state(words), "epoch": 60}, folder / "checkpoint.pth")
    return folder


def released_state(words) -> dict[str, torch.Tensor]:
    """What the released checkpoint holds, under its names."""
    state = {}
    for name, part in words.named_modules():
        if name.rpartition(".")[2] in LAYERS:
            owner = f"llama_model.base_model.model.{name}"
            state[f"{owner}.lora_A.default.weight"] = torch.randn(RANK, part.in_features) * 0.1
            state[f"{owner}.lora_B.default.weight"] = torch.randn(part.out_features, RANK) * 0.1
    face, voice, both, size = 16, 24, 24, 16
    linear = {
        "video_attention_mlp": (1, face),
        "affectgpt_proj": (size, face),
        "image_llama_proj": (size, face),
        "audio_attention_mlp": (1, voice),
        "audio_llama_proj": (size, voice),
        "multi_audio_embs": (both, voice),
        "multi_video_embs": (both, face),
        "attention_mlp": (both, 2 * both),
        "fc_att": (2, both),
        "multi_llama_proj": (size, both),
    }
    for name, shape in linear.items():
        state |= {f"{name}.weight": torch.randn(shape) * 0.3, f"{name}.bias": torch.randn(shape[0]) * 0.3}
    return state


def write_tokenizer(folder: Path, **special: str) -> PreTrainedTokenizerFast:
    """Write a tokenizer of single bytes, in the format of Qwen's."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = special or {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, padding_side="left", **special)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _hubert() -> HubertConfig:
    return HubertConfig(
        hidden_size=24,
        num_hidden_layers=5,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_feat_extract_layers=7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
