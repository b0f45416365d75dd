"""Several prompts about the same items, of which a causal language model reads what they share once.

The tokens that all prompts of an item begin with (its video above all) are read first, and their keys and values kept;
each prompt goes on from there. Rows of a batch are padded on the left, of the beginning and of the rest alike, so that
the next token always stands last; padding is masked, and positions count tokens alone. Between two prompts whatever
else they share is kept too, where no row has padding in between: of a batch of one, always.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from waver.errors import WaverError

Row = Sequence[int]
Positions = Callable[[Tensor, Tensor], Tensor]
"""Of new tokens int64 [B, L], and a mask bool [B, all tokens so far], their positions int64 [B, L] or [axes, B, L]."""


def common(rows: Sequence[Sequence[Any]], spare: int = 1) -> int:
    """How many tokens all rows begin with, the last ``spare`` of the shortest left out."""
    most = max(min(map(len, rows)) - spare, 0)
    first = rows[0]
    return next((place for place in range(most) if any(row[place] != first[place] for row in rows)), most)


def text_positions(ids: Tensor, mask: Tensor) -> Tensor:
    """Positions of new tokens, int64 [B, L]: how many tokens stand before each."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]


class SharedPrefix:
    """Prompts of a batch of items.

    Args:
        model: of the transformers library, with ``logits_to_keep``.
        rows: token ids of each item, of each prompt.
        pictures: what the model takes with the tokens that the prompts share.
        pad: id of a token that is masked.
        positions: of the tokens, of models that count other than text.
    """

    def __init__(
        self,
        model: Any,
        rows: Sequence[Sequence[Row]],
        pictures: Mapping[str, Tensor],
        pad: int,
        positions: Positions = text_positions,
    ) -> None:
        self._model, self._rows, self._pad, self._positions = model, rows, pad, positions
        self._shared = [common(own) for own in rows]
        if not all(self._shared):  # a row of padding alone would see nothing
            self._shared = [0] * len(rows)
        self._held: list[list[int]] = [[] for _ in rows]
        self._cache: Cache = DynamicCache(config=model.config)
        self._mask = torch.zeros(len(rows), 0, dtype=torch.bool, device=model.device)
        begin = [list(own[0][:count]) for own, count in zip(rows, self._shared, strict=True)]
        if any(begin):
            self._read(begin, 1, pictures)
        self._begun, self._length = self._mask, self._mask.shape[1]
        croppable = all(type(layer) is DynamicLayer for layer in self._cache.layers)
        self._kept = None if croppable else copy.deepcopy(self._cache)

    def order(self) -> list[int]:
        """Numbers of the prompts, those next to each other that share most."""
        return sorted(range(len(self._rows[0])), key=lambda number: tuple(self._rows[0][number]))

    def ask(self, number: int, answer: Row = (), keep: int = 1) -> Tensor:
        """Logits float32 [B, keep, V] after the last tokens of a prompt, and of an answer's tokens behind it."""
        rows = [[*own[number][count:], *answer] for own, count in zip(self._rows, self._shared, strict=True)]
        alike = self._rewind(common([[*zip(*self._held, strict=False)], [*zip(*rows, strict=False)]], keep))
        logits = self._read([row[alike:] for row in rows], keep, {})
        level = len({len(row) for row in rows}) == 1
        self._held = rows if level else [[] for _ in rows]
        return logits

    def go_on(self, tokens: Tensor) -> Tensor:
        """Logits float32 [B, V] after one more token of each row, int64 [B]."""
        self._held = [[] for _ in self._held]
        return self._read([[int(token)] for token in tokens], 1, {})[:, 0]

    def _rewind(self, held: int) -> int:
        """Forget everything but the beginning and ``held`` tokens behind it; returns how many are held."""
        if self._kept is not None:
            self._cache, self._mask = copy.deepcopy(self._kept), self._begun
            return 0
        wanted = self._length + held
        self._cache.crop(wanted - self._mask.shape[1])
        self._mask = self._mask[:, :wanted]
        return held

    def _read(self, rows: Sequence[Row], keep: int, pictures: Mapping[str, Tensor]) -> Tensor:
        """Logits float32 [B, keep, V] after the last of some tokens, which are kept.

        Raises:
            WaverError: they are no numbers: damaged weights, or float16 that overflows.
        """
        length = max(map(len, rows))
        ids = torch.tensor([[self._pad] * (length - len(row)) + list(row) for row in rows], device=self._model.device)
        new = torch.tensor([[False] * (length - len(row)) + [True] * len(row) for row in rows], device=ids.device)
        self._mask = torch.cat([self._mask, new], dim=1)
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask.long(),
            position_ids=self._positions(ids, self._mask),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=keep,
            **pictures,
        )
        logits: Tensor = output.logits.float()
        if not bool((logits < torch.inf).all()):
            raise WaverError(
                f"the model's output is not a number (its weights are {self._model.dtype}); set zeroshot.dtype to "
                "bfloat16 or float32, or check its files"
            )
        return logits
