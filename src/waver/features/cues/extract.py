"""Hand-crafted cues of how an answer is given, one vector per frame, and the targets of affect from sound and words.

Annotators heard ambivalence and hesitancy in pauses, in slow, fast or changing speech, in hedges, corrections and mixed
feelings (dataset paper, codebook). The columns are those of ``waver.features.cues.columns``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from waver.assets.manifest import installed
from waver.device import torch_device
from waver.errors import ExcludedItem
from waver.features.cues.affect import Sentiment, rising, text_affect, unknown, voice_affect
from waver.features.cues.columns import COLUMNS, AnswerSignals, Floats, TimedWords, cue_features, middle_s
from waver.features.sentences import run_length, sentences, timed_words
from waver.io.shard_job import Row, run_shard, store_path
from waver.io.tables import FEATURE_INDEX, VIDEOS, read_table
from waver.io.zarr_store import StoreWriter, read_attributes, read_store
from waver.models.text.cue_counts import CUE_LISTS
from waver.provenance import digest, file_sha256
from waver.records import load
from waver.registry import READERS
from waver.shapes import FPS

Integers = npt.NDArray[np.int32]


def extract_cues(
    speech_index: Path,
    speech_stores: Path,
    audio_index: Path | None,
    audio_stores: Path | None,
    videos: Path,
    sentiment: Path | None,
    stores: Path,
    index: Path,
    code: str,
) -> None:
    """Make the cues stores of a shard.

    A store holds ``feature`` float32 [T, D], the attribute ``columns`` naming its D columns, ``valid`` bool [T], and
    the targets of affect ``audio_affect`` and ``text_affect`` float32 [T, 3]. Columns that are unknown are 0, and the
    attribute ``masked`` names them: those of voice and pauses where nothing was recorded, and those of pauses where all
    words of a transcript share the time of their chunk, because what lies between such words is made up. Where some do,
    those of pauses are 0 around them.

    Args:
        speech_index: FEATURE_INDEX table of the shard's speech.
        speech_stores: folder of the speech stores.
        audio_index: FEATURE_INDEX table of the shard's sound; None for a data set without video files.
        audio_stores: folder of the audio stores.
        videos: the shard's VIDEOS table.
        sentiment: ``asset.json`` of a classifier of sentences; without one the positive and negative expressions of
            a sentence are counted.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        code: code version of this module.

    Raises:
        WaverError: the classifier cannot be used, or a GPU is requested and none is available.
    """
    record = installed(sentiment) if sentiment else None
    classify = load(READERS, "sentiment")(Path(record.folder), torch_device()) if record else None
    speech = _by_video(speech_index)
    audio = _by_video(audio_index) if audio_index else {}
    rows = [{**row, **_sources(row, speech, audio)} for row in read_table(videos, VIDEOS)]

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        signals = _signals(video, speech_stores, audio_stores)
        feature, valid = cue_features(signals)
        sound, words = affect_targets(signals, feature, classify)
        for name, values in (("feature", feature), ("valid", valid), ("audio_affect", sound), ("text_affect", words)):
            writer.put(name, values)
        writer.attributes.update(columns=list(COLUMNS), masked=signals.masked)
        return signals.frames, "" if valid.any() else "nothing is heard"

    made_from = {"feature": "cues", "lists": file_sha256(CUE_LISTS), "code": code, "model": record and record.key}
    run_shard(rows, stores, index, made_from, compute)


def _by_video(index: Path) -> dict[str, Row]:
    return {row["video"]: row for row in read_table(index, FEATURE_INDEX)}


def _sources(video: Row, speech: dict[str, Row], audio: dict[str, Row]) -> Row:
    """The inputs of the cues of a video: its words, its sound and its length."""
    found = {"speech": speech.get(video["video"]), "audio": audio.get(video["video"])}
    return {
        "there": [name for name, row in found.items() if row and row["status"] == "ok"],
        "missing": "; ".join(f"{name}: {row['reason']}" for name, row in found.items() if row and row["reason"]),
        "checksum": digest([video["duration_s"], *(row and row["key"] for row in found.values())]),
    }


def _signals(video: Row, speech_stores: Path, audio_stores: Path | None) -> AnswerSignals:
    if not video["there"]:
        problem = f"neither its sound nor its words are known ({video['missing']})"
        raise ExcludedItem(problem, "see the tables of its sound and speech")
    frames, speech, prosody = max(1, round(video["duration_s"] * FPS)), None, None
    if "speech" in video["there"]:
        path = store_path(speech_stores, video)
        about = read_attributes(path)
        known = read_store(path, "start_s", "end_s", "measured")
        speech = TimedWords(about["words"], **known, language=about["language"])
    sounding, valence = np.zeros(frames, bool), np.full(frames, np.nan, np.float32)
    if "audio" in video["there"] and audio_stores:
        sound = read_store(store_path(audio_stores, video), "prosody", "valence", "valid")
        frames, sounding, valence = len(sound["valid"]), sound["valid"], sound["valence"]
        prosody = sound["prosody"] if sounding.any() else None
    return AnswerSignals(frames, speech, prosody, valence, sounding)


def affect_targets(signals: AnswerSignals, feature: Floats, classify: Sentiment | None) -> tuple[Floats, Floats]:
    """Targets of affect of the voice and of the words, float32 [T, 3] each; see ``waver.features.cues.affect``.

    Args:
        signals: sound and words.
        feature: their cues, [T, D].
        classify: returns the sentiment of sentences; None: their positive and negative expressions are counted.
    """
    column, speech = dict(zip(COLUMNS, feature.T, strict=True)), signals.speech
    if not speech or not speech.words:
        nowhere = np.zeros(signals.frames, bool)
        voice = voice_affect(signals.valence, signals.sounding, column["pause_share_1s"], nowhere)
        return voice, unknown(signals.frames)
    time_s = middle_s(signals.frames)
    speaking = signals.sounding & signals.pauses_known & (time_s >= speech.start_s[0]) & (time_s < speech.end_s.max())
    voice = voice_affect(signals.valence, signals.sounding, column["pause_share_1s"], speaking)
    sentence_of_word, texts = _sentences(speech.words)
    sentiment = classify(texts) if classify else _counted(speech, sentence_of_word, len(texts))
    word_of_frame = timed_words(speech.start_s, speech.end_s, signals.frames)
    hesitations = column["hedge"] + column["filler_sound"]
    return voice, text_affect(sentiment, sentence_of_word, word_of_frame, hesitations)


def _sentences(words: list[str]) -> tuple[Integers, list[str]]:
    """The sentence of each word, int32 [W], and the sentences."""
    numbers = np.zeros(len(words), np.int32)
    texts: list[str] = []
    for first, sentence in sentences(words):
        step = run_length(len(sentence))
        for start in range(0, len(sentence), step):
            numbers[first + start : first + len(sentence)] = len(texts)
            texts.append(" ".join(sentence[start : start + step]))
    return numbers, texts


def _counted(speech: TimedWords, sentence_of_word: Integers, count: int) -> Floats:
    """Sentiment [S, 2] of sentences by their positive and negative expressions."""
    found = [
        rising(np.bincount(sentence_of_word[speech.cues[name][:, 0]], minlength=count))
        for name in ("positive", "negative")
    ]
    return np.column_stack(found).astype(np.float32)
