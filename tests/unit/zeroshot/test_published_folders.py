"""Folders as checkpoints are published: names, shards, precisions and settings that the library no longer writes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoTokenizer

from tiny_prompted import write_internvl, write_llava_onevision, write_qwen3_vl
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.internvl import InternVl
from waver.zeroshot.families.llava_onevision import LlavaOnevision
from waver.zeroshot.families.qwen3_vl import Qwen3Vl
from waver.zeroshot.families.video_llava import VideoLlava
from waver.zeroshot.tiny import write_tiny_video_llava

ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
PROMPTS = [Prompt("Classify.", ""), Prompt("Video transcript: well. Classify.", "")]

LLAVA = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% if message['role'] != 'assistant' %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + part['text'] }}"
    "{% endfor %}{% else %}{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ '\\n' + part['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{ '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Sorts the parts of a turn, and marks what the assistant says by a tag of the library's own."""
INTERN = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}{% elif part['type'] == 'video' %}{{ '<video>\\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
QWEN = (
    "{%- set count = namespace(value=0) %}{%- if tools %}{{- '<tools>' }}{%- endif %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- for part in message.content %}{%- if part.type == 'image' or 'image' in part %}<|image_pad|>"
    "{%- elif part.type == 'video' or 'video' in part %}{%- set count.value = count.value + 1 %}"
    "{%- if add_vision_id %}Video {{ count.value }}: {% endif -%}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- elif 'text' in part %}{{- part.text }}{%- endif %}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
SAMPLED = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "eos_token_id": [2, 1]}
VICUNA = {"temperature": 0.9, "top_p": 0.6, "_from_model_config": True}
"""Without do_sample, which the library refuses to write."""
KINDS = {
    LlavaOnevision: (write_llava_onevision, LLAVA, "chat_template.json", SAMPLED, "vision_tower."),
    InternVl: (write_internvl, INTERN, "tokenizer_config.json", VICUNA, ""),
    Qwen3Vl: (write_qwen3_vl, QWEN, "chat_template.json", SAMPLED, ""),
    VideoLlava: (write_tiny_video_llava, "", "", VICUNA, "video_tower."),
}
OPENED = {
    LlavaOnevision: ("<|im_start|>user <video>", "<video>\nClassify.<|im_end|><|im_start|>assistant\n"),
    InternVl: ("<|im_start|>user\nFrame1: <img>", "</img>\nClassify.<|im_end|>\n<|im_start|>assistant\n"),
    Qwen3Vl: ("<|im_start|>user\n<0.2 seconds>", "<|vision_end|>Classify.<|im_end|>\n<|im_start|>assistant\n"),
    VideoLlava: ("USER: <video>", "<video>\nClassify. ASSISTANT:"),
}


def edit(path, **changes):
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({key: value for key, value in (known | changes).items() if value is not None}))


def published(folder, family):
    write, template, place, generation, tower = KINDS[family]
    write(folder)
    weights = load_file(folder / "model.safetensors")
    old = {name.replace(tower, f"{tower}vision_model.", 1) if tower else name: one.bfloat16().contiguous()
           for name, one in weights.items()}  # fmt: skip
    (folder / "model.safetensors").unlink()
    names, half = sorted(old), len(old) // 2
    shards = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
    for file, own in shards.items():
        save_file({name: old[name] for name in own}, folder / file, metadata={"format": "pt"})
    places = {name: file for file, own in shards.items() for name in own}
    edit(folder / "model.safetensors.index.json", metadata={"total_size": 1}, weight_map=places)
    edit(folder / "config.json", dtype=None, torch_dtype="bfloat16", transformers_version="4.46.0")
    edit(folder / "generation_config.json", **generation)
    edit(folder / "tokenizer_config.json", pad_token=None)
    if template:
        (folder / "chat_template.jinja").unlink()
        edit(folder / place, chat_template=template)
        (folder / "video_preprocessor_config.json").rename(folder / "preprocessor_config.json")
    return folder


@pytest.fixture(params=list(KINDS), ids=lambda family: family.__name__, scope="module")
def own(request, tmp_path_factory):
    family = request.param
    folder = published(tmp_path_factory.mktemp(family.__name__), family)
    return family, folder, family.load(folder, family.Config(), "float32")


def item(seed=0):
    frames = np.random.default_rng(seed).integers(0, 256, (4, 40, 24, 3), dtype=np.uint8)
    return Item(frames=frames, times_s=np.arange(4) / 2)


def test_a_published_folder_is_read_and_asked_as_the_library_reads_it(own):
    family, folder, model = own
    begin, end = OPENED[family]
    wrapped = model.wrapped(item(), PROMPTS[0])
    assert wrapped.startswith(begin)
    assert wrapped.endswith(end)
    theirs = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scores = model.score([item()], [PROMPTS], ANSWERS, "first_token")[0]
    for prompt, scored in zip(PROMPTS, scores, strict=True):
        text = model.wrapped(item(), prompt)
        ids = torch.tensor([tokenizer(text, add_special_tokens=family is VideoLlava)["input_ids"]])
        inputs = dict(model.pictures([item()]))
        if family is Qwen3Vl:
            inputs["mm_token_type_ids"] = (ids == theirs.config.video_token_id).int() * 2
        with torch.no_grad():
            expected = theirs(input_ids=ids, **inputs).logits[0, -1].double().log_softmax(-1)
        negative, positive = (answer[0] for answer in model.answer_ids(text, ANSWERS))
        assert scored.margin == pytest.approx(float(expected[positive] - expected[negative]), abs=1e-4)


def test_neither_a_missing_token_of_padding_nor_sampling_settings_change_an_answer(own):
    _, _, model = own
    items, requested = [item(), item(1)], [PROMPTS, PROMPTS[::-1]]
    together = model.score(items, requested, ANSWERS, "full")
    alone = [model.score([one], [prompts], ANSWERS, "full")[0] for one, prompts in zip(items, requested, strict=True)]
    for row, other in zip(together, alone, strict=True):
        assert [one.margin for one in row] == pytest.approx([one.margin for one in other], abs=1e-4)
    first, second = (model.generate([items[0]], [PROMPTS], 4) for _ in range(2))
    assert first == second  # greedy, whatever the folder says of sampling
