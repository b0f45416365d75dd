"""Our fusions beside the published code: same weights, same input, logits compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.fusions <checkout of the papers' code> [--record]

Prints the greatest difference of each fusion, and with ``--record`` the published code's own logits at a few
frames, which ``tests/unit/models/fusion/test_published_code.py`` holds ours to where there is no checkout. The
published classes are taken out of their files one by one: the files as a whole import much that they do not
need here (face networks, loggers).
"""

import argparse
import ast
import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from waver.records import load, method_config
from waver.registry import FUSIONS

DIMS = {"visual": 9, "audio": 6, "text": 11}
THEIRS = {"visual": "video", "audio": "vggish", "text": "bert"}
CHANNELS = {
    "lfan": {"visual": (8, 128), "audio": (8, 32), "text": (8, 128)},
    "can": {"visual": (8, 128), "audio": (8, 64), "text": (8, 128)},
}
FRAMES = [0, 13, 29]
CASES = ["lfan", "can", "mt", "jmt"]


def channels(fusion):
    return CHANNELS.get(fusion, CHANNELS["can"])


def fixed_model(fusion):
    """The released variant in float64 with weights that no version of torch changes, in evaluation mode."""
    options = {"channels": channels(fusion), **({} if fusion == "lfan" else {"variant": "released"})}
    model = load(FUSIONS, fusion)(DIMS, method_config(FUSIONS, fusion, options)).double().eval()
    state = model.state_dict()
    for number, name in enumerate(sorted(state)):
        tensor, rng = state[name], np.random.default_rng(number)
        if not tensor.is_floating_point():
            continue
        values = rng.standard_normal(tuple(tensor.shape))
        if name.endswith("running_var"):
            values = 0.5 + np.abs(values)
        elif tensor.dim() > 1:
            values *= 2 / math.sqrt(tensor[0].numel())
        else:
            values = 0.3 * values + name.endswith("weight")
        tensor.copy_(torch.from_numpy(values))
    return model


def fixed_inputs():
    """Two sequences of 30 frames, no padding."""
    rng = np.random.default_rng(7)
    return {name: torch.from_numpy(rng.standard_normal((2, 30, size))) for name, size in DIMS.items()}


def published(checkout):
    """Name -> class of the published models, out of their files."""
    constants = SimpleNamespace(TASKS=["-"], REGRESSION="regression", JMT="jmt", MT="mt")
    space = {
        "nn": nn,
        "torch": torch,
        "np": np,
        "math": math,
        "F": nn.functional,
        "constants": constants,
        "Module": nn.Module,
    }
    space |= {name: getattr(nn, name) for name in ("Linear", "BatchNorm1d", "BatchNorm2d", "Dropout", "Sequential")}
    space["weight_norm"] = nn.utils.weight_norm
    for name in ("temporal_convolutional_model", "transformer", "model"):
        tree = ast.parse((Path(checkout) / "models" / f"{name}.py").read_text())
        parts = [part for part in tree.body if isinstance(part, ast.ClassDef | ast.FunctionDef)]
        exec(compile(ast.Module(parts, []), name, "exec"), space)
    for name in ("LFAN", "CAN", "JMT"):  # frames arrive as features: the face network is a reshape
        space[name].load_visual_backbone = lambda self, **_: nn.Flatten()
    return space


def their_model(space, fusion, frames=30):
    names = list(THEIRS.values())
    last = {THEIRS[name]: sizes[-1] for name, sizes in channels(fusion).items()}
    if fusion == "lfan":
        model = space["LFAN"](
            None, 2, "-", modality=names, example_length=frames, encoder_dim=last,
            tcn_channel={THEIRS[name]: list(sizes) for name, sizes in channels(fusion).items()},
            embedding_dim={THEIRS[name]: size for name, size in DIMS.items()},
        )  # fmt: skip
        model.init()
        return model.eval()
    settings = {
        THEIRS[name]: {"input_dim": DIMS[name], "channel": list(sizes), "kernel_size": 5}
        for name, sizes in channels(fusion).items()
    }
    if fusion == "can":
        return space["CAN"]("-", names, settings, None, 2, "", "cpu").eval()
    return space["JMT"]("-", names, settings, None, 2, "", "cpu", fusion).eval()


STREAMS = [
    (r"streams\.(\w+)\.tcn\.blocks\.(\d)\.first\.convolution\.", r"temporal.\1.network.\2.conv1."),
    (r"streams\.(\w+)\.tcn\.blocks\.(\d)\.second\.convolution\.", r"temporal.\1.network.\2.conv2."),
    (r"streams\.(\w+)\.tcn\.blocks\.(\d)\.residual\.", r"temporal.\1.network.\2.downsample."),
    (r"streams\.(\w+)\.norm\.norm\.", r"bn.\1."),
    (r"parametrizations\.weight\.original0", "weight_g"),
    (r"parametrizations\.weight\.original1", "weight_v"),
]
LFAN = [
    (
        r"attention\.projections\.(\d)\.",
        lambda m: f"fusion.layers.self_attn.qkv_proj.{list(THEIRS.values())[int(m[1])]}.",
    ),
    (r"attention\.output\.", "fusion.layers.self_attn.o_proj."),
    (r"attention\.norm\.", "fusion.layers.norm1."),
    (r"classifier\.", "regressor."),
]
CAN = [
    (r"projections\.(\w+)\.", lambda m: f"fuse.attn.{list(DIMS).index(m[1])}."),
    (r"attention\.", "fuse.weights."),
    (r"hidden\.", "fc1."),
    (r"norm\.norm\.", "bn1."),
    (r"classifier\.", "fc2."),
    (r"unused\.", "conv_c."),
]
CROSS = {"visual_audio": "va", "audio_visual": "av", "joint_visual": "jrv", "visual_joint": "vjr",
         "joint_audio": "jra", "audio_joint": "ajr"}  # fmt: skip
JMT = [
    (r"fusion\.encoders\.joint\.layers\.0", "fuse.jr_encoder.layers.0"),
    (r"fusion\.encoders\.(\w+)\.layers\.0", r"fuse.\1_encoder.layers.0"),
    (r"fusion\.mixer\.layers\.0", "fuse.final_encoder.layers.0"),
    (r"\.forward_part\.", ".feed_forward."),
    (r"\.norms\.0\.", ".layer_norm1."),
    (r"\.norms\.1\.", ".layer_norm2."),
    (r"fusion\.cross\.(\w+)\.", lambda m: f"fuse.CA_{CROSS[m[1]]}."),
    (r"fusion\.last_attention\.", "fuse.final_self_attention."),
    (r"fusion\.join\.", "fuse.reduce_feats_dim."),
    (r"fusion\.widen\.audio\.", "fuse.augment_audio_feats_dim."),
    (r"head\.hidden\.", "fc1."),
    (r"head\.norm\.norm\.", "bn1."),
    (r"head\.classifier\.", "fc2."),
]
RULES = {"lfan": LFAN, "can": CAN, "mt": JMT, "jmt": JMT}


def their_state(fusion, state):
    """Our weights under their names."""
    renamed = {}
    for name, tensor in state.items():
        rules = STREAMS if name.startswith("streams.") else RULES[fusion]
        for pattern, to in rules:
            name = re.sub(("^" if pattern[0].isalpha() and rules is not STREAMS else "") + pattern, to, name)
        renamed[name] = tensor
    for ours, theirs in THEIRS.items():
        renamed = {re.sub(rf"^(temporal|bn)\.{ours}\.", rf"\1.{theirs}.", name): t for name, t in renamed.items()}
    for name in [name for name in renamed if ".query." in name]:
        base, kind = name.split(".query.")
        renamed[f"{base}.in_proj_{kind}"] = torch.cat([renamed.pop(name), renamed.pop(f"{base}.key_value.{kind}")])
        renamed[f"{base}.out_proj.{kind}"] = renamed.pop(f"{base}.output.{kind}")
    return renamed


def their_logits(space, fusion, ours):
    model = their_model(space, fusion).double()
    missing, unexpected = model.load_state_dict(their_state(fusion, ours.state_dict()), strict=False)
    left = [name for name in missing if ".net." not in name]  # the same convolutions, listed a second time
    if left or unexpected:
        sys.exit(f"{fusion}: without a counterpart: {left + unexpected}")
    inputs = fixed_inputs()
    given = {THEIRS[name]: x[:, None] for name, x in inputs.items()}
    given["video"] = inputs["visual"][..., None, None]
    # theirs shares the convolutions with ``net``; the order of keys is the order of modalities
    return model({name: given[name] for name in THEIRS.values()}), sum(p.numel() for p in model.parameters())


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    space = published(arguments.checkout)
    for fusion in CASES:
        ours = fixed_model(fusion)
        theirs, count = their_logits(space, fusion, ours)
        logits = ours(fixed_inputs(), torch.ones(2, 30, dtype=torch.bool))
        mine = sum(p.numel() for p in ours.parameters())
        print(f"{fusion}: greatest difference {(logits - theirs).abs().max():.2e}; parameters {mine}, theirs {count}")
        if arguments.record:
            print(json.dumps(theirs[1, FRAMES].numpy().round(6).tolist()))


if __name__ == "__main__":
    main()
