"""A tiny Llama with random weights as one GGUF file, as llama.cpp's converter writes it."""

import json
from pathlib import Path

import gguf
import numpy as np

from waver.zeroshot.tiny import byte_tokenizer

WIDTH, INNER, HEADS = 32, 64, 2


def write_gguf(path: Path) -> Path:
    """Two layers 32 wide, matrices in blocks of 8 bits (Q8_0)."""
    tokenizer = byte_tokenizer([])
    words = [tokenizer.convert_ids_to_tokens(number) for number in range(len(tokenizer))]
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in {
        "context_length": 4096, "embedding_length": WIDTH, "block_count": 2, "feed_forward_length": INNER,
        "head_count": HEADS, "head_count_kv": HEADS, "rope_dimension_count": WIDTH // HEADS, "vocab_size": len(words),
        "layer_norm_rms_eps": 1e-5, "file_type": gguf.LlamaFileType.MOSTLY_Q8_0,
    }.items():  # fmt: skip
        getattr(writer, f"add_{name}")(value)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([gguf.TokenType.CONTROL if word[0] == "<" else gguf.TokenType.NORMAL for word in words])
    writer.add_token_merges([" ".join(pair) for pair in _merges(tokenizer)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    draw = np.random.default_rng(0)
    for name, shape in _shapes(len(words)).items():
        values = np.ones(shape, np.float32) if len(shape) == 1 else draw.normal(0, 0.2, shape).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _merges(tokenizer) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]]


def _shapes(words: int) -> dict[str, tuple[int, ...]]:
    found = {"token_embd.weight": (words, WIDTH), "output.weight": (words, WIDTH), "output_norm.weight": (WIDTH,)}
    for layer in range(2):
        own = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
        own |= {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
        own |= {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
        found |= {f"blk.{layer}.{name}.weight": shape for name, shape in own.items()}
    return found
