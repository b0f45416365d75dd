"""Words found in the sound: by the algorithm on made emissions, by a small CTC model, and through the job."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2ForCTC

from sounding_clips import write_sounding, write_videos
from tiny_bert import write_bert
from tiny_speech import saved, saved_ctc
from waver.assets.manifest import install
from waver.config.sections import SpeechConfig
from waver.errors import WaverError
from waver.features import forced_alignment
from waver.features.audio import windows
from waver.features.forced_alignment import Aligner, Letters, align
from waver.features.recogniser import UNALIGNED, transcribe
from waver.features.speech import recognise_speech
from waver.io.tables import FEATURE_INDEX, TRANSCRIPTS, read_table, write_table
from waver.io.zarr_store import read_store, store_attributes

CPU = torch.device("cpu")
FRAME_S = 0.02
LETTERS = Letters({letter: 5 + i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz'é")}, blank=0, between=4)
Said = list[tuple[str, int, int]]
"""Words with the frame of their first and of their last letter."""
SAID: Said = [("Je", 6, 8), ("l'appelle", 13, 33), ("été.", 70, 76), ("no", 81, 83)]
"""Blanks of more than half a second between the second and the third."""


def emission(said: Said, frames: int, seed: int = 0, lasts: bool = False) -> torch.Tensor:
    """Log probabilities of a model that writes a border after each word.

    A letter is written in one frame, or, where it lasts, in all up to the next one's.
    """
    logits = torch.randn(frames, 33, generator=torch.Generator().manual_seed(seed))
    logits[:, LETTERS.blank] += 6
    for word, first, last in said:
        letters = [letter for letter in word.lower() if letter in LETTERS.numbers]
        starts = np.linspace(first, last, len(letters)).round().astype(int)
        for letter, at, following in zip(letters, starts, [*starts[1:], last + 1], strict=True):
            logits[at : following if lasts else at + 1, LETTERS.numbers[letter]] += 12
        logits[last + 1, LETTERS.between] += 12
    return torch.log_softmax(logits, 1)


def assert_found(found: list[tuple[int, int]] | None, said: Said) -> None:
    assert found is not None
    np.testing.assert_allclose(found, [(first, last + 1) for _, first, last in said], atol=1)


@pytest.mark.parametrize("seed", range(4))
def test_words_are_found_within_a_frame_of_where_they_are(seed):
    assert_found(align(emission(SAID, 100, seed), LETTERS, [f" {word}" for word, _, _ in SAID]), SAID)


def test_letters_may_last_and_more_may_be_said_than_is_written():
    # with WhisperX's functions alone, most words of either are tens of frames off
    assert_found(align(emission(SAID, 100, lasts=True), LETTERS, [f" {word}" for word, _, _ in SAID]), SAID)
    more = [*SAID, ("nobody", 90, 120), ("wrote", 125, 150)]
    found = align(emission(more, 200), LETTERS, [f" {word}" for word, _, _ in SAID[:3]] + [" wrote"])
    assert_found([*found[:2], found[3]], [*SAID[:2], more[-1]])
    assert abs(found[2][0] - 70) <= 1
    assert found[2][1] <= 122, "up to the border before the next word, over what is not written"
    last = emission([("a", 1, 1)], 3)[:2]
    assert align(last, LETTERS, [" a"]) == [(1, 2)]
    assert align(last, LETTERS, [" ab"]) == [(0, 2)]


def test_what_the_model_does_not_write_is_some_sound_or_nothing():
    known = emission(SAID, 100)
    texts = [" Je", " l’appelle,", " …", " été?", " 7"]  # the sign of a digit: any sound, where "no" is said
    found = align(known, LETTERS, texts)
    assert_found([*found[:2], found[3]], SAID[:3])
    assert found[2] == (found[1][1], found[1][1])
    assert 79 <= found[4][0] <= 84
    accents = align(known, LETTERS, [" jé", " l'àppèllé", " été", " nô"])
    assert_found(accents, SAID)
    # pieces of one word have no border between them
    parts = align(known, LETTERS, [" Je", " l", "'appelle", " été", " no"])
    assert_found([parts[0], (parts[1][0], parts[2][1]), *parts[3:]], SAID)
    bare = align(known, Letters(LETTERS.numbers, 0, None), [" je", " l'appelle", " été", " no"])
    np.testing.assert_allclose([first for first, _ in bare], [first for _, first, _ in SAID], atol=1)


def test_words_that_cannot_be_there_are_not_found(monkeypatch):
    known = emission(SAID, 100)
    assert align(known, LETTERS, [" 日本", " 42"]) is None
    assert align(known, LETTERS, [" …"]) is None
    assert align(known[:5], LETTERS, [" l'appelle"]) is None
    assert align(known[:0], LETTERS, [" a"]) is None
    monkeypatch.setattr(forced_alignment, "_MOST_STATES", 199)
    assert align(known, LETTERS, [" no"]) is None
    assert align(known[:99], LETTERS, [" no"]) is not None


# models ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return saved_ctc(tmp_path_factory.mktemp("ctc") / "model")


def noise(seconds: float) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(round(seconds * 16_000)) * 0.1).astype(np.float32)


def test_a_model_hears_what_transformers_does_and_asks_and_writes_nothing(folder, monkeypatch):
    heard: list[torch.Tensor] = []
    monkeypatch.setattr(forced_alignment, "align", lambda emission, *_: heard.append(emission))
    events: list[object] = []
    on = [True]

    def note(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if on[0] and (writes or event in ("socket.connect", "socket.getaddrinfo", "os.mkdir")):
            events.append((event, arguments[0]))

    sys.addaudithook(note)
    monkeypatch.setattr(windows, "CHUNK_S", 1.0)
    samples = noise(3.0) + 0.02
    Aligner(folder, "aligner_en", CPU)(samples)([" a"], 0.5, 1.5)
    align(emission(SAID, 100), LETTERS, [" no"])  # imports whisperx, here or in a test before
    on[0] = False
    assert [one for one in events if not str(one).startswith("('open', '/dev/null'")] == []
    assert "pyannote.audio" not in sys.modules, "whose import reports on its use"
    model = Wav2Vec2ForCTC.from_pretrained(folder).eval()
    given = torch.from_numpy((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7))
    with torch.inference_mode():
        expected = torch.log_softmax(model(given[None]).logits[0], 1)[25:75]
    # group norm hears the window, whose edges are cut: nearly the whole
    torch.testing.assert_close(heard[0], expected, atol=0.05, rtol=0)


def test_folders_that_are_none_are_told(tmp_path, folder):
    write_bert(tmp_path / "bert", ["a"])
    saved(tmp_path / "plain")
    for name in ("bert", "plain", "nowhere"):
        with pytest.raises(WaverError, match=r"models\.paths\.aligner_fr"):
            Aligner(tmp_path / name, "aligner_fr", CPU)
    lacks = saved_ctc(tmp_path / "lacks")
    weights = load_file(lacks / "model.safetensors")
    weights.pop("lm_head.bias")
    save_file(weights, lacks / "model.safetensors", {"format": "pt"})
    with pytest.raises(WaverError, match=r"lacks 1 parameters \(lm_head\.bias.*models\.paths\.aligner_en"):
        Aligner(lacks, "aligner_en", CPU)
    with pytest.raises(WaverError, match="has no letters"):
        Aligner(saved_ctc(tmp_path / "signs", "."), "aligner_en", CPU)


# jobs ------------------------------------------------------------------------------------------------
def chunk(text: str, start_s: float, end_s: float, number: int, video: str = "82001_Q1", language: str = "en"):
    return {"video": video, "chunk": number, "start_s": start_s, "end_s": end_s, "text": text, "language": language}


def test_a_transcript_gets_the_times_of_the_sound_where_its_words_are_found(tmp_path, folder, monkeypatch):
    heard = emission(SAID, 200).numpy()
    monkeypatch.setattr(Aligner, "_emission", lambda self, samples: (heard[: (len(samples) - 400) // 320 + 1],))
    record = install("path.aligner_en", tmp_path / "models/path.aligner_en", {"aligner_en": str(folder)})
    sound = [(0.0, noise(4.0))]
    clips = [write_sounding(tmp_path / f"{i}.mkv", 4, sound if i != 1 else []) for i in range(3)]
    write_videos(tmp_path / "videos.parquet", clips, tmp_path)
    chunks = [
        chunk("Je l'appelle", 0.0, 1.2, 0), chunk("été. No", 1.2, 2.0, 1), chunk("日 本", 2.0, 4.0, 2),
        chunk("Je l'appelle", 0.0, 2.0, 0, "82001_Q2"), chunk("Je l'appelle", 0.0, 2.0, 0, "82001_Q3", "de"),
    ]  # fmt: skip
    write_table(tmp_path / "transcripts.parquet", chunks, TRANSCRIPTS)

    def run(*aligners: Path) -> list[dict]:
        recognise_speech(
            tmp_path / "videos.parquet", tmp_path / "transcripts.parquet", tmp_path, None, aligners,
            tmp_path / "stores", tmp_path / "index.parquet", SpeechConfig(source="given"), "code",
        )  # fmt: skip
        return read_table(tmp_path / "index.parquet", FEATURE_INDEX)

    store = tmp_path / "stores/82001/82001_Q1.zarr"
    given = "words of the data set's transcript"
    assert [row["note"] for row in run()] == [given] * 3
    assert not read_store(store)["measured"].any()
    rows = run(Path(record.folder) / "asset.json")
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert [row["note"].removeprefix(f"{given}; ") for row in rows] == [
        "words aligned to the sound, but for some chunks",
        "words not aligned: the file has no sound",
        "no model aligns its language",
    ]
    found = read_store(store)
    assert store_attributes(store)["words"] == ["Je", "l'appelle", "été.", "No", "日", "本"]
    assert found["measured"].tolist() == [True] * 4 + [False] * 2
    times = np.stack([found["start_s"], found["end_s"]], 1)
    np.testing.assert_allclose(times[:4], [(a * FRAME_S, (b + 1) * FRAME_S) for _, a, b in SAID], atol=FRAME_S + 1e-3)
    np.testing.assert_allclose(times[4:], [(2, 3), (3, 4)])
    for other in (2, 3):
        assert not read_store(store.with_name(f"82001_Q{other}.zarr"))["measured"].any()


def test_recognised_words_get_them_in_place_of_the_times_of_attention():
    words = [SimpleNamespace(word=text, start=i, end=i + 0.5, probability=0.9) for i, text in enumerate((" So", " it"))]
    parts = [SimpleNamespace(words=[word], no_speech_prob=0.0, avg_logprob=0.0) for word in words]
    info = SimpleNamespace(language="en", duration_after_vad=2.0)
    requested: list[object] = []

    def times(texts, start_s, end_s):
        requested.append(("".join(texts).strip(), round(start_s, 2), round(end_s, 2)))
        return [(0.1, 0.2)] if requested[-1][0] == "So" else None

    def say(align):
        model = SimpleNamespace(transcribe=lambda *_, **__: (parts, info))
        return transcribe(model, noise(2.0), "en", 1, align=align)

    found = say(lambda language, samples: times if language == "en" else None)
    assert requested == [("So", -0.2, 0.7), ("it", 0.8, 1.7)]
    np.testing.assert_allclose([found.start_s, found.end_s], [[0.1, 1.0], [0.2, 1.5]], atol=1e-6)
    assert (found.measured.tolist(), found.notes) == ([True, True], (UNALIGNED,))
    plain = say(lambda *_: None)
    np.testing.assert_allclose([plain.start_s, plain.end_s], [[0, 1.0], [0.5, 1.5]])
    assert plain.notes == ()
