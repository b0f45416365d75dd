"""Our adaptation methods beside their authors' code: same weights, same frames, values compared.

    PYTHONPATH=src:tests .venv/bin/python -m parity.adaptation <folder> [--record]

The folder holds checkouts of the authors' code: ``tent`` (DequanWang/tent), ``EATA`` and ``SAR`` (mr-eggplant),
``T3A`` (matsuolab) and ``acpl`` (osamazeeshan/Subject-Based-Domain-Adaptation-for-FER). Prints the greatest
difference of each method, and with ``--record`` the authors' values, which
``tests/unit/adaptation/methods/test_authors_code.py`` holds ours to where there is no checkout. The functions
are taken out of their files one by one: the files as a whole import data sets and networks.
"""

import argparse
import ast
import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from waver.adaptation.base import SourceModel, SourceView
from waver.adaptation.methods.tta.eata import Eata
from waver.adaptation.methods.tta.sar import Sar
from waver.adaptation.methods.tta.t3a import T3a
from waver.adaptation.methods.tta.tent import Tent
from waver.adaptation.methods.uda.mmd import mmd

WIDTH, BATCH, BATCHES = 12, 24, 8
SHOWN = [0, 100, 191]
"""Frames whose values are recorded."""
MARGIN = 0.6
"""Share of ln 2 under which a frame is reliable: some frames are, some are not."""
LR = 0.05


def fixed_model():
    """A source model in float64 with weights that no version of torch changes."""
    model = SourceModel(WIDTH).double().eval()
    for number, (name, tensor) in enumerate(sorted(model.state_dict().items())):
        if tensor.is_floating_point() and name != "prior":
            values = np.random.default_rng(number).standard_normal(tuple(tensor.shape)) * 0.3
            values = np.abs(values) + 0.5 if name.endswith(("running_var", "original0")) else values
            tensor.copy_(torch.from_numpy(values + (name == "bottleneck.1.weight")))
    return model


def frames(seed, count=BATCH * BATCHES):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, WIDTH)) * 1.5 + 0.4)


def source():
    features = frames(9, 96).numpy()
    return SourceView(features, np.zeros(96, np.uint8), np.zeros(96, np.int32))


def ours():
    """Name -> logits float64 [N, 2] of our online methods, and the discrepancy of two batches."""
    eata = Eata.Config(lr=LR, entropy_margin=MARGIN, fisher=20.0, fisher_frames=96, batch=96)
    methods = {
        "tent": Tent(Tent.Config(lr=LR)),
        "eata": Eata(eata),
        "sar": Sar(Sar.Config(lr=LR, entropy_margin=MARGIN, reset_below=0.2)),
        "t3a": T3a(T3a.Config(supports=7)),
    }
    found = {}
    for name, method in methods.items():
        stream = method.begin(fixed_model(), source(), 0)
        found[name] = torch.cat([stream.predict(batch) for batch in frames(1).split(BATCH)])
    found["mmd"] = mmd(frames(2, 40), frames(3, 24) * 0.7 + 1)[None, None]
    return found


def published(path, **space):
    """What a file of the authors defines, by name."""
    known = {"torch": torch, "nn": nn, "np": np, "math": math, "F": nn.functional, "deepcopy": copy.deepcopy, **space}
    tree = ast.parse(Path(path).read_text())
    parts = [part for part in tree.body if isinstance(part, ast.ClassDef | ast.FunctionDef)]
    for part in parts:
        part.decorator_list = [one for one in part.decorator_list if "jit" not in ast.unparse(one)]
    exec(compile(ast.Module(parts, []), str(path), "exec"), known)
    return SimpleNamespace(**known)


def by_batch(model):
    """The model in the authors' set-up: statistics of the batch, gradients of scale and shift alone."""
    model.requires_grad_(False)
    norm = model.bottleneck[1].train()
    norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    norm.requires_grad_(True)
    return model, [norm.weight, norm.bias]


def theirs(folder):
    """The same values by the authors' code."""
    found = {}
    model, affine = by_batch(fixed_model())
    tent = published(folder / "tent/tent.py").Tent(model, torch.optim.Adam(affine, LR))
    found["tent"] = torch.cat([tent(batch).detach() for batch in frames(1).split(BATCH)])

    model, affine = by_batch(fixed_model())
    fishers = fisher(model, affine)
    module = published(folder / "EATA/eata.py")
    eata = module.EATA(
        model, torch.optim.SGD(affine, LR, 0.9), fishers, 20.0, e_margin=MARGIN * math.log(2), d_margin=1.01
    )
    found["eata"] = torch.cat([eata(batch).detach() for batch in frames(1).split(BATCH)])

    model, affine = by_batch(fixed_model())
    sam = published(folder / "SAR/sam.py").SAM(affine, torch.optim.SGD, lr=LR, momentum=0.9)
    sar = published(folder / "SAR/sar.py").SAR(model, sam, margin_e0=MARGIN * math.log(2))
    found["sar"] = torch.cat([sar(batch).detach() for batch in frames(1).split(BATCH)])

    found["t3a"] = templates(folder)
    loss = published(folder / "acpl/losses/mmd_loss.py").MMD_loss()
    found["mmd"] = loss(frames(2, 40), frames(3, 24) * 0.7 + 1)[None, None]
    return found


def fisher(model, affine):
    """As the authors' main program computes it, on one batch of source frames."""
    logits = model(torch.from_numpy(source().features))
    gradients = torch.autograd.grad(nn.functional.cross_entropy(logits, logits.argmax(1)), affine)
    names = ["bottleneck.1.weight", "bottleneck.1.bias"]
    parts = zip(names, gradients, affine, strict=True)
    return {name: [gradient**2, part.detach().clone()] for name, gradient, part in parts}


def templates(folder):
    """T3A on features of the bottleneck, with the head as its classifier."""

    class Algorithm(nn.Module):
        def __init__(self, shape, classes, domains, hparams):
            super().__init__()
            self.hparams = hparams

    file = folder / "T3A/domainbed/adapt_algorithms.py"
    tree = ast.parse(file.read_text())
    names = {"T3A", "softmax_entropy"}
    body = [part for part in tree.body if getattr(part, "name", "") in names]
    for part in body:
        part.decorator_list = []
    space = {"torch": torch, "Algorithm": Algorithm}
    exec(compile(ast.Module(body, []), str(file), "exec"), space)
    model = fixed_model().float()  # their labels are
    parts = SimpleNamespace(featurizer=model.bottleneck, classifier=model.head)
    with torch.no_grad():
        t3a = space["T3A"](None, 2, 1, {"filter_K": 7, "cached_loader": False}, parts)
        return torch.cat([t3a(batch, adapt=True) for batch in frames(1).float().split(BATCH)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the checkouts")
    parser.add_argument("--record", action="store_true", help="print the authors' values")
    chosen = parser.parse_args()
    own, other = ours(), theirs(chosen.folder)
    for name, values in own.items():
        print(f"{name}: greatest difference {(values - other[name]).abs().max():.2e}")
        if chosen.record:
            rows = SHOWN if len(values) > 1 else [0]
            print(json.dumps([[round(float(value), 6) for value in other[name][row]] for row in rows]))


if __name__ == "__main__":
    main()
