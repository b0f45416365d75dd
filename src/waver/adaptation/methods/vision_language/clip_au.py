"""CLIP-AU: a clip compared with sentences of facial actions (Zeeshan et al. 2026, arXiv 2603.27999)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from waver.adaptation.vision_language.base import SourceFrames

ACTIONS = Path(__file__).with_name("action_units.yaml")
SHARPNESS = 5.0
"""Factor of the cosines with actions."""
_HIDDEN, _KERNEL = 256, 3


class ClipAu(nn.Module):
    """A small head over CLIP's embeddings of frames and of actions, both not normalised.

    Args:
        width: D of the embeddings.
        actions: their number K.
    """

    def __init__(self, width: int, actions: int) -> None:
        super().__init__()
        self.adapter = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.temporal = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2)
        self.head = nn.Sequential(nn.Linear(actions, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2))

    def forward(self, clips: Tensor, actions: Tensor) -> Tensor:
        """Logits float32 [B, 2] of clips [B, T, D] and sentences of actions [K, D]."""
        described = functional.normalize(self.adapter(actions), dim=-1)
        video = functional.gelu(self.temporal(clips.transpose(1, 2))).mean(dim=2)
        logits: Tensor = self.head(SHARPNESS * functional.normalize(video, dim=-1) @ described.T)
        return logits


def action_texts(prefix: str) -> list[str]:
    """Sentences of the actions; the release lacks a comma between the last two, and has one less."""
    names: list[str] = yaml.safe_load(ACTIONS.read_text(encoding="utf-8"))
    return [f"{prefix} {name}" for name in names]


def new_head(width: int, actions: int, seed: int) -> ClipAu:
    """A head with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ClipAu(width, actions)


def train_head(
    source: SourceFrames, actions: Tensor, chunk: int, stride: int, frames: int, epochs: int, seed: int
) -> ClipAu:
    """Train on chunks of one label (AdamW 1e-3, weight decay 1e-4, batches of 8, as in the release).

    Args:
        source: frames of the train split.
        actions: float32 [K, D], sentences of the actions.
        chunk: frames of a chunk.
        stride: every so manieth frame of it is used.
        frames: frames of a clip, from a random start on, wrapped around.
        epochs: epochs.
        seed: of weights, starts and order.
    """
    model = new_head(actions.shape[1], len(actions), seed)
    parts = chunks_of(source, chunk, stride)
    labels = torch.stack([source.labels[rows[0]] for rows in parts]).long()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(parts), generator=draw).split(8):  # type: ignore[no-untyped-call]
            clips = torch.stack([source.raw[_clip(parts[number], frames, draw)] for number in chosen.tolist()])
            loss = functional.cross_entropy(model(clips, actions), labels[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model.eval()


def chunks_of(source: SourceFrames, chunk: int, stride: int) -> list[Tensor]:
    """Rows int64 of stretches of one video with one label, cut to ``chunk`` frames; every ``stride``-th of them."""
    edges = (source.video[1:] != source.video[:-1]) | (source.labels[1:] != source.labels[:-1])
    starts = [0, *(edges.nonzero()[:, 0] + 1).tolist(), len(source.labels)]
    return [
        torch.arange(first, min(first + chunk, end), stride)
        for start, end in pairwise(starts)
        for first in range(start, end, chunk)
    ]


def _clip(rows: Tensor, frames: int, draw: torch.Generator) -> Tensor:
    start = int(torch.randint(len(rows), (1,), generator=draw))
    return rows[(start + torch.arange(frames)) % len(rows)]
