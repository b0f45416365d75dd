"""MaPLe: prompts of both towers, those of pictures made from those of texts (Khattak et al., CVPR 2023)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.adaptation.methods.vision_language.tpt import LearnableContext, class_prompts
from waver.adaptation.vision_language.base import SourceFrames, Start
from waver.models.vision_language.encoder import VisionLanguageEncoder

_BATCH = 4
_PASS = 32


class MultimodalPrompts(nn.Module):
    """Prompts float32 [n, Dt] of the text tower's first blocks, and maps from each to prompts [n, Du] of pictures.

    Args:
        texts: the classes' sentences; the first n tokens after the start are what is learnt.
        first: float32 [n, Dt], where the prompts of the first block begin.
        depth: blocks with prompts of their own.
        image_width: Du.
    """

    embedded: Tensor
    end: Tensor

    def __init__(self, texts: LearnableContext, first: Tensor, depth: int, image_width: int) -> None:
        super().__init__()
        self.context = nn.Parameter(first.clone())
        self.deep = nn.ParameterList([nn.Parameter(0.02 * torch.randn_like(first)) for _ in range(depth - 1)])
        self.maps = nn.ModuleList([nn.Linear(first.shape[1], image_width) for _ in range(depth)])
        self.register_buffer("embedded", texts.embedded, persistent=False)
        self.register_buffer("end", texts.end, persistent=False)

    def visual(self) -> list[Tensor]:
        """Prompts [n, Du] of the image tower's first blocks."""
        return [own(prompt) for own, prompt in zip(self.maps, [self.context, *self.deep], strict=True)]

    def classes(self, encoder: VisionLanguageEncoder) -> Tensor:
        """The classes, float32 [C, D], of length 1."""
        count = len(self.context)
        context = self.context.expand(len(self.embedded), -1, -1)
        embedded = torch.cat([self.embedded[:, :1], context, self.embedded[:, 1 + count :]], dim=1)
        read = encoder.read(embedded, self.end, list(self.deep)) @ encoder.text_projection
        return functional.normalize(read, dim=-1)


def new_prompts(start: Start, count: int, depth: int, seed: int) -> MultimodalPrompts:
    """Prompts that begin with the template's first words; a short template has fewer.

    ``seed`` decides all others.
    """
    texts, encoder = class_prompts(start), start.encoder
    first = texts.embedded[0, 1 : 1 + min(count, max(1, texts.context))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = MultimodalPrompts(texts, first.cpu(), depth, encoder.image_width)
    return made.to(encoder.device)


def train_prompts(
    encoder: VisionLanguageEncoder,
    prompts: MultimodalPrompts,
    source: SourceFrames,
    most: int,
    lr: float,
    epochs: int,
    seed: int,
) -> Tensor:
    """Train prompts in place on as many frames of each class, drawn at random.

    Returns:
        The rows int64 that they were trained on.
    """
    draw = torch.Generator().manual_seed(seed)
    classes = [(source.labels == label).nonzero()[:, 0] for label in (0, 1)]
    least = min(most, *(len(rows) for rows in classes))
    drawn = [rows[torch.randperm(len(rows), generator=draw)[:least]] for rows in classes]
    rows = torch.cat(drawn)[torch.randperm(2 * least, generator=draw)]
    optimiser = torch.optim.SGD(prompts.parameters(), lr, momentum=0.9, weight_decay=5e-4)
    total, done = max(1, epochs * math.ceil(len(rows) / _BATCH)), 0
    for _ in range(epochs):
        for chosen in torch.split(rows[torch.randperm(len(rows), generator=draw)], _BATCH):
            optimiser.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * done / total))
            seen = encoder.see(encoder.resized(source.pictures(chosen)), prompts.visual())
            feature = functional.normalize(seen.pre @ encoder.image_projection, dim=-1)
            logits = encoder.scale * feature @ prompts.classes(encoder).T
            loss = functional.cross_entropy(logits, source.labels[chosen].long().to(logits.device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done += 1
    return rows


@torch.no_grad()
def token_statistics(
    encoder: VisionLanguageEncoder,
    prompts: MultimodalPrompts,
    source: SourceFrames,
    rows: Tensor,
    layers: tuple[int, ...],
) -> dict[str, Tensor]:
    """Mean and variance over pictures of the tokens that enter blocks: ``mean.0``, ``variance.0`` [P, Du], ..."""
    sums: dict[str, Tensor] = {}
    for moment in ("mean", "variance"):
        for chosen in torch.split(rows.sort().values, _PASS):
            entering = encoder.see(encoder.resized(source.pictures(chosen)), prompts.visual()).entering
            for layer in layers:
                tokens = entering[layer]
                about = sums[f"mean.{layer}"] if moment == "variance" else torch.zeros(())
                value = tokens if moment == "mean" else (tokens - about).square()
                name = f"{moment}.{layer}"
                sums[name] = sums.get(name, torch.zeros_like(value[0])) + value.sum(dim=0) / len(rows)
    return sums
