"""Frozen encodings of the answers: one vector of the full text, one per sentence and one per word piece."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from waver.assets.manifest import installed
from waver.config.sections import WordsConfig
from waver.datasets.answers import Answer, read_answers
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.features.sentences import run_length
from waver.io.lock import exclusive
from waver.io.tables import FEATURE_INDEX, write_table
from waver.io.zarr_store import new_store, read_attributes, read_store, store_attributes, store_key
from waver.models.base import Encoding
from waver.models.text.pretrained_encoder import (
    BATCH_TOKENS,
    like_lengths,
    load_backbone,
    load_tokenizer,
    most_tokens,
    padded,
)
from waver.models.text.sentence_encoder import SentenceEncoder
from waver.provenance import digest

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_SENTENCE_ENDS = re.compile(r"(?<=[.!?…])\s+")


def encode_shard(
    answers: Path, model: Path, sentences: Path, stores: Path, index: Path, config: WordsConfig, code: str
) -> None:
    """Encode the answers of a shard: one Zarr store, ``<stores>/<shard>.zarr``.

    Arrays: ``sentence`` float32 [V, D]; ``token`` float32 [N, D] (the answers' word pieces end to end) and
    ``count`` int32 [V], the pieces of each; ``part`` float32 [S, D] (the answers' sentences end to end) and
    ``parts`` int32 [V], the sentences of each; attribute ``videos``, their order. An answer whose text did
    not change is taken from the existing store.

    Args:
        answers: the shard's ANSWERS table.
        model: ``asset.json`` of the encoder of words, a transformers model.
        sentences: ``asset.json`` of the encoder of sentences, a sentence-transformers model.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write, named like the shard; its ``frames`` are 0.
        config: ``layers`` and ``precision``; the alignment is not used.
        code: code version of this module.

    Raises:
        WaverError: an encoder cannot be read, or that of words has fewer layers than are to be summed.
    """
    words, whole = installed(model), installed(sentences)
    models = {"model": words.key, "sentences": whole.key}
    made_from = digest({"feature": "answers", **config.model_dump(exclude={"alignment"}), "code": code, **models})
    rows = read_answers([answers])
    texts = [digest(answer.text) for answer in rows]
    key = digest([made_from, *zip((answer.video for answer in rows), texts, strict=True)])
    path = stores / f"{index.stem}.zarr"
    with exclusive(Path(f"{index}.lock")):
        if store_key(path) != key:
            known = _known(path, made_from)
            new = {text: answer.text for text, answer in zip(texts, rows, strict=True) if text not in known}
            folders = Path(words.folder), Path(whole.folder)
            encodings = encode_answers(list(new.values()), *folders, config.layers, precision=config.precision)
            known.update(zip(new, encodings, strict=True))
            log.info("%d of %d texts encoded", len(new), len(set(texts)))
            _write(path, key, made_from, rows, texts, [known[text] for text in texts])
        count = read_store(path, "count")["count"]
        write_table(index, map(_row, rows, [digest([made_from, text]) for text in texts], count), FEATURE_INDEX)


def read_encodings(stores: Path, indexes: Sequence[Path]) -> dict[str, Encoding]:
    """Encoding of each video of several shards.

    Args:
        stores: folder of the stores.
        indexes: index tables of the shards.

    Raises:
        MissingStore: a store is gone.
    """
    found: dict[str, Encoding] = {}
    for index in indexes:
        path = stores / f"{index.stem}.zarr"
        found.update(zip(read_attributes(path)["videos"], _encodings(path), strict=True))
    return found


def encode_answers(
    texts: Sequence[str],
    word_folder: Path,
    sentence_folder: Path,
    layers: int,
    batch_tokens: int = BATCH_TOKENS,
    precision: str = "fp32",
) -> list[Encoding]:
    """Encode texts, in batches of similar length.

    ``sentence`` is the sentence-transformers embedding of a text, of unit norm and without truncation. ``parts`` is
    the same for each of its sentences, encoded independently. ``tokens`` are the sums of the last ``layers`` hidden
    layers of the encoder of words; a longer text is cut into pieces, which are encoded independently.

    Args:
        texts: n texts, in any language; a text may be empty.
        word_folder: transformers model.
        sentence_folder: sentence-transformers model, or transformers model whose tokens are averaged.
        layers: last hidden layers summed.
        batch_tokens: maximum number of tokens per forward pass, padding included.
        precision: of the arithmetic of both encoders, fp32 or bf16.

    Raises:
        WaverError: a folder cannot be read, or the encoder of words has fewer layers.
    """
    if not texts:
        return []
    parts = [sentences_of(text) for text in texts]
    # a text of one sentence, and a sentence that occurs several times, is encoded once
    number = {text: i for i, text in enumerate(dict.fromkeys([*texts, *chain.from_iterable(parts)]))}
    tokens = _WordEncoder(word_folder, layers, precision).encode(list(number)[: len(set(texts))], batch_tokens)
    vector = SentenceEncoder(sentence_folder, torch_device(), precision).encode(list(number), batch_tokens)
    return [
        Encoding(
            sentence=vector[number[text]],
            tokens=tokens[number[text]],
            parts=vector[[number[part] for part in own]].reshape(-1, vector.shape[1]),
        )
        for text, own in zip(texts, parts, strict=True)
    ]


def sentences_of(text: str) -> list[str]:
    """The sentences of a text that hold a letter or a digit, in their order.

    A sentence ends at one of ``. ! ? …``. A run of more than 40 words without one, as in transcripts
    without punctuation, is cut after every 25.
    """
    found: list[str] = []
    for sentence in _SENTENCE_ENDS.split(text):
        words = sentence.split()
        step = run_length(len(words))
        found += [" ".join(words[start : start + step]) for start in range(0, len(words), max(step, 1))]
    return [sentence for sentence in found if re.search(r"[^\W_]", sentence)]


class _WordEncoder:
    """A frozen transformer that returns the sum of its last layers."""

    def __init__(self, folder: Path, layers: int, precision: str) -> None:
        self._device, self._precision = torch_device(), precision
        self._tokenizer = load_tokenizer(folder)
        self._model = load_backbone(folder, self._device).requires_grad_(False)
        depth = int(self._model.config.num_hidden_layers)
        if layers > depth:
            raise WaverError(f"features.words.layers is {layers} and the encoder {folder} has {depth}; lower it")
        self._layers = layers

    def encode(self, texts: Sequence[str], batch_tokens: int) -> list[Floats]:
        """The word pieces float32 [W', D] of each text."""
        pieces, text_of_piece, special = self.cut(texts)
        summed: list[Floats] = [np.zeros((0, 0), np.float32)] * len(pieces)
        for batch in like_lengths([len(piece) for piece in pieces], batch_tokens):
            for number, sums in zip(batch, self.forward([pieces[i] for i in batch]), strict=True):
                summed[number] = sums[: len(pieces[number])][~special[number]]
        of_text: list[list[Floats]] = [[] for _ in texts]
        for text, found in zip(text_of_piece, summed, strict=True):
            of_text[text].append(found)
        return [np.concatenate(own) for own in of_text]

    def cut(self, texts: Sequence[str]) -> tuple[list[list[int]], list[int], list[npt.NDArray[np.bool_]]]:
        """Token ids of every piece of every text, the text of each, and which tokens are special."""
        tokens = self._tokenizer(
            list(texts),
            truncation=True,
            max_length=most_tokens(self._model),
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
            padding=False,
        )
        special = [np.array(mask, bool) for mask in tokens["special_tokens_mask"]]
        return tokens["input_ids"], list(tokens["overflow_to_sample_mapping"]), special

    def forward(self, pieces: Sequence[Sequence[int]]) -> Floats:
        """Sum of layers, float32 [B, T, D]."""
        ids, mask = padded(pieces, self._tokenizer.pad_token_id or 0, self._device)
        with torch.inference_mode(), autocast(self._device, self._precision):
            hidden = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            summed: Floats = torch.stack(hidden[-self._layers :]).float().sum(0).cpu().numpy()
        return summed


def _known(path: Path, made_from: str) -> dict[str, Encoding]:
    """Encodings by digest of their text that an earlier store holds, if it was made in the same way."""
    attributes = store_attributes(path)
    if attributes.get("made_from") != made_from:
        return {}
    return dict(zip(attributes["texts"], _encodings(path), strict=True))


def _encodings(path: Path) -> list[Encoding]:
    arrays = read_store(path, "sentence", "token", "count", "part", "parts")
    tokens, parts = (_divided(arrays[rows], arrays[count]) for rows, count in (("token", "count"), ("part", "parts")))
    return list(map(Encoding, arrays["sentence"], tokens, parts))


def _divided(rows: Floats, count: npt.NDArray[np.int32]) -> list[Floats]:
    return np.split(rows, np.cumsum(count)[:-1]) if len(count) else []


def _write(
    path: Path, key: str, made_from: str, rows: Sequence[Answer], texts: Sequence[str], encodings: Sequence[Encoding]
) -> None:
    nothing = [np.zeros((0, 0), np.float32)] if not encodings else []
    with new_store(path, key) as writer:
        writer.put("sentence", np.stack([e.sentence for e in encodings]) if encodings else nothing[0])
        writer.put("token", np.concatenate([e.tokens for e in encodings] or nothing))
        writer.put("count", np.array([len(e.tokens) for e in encodings], np.int32))
        writer.put("part", np.concatenate([e.parts for e in encodings] or nothing))
        writer.put("parts", np.array([len(e.parts) for e in encodings], np.int32))
        writer.attributes.update(made_from=made_from, texts=list(texts), videos=[answer.video for answer in rows])


def _row(answer: Answer, key: str, count: int) -> dict[str, Any]:
    note = f"{count} word pieces" if count else "no words"
    known = {"video": answer.video, "participant": answer.participant, "status": "ok", "frames": 0}
    return {**known, "key": key, "note": note, "reason": None, "remedy": None}
