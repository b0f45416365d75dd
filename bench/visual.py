"""CPU time of a visual backbone's job by its parts, in fp32 and bf16, and how far bf16 moves the features.

Usage: PYTHONPATH=src python bench/visual.py STORE [STORE ...] [--backbones NAME ...] [--weights FILE]

STORE holds faces (``resources/<dataset>/features/faces/stores/<participant>/<video>.zarr``); 64 of them are taken,
spread over all stores. mini-XCEPTION has its own weights and the others random ones unless a file is given for one of
them: time does not depend on weights. The change by bf16 does, and is a share of the features' spread over the faces;
the normalisation of a random network has the statistics of these faces. One thread, CPU milliseconds of a face, the
least of three rounds; the share of decoding is that of the whole, in fp32 and in bf16.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from torch import nn

from waver.assets.manifest import Installed, install, installed
from waver.config.sections import VisualConfig
from waver.features.visual import colour_input, load_frozen_backbone
from waver.io.zarr_store import open_store
from waver.records import load, method_config
from waver.registry import BACKBONES

ROUNDS = 3
FACES = 64


def random_weights(name: str, faces: Any, target: Path) -> Path:
    """A file of weights of a registered backbone, whose normalisation knows these faces."""
    torch.manual_seed(0)
    network = load(BACKBONES, name)(method_config(BACKBONES, name, {})).train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network(colour_input(faces, network.INPUT))
    torch.save(network.state_dict(), target)
    return target


def record(name: str, faces: Any, weights: Path | None, folder: Path) -> Installed:
    """The backbone's model, installed in a folder."""
    if name == "mini_xception":
        return install(name, folder, {})
    path = weights or random_weights(name, faces, folder.with_suffix(".pt"))
    install("path.expression_backbone", folder, {"expression_backbone": str(path)})
    return installed(folder / "asset.json")


def least(work: Callable[[Any], Any], faces: Any) -> tuple[float, Any]:
    """CPU milliseconds of a face, and what was made."""
    spent = []
    for _ in range(ROUNDS):
        before = time.process_time()
        made = work(faces)
        spent.append(time.process_time() - before)
    return 1000 * min(spent) / len(faces), made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="+", type=Path)
    parser.add_argument("--backbones", nargs="+", default=["mini_xception", "resnet18", "resnet50"])
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    images = [open_store(store)["image"] for store in given.stores]
    decoded_ms, _ = least(lambda rows: images[0][: len(rows)], range(min(FACES, len(images[0]))))
    every = np.concatenate([image[:: max(1, len(image) * len(images) // (2 * FACES))] for image in images])
    faces = every[np.linspace(0, len(every) - 1, FACES).astype(int)]
    print(f"decoding a stored face {decoded_ms:.2f} ms")
    print(f"{'backbone':14} {'input':>8} {'fp32':>8} {'bf16':>8}   decoding's share    moved by bf16")
    with TemporaryDirectory() as folder:
        for name in given.backbones:
            model = record(name, faces, given.weights, Path(folder) / name)
            exact, rough = (
                load_frozen_backbone(VisualConfig(backbone=name, precision=one), model) for one in ("fp32", "bf16")
            )
            input_ms, _ = least(exact.prepare, faces)
            (exact_ms, (due, _)), (rough_ms, (found, _)) = (least(one, faces) for one in (exact, rough))
            shares = [decoded_ms / (decoded_ms + spent_ms) for spent_ms in (exact_ms, rough_ms)]
            moved = float((due - found).abs().mean() / due.std(0).mean())
            row = f"{name:14} {input_ms:8.2f} {exact_ms - input_ms:8.2f} {rough_ms - input_ms:8.2f}"
            print(f"{row}   {shares[0]:7.1%} {shares[1]:7.1%} {moved:15.1%}", flush=True)


if __name__ == "__main__":
    main()
