"""Cost of several prompts about one video whose tokens are read once, and what that does to the scores.

Usage: python bench/zeroshot.py [WIDTH LAYERS [WORDS]]

A Video-LLaVA of random weights with the real number of tokens: 8 frames of 257. Its towers are as wide as its language
model, in which a token therefore costs relatively less than in the real one. WORDS is the length of the transcript (63
in BAH on average). CPU seconds, the least of some rounds in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from waver.zeroshot.families.base import Item, Scored
from waver.zeroshot.families.video_llava import VideoLlava, VideoLlavaConfig
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.questions import Question
from waver.zeroshot.tiny import write_tiny_video_llava

PROMPTS = ("s", "d1", "d2", "td1", "td2")
ROUNDS = 4


def spent_s(work: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main(width: int = 192, layers: int = 4, words: int = 63) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    given = read_prompts("released")
    said = {"transcript": "so I would like to but then " * (words // 7)}
    prompts = [Question(name, given.prompts[name], given.answers).about(said) for name in PROMPTS]
    item = Item(frames=np.random.default_rng(0).integers(0, 256, (8, 360, 640, 3), dtype=np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        made = write_tiny_video_llava(Path(folder), side=224, patch=14, width=width, layers=layers)
        model = VideoLlava.load(made, VideoLlavaConfig(), "float32")

    def ask(*numbers: int) -> list[Scored]:
        return model.score([item], [[prompts[number] for number in numbers]], given.answers, "first_token")[0]

    everything = range(len(PROMPTS))
    ways: dict[str, Callable[[], list[Scored]]] = {
        f"one prompt ({PROMPTS[3]})": lambda: ask(3),
        "five prompts, the video read once": lambda: ask(*everything),
        "five prompts, one after the other": lambda: [ask(number)[0] for number in everything],
    }
    rounds = [[spent_s(work) for work in ways.values()] for _ in range(ROUNDS)]
    least = np.min(rounds, axis=0)
    print(f"{model.describe()}, tokens of a prompt: {[one.tokens for one in ask(*everything)]}")
    for name, seconds in zip(ways, least, strict=True):
        print(f"{name:36}{seconds:8.3f} s{seconds / least[0]:8.2f} x one prompt")
    shared, alone = ([one.margin for one in way()] for way in [*ways.values()][1:])
    print(f"largest difference of a margin: {np.abs(np.subtract(shared, alone)).max():.1e}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
