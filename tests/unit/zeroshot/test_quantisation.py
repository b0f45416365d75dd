"""Models whose language model is kept in fewer bits: what is quantised, what never is, and what scores become."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from tiny_affectgpt import write_affectgpt
from tiny_gguf import write_gguf
from tiny_prompted import write_internvl, write_llava_onevision, write_qwen3_vl
from waver.errors import WaverError
from waver.models.quantised import BLOCK, NF4, QuantisedLinear, quantise
from waver.zeroshot.answers import Answers
from waver.zeroshot.families.affectgpt import AffectGptFamily
from waver.zeroshot.families.base import Item, Prompt
from waver.zeroshot.families.causal_lm import CausalLm
from waver.zeroshot.families.internvl import InternVl
from waver.zeroshot.families.llava_onevision import LlavaOnevision
from waver.zeroshot.families.qwen3_vl import Qwen3Vl
from waver.zeroshot.families.video_llava import VideoLlava
from waver.zeroshot.tiny import write_tiny_video_llava

ANSWERS = Answers(negative="Non-Ambivalent", positive="Ambivalent")
WRITERS = {
    VideoLlava: write_tiny_video_llava, InternVl: write_internvl, LlavaOnevision: write_llava_onevision,
    Qwen3Vl: write_qwen3_vl, AffectGptFamily: write_affectgpt,
    CausalLm: lambda folder: write_gguf(folder / "tiny.gguf").parent,
}  # fmt: skip
FAMILIES = pytest.mark.parametrize("family", list(WRITERS), ids=lambda family: family.__name__)
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: write(tmp_path_factory.mktemp(family.__name__)) for family, write in WRITERS.items()}


def loaded(folders, family, quantisation="none"):
    model = family.load(folders[family], family.Config(), "float32")
    model.ready(quantisation)
    return model


@pytest.mark.slow
@FAMILIES
def test_layers_of_the_language_model_alone_are_quantised(folders, family):
    full, small = loaded(folders, family), loaded(folders, family, "int8")
    changed = [name for name, part in small.model.named_modules() if isinstance(part, QuantisedLinear)]
    linear = {name for name, part in full.model.named_modules() if isinstance(part, nn.Linear)}
    assert len(changed) == 2 * len(LAYERS)
    assert {name.rpartition(".")[2] for name in changed} == LAYERS
    assert all("language_model." in name for name in changed) or family is CausalLm
    assert not [name for name in changed if "vision" in name or "tower" in name or "project" in name]
    assert any(name.endswith("lm_head") for name in linear - set(changed))
    kept = small.model.state_dict()
    for name, value in full.model.state_dict().items():
        if name.rpartition(".")[0] not in changed:
            assert torch.equal(kept[name], value), name


@pytest.mark.slow
@FAMILIES
def test_scores_are_near_those_of_all_bits(folders, family):
    draw = np.random.default_rng(0)
    item = Item(draw.integers(0, 256, (2, 40, 30, 3), np.uint8), np.arange(2) / 2, draw.normal(size=40000) * 0.1)
    item = Item(item.frames, item.times_s, item.sound.astype(np.float32))
    prompts = [[Prompt(text, text) for text in ("Classify.", "Definition: mixed. Classify.")]]
    full = loaded(folders, family)
    expected = full.score([item], prompts, ANSWERS, "first_token")[0]
    for kind, near in (("int8", 0.03), ("nf4", 1.2)):
        small = loaded(folders, family, kind)
        found = small.score([item], prompts, ANSWERS, "first_token")[0]
        assert 0 < max(abs(one.margin - other.margin) for one, other in zip(expected, found, strict=True)) < near
        actual = small.describe()
        assert (actual["quantisation"], actual["parameters"]) == (kind, full.describe()["parameters"])


def test_a_gguf_file_says_what_it_is_and_prints_no_bar(folders, capsys):
    capsys.readouterr()
    model = CausalLm.load(folders[CausalLm], CausalLm.Config(), "float32")
    assert model.describe()["quantisation"] == "as in its GGUF file"
    assert capsys.readouterr() == ("", "")


def test_nf4_takes_the_nearest_of_its_values_of_each_block():
    torch.manual_seed(0)
    full = nn.Linear(50, 3)
    with torch.no_grad():
        full.weight[1] = 0
    small = QuantisedLinear(full, "nf4")
    flat = full.weight.detach().flatten()
    values = torch.tensor(NF4)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        most = block.abs().max()
        nearest = values[((block / most)[:, None] - values).abs().argmin(1)] * most
        torch.testing.assert_close(small.weight.flatten()[start : start + BLOCK], nearest)
    assert small.codes.numel() == -(-len(flat) // BLOCK) * BLOCK // 2
    x = torch.randn(2, 50)
    torch.testing.assert_close(small(x), nn.functional.linear(x, small.weight, full.bias))
    assert small.half()(x.half()).dtype == torch.float16


def test_int8_is_off_by_half_a_step_of_its_row_at_most():
    full = nn.Linear(40, 5)
    small = QuantisedLinear(full, "int8")
    step = full.weight.abs().amax(1, keepdim=True) / 127
    assert ((small.weight - full.weight).abs() <= step / 2 * 1.001).all()
    assert (small.codes.dtype, small.codes.shape) == (torch.int8, full.weight.shape)


def test_a_network_without_such_layers_is_told():
    with pytest.raises(WaverError, match="no linear layer that can be quantised; set none"):
        quantise(nn.Sequential(nn.Linear(2, 2)), "int8", lambda name: False)


def test_a_folder_that_is_quantised_already_is_refused(folders, tmp_path):
    folder = write_tiny_video_llava(tmp_path)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"quantization_config": {"quant_method": "bitsandbytes"}}))
    with pytest.raises(WaverError, match=r"quantised \(bitsandbytes\), which needs a library .* 16 bits, and set"):
        VideoLlava.load(folder, VideoLlava.Config(), "float32")
