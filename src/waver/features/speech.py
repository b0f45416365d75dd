"""The words of a video and when they are spoken."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

from waver.assets.manifest import installed
from waver.config.sections import SpeechConfig
from waver.device import USED, ctranslate2_place, threads
from waver.errors import SetAside, WaverError
from waver.features.clock import frame_clock
from waver.features.waveform import RATE_HZ, read_waveform
from waver.provenance import digest, seed_for
from waver.shapes import FPS
from waver.store.arrays import StoreWriter
from waver.store.shards import Compute, Row, run_shard
from waver.store.tables import TRANSCRIPTS, VIDEOS, read_table

log = logging.getLogger(__name__)

_SPANS = VadOptions(min_silence_duration_ms=100, speech_pad_ms=0)


@dataclass(frozen=True)
class Spoken:
    """Words of one video.

    Attributes:
        words: W words without blanks, with their punctuation.
        start_s: float32 [W], seconds after the first video frame, never falling.
        end_s: float32 [W], at least ``start_s``.
        probability: float32 [W], the recogniser's; 1 for given transcripts.
        language: ISO 639-1 code, empty where unknown.
    """

    words: list[str]
    start_s: npt.NDArray[np.float32]
    end_s: npt.NDArray[np.float32]
    probability: npt.NDArray[np.float32]
    language: str


def spoken(words: Sequence[tuple[str, float, float, float]], language: str) -> Spoken:
    """Words (text, start_s, end_s, probability) in order, as arrays; times are kept from running back."""
    kept = [word for word in words if word[0].strip()]
    times = np.array([word[1:] for word in kept], np.float32).reshape(-1, 3)
    start_s = np.maximum.accumulate(np.maximum(times[:, 0], 0))
    texts = [word[0].strip() for word in kept]
    return Spoken(texts, start_s, np.maximum(times[:, 1], start_s), times[:, 2], language)


def recognise_speech(
    videos: Path,
    transcripts: Path,
    root: Path,
    model: Path | None,
    stores: Path,
    index: Path,
    config: SpeechConfig,
    code: str,
) -> None:
    """Make the speech stores of a shard: ``start_s``, ``end_s``, ``probability``; attributes words, language.

    A video in which nobody speaks has no words and status ok.

    Args:
        videos: the shard's VIDEOS table.
        transcripts: the shard's TRANSCRIPTS table, used where the source is ``given``.
        root: folder to which the videos' paths are relative.
        model: ``asset.json`` of a Whisper model in CTranslate2's format; needed to recognise.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        config: source, beam and language.
        code: code version of this module.

    Raises:
        WaverError: speech is to be recognised and there is no model, or a GPU is asked for and there is none.
    """
    rows = read_table(videos, VIDEOS)
    made_from = {"thing": "speech", "config": config.model_dump(), "code": code, "model": None}
    if config.source == "given":
        chunks = _chunks(transcripts)
        rows = [{**row, "checksum": digest([row["duration_s"], chunks.get(row["video"])])} for row in rows]
        run_shard(rows, stores, index, made_from, _giver(chunks))
        return
    if model is None:
        raise WaverError("features.speech.source is recognise and there is no model; give it under models.paths")
    record = installed(model)
    rows = [{**row, "checksum": digest([row["checksum"], row["language"]])} for row in rows]
    run_shard(rows, stores, index, {**made_from, "model": record.key}, _recogniser(root, Path(record.folder), config))


def _write(found: Spoken, writer: StoreWriter) -> None:
    for name in ("start_s", "end_s", "probability"):
        writer.put(name, getattr(found, name))
    writer.attributes.update(words=found.words, language=found.language)


# recognised -----------------------------------------------------------------------------------------
def _recogniser(root: Path, folder: Path, config: SpeechConfig) -> Compute:
    whisper = cache(partial(load_whisper, folder, *ctranslate2_place()))

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        clock = frame_clock(root / video["path"])
        frames = len(clock.source_frame)
        sound = read_waveform(root / video["path"], clock.audio_start_s, frames / FPS)
        # sampled only where the search at temperature 0 fails; the seed keeps a resumed job the same
        ctranslate2.set_random_seed(seed_for("speech", video["video"]))
        language = video["language"] if config.language == "auto" else config.language
        found = transcribe(whisper(), sound.samples, language, config.beam)
        _write(found, writer)
        return frames, "; ".join(filter(None, (sound.note, "" if found.words else "nobody speaks")))

    return compute


class Recogniser(WhisperModel):
    """Whisper that encodes the beginning of a recording once, to tell its language and to recognise its words.

    faster-whisper encodes it twice, and the encoder takes most of the time: of a short recording it sees 30 s all the
    same. Words and their times are the same; the language is told from one row (10 ms) less of a recording under 30 s.
    """

    _last: tuple[npt.NDArray[np.float32], ctranslate2.StorageView] | None = None

    def detect_language(self, audio: Any = None, features: Any = None, **options: Any) -> Any:
        """As WhisperModel's, of the rows that the recognition looks at, which leaves the last row out."""
        if features is not None and features.shape[-1] > 1:
            features = features[..., :-1]
        return super().detect_language(audio, features, **options)

    def encode(self, features: npt.NDArray[np.float32]) -> ctranslate2.StorageView:
        """As WhisperModel's; the same features as the last time are not encoded again."""
        if self._last is None or not np.array_equal(features, self._last[0]):
            self._last = features, super().encode(features)
        return self._last[1]


def load_whisper(folder: Path, device: str, compute_type: str) -> Recogniser:
    """A Whisper model from a local folder, with the job's threads; what it really runs on is recorded."""
    model = Recogniser(
        str(folder), device=device, compute_type=compute_type, cpu_threads=threads(), local_files_only=True
    )
    really = {"device": model.model.device, "compute_type": model.model.compute_type, "threads": threads()}
    USED["ctranslate2"] = USED.get("ctranslate2", {}) | really
    voice = get_vad_model().session  # faster-whisper keeps its search for voices on one thread of the CPU
    options = voice.get_session_options()
    USED["onnxruntime"] = {
        "device": "cpu",
        "providers": voice.get_providers(),
        "threads": options.intra_op_num_threads,
    }
    return model


def transcribe(model: Recogniser, samples: npt.NDArray[np.float32], language: str | None, beam: int) -> Spoken:
    """Words of a waveform.

    The recogniser lets the first word of a phrase begin up to 0.4 s early (it hears speech with that
    margin) and stretches words into pauses; so each word is cut to the voice activity under it.

    Args:
        model: Whisper.
        samples: float32 [S], 16 kHz.
        language: ISO 639-1 code, or None to detect it.
        beam: beam size.
    """
    segments, info = model.transcribe(
        samples,
        language=language or None,
        beam_size=beam,
        word_timestamps=True,
        vad_filter=True,
        # one bad segment does not spoil the next: answers are short and hallucinations repeat
        condition_on_previous_text=False,
    )
    words = [(w.word, w.start, w.end, w.probability) for segment in segments for w in segment.words or ()]
    if not words:
        return spoken([], language or "")
    spans = [(span["start"] / RATE_HZ, span["end"] / RATE_HZ) for span in get_speech_timestamps(samples, _SPANS)]
    return spoken([(text, *cut_to(spans, start, end), p) for text, start, end, p in words], info.language)


def cut_to(spans: Sequence[tuple[float, float]], start_s: float, end_s: float) -> tuple[float, float]:
    """A word's times cut to the spans of speech that it meets; as they were where it meets none.

    Args:
        spans: (start_s, end_s) of the spans, ascending.
        start_s: start of the word.
        end_s: end of the word.
    """
    met = [span for span in spans if span[0] < end_s and span[1] > start_s]
    return (max(start_s, met[0][0]), min(end_s, met[-1][1])) if met else (start_s, end_s)


# given ----------------------------------------------------------------------------------------------
def _chunks(transcripts: Path) -> dict[str, list[Row]]:
    chunks: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(transcripts, TRANSCRIPTS):
        chunks[row["video"]].append(row)
    return {video: sorted(rows, key=lambda row: row["chunk"]) for video, rows in chunks.items()}


def _giver(chunks: dict[str, list[Row]]) -> Compute:
    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        rows = chunks.get(video["video"])
        if not rows:
            raise SetAside("the data set has no transcript of it", "set features.speech.source to recognise")
        _write(spread_chunks(rows, video["duration_s"]), writer)
        return max(1, round(video["duration_s"] * FPS)), "words of the data set's transcript"

    return compute


def spread_chunks(chunks: Sequence[Row], duration_s: float) -> Spoken:
    """Words of timed chunks, each given a share of its chunk's time by its number of letters.

    Chunks without times, one after another, share the time between their timed neighbours; where no
    chunk has times, that is the whole video.

    Args:
        chunks: rows of TRANSCRIPTS in order.
        duration_s: length of the video.
    """
    words: list[tuple[str, float, float, float]] = []
    for text, start_s, end_s in _spans(chunks, duration_s):
        parts = text.split()
        letters = [max(sum(map(str.isalnum, part)), 1) for part in parts]
        edges = start_s + (end_s - start_s) * np.cumsum([0, *letters]) / max(sum(letters), 1)
        words += [(part, edges[i], edges[i + 1], 1.0) for i, part in enumerate(parts)]
    languages = [chunk["language"] for chunk in chunks if chunk["language"]]
    return spoken(words, max(languages, key=languages.count) if languages else "")


def _spans(chunks: Sequence[Row], duration_s: float) -> list[tuple[str, float, float]]:
    """(text, start_s, end_s) with what times are missing filled in; untimed neighbours become one."""
    spans: list[list[Any]] = []
    for chunk in chunks:
        untimed = chunk["start_s"] is None
        if untimed and spans and spans[-1][2] is None:
            spans[-1][0] += " " + chunk["text"]
            spans[-1][2] = chunk["end_s"]
        else:
            spans.append([chunk["text"], chunk["start_s"], chunk["end_s"]])
    filled: list[tuple[str, float, float]] = []
    for i, (text, start_s, end_s) in enumerate(spans):
        before_s = filled[-1][2] if filled else 0.0
        start_s = before_s if start_s is None else start_s
        following = [span[1] for span in spans[i + 1 :] if span[1] is not None]
        end_s = (following[0] if following else duration_s) if end_s is None else end_s
        filled.append((text, start_s, max(end_s, start_s)))
    return filled
