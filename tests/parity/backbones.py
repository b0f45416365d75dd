"""Our image and sound networks beside the published code: same weights, same input, outputs compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.backbones [--record] --bah <checkout of the papers' code>
        --vision <checkout of pytorch/vision> --focalnet <of TalalWasim/Video-FocalNets>

Each checkout may be left out; what needs it is not compared then. Prints the greatest difference in float32 and in
float64, and with ``--record`` values of the published code, to which ``tests/unit/models/backbones`` and
``tests/unit/models/video`` hold ours where there is no checkout. The published classes are taken out of their files
one by one, without what the files import for training.
"""

import argparse
import ast
import math
import sys
import tempfile
from collections import OrderedDict, namedtuple
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from einops import rearrange
from torch import nn

from waver.features.audio.logmel import log_mel
from waver.features.audio.vggish import VGGish
from waver.models.backbones.apvit import learned_salience
from waver.models.backbones.pretrained import load_backbone_weights
from waver.models.video.focalnet import VideoFocalNet
from waver.records import load
from waver.registry import BACKBONES

RESNETS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3),
           "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}  # fmt: skip
PLACES = [0, 100, 511]
"""Entries of the recorded features."""
FOCALNET = {"width": 16, "depths": (1, 2, 2, 1)}
TOLERANCE = 1e-5


def set_weights(model):
    """Weights that no version of torch changes, of a size that lets the input through; evaluation mode."""
    state = model.state_dict()
    for number, name in enumerate(sorted(state)):
        tensor, rng = state[name], np.random.default_rng(number)
        if not tensor.is_floating_point() or name.endswith("logit_scale") or name == "scale":
            continue
        values = rng.standard_normal(tuple(tensor.shape), dtype=np.float32)
        if name.endswith("running_var"):
            values = 0.5 + np.abs(values)
        elif tensor.dim() > 1:
            values /= math.sqrt(tensor[0].numel())
        else:
            values = 0.3 * values + name.endswith("weight")
        tensor.copy_(torch.from_numpy(values))
    return model.eval()


def fixed_backbone(name):
    backbone = load(BACKBONES, name)
    return set_weights(backbone(backbone.Config()))


def fixed_salience(kind):
    return set_weights(learned_salience(kind))


def fixed_maps():
    """Maps of two faces after the projection, float32 [2, 768, 14, 14]."""
    return torch.from_numpy(np.random.default_rng(6).standard_normal((2, 768, 14, 14), dtype=np.float32))


def fixed_faces(side=112):
    """Two faces of smooth noise, float32 [2, 3, side, side] in [-1, 1]."""
    shape = (2, 3, side // 8, side // 8)
    coarse = torch.from_numpy(np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32))
    return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)


def fixed_clips(frames=8, side=224):
    """Two clips, float32 [2, F, 3, side, side] in [0, 1]."""
    coarse = np.random.default_rng(4).uniform(0, 1, (2, frames, 3, 14, 14)).astype(np.float32)
    return torch.from_numpy(coarse).repeat_interleave(side // 14, 3).repeat_interleave(side // 14, 4)


def fixed_sound():
    """Two seconds of tones and noise, float32 [32000]."""
    time, rng = np.arange(32000) / 16000, np.random.default_rng(5)
    tones = 0.3 * np.sin(2 * np.pi * 440 * time) * (time < 1) + 0.2 * np.sin(2 * np.pi * 3000 * time) * (time > 0.7)
    return (tones + 0.01 * rng.standard_normal(32000)).astype(np.float32)


def fixed_patches():
    """Two log-mel patches, float32 [2, 1, 96, 64]."""
    track = log_mel(fixed_sound())
    return torch.from_numpy(np.stack([track[:96], track[100:196]]))[:, None]


def fixed_vggish():
    return set_weights(VGGish())


def fixed_focalnet():
    return set_weights(VideoFocalNet(VideoFocalNet.Config(**FOCALNET)))


def taken(path, space, wanted=None):
    """Constants, classes and functions of a published file, defined in ``space``; of the latter those ``wanted``."""
    parts = ast.parse("from __future__ import annotations").body
    for part in ast.parse(Path(path).read_text()).body:
        if isinstance(part, ast.ClassDef | ast.FunctionDef) and (wanted is None or part.name in wanted):
            part.decorator_list = []
            parts.append(part)
        elif isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant):
            parts.append(part)
    exec(compile(ast.Module(parts, []), str(path), "exec"), space)
    return space


def torch_space():
    names = [name for name in dir(nn) if name[0].isupper()]
    return {name: getattr(nn, name) for name in names} | {
        "nn": nn, "torch": torch, "np": np, "math": math, "F": nn.functional, "partial": partial,
        "einsum": torch.einsum, "OrderedDict": OrderedDict, "namedtuple": namedtuple, "rearrange": rearrange,
    }  # fmt: skip


def same(name, ours, theirs, *inputs):
    """Print the greatest differences; theirs in float32."""
    with torch.no_grad():
        mine, published = ours(*inputs), theirs(*inputs)
        plain = (mine - published).abs().max().item()
        double = [x.double() if x.is_floating_point() else x for x in inputs]
        exact = (ours.double()(*double) - theirs.double()(*double)).abs().max().item()
    size = published.abs().max().item()
    print(f"{name}: greatest difference {plain:.2e} in float32, {exact:.2e} in float64; values up to {size:.3g}")
    if not plain < TOLERANCE * max(size, 1.0):
        sys.exit(f"{name} differs")
    return published


def told(name, values, record):
    if record:
        print(f'    "{name}": {np.asarray(values, np.float64).round(6).tolist()},')


class Released(nn.Module):
    """A network of the papers' release: its model, then the reduction."""

    def __init__(self, model, reduce_dim):
        super().__init__()
        self.model, self.layer_reduce_dim = model, reduce_dim

    def forward(self, images):
        pooled = self.model(images)
        return self.layer_reduce_dim(pooled["x"] if isinstance(pooled, dict) else pooled)


class Apvit(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.extractor = space["IRSE"]((112, 112), 50, "ir", return_index=[2])
        self.vit = space["PoolingViT"](
            input_type="feature", patch_num=196, in_channels=[256], attn_method="SUM_ABS_1", embed_dim=768, depth=8,
            num_heads=8, mlp_ratio=3, qkv_bias=False, norm_layer_eps=1e-6,
            cnn_pool_config={"keep_num": 160, "exclude_first": False},
            vit_pool_configs={"keep_rates": [1.0] * 4 + [0.9] * 4, "exclude_first": True, "attn_method": "SUM"},
        )  # fmt: skip

    def forward(self, images):
        return self.vit(self.extractor(images))


def compare_released(name, model, reduction, record):
    """A fine-tuned backbone of the release, whose file we load."""
    ours = fixed_backbone(name)
    theirs = Released(model, reduction).eval()
    names = {f"model.{key}": value for key, value in ours.state_dict().items() if not key.startswith("reduction.")}
    names |= {
        f"layer_reduce_dim.layer.{key.removeprefix('reduction.')}": value
        for key, value in ours.state_dict().items()
        if key.startswith("reduction.")
    }
    theirs.load_state_dict(names)
    loaded = type(ours)(ours.config)
    with tempfile.TemporaryDirectory() as folder:
        torch.save({**theirs.state_dict(), "classifier.1.bias": torch.zeros(2)}, Path(folder) / "model.pt")
        assert load_backbone_weights(loaded, Path(folder) / "model.pt") in ((), ("reduction.",))
    published = same(name, loaded.eval(), theirs, fixed_faces())
    told(name, published[:, PLACES], record)


def apvit(checkout, record):
    space = torch_space() | {"pool_layer": nn.MaxPool2d, "BaseBackbone": nn.Module, "Module": nn.Module}
    space["ABCMeta"], space["trunc_normal_"] = type, nn.init.trunc_normal_
    folder = Path(checkout) / "fer_models"
    methods = taken(Path(checkout) / "constants.py", {}, ())
    methods["ATT_METHODS"] = [value for name, value in methods.items() if name.startswith("ATT_")]
    space["constants"] = SimpleNamespace(**methods)
    for file in ("apvit_utils", "apvit_backbones_modules_vit", "apvit_backbones_modules_vit_pooling", "irse"):
        taken(folder / f"{file}.py", space)
    taken(folder / "apvit_vit_vit_siam_merge.py", space)
    compare_released("apvit", Apvit(space), reduction_of(checkout)(768, 512), record)
    learned = {"lanet": ("LANet", 16), "conv": ("CnnAttention", 128), "gated": ("CnnGatedAttention", 128)}
    for kind, (theirs, hidden) in learned.items():
        ours, published = fixed_salience(kind), space[theirs](768, hidden).eval()
        published.load_state_dict(ours.state_dict())
        told(kind, same(kind, ours, published, fixed_maps())[:, 0, 0, [0, 7, 13]], record)


def ir50(checkout, record):
    """The network that the release takes without a fine-tuned one, and its file."""
    space = taken(Path(checkout) / "models/arcface_model.py", torch_space())
    theirs = taken(Path(checkout) / "models/backbone.py", space, {"VisualBackbone"})["VisualBackbone"]
    theirs, ours = theirs(use_pretrained=False).eval(), fixed_backbone("ir50")
    names = {f"backbone.{key}": value for key, value in ours.state_dict().items()}
    theirs.load_state_dict(names | {f"logits.{key}": value for key, value in theirs.logits.state_dict().items()})
    loaded = type(ours)(ours.config)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(theirs.state_dict(), Path(folder) / "model.pth")
        assert load_backbone_weights(loaded, Path(folder) / "model.pth") == ()
    published = same("ir50", loaded.eval(), theirs, fixed_faces(loaded.INPUT.crop))
    told("ir50", published[:, PLACES], record)


def reduction_of(checkout):
    return taken(Path(checkout) / "fer_models" / "model.py", torch_space(), {"_Dim_Reduc"})["_Dim_Reduc"]


def resnets(vision, checkout, record):
    space = torch_space() | {"_log_api_usage_once": lambda _: None}
    wanted = {"conv3x3", "conv1x1", "BasicBlock", "Bottleneck", "ResNet"}
    taken(Path(vision) / "torchvision/models/resnet.py", space, wanted)
    for name, depths in RESNETS.items():
        basic = name in ("resnet18", "resnet34")
        model = space["ResNet"](space["BasicBlock" if basic else "Bottleneck"], list(depths))
        model.fc = nn.Identity()
        reduction = nn.Identity() if basic else reduction_of(checkout)(2048, 512)
        compare_released(name, model, reduction, record)


def vggish(checkout, record):
    folder = Path(checkout) / "abaw5_pre_processing/base/vggish"
    space = taken(folder / "mel_features.py", torch_space())
    theirs = space["log_mel_spectrogram"](
        fixed_sound().astype(np.float64), 16000, log_offset=0.01, window_length_secs=0.025, hop_length_secs=0.010,
        num_mel_bins=64, lower_edge_hertz=125, upper_edge_hertz=7500,
    )  # fmt: skip
    mine = log_mel(fixed_sound())
    assert mine.shape == theirs.shape
    print(f"log-mel: greatest difference {np.abs(mine - theirs).max():.2e}; values up to {np.abs(theirs).max():.3g}")
    told("log-mel", theirs[[0, 100, 197]][:, [0, 19, 63]], record)
    taken(folder / "vggish.py", space)
    network = space["VGG"](space["make_layers"]()).eval()
    ours = fixed_vggish()
    network.load_state_dict(ours.state_dict())
    told("vggish", same("vggish", ours, network, fixed_patches())[:, [0, 64, 127]], record)


def focalnet(checkout, record):
    space = torch_space() | {"DropPath": nn.Identity, "to_2tuple": lambda n: (n, n)}
    space["trunc_normal_"] = nn.init.trunc_normal_
    path = Path(checkout) / "classification" / "videofocalnet.py"
    wanted = {"Mlp", "SpatioTemporalFocalModulation", "VideoFocalNetBlock", "BasicLayer", "PatchEmbed", "VideoFocalNet"}
    taken(path, space, wanted)
    theirs = space["VideoFocalNet"](
        num_classes=2, embed_dim=FOCALNET["width"], depths=list(FOCALNET["depths"]), drop_path_rate=0.0
    ).eval()
    ours = fixed_focalnet()
    theirs.load_state_dict(ours.state_dict())

    class Normalised(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = theirs
            self.register_buffer("mean", ours.mean.clone())
            self.register_buffer("deviation", ours.deviation.clone())

        def forward(self, clips):
            return self.inner((clips - self.mean) / self.deviation)

    told("focalnet", same("focalnet", ours, Normalised().eval(), fixed_clips()), record)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    for name in ("bah", "vision", "focalnet"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    if given.bah:
        vggish(given.bah, given.record)
        apvit(given.bah, given.record)
        ir50(given.bah, given.record)
    if given.bah and given.vision:
        resnets(given.vision, given.bah, given.record)
    if given.focalnet:
        focalnet(given.focalnet, given.record)


if __name__ == "__main__":
    main()
