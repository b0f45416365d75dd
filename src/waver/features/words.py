"""One vector per word from a text encoder, and the word of each frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from waver.assets.manifest import installed
from waver.config.sections import WordsConfig
from waver.device import autocast, torch_device
from waver.errors import ExcludedItem, WaverError
from waver.features.sentences import Words, sentences, shared_frames, timed_words
from waver.features.spoken import NO_WORDS, NOBODY
from waver.io.shard_job import Row, run_shard, store_path
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table
from waver.io.zarr_store import StoreWriter, read_attributes, read_store
from waver.models.text.pretrained_encoder import like_lengths, load_backbone, load_tokenizer, most_tokens, padded
from waver.provenance import digest
from waver.shapes import FPS

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_AHEAD = 16  # videos whose sentences are encoded together


def embed_words(
    speech_index: Path,
    speech_stores: Path,
    videos: Path,
    model: Path,
    stores: Path,
    index: Path,
    config: WordsConfig,
    code: str,
) -> None:
    """Make the words stores of a shard: ``vector`` float32 [W, D] and ``word_of_frame`` int32 [T].

    Row w of ``vector`` is word w. Of words that share their only frame (words of no duration, say), the row of the
    first is the mean of all that share it, and it is that row to which the frame refers; the others' rows stay their
    own. With the alignment ``uniform`` the rows of ``vector`` are word pieces instead of words.

    Args:
        speech_index: FEATURE_INDEX table of the shard's speech.
        speech_stores: folder of the speech stores.
        videos: the shard's VIDEOS table.
        model: ``asset.json`` of a transformers text encoder.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        config: layers and alignment.
        code: code version of this module.

    Raises:
        WaverError: the encoder has fewer layers than are to be summed, or a GPU is requested and none is available.
    """
    record = installed(model)
    speech = {row["video"]: row for row in read_table(speech_index, FEATURE_INDEX)}
    rows = [{**row, **_source(speech, row)} for row in read_table(videos, VIDEOS)]
    encoder = cache(partial(TextEncoder, Path(record.folder), config.layers, torch_device(), config.precision))
    ahead = _LookAhead(rows, speech_stores, encoder)

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        if video["problem"] is not None:
            raise ExcludedItem(*video["problem"])
        pieces, word_of_piece = ahead.take(video)
        times = read_store(store_path(speech_stores, video), "start_s", "end_s")
        place = _by_order if config.alignment == "uniform" else _by_time
        vector, word_of_frame = place(pieces, word_of_piece, times, video["frames"])
        writer.put("vector", vector)
        writer.put("word_of_frame", word_of_frame)
        return video["frames"], "" if len(vector) else video["wordless"]

    made_from = {"feature": "words", "config": config.model_dump(), "code": code, "model": record.key}
    run_shard(rows, stores, index, made_from, compute)


def _by_time(
    pieces: Floats, word_of_piece: npt.NDArray[np.int64], times: dict[str, Floats], frames: int
) -> tuple[Floats, npt.NDArray[np.int32]]:
    vector = mean_of_words(pieces, word_of_piece, len(times["start_s"]))
    start_s, end_s = times["start_s"], times["end_s"]
    shared = {word: vector[words].mean(0) for word, (_, words) in shared_frames(start_s, end_s, frames).items()}
    for word, merged in shared.items():
        vector[word] = merged
    return vector, timed_words(start_s, end_s, frames)


def _by_order(
    pieces: Floats, word_of_piece: npt.NDArray[np.int64], times: dict[str, Floats], frames: int
) -> tuple[Floats, npt.NDArray[np.int32]]:
    return pieces[:frames], uniform_words(len(pieces), frames)


def _source(speech: dict[str, Row], video: Row) -> Row:
    """The inputs of the words of a video: its speech and its length."""
    frames = max(1, round(video["duration_s"] * FPS))
    found = speech.get(video["video"])
    if found is None:
        problem: tuple[str, str] | None = ("its speech was not processed", "run the speech rule of its shard")
    else:
        problem = None if found["status"] == "ok" else (found["reason"], found["remedy"])
    wordless = NO_WORDS if found and NO_WORDS in found["note"].split("; ") else NOBODY
    return {
        "frames": frames,
        "problem": problem,
        "wordless": wordless,
        "checksum": digest([found and found["key"], frames]),
    }


class _LookAhead:
    """Embeds the next few videos together, so that their sentences fill batches of equal length."""

    def __init__(self, rows: Sequence[Row], speech_stores: Path, encoder: Any) -> None:
        self._rows = [row for row in rows if row["problem"] is None]
        self._stores, self._encoder = speech_stores, encoder
        self._ready: dict[str, tuple[Floats, npt.NDArray[np.int64]]] = {}

    def take(self, video: Row) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Vectors [P, D] of a video's word pieces, and the word [P] of each."""
        name = video["video"]
        if name not in self._ready:
            here = next(i for i, row in enumerate(self._rows) if row["video"] == name)
            try:
                self._ready = self._embed(self._rows[here : here + _AHEAD])
            except (KeyError, ValueError, RuntimeError) as problem:
                log.warning("%s is embedded alone; with the next videos: %s", name, problem)
                self._ready = self._embed(self._rows[here : here + 1])
        return self._ready.pop(name)

    def _embed(self, group: Sequence[Row]) -> dict[str, tuple[Floats, npt.NDArray[np.int64]]]:
        texts = [read_attributes(store_path(self._stores, row))["words"] for row in group]
        return dict(zip((row["video"] for row in group), self._encoder().embed(texts), strict=True))


class TextEncoder:
    """A frozen transformer; the vector of a word piece is the sum of its last hidden layers."""

    def __init__(self, folder: Path, layers: int, device: torch.device, precision: str = "fp32") -> None:
        self._device, self._precision = device, precision
        self._tokenizer = load_tokenizer(folder)
        self._model = load_backbone(folder, device).requires_grad_(False)
        depth = self._model.config.num_hidden_layers
        if layers > depth:
            raise WaverError(f"features.words.layers is {layers} and the encoder {folder} has {depth}; lower it")
        self._layers = layers
        self.dim = int(self._model.config.hidden_size)
        self._most = most_tokens(self._model)

    def embed(self, texts: Sequence[Words]) -> list[tuple[Floats, npt.NDArray[np.int64]]]:
        """Embed several texts, each split into sentences, in batches of sentences of similar length.

        Args:
            texts: words of each text.

        Returns:
            For each text its word pieces in order: vectors float32 [P, D] and words int64 [P].
        """
        parts = [(text, first, words) for text, every in enumerate(texts) for first, words in sentences(every)]
        pieces = self._pieces([words for _, _, words in parts])
        vectors: list[Floats] = [np.zeros((0, self.dim), np.float32)] * len(pieces)
        for batch in like_lengths([len(ids) for ids, _, _ in pieces]):
            for number, found in zip(batch, self._forward([pieces[i][0] for i in batch]), strict=True):
                vectors[number] = found
        results: list[tuple[list[Floats], list[npt.NDArray[np.int64]]]] = [([], []) for _ in texts]
        for (_, word_ids, part), vector in zip(pieces, vectors, strict=True):
            text, first, _ = parts[part]
            inside = np.array([word is not None for word in word_ids])
            results[text][0].append(vector[inside])
            results[text][1].append(np.array([first + word for word in word_ids if word is not None], np.int64))
        empty = (np.zeros((0, self.dim), np.float32), np.zeros(0, np.int64))
        return [(np.concatenate(v), np.concatenate(w)) if v else empty for v, w in results]

    def _pieces(self, parts: Sequence[Words]) -> list[tuple[list[int], list[int | None], int]]:
        """Token ids, the word of each token and the sentence, for every sentence or piece of a long one."""
        if not parts:
            return []
        tokens = self._tokenizer(
            list(map(list, parts)),
            is_split_into_words=True,
            truncation=True,
            max_length=self._most,
            return_overflowing_tokens=True,
            padding=False,
        )
        sentence = tokens["overflow_to_sample_mapping"]
        return [(ids, tokens.word_ids(i), sentence[i]) for i, ids in enumerate(tokens["input_ids"])]

    def _forward(self, batch: Sequence[list[int]]) -> list[Floats]:
        ids, mask = padded(batch, self._tokenizer.pad_token_id or 0, self._device)
        with torch.inference_mode(), autocast(self._device, self._precision):
            out = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            summed = torch.stack(out.hidden_states[-self._layers :]).float().sum(0).cpu().numpy()
        return [summed[row, : len(values)] for row, values in enumerate(batch)]


def mean_of_words(pieces: Floats, word_of_piece: npt.NDArray[np.int64], words: int) -> Floats:
    """Vectors [W, D] of words: the mean of their pieces [P, D]; zeros for a word without pieces."""
    total = np.zeros((words, pieces.shape[1]), np.float64)
    np.add.at(total, word_of_piece, pieces)
    count = np.bincount(word_of_piece, minlength=words)
    mean: Floats = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
    return mean


def uniform_words(pieces: int, frames: int) -> npt.NDArray[np.int32]:
    """Piece of each frame with times ignored: n nearly equal blocks, the first ``T mod n`` one longer.

    The released code's alignment. If there are more pieces than frames, the surplus is dropped.

    Args:
        pieces: n.
        frames: T.

    Returns:
        int32 [T]; -1 throughout where there is no piece.
    """
    if not pieces:
        return np.full(frames, -1, np.int32)
    used = min(pieces, frames)
    size, longer = divmod(frames, used)
    return np.repeat(np.arange(used, dtype=np.int32), np.where(np.arange(used) < longer, size + 1, size))
