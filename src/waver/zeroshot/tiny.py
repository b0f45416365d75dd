"""A Video-LLaVA with random weights, in the format of the real one: for the demo and for tests.

What it answers means nothing. Its vocabulary is one of bytes, trained on one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
)

_SENTENCE = (
    "USER: Video transcript: I want to change, but I am not sure. Classify the emotion in the video as either "
    "'Non-Ambivalent' or 'Ambivalent'. Respond with only one word: ASSISTANT: Non-Ambivalent Ambivalent"
)


def write_tiny_video_llava(
    folder: Path, side: int = 28, patch: int = 14, width: int = 32, layers: int = 2, seed: int = 0
) -> Path:
    """Write a tiny Video-LLaVA as a folder of pretrained files.

    Args:
        folder: to write.
        side: of the pictures, pixels; a frame becomes ``(side / patch)^2 + 1`` tokens.
        patch: side of a patch, pixels.
        width: of both networks.
        layers: of both networks.
        seed: of the weights.
    """
    tokenizer = byte_tokenizer(["<image>", "<video>"])
    tokenizer.save_pretrained(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in ("<pad>", "<s>", "</s>", "<image>", "<video>")}
    tower = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    vision = CLIPVisionConfig(**tower, num_attention_heads=2, image_size=side, patch_size=patch)
    text = LlamaConfig(
        **tower,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=4096,
        pad_token_id=ids["<pad>"],
        bos_token_id=ids["<s>"],
        eos_token_id=ids["</s>"],
    )
    torch.manual_seed(seed)
    config = VideoLlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=ids["<image>"],
        video_token_index=ids["<video>"],
        video_seq_length=8 * ((side // patch) ** 2 + 1),
    )
    VideoLlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def byte_tokenizer(placeholders: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes and the pairs of one sentence, with ``<s>``, ``</s>``, ``<pad>`` and placeholders."""
    special = ["<pad>", "<s>", "</s>", *placeholders]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [_SENTENCE], trainers.BpeTrainer(vocab_size=350, special_tokens=special, initial_alphabet=alphabet)
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(placeholders),
        padding_side="left",
    )
