"""Depths of which nothing is recorded, beside the network of transformers: same weights, same faces."""

import pytest
import torch
from transformers import ResNetConfig, ResNetModel

from parity.backbones import RESNETS
from waver.records import load
from waver.registry import BACKBONES

DEPTHS = {name: RESNETS[name] for name in ("resnet34", "resnet101", "resnet152")}
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def drawn(network):
    """Weights for a network built on meta, of a size that lets the input through."""
    generator, state = torch.Generator().manual_seed(0), {}
    for name, value in network.state_dict().items():
        if value.dim() > 1:
            state[name] = torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
        elif name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=torch.long)
        else:
            # the last norm of a branch is small, or the deepest network's values grow past all digits
            scale = 0.2 if name.endswith(("bn2.weight", "bn3.weight")) else 1.0
            state[name] = scale * (0.5 + torch.rand(value.shape, generator=generator))
    network.load_state_dict(state, assign=True)
    return network.eval()


def of_transformers(state, depths, kind):
    """Tensors under the names of transformers."""
    places = {"embedder.embedder": ("conv1", "bn1")}
    for stage, depth in enumerate(depths):
        for block in range(depth):
            own, theirs = f"layer{stage + 1}.{block}", f"encoder.stages.{stage}.layers.{block}"
            for number in range(3 if kind == "bottleneck" else 2):
                places[f"{theirs}.layer.{number}"] = (f"{own}.conv{number + 1}", f"{own}.bn{number + 1}")
            if f"{own}.downsample.0.weight" in state:
                places[f"{theirs}.shortcut"] = (f"{own}.downsample.0", f"{own}.downsample.1")
    found = {}
    for theirs, (convolution, norm) in places.items():
        found[f"{theirs}.convolution.weight"] = state[f"{convolution}.weight"]
        found |= {f"{theirs}.normalization.{part}": state[f"{norm}.{part}"] for part in _NORM}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", DEPTHS)
def test_the_pooled_vector_is_that_of_the_usual_network(name):
    kind = "basic" if name == "resnet34" else "bottleneck"
    widths = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
    backbone = load(BACKBONES, name)
    with torch.device("meta"):
        ours = backbone(backbone.Config())
        theirs = ResNetModel(ResNetConfig(depths=list(DEPTHS[name]), hidden_sizes=widths, layer_type=kind))
    state = drawn(ours).state_dict()
    theirs.load_state_dict(of_transformers(state, DEPTHS[name], kind), assign=True)
    faces = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        mine, usual = ours.pooled(faces), theirs.eval()(faces).pooler_output.flatten(1)
    assert mine.shape == (2, widths[-1])
    assert 0.1 < mine.std() < 100
    torch.testing.assert_close(mine, usual, atol=1e-5, rtol=1e-5)
