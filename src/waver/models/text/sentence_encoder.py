"""Vectors of complete texts by sentence-transformers, with the pooling that a folder's own settings say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from waver.device import autocast, encoder_settings
from waver.errors import WaverError, first_names
from waver.models.folder_limits import check_files
from waver.models.pretrained_folder import LOCAL, LOCAL_WEIGHTS, reading_folder, refuse_code
from waver.models.text.pretrained_encoder import BATCH_TOKENS, like_lengths, load_backbone, most_tokens, padded

Floats = npt.NDArray[np.float32]

_KNOWN = ("Transformer", "Pooling", "Normalize", "Dense", "LayerNorm")
"""Modules of a folder that are read; of the library's others none belongs to an encoder of sentences as published."""


class SentenceEncoder:
    """A frozen sentence-transformers model, which encodes a text to its end.

    The library cuts a longer text. Here its pieces are encoded one by one, and their tokens are pooled together.

    Args:
        folder: of a sentence-transformers model, or of a transformers encoder, whose tokens are then averaged.
        device: where it runs.
        precision: of the transformer's arithmetic, fp32 or bf16.

    Raises:
        WaverError: the folder holds no such model, or one with modules of other kinds.
    """

    def __init__(self, folder: Path, device: torch.device, precision: str = "fp32") -> None:
        model = _load(folder, device)
        self._device, self._precision = device, precision
        self._transformer, *self._pooling = model
        self._tokenizer = self._transformer.tokenizer
        if not self._tokenizer.is_fast:
            raise WaverError(f"the tokenizer in {folder} has no tokenizer.json; save it with one")
        # a folder without settings of its own takes as many tokens as the encoder of words
        own = self._transformer.max_seq_length if (folder / "modules.json").is_file() else None
        self._most = own or most_tokens(self._transformer.model)
        self._prompt = model.prompts.get(model.default_prompt_name or "") or ""
        self._lower = bool(self._transformer.do_lower_case)

    def encode(self, texts: Sequence[str], batch_tokens: int = BATCH_TOKENS) -> Floats:
        """Vectors of texts, float32 [n, D], of unit norm.

        Args:
            texts: n texts, at least one; a text may be empty.
            batch_tokens: maximum number of tokens per forward pass, padding included.
        """
        pieces, text_of_piece = self._cut(texts)
        left, waiting = Counter(text_of_piece), defaultdict[int, dict[int, Tensor]](dict)
        vectors: dict[int, Floats] = {}
        with torch.inference_mode():
            for batch in like_lengths([len(piece) for piece in pieces], batch_tokens):
                for number, states in zip(batch, self._states([pieces[i] for i in batch]), strict=True):
                    text = text_of_piece[number]
                    waiting[text][number] = states
                    if len(waiting[text]) == left[text]:
                        own = waiting.pop(text)
                        vectors[text] = self._pooled(torch.cat([own[piece] for piece in sorted(own)]))
        vector = np.stack([vectors[text] for text in range(len(texts))])
        unit: Floats = vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-12)
        return unit

    def _cut(self, texts: Sequence[str]) -> tuple[list[list[int]], list[int]]:
        """Token ids of every piece of every text, special ones included, and the text of each piece."""
        said = [self._prompt + text for text in texts]
        tokens = self._tokenizer(
            [text.lower() for text in said] if self._lower else said,
            truncation=True,
            max_length=self._most,
            return_overflowing_tokens=True,
            padding=False,
        )
        return tokens["input_ids"], list(tokens["overflow_to_sample_mapping"])

    def _states(self, pieces: Sequence[Sequence[int]]) -> list[Tensor]:
        """Last layer of each piece, float32 [T, D]."""
        ids, mask = padded(pieces, self._tokenizer.pad_token_id or 0, self._device)
        with autocast(self._device, self._precision):
            found = self._transformer({"input_ids": ids, "attention_mask": mask})["token_embeddings"].float()
        return [found[row, : len(piece)] for row, piece in enumerate(pieces)]

    def _pooled(self, states: Tensor) -> Floats:
        """Vector float32 [D] of the tokens [T, D] of a text, by the folder's modules after the transformer."""
        mask = torch.ones(1, len(states), dtype=torch.int64, device=states.device)
        features: dict[str, Tensor] = {"token_embeddings": states[None], "attention_mask": mask}
        for module in self._pooling:
            features = module(features)
        pooled: Floats = features["sentence_embedding"][0].float().cpu().numpy()
        return pooled


def _load(folder: Path, device: torch.device) -> Any:
    """The library's model, whose modules are known and bring no code and whose weights are all in the folder."""
    from sentence_transformers import SentenceTransformer  # seconds, which jobs of words alone need not wait

    role = "sentence_encoder"
    with reading_folder(folder, "sentence encoder", f"correct models.paths.{role}"):
        parts = _parts(folder)
        for part in parts:
            check_files(part)
            refuse_code(part)
        load_backbone(parts[0], torch.device("cpu"), role)  # the library does not tell what it drew at random
        model = SentenceTransformer(
            str(folder), device=str(device), model_kwargs=LOCAL_WEIGHTS | encoder_settings(device), **LOCAL
        )
    return model.eval().requires_grad_(False)


def _parts(folder: Path) -> list[Path]:
    """Folders of the modules, that of the transformer first.

    Raises:
        WaverError: a module is of another kind.
    """
    file = folder / "modules.json"
    if not file.is_file():
        return [folder]
    modules = json.loads(file.read_text(encoding="utf-8"))
    kinds = [str(module["type"]) for module in modules]
    unknown = [
        kind for kind in kinds if not kind.startswith("sentence_transformers.") or kind.split(".")[-1] not in _KNOWN
    ]
    if unknown or not kinds or not kinds[0].endswith(".Transformer"):
        raise WaverError(
            f"{file.name} lists {', '.join(unknown or kinds[:1]) or 'nothing'}; known are {', '.join(_KNOWN)}"
        )
    parts = [folder / module["path"] for module in modules]
    if outside := [str(part) for part in parts if ".." in part.parts or not part.is_relative_to(folder)]:
        raise WaverError(f"{file.name} has modules outside of the folder: {first_names(outside)}")
    return parts
