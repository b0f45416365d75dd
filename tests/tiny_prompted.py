"""Tiny video models with random weights, in the folders that the families of asked models read."""

import json
from pathlib import Path

import torch
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from waver.zeroshot.tiny import byte_tokenizer

TURN = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n"
    "{%- for part in message.content -%}"
    "{%- if part.type == 'video' -%}VIDEO{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
"""A chat template as these checkpoints have it; VIDEO is what each writes for one."""
CHAT = ["<|im_start|>", "<|im_end|>"]
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
POSITIONS = 4096


def write_llava_onevision(folder: Path) -> Path:
    """Frames of 28 pixels and patches of 4: 49 patches, pooled to 16 tokens."""
    tokenizer = byte_tokenizer([*CHAT, "<image>", "<video>"])
    vision = {"model_type": "siglip_vision_model", "image_size": 28, "patch_size": 4, **TEXT, "vision_use_head": False}
    config = LlavaOnevisionConfig(
        vision_config=vision,
        text_config=_text("qwen2", len(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_select_strategy="full",
        image_grid_pinpoints=[[28, 28]],
    )
    return _save(LlavaOnevisionForConditionalGeneration, config, tokenizer, folder, "<video>\n", [0.5] * 3)


def write_internvl(folder: Path) -> Path:
    """Frames of 28 pixels and patches of 7: 16 patches, merged to 4 tokens."""
    tokenizer = byte_tokenizer([*CHAT, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"])
    config = InternVLConfig(
        vision_config={**TEXT, "image_size": [28, 28], "patch_size": [7, 7]},
        text_config=_text("qwen2", len(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    mean = [0.485, 0.456, 0.406]
    return _save(InternVLForConditionalGeneration, config, tokenizer, folder, "<video>\n", mean)


def write_qwen3_vl(folder: Path) -> Path:
    """Patches of 4 pixels, four to a token, frames in pairs."""
    marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = byte_tokenizer([*CHAT, *marks])
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in marks}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [3, 3, 2], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        text_config=_text("qwen3_vl_text", len(tokenizer)) | {"head_dim": 16, "rope_parameters": rope},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    video = "<|vision_start|><|video_pad|><|vision_end|>"
    return _save(Qwen3VLForConditionalGeneration, config, tokenizer, folder, video, [0.5] * 3)


def _text(kind: str, words: int) -> dict:
    return {
        "model_type": kind, **TEXT, "num_key_value_heads": 1, "vocab_size": words, "max_position_embeddings": POSITIONS,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip


def _save(network, config, tokenizer, folder: Path, video: str, mean: list[float]) -> Path:
    torch.manual_seed(0)
    model = network(config)
    with torch.no_grad():  # the library begins with weights so small that pictures hardly count
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TURN.replace("VIDEO", video))
    scale = {"image_mean": mean, "image_std": [0.229, 0.224, 0.225]}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(scale))
    return folder
