"""A CLIP of two small towers with random weights, and a tokenizer of letters."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

POSITIONS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
LETTERS = [*"abcdefghijklmnopqrstuvwxyz ,.", START, END]


def write_clip(folder: Path, side: int = 224, width: int = 128, seed: int = 0) -> Path:
    """Write model and tokenizer as a folder of pretrained files; embeddings of 16 values."""
    vocabulary = {name: number for number, name in enumerate(LETTERS)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=END))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.RobertaProcessing(
        (END, vocabulary[END]), (START, vocabulary[START]), trim_offsets=False
    )
    special = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=POSITIONS, **special).save_pretrained(folder)
    tower = {
        "hidden_size": width,
        "num_hidden_layers": 2,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 64,
    }
    text = {**tower, "vocab_size": len(LETTERS), "max_position_embeddings": POSITIONS}
    text |= {"bos_token_id": vocabulary[START], "eos_token_id": vocabulary[END], "pad_token_id": vocabulary[END]}
    vision = {**tower, "image_size": side, "patch_size": side // 4}
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    return folder
