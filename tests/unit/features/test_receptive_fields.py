"""How far features look around a frame, measured: one thing changes in the input, and the frames that change are told.

A figure that is declared too small lets input cross the guard; one that is too large throws frames away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tiny_bert import write_bert
from tiny_speech import saved
from video_clips import constant_rate, write_clip
from waver.config.sections import FacesConfig, FeaturesConfig
from waver.features.audio.logmel import padded_log_mel, patch_starts, patch_statistics, patches
from waver.features.audio.prosody import prosody
from waver.features.audio.speech_encoder import SpeechEncoder
from waver.features.cues.columns import COLUMNS, AnswerSignals, TimedWords, cue_features
from waver.features.faces.detect import Detections
from waver.features.faces.released import make_faces
from waver.features.faces.track import Track, follow_face
from waver.features.receptive_fields import ReceptiveField, receptive_fields, shared_s
from waver.features.samples import RATE_HZ
from waver.features.words import TextEncoder, uniform_words
from waver.io.tables import VIDEOS, write_table
from waver.io.zarr_store import read_store
from waver.registry import MODALITIES

Changed = Callable[[float], np.ndarray]
CPU = torch.device("cpu")


def declared(letter: str, **features: object) -> ReceptiveField:
    return receptive_fields(letter, FeaturesConfig(**features))[0]


def assert_measured(changed: Changed, instants: Iterable[float], field: ReceptiveField, exact_s: float) -> None:
    """``changed`` gives the frames in which input of an instant enters; the field is that wide, to ``exact_s``."""
    before_s, after_s = 0.0, 0.0
    for instant_s in instants:
        frames = changed(instant_s)
        before_s = max(before_s, *(frames / 24 - instant_s), 0.0)
        after_s = max(after_s, *(instant_s - (frames + 1) / 24), 0.0)
    assert field.before_s - exact_s <= before_s <= field.before_s + 1e-6
    assert field.after_s - exact_s <= after_s <= field.after_s + 1e-6


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, round(seconds * RATE_HZ)).astype(np.float32)


def heard_in(describe: Callable[[np.ndarray], np.ndarray], samples: np.ndarray, long_s: float, least: float) -> Changed:
    """Frames that a short sound enters; the sound lies around the instant."""
    plain = describe(samples)

    def changed(instant_s: float) -> np.ndarray:
        other, half = samples.copy(), round(long_s * RATE_HZ / 2)
        at = round(instant_s * RATE_HZ)
        other[at - half : at + half] += 0.9
        return np.flatnonzero((np.abs(describe(other) - plain) > least).any(axis=1))

    return changed


@pytest.mark.parametrize("of_patches", [patch_statistics, patches], ids=["logmel_stats", "vggish"])
def test_log_mel_patches(of_patches: Callable[..., np.ndarray]) -> None:
    def describe(samples: np.ndarray) -> np.ndarray:
        track = padded_log_mel(samples)
        return of_patches(track, patch_starts(36, len(track))).reshape(36, -1)

    # six frames: after a quarter of a second the rounding of frames to rows begins anew
    changed = heard_in(describe, noise(1.5), 0.001, 1e-4)
    assert_measured(changed, np.arange(1.1, 1.36, 0.0041), declared("A"), 0.006)


@pytest.mark.slow
def test_a_speech_encoder_hears_a_chunk_and_its_margins(tmp_path) -> None:
    encoder = SpeechEncoder(saved(tmp_path, scaled=False), -1, CPU)
    samples, frames = noise(43), 43 * 24
    changed = heard_in(lambda given: encoder(given, frames)[0], samples, 0.02, 0.0)
    encoded = declared("A", audio={"feature": "speech_encoder"})
    assert_measured(changed, (17.95, 18.03, 41.96, 42.03), encoded, 0.1)


def test_a_scaled_recording_is_known_whole(tmp_path) -> None:
    encoder = SpeechEncoder(saved(tmp_path, scaled=True), 0, CPU)
    changed = heard_in(lambda given: encoder(given, 23 * 24)[0], noise(23), 0.02, 0.0)
    assert set(changed(22.5)) >= set(range(10))
    assert "mean and variance" in " ".join(declared("A", audio={"feature": "speech_encoder"}).beyond)


def said(changes: dict[int, str], pauses: dict[int, float] | None = None) -> TimedWords:
    """Sixty words of .31 s without a cue but for the changes; a pause follows some of them."""
    words = [changes.get(k, f"{'abcdefgh'[k % 8]}{'klmnopqr'[k // 8]}x") for k in range(60)]
    before_s = np.cumsum([0.0, *((pauses or {}).get(k, 0.0) for k in range(59))])
    start_s = (before_s + np.arange(60) * 0.31).astype(np.float32)
    return TimedWords(words, start_s, start_s + np.float32(0.31), "en", np.ones(len(words), bool))


def cues(words: TimedWords, sound: np.ndarray | None = None, frames: int = 480) -> np.ndarray:
    voice = np.tile(np.array([-20.0, 30.0, 1.0], np.float32), (frames, 1)) if sound is None else sound
    return cue_features(
        AnswerSignals(frames, words, voice, np.full(frames, np.nan, np.float32), np.ones(frames, bool))
    )[0]


def test_cues_count_what_is_said_around() -> None:
    plain = cues(said({}))

    def changed(instant_s: float) -> np.ndarray:
        return np.flatnonzero((cues(said({int(instant_s / 0.31): "not"})) != plain).any(axis=1))

    assert_measured(changed, [(k + 0.5) * 0.31 for k in range(20, 40)], declared("C"), 1 / 24)


@pytest.mark.slow
def test_voice_around_lies_within_what_is_said_around() -> None:
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    voice = (0.2 * np.sign(np.sin(2 * np.pi * 140 * time_s))).astype(np.float32)
    places = [COLUMNS.index(name) for name in ("level_deviation", "pitch_deviation", "voicing")]
    changed = heard_in(lambda given: cues(said({}), prosody(given, 96), 96)[:, places], voice, 0.01, 1e-3)
    field = declared("C")
    for instant_s in (2.0, 2.02, 2.04):
        frames = changed(instant_s)
        assert len(frames) >= 24
        assert frames.max() / 24 - instant_s <= field.before_s
        assert instant_s - (frames.min() + 1) / 24 <= field.after_s


def column(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, COLUMNS.index(name)]


def test_cues_know_of_the_whole_video_what_they_are_said_to() -> None:
    message = " ".join(declared("C").beyond)
    loud = np.tile(np.array([-20.0, 30.0, 1.0], np.float32), (480, 1))
    loud[200:, 0] = -10
    assert "medians" in message
    assert column(cues(said({}), loud), "level")[0] != column(cues(said({})), "level")[0]
    late = said({})
    late.start_s[0] = 0.2
    assert "first word" in message
    assert column(cues(late), "latency")[-1] != column(cues(said({})), "latency")[-1]
    shorter, longer = (cues(said({}, {9: pause_s})) for pause_s in (5.0, 8.0))
    assert "a pause, a word or an expression" in message
    assert column(longer, "gap_longest")[70] > column(shorter, "gap_longest")[70]


class Faces:
    """Finds one face where the picture, a number, says; two of equal score where a second one is given."""

    batch = 1

    def detect(self, pictures: list[tuple[float, ...]]) -> list[Detections]:
        return [self._face(np.array(places, np.float32)) for places in pictures]

    def _face(self, at: np.ndarray) -> Detections:
        box = np.column_stack([at, at * 0, at + 10, at * 0 + 10])
        return Detections(np.full(len(at), 0.9, np.float32), box, np.tile(at[:, None, None], (1, 5, 2)))


def landmarks(pictures: dict[int, tuple[float, ...]], every: int) -> np.ndarray:
    track = Track.empty(np.arange(60) / 24)
    list(follow_face(sorted(pictures.items()), Faces(), every, track))
    return np.where(track.valid[:, None, None], track.landmarks, 0)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_faces_between_detections(every: int) -> None:
    # pictures that cannot be decoded widen the gap between two detections
    lost = set(range(31, 30 + every)) if every > 1 else set()
    there = {place: (0.0,) for place in range((30 - 1) % every, 60) if place not in lost}
    there = {place: picture for place, picture in there.items() if place >= 30 % every}
    plain = landmarks(there, every)

    def changed(instant_s: float) -> np.ndarray:
        at = round(instant_s * 24)
        frames = np.flatnonzero((landmarks(there | {at: (1.0,)}, every) != plain).any(axis=(1, 2)))
        # a picture is part of its frame: what lies after counts from the end of that one
        return np.where(frames < at, frames - 1, frames)

    field = declared("V", faces={"every": every})
    assert_measured(changed, [place / 24 for place in there if 20 <= place <= 45], field, 1e-6)


def test_the_face_followed_is_told_by_the_pictures_before() -> None:
    both = dict.fromkeys(range(1, 60), (0.0, 30.0))
    ends = [landmarks({0: (first,)} | both, 1)[-1, 0, 0] for first in (0.0, 30.0)]
    assert ends == [0, 30]
    assert "of several faces" in " ".join(declared("V").beyond)


def released(root: Path, repeated: int, shade: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of 30 frames, and which are valid; one picture, of a shade, is given again for the 12 frames after it."""
    folder = root / "cropped-aligned-faces/a.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(30):
        own = shade if repeated <= number <= repeated + 12 else 5 * number
        (folder / f"frame-{number}.jpg").write_bytes(cv2.imencode(".jpg", np.full((64, 64, 3), own, np.uint8))[1])
    row = dict.fromkeys(VIDEOS.names) | {
        "video": "a", "participant": "a", "split": "train", "path": "a.mp4", "source_frames": 30, "source_fps": 24.0,
        "duration_s": 1.25, "has_audio": False, "checksum": f"{repeated} {shade}",
    }  # fmt: skip
    write_table(root / "videos.parquet", [row], VIDEOS)
    config, stores, none = FacesConfig(source="released", compare_every=0, size=64), root / "stores", root / "none"
    make_faces(root / "videos.parquet", root, none, None, stores, root / "index.parquet", config, f"{shade}")
    store = read_store(next(stores.rglob("*.zarr")))
    return store["image"], store["valid"]


def test_a_released_face_is_shown_for_a_while(tmp_path) -> None:
    write_clip(tmp_path / "a.mp4", constant_rate(24, 30))

    def changed(instant_s: float) -> np.ndarray:
        (plain, _), (other, valid) = (released(tmp_path, round(instant_s * 24), shade) for shade in (200, 250))
        return np.flatnonzero((plain != other).any(axis=(1, 2, 3)) & valid)

    field = declared("V", faces={"source": "released", "every": 10})
    assert_measured(changed, [6 / 24, 15 / 24], field, 1e-6)
    assert not any("interpolated" in clause for clause in field.beyond)


def test_a_word_sees_its_sentence_and_no_other(tmp_path) -> None:
    texts = [f"we go . you {word} at home . they run".split() for word in ("stay", "run")]
    encoder = TextEncoder(write_bert(tmp_path, {word for text in texts for word in text}), 2, CPU)
    one, other = (vectors for vectors, _ in encoder.embed(texts))
    differs = (np.abs(one - other) > 1e-5).any(axis=1)
    assert differs.tolist() == [False] * 3 + [True] * 5 + [False] * 2
    assert shared_s([declared("T")]) == 0
    assert any("whole sentence" in clause for clause in declared("T").beyond)


def test_words_spread_evenly_depend_on_how_many_there_are() -> None:
    assert uniform_words(10, 480)[100] != uniform_words(40, 480)[100]
    assert "evenly over the whole video" in " ".join(declared("T", words={"alignment": "uniform"}).beyond)


def test_features_of_one_source_share_what_the_one_looks_ahead_at_and_the_other_back() -> None:
    ahead, back = ReceptiveField({"sound"}, after_s=3.0), ReceptiveField({"sound", "words"}, before_s=2.0)
    assert shared_s([ahead, back]) == 5
    assert shared_s([ahead, ReceptiveField({"words"}, before_s=2.0)]) == 3
    assert shared_s([ahead, ReceptiveField({"picture"}, 4.0, 0.5), back]) == 5
    assert shared_s([]) == 0


def test_features_of_sound_share_no_input_with_those_of_pictures() -> None:
    sparse = FeaturesConfig(faces={"every": 10})
    assert shared_s(receptive_fields("VA", sparse)) == shared_s(receptive_fields("V", sparse)) == pytest.approx(1.5)
    assert shared_s(receptive_fields("AC", sparse)) == pytest.approx(100 / 24)
    heard = FeaturesConfig(audio={"feature": "speech_encoder"})
    assert shared_s(receptive_fields("VATCQ", heard)) == pytest.approx(44)


def test_the_sources_of_a_feature_are_what_it_is_made_of() -> None:
    found = {letter: set(declared(letter).sources) for letter in MODALITIES}
    assert found == {"V": {"picture"}, "A": {"sound"}, "T": {"words"}, "C": {"sound", "words"}, "Q": set()}
