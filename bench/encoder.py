"""Speed of a text encoder's forward pass by attention, threads and precision, and what each does to the features.

Usage: python bench/encoder.py [FOLDER [ROWSxTOKENS ...]]

FOLDER holds a transformers encoder; without it the embedded one is installed for the moment. Speeds are
ratios to the slowest row of a shape: by the wall clock, for an idle machine, and by CPU time, which other
work on the machine disturbs less. Errors are shares of the features' root mean square, against plain
attention on one thread in fp32.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel

from waver.models.pretrained_folder import LOCAL_WEIGHTS

LAYERS = 4  # summed, as in waver.features.words
ROUNDS = 3


def padded(rows: int, tokens: int, words: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask [rows, tokens]; rows differ in length by up to a tenth, as sorted sentences do."""
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(tokens - tokens // 10, tokens + 1, (rows,), generator=draw)
    lengths[0] = tokens
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    return torch.randint(1000, words, (rows, tokens), generator=draw) * mask, mask


def once(model: Any, ids: torch.Tensor, mask: torch.Tensor, threads: int, bf16: bool) -> tuple[Any, torch.Tensor]:
    """Wall and CPU seconds of a pass, and its features at the tokens that are there."""
    torch.set_num_threads(threads)
    started = np.array([time.perf_counter(), time.process_time()])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        feature = torch.stack(out.hidden_states[-LAYERS:]).float().sum(0)
    return np.array([time.perf_counter(), time.process_time()]) - started, feature[mask.bool()]


def table(folder: Path, rows: int, tokens: int) -> None:
    """Print one shape's table; the variants take turns, so that other work on the machine meets them all."""
    models = {
        name: AutoModel.from_pretrained(folder, attn_implementation=name, **LOCAL_WEIGHTS).eval()
        for name in ("eager", "sdpa")
    }
    ids, mask = padded(rows, tokens, models["eager"].config.vocab_size)
    variants = list(product(models, (1, 2), (False, True)))
    rounds = [[once(models[name], ids, mask, *rest) for name, *rest in variants] for _ in range(ROUNDS + 1)]
    least_s = np.min([[spent_s for spent_s, _ in found] for found in rounds[1:]], axis=0)  # [variants, wall and CPU]
    wall, cpu = (least_s.max(axis=0) / least_s).T
    exact = rounds[-1][0][1]
    rms = exact.square().mean().sqrt()
    print(f"\n{rows} x {tokens} tokens; slowest row {least_s[:, 0].max():.3f} s")
    print("attention threads precision   wall    CPU  rms error  max error")
    for number, (name, threads, bf16) in enumerate(variants):
        off = (rounds[-1][number][1] - exact).abs() / rms
        speed = f"{wall[number]:5.1f}x {cpu[number]:5.1f}x {off.square().mean().sqrt():10.1e} {off.max():10.1e}"
        print(f"{name:9} {threads:7} {'bf16' if bf16 else 'fp32':9} {speed}", flush=True)


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    with tempfile.TemporaryDirectory() as temporary:
        if len(sys.argv) < 2:
            from waver.assets.manifest import install

            install("minilm", Path(temporary) / "minilm", {})
        model_folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary) / "minilm"
        for shape in sys.argv[2:] or ["16x110", "128x32"]:
            table(model_folder, *map(int, shape.split("x")))
