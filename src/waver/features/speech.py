"""The words of a video and their times."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import ctranslate2
from faster_whisper.tokenizer import _LANGUAGE_CODES
from faster_whisper.vad import get_vad_model

from waver.assets.manifest import Installed, installed
from waver.config.sections import SpeechConfig
from waver.datasets.transcripts import guessed_language
from waver.device import USED, ctranslate2_place, threads, torch_device
from waver.errors import ExcludedItem, WaverError
from waver.features.clock import frame_clock
from waver.features.level import is_silent, levelled
from waver.features.recogniser import Recogniser, cut_to, detect, speech_spans, transcribe
from waver.features.samples import Samples
from waver.features.spoken import NOBODY, Spoken, Times, language_of, spoken, spread_chunks
from waver.features.waveform import Sound, read_in_worker, spoken_in
from waver.io.shard_job import Compute, Row, run_shard
from waver.io.tables import TRANSCRIPTS, VIDEOS, read_table
from waver.io.zarr_store import StoreWriter
from waver.models.pretrained_folder import reading_folder
from waver.provenance import digest, seed_for
from waver.records import load
from waver.registry import READERS
from waver.shapes import FPS

log = logging.getLogger(__name__)

__all__ = ["cut_to", "load_whisper", "recognise_speech", "spoken", "spread_chunks", "transcribe"]

_OF_WORDS = ("start_s", "end_s", "probability", "measured")
_OF_SEGMENTS = ("no_speech_prob", "avg_logprob", "flagged")


def recognise_speech(
    videos: Path,
    transcripts: Path,
    root: Path,
    model: Path | None,
    aligners: Sequence[Path],
    stores: Path,
    index: Path,
    config: SpeechConfig,
    code: str,
) -> None:
    """Make the speech stores of a shard.

    A store holds ``start_s``, ``end_s``, ``probability`` and ``measured`` of the words, and the attributes ``words``
    and ``language``. ``measured`` is false where words of a transcript share the time of a chunk: without a model of
    forced alignment, and where it does not find them. Of recognised speech a store also holds ``no_speech_prob``,
    ``avg_logprob`` and ``flagged`` (see ``waver.features.spoken``), and the attribute ``language_probability``. A
    video in which nobody speaks has no words and status ok.

    Args:
        videos: the shard's VIDEOS table.
        transcripts: the shard's TRANSCRIPTS table, used where the source is ``given``.
        root: folder to which the videos' paths are relative.
        model: ``asset.json`` of a Whisper model in CTranslate2's format; needed to recognise.
        aligners: ``asset.json`` of models of forced alignment, one a language; none: words are not aligned.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        config: source, beam and language.
        code: code version of this module.

    Raises:
        WaverError: speech is to be recognised and there is no model, a language is unknown, or a GPU is requested and
            none is available.
    """
    rows = read_table(videos, VIDEOS)
    align = Aligners([installed(aligner) for aligner in aligners])
    made_from = {"feature": "speech", "config": config.model_dump(), "code": code, "model": None, "align": align.keys}
    if config.source == "given":
        chunks = _chunks(transcripts)
        rows = [{**row, "checksum": digest(_written(row, chunks, align))} for row in rows]
        run_shard(rows, stores, index, made_from, _giver(chunks, root, align))
        return
    if model is None:
        raise WaverError("features.speech.source is recognise and there is no model; give it under models.paths")
    if unknown := sorted(set(config.languages) - set(_LANGUAGE_CODES)):
        raise WaverError(f"features.speech.languages has {', '.join(unknown)}, which Whisper does not know; correct it")
    record = installed(model)
    compute = _recogniser(rows, root, Path(record.folder), config, align)
    rows = [{**row, "checksum": digest(_heard(row, rows, config))} for row in rows]
    run_shard(rows, stores, index, {**made_from, "model": record.key}, compute)


class Aligners:
    """Models of forced alignment by language, each read when it is first needed.

    Args:
        records: of models whose roles are ``aligner_<language>``.
    """

    def __init__(self, records: Sequence[Installed]) -> None:
        self._records = {record.role.removeprefix("aligner_"): record for record in records}
        self._read = cache(self._load)

    @property
    def keys(self) -> dict[str, str]:
        """Language -> fingerprint of its model."""
        return {language: record.key for language, record in self._records.items()}

    def _load(self, language: str) -> Callable[[Samples], Times]:
        record = self._records[language]
        found: Callable[[Samples], Times] = load(READERS, record.role)(Path(record.folder), record.role, torch_device())
        return found

    def __call__(self, language: str, samples: Samples) -> Times | None:
        """What finds words of a language in a waveform; None where no model does."""
        return self._read(language)(samples) if language in self._records else None


def _write(found: Spoken, writer: StoreWriter, recognised: bool) -> None:
    for name in (*_OF_WORDS, *(_OF_SEGMENTS if recognised else ())):
        writer.put(name, getattr(found, name))
    writer.attributes.update(words=found.words, language=found.language)
    if recognised:
        known = not math.isnan(found.language_probability)
        writer.attributes.update(language_probability=round(found.language_probability, 4) if known else None)


# recognised -----------------------------------------------------------------------------------------
def _heard(row: Row, rows: Sequence[Row], config: SpeechConfig) -> list[object]:
    """What the words of a video are made of; where its language may be voted on, its participant's other videos too."""
    own = [row["checksum"], row["language"]]
    if row["language"] or config.language != "auto":
        return own
    return [*own, sorted([str(one["checksum"]), str(one["language"])] for one in _others(row, rows))]


def _others(video: Row, rows: Sequence[Row]) -> list[Row]:
    """The other videos of its participant."""
    return [row for row in rows if row["participant"] == video["participant"] and row["video"] != video["video"]]


def _recogniser(rows: Sequence[Row], root: Path, folder: Path, config: SpeechConfig, align: Aligners) -> Compute:
    whisper = cache(partial(load_whisper, folder, *ctranslate2_place()))
    detected: dict[str, tuple[str, float] | None] = {}

    def language_of(video: Row) -> tuple[str, float] | None:
        """Language of another video, and its probability; None where there is no speech."""
        if video["language"]:
            return video["language"], 1.0
        if video["video"] not in detected:
            try:
                sound, _ = _sound(root / video["path"], None)
                detected[video["video"]] = detect(whisper(), sound.samples, config.languages)
            except ExcludedItem:
                detected[video["video"]] = None
        return detected[video["video"]]

    def voter(video: Row) -> Callable[[str, float], str]:
        def vote(language: str, probability: float) -> str:
            votes: dict[str, float] = defaultdict(float, {language: probability})
            for code, share in filter(None, map(language_of, _others(video, rows))):
                votes[code] += share
            return max(votes, key=lambda code: votes[code])

        return vote

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        language = spoken_in(video, config.language)
        sound, frames = _sound(root / video["path"], language)
        # sampled only where the search at temperature 0 fails; the seed makes a resumed job reproducible
        ctranslate2.set_random_seed(seed_for("speech", video["video"]))
        found = transcribe(
            whisper(), sound.samples, language, config.beam, config.languages, config.verbatim, voter(video), align
        )
        _write(found, writer, recognised=True)
        return frames, "; ".join(filter(None, (sound.note, *found.notes)))

    return compute


def _sound(path: Path, language: str | None) -> tuple[Sound, int]:
    """The sound of a video, that in a language where there are several, and its number of frames."""
    clock = frame_clock(path)
    frames = len(clock.source_frame)
    return read_in_worker(path, clock.audio_start_s, frames / FPS, language), frames


def load_whisper(folder: Path, device: str, compute_type: str) -> Recogniser:
    """A Whisper model from a local folder, with the job's threads; its device is recorded.

    Raises:
        WaverError: the folder lacks the tokenizer, which faster-whisper would look for at a hub, or holds no Whisper.
    """
    if not (folder / "tokenizer.json").is_file():
        raise WaverError(
            f"{folder} has no tokenizer.json; save it beside the model, or correct models.paths.speech_recogniser"
        )
    with reading_folder(folder, "Whisper in CTranslate2's format", "correct models.paths.speech_recogniser"):
        model = Recogniser(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads(), local_files_only=True
        )
    actual = {"device": model.model.device, "compute_type": model.model.compute_type, "threads": threads()}
    USED["ctranslate2"] = USED.get("ctranslate2", {}) | actual
    voice = get_vad_model().session  # faster-whisper runs voice activity detection on one CPU thread
    options = voice.get_session_options()
    USED["onnxruntime"] = {
        "device": "cpu",
        "providers": voice.get_providers(),
        "threads": options.intra_op_num_threads,
    }
    return model


# given ----------------------------------------------------------------------------------------------
def _chunks(transcripts: Path) -> dict[str, list[Row]]:
    chunks: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(transcripts, TRANSCRIPTS):
        chunks[row["video"]].append(row)
    return {video: sorted(rows, key=lambda row: row["chunk"]) for video, rows in chunks.items()}


def _written(video: Row, chunks: dict[str, list[Row]], align: Aligners) -> list[object]:
    """What the words of a transcript and their times are made of."""
    own = [video["duration_s"], chunks.get(video["video"])]
    return [*own, video["checksum"], video["language"]] if align.keys else own


def _giver(chunks: dict[str, list[Row]], root: Path, align: Aligners) -> Compute:
    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        rows = chunks.get(video["video"])
        if not rows:
            raise ExcludedItem("the data set has no transcript of it", "set features.speech.source to recognise")
        times, why = _times_in_sound(video, rows, root, align) if align.keys else (None, "")
        found = spread_chunks(rows, video["duration_s"], times)
        _write(found, writer, recognised=False)
        notes = ("words of the data set's transcript", *found.notes, why)
        return max(1, round(video["duration_s"] * FPS)), "; ".join(filter(None, notes))

    return compute


def _times_in_sound(video: Row, chunks: Sequence[Row], root: Path, align: Aligners) -> tuple[Times | None, str]:
    """What finds the words of a transcript in the sound of its video, and why nothing does."""
    text = " ".join(chunk["text"] for chunk in chunks)
    language = language_of(chunks) or video["language"] or guessed_language(text) or ""
    if language not in align.keys:
        return None, "no model aligns its language"
    try:
        sound, _ = _sound(root / video["path"], language)
    except ExcludedItem as problem:
        return None, f"words not aligned: {problem.reason}"
    if is_silent(sound.samples):
        return None, f"words not aligned: {NOBODY}"
    samples = levelled(sound.samples)
    found, spans = align(language, samples), speech_spans(samples)

    def times(texts: Sequence[str], start_s: float, end_s: float) -> list[tuple[float, float]] | None:
        aligned = found(texts, start_s, end_s) if found else None
        # the last letter of a word reaches to the next one's first, whatever lies between
        return None if aligned is None else [cut_to(spans, *one) for one in aligned]

    return times, ""
