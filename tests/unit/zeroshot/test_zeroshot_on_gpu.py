"""A video model asked on a GPU: what no other test runs. Skipped where there is none.

``WAVER_VIDEO_LLAVA=/path/to/Video-LLaVA-7B-hf pytest -m gpu -s`` asks the real weights; without the variable, random
ones with the real number of tokens. The table of memory and calls a second is printed.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from waver.zeroshot.families.base import Item
from waver.zeroshot.families.video_llava import VideoLlava, VideoLlavaConfig
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.questions import Question
from waver.zeroshot.tiny import write_tiny_video_llava

SET = read_prompts("released")
REAL = os.environ.get("WAVER_VIDEO_LLAVA", "")


def clips():
    """A still, a clip that grows lighter, and noise, of 8 frames each."""
    still = np.full((8, 240, 320, 3), 90, np.uint8)
    lighter = still + np.arange(8, dtype=np.uint8)[:, None, None, None] * 20
    noise = np.random.default_rng(0).integers(0, 256, still.shape, dtype=np.uint8)
    return [Item(frames=frames, times_s=np.arange(8) / 2) for frames in (still, lighter, noise)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_answers_as_a_cpu_does_in_every_batch(tmp_path):
    folder = Path(REAL) if REAL else write_tiny_video_llava(tmp_path, side=224, patch=14, width=192, layers=4)
    model = VideoLlava.load(folder, VideoLlavaConfig(), "auto")
    model.ready()
    assert model.describe()["device"] == "cuda"
    assert model.describe()["dtype"] == "float16"
    said = {"transcript": "I would like to, but I do not know."}
    prompts = [Question(name, SET.prompts[name], SET.answers).about(said) for name in ("s", "td1", "td2")]
    found = {size: measured(model, size, prompts) for size in (1, 3)}
    if not REAL:
        exact = VideoLlava.load(folder, VideoLlavaConfig(), "float32").score(
            clips(), [prompts] * 3, SET.answers, "first_token"
        )
        found[0] = np.array([[one.margin for one in own] for own in exact])
    assert all(np.isfinite(margins).all() for margins in found.values())
    for margins in found.values():  # of halves; labels that are not on the edge are the same
        np.testing.assert_allclose(margins, found[1], atol=0.05)


def measured(model, size, prompts):
    """Margins [clips, prompts] of all clips in batches of a size; prints what they took."""
    shown, rows = clips(), []
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for first in range(0, len(shown), size):
        part = shown[first : first + size]
        rows += model.score(part, [prompts] * len(part), SET.answers, "first_token")
    spent = time.perf_counter() - began
    most = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0
    print(f"batch {size}: {most:8.0f} MiB {len(shown) * len(prompts) / spent:8.2f} calls/s")
    return np.array([[one.margin for one in own] for own in rows])
