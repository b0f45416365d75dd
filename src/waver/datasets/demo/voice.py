"""Speech of the demo by eSpeak NG: the library is loaded as a tool, with the data beside it."""

from __future__ import annotations

import _ctypes
import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter, resample_poly

from waver.assets.manifest import installed, package_folder
from waver.datasets.demo.people import Identity
from waver.datasets.demo.plan import Clause, Video
from waver.datasets.demo.portraits import Array
from waver.errors import WaverError
from waver.provenance import seed_for

RATE_HZ = 44_100
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
MALE = ("en+m4", "en-us+m2", "en-us+m3", "en+m7", "en-us+m1")
FEMALE = ("en-us+f3", "en+f2", "en-us+f4", "en+f5", "en-us+f1")


@dataclass(frozen=True)
class Voice:
    """A participant's voice: eSpeak's variant, its middle pitch (0 to 99) and how loud it is."""

    name: str
    pitch: int
    gain: float


class Synthesiser:
    """The library, loaded afresh for every sentence.

    It keeps counters from one sentence to the next and draws from the clock, so that a sentence said
    twice differs; a fresh copy with a set seed says it the same.
    """

    def __init__(self, library: Path, data: Path) -> None:
        self._library, self._data = library, data
        self._pieces: list[Array] = []
        self._callback = _CALLBACK(self._collect)
        self.rate_hz = 0

    def say(self, text: str, voice: str, rate: int, pitch: int, spread: int) -> Array:
        """Speech, float32 in [-1, 1] at ``rate_hz``, without silence at its ends.

        Args:
            text: what to say.
            voice: eSpeak voice, e.g. ``en-us+f3``.
            rate: words per minute.
            pitch: middle pitch, 0 to 99.
            spread: range of the pitch, 0 (monotone) to 99.
        """
        self._pieces = []
        lib = ctypes.CDLL(str(self._library))
        try:
            self.rate_hz = lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 200, str(self._data).encode(), 1 << 15)
            if self.rate_hz <= 0:
                raise WaverError(f"eSpeak NG finds no voices in {self._data}; run `make setup`")
            lib.espeak_ng_SetRandSeed(ctypes.c_long(1))
            lib.espeak_SetSynthCallback(self._callback)
            if lib.espeak_SetVoiceByName(voice.encode()) != 0:
                raise WaverError(f"eSpeak NG has no voice {voice!r}; run `make setup`")
            for parameter, value in ((_RATE, rate), (_VOLUME, 100), (_PITCH, pitch), (_RANGE, spread)):
                lib.espeak_SetParameter(parameter, value, 0)
            raw = text.encode()
            lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _CHARS_UTF8, None, None)
            lib.espeak_Synchronize()
        finally:
            lib.espeak_Terminate()
            _ctypes.dlclose(lib._handle)
        sound = np.concatenate([np.zeros(1, np.int16), *self._pieces]).astype(np.float32) / 32768
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        return sound[loud[0] : loud[-1] + 1] if len(loud) else sound

    def _collect(self, samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


@cache
def synthesiser(models: Path) -> Synthesiser:
    """The library of the installed asset; its voices come from the package."""
    asset = installed(models / "espeak" / "asset.json")
    return Synthesiser(
        models / "espeak" / next(iter(asset.files)), package_folder("espeakng_loader") / "espeak-ng-data"
    )


def draw_voice(identity: Identity, number: int, language: str, seed: int) -> Voice:
    """Voice of the ``number``-th participant."""
    rng = np.random.default_rng(seed_for(seed, "voice", number))
    names = FEMALE if identity.female else MALE
    name = names[number // 2 % len(names)]
    if language == "french":
        name = "fr+" + name.split("+")[1]
    pitch = int(rng.integers(56, 66) if identity.female else rng.integers(32, 44))
    return Voice(name, pitch, float(rng.uniform(0.9, 1.1)))


def speak(video: Video, voice: Voice, models: Path, seed: int) -> Array:
    """The sound of an answer: float32 [S] mono at RATE_HZ, as long as the video, with a quiet room."""
    rng = np.random.default_rng(seed_for(seed, "room", video.participant.id, video.question))
    sound = np.zeros(round(video.duration_s * RATE_HZ), np.float32)
    for clause in video.clauses:
        said = say_clause(clause, voice, models) * np.float32(rng.uniform(0.93, 1.07))
        start = round(clause.start_s * RATE_HZ)
        piece = sound[start : start + len(said)]
        piece += said[: len(piece)]
    hiss = lfilter([0.15], [1, -0.85], rng.standard_normal(len(sound))).astype(np.float32)
    clipped: Array = (sound + 0.0015 * hiss).clip(-1, 1).astype(np.float32)
    return clipped


def say_clause(clause: Clause, voice: Voice, models: Path) -> Array:
    """A clause at RATE_HZ, bright (high, lively, loud) or flat (low, monotone, soft).

    The rate is chosen so that either takes the planned time: tempo and pauses tell nothing, and the
    times of the words do not betray the voice.
    """
    engine = synthesiser(models)
    pitch, spread = (voice.pitch + 16, 90) if clause.voice else (voice.pitch - 14, 8)
    rate = 200.0
    for _ in range(3):
        sound = engine.say(clause.text, voice.name, round(rate), pitch, spread)
        rate = float(np.clip(rate * len(sound) / engine.rate_hz / clause.speech_s, 90, 400))
    level = np.sqrt((sound**2).mean()) + 1e-9
    loud: Array = resample_poly(sound * (voice.gain / level), RATE_HZ // engine.rate_hz, 1).astype(np.float32)
    if not clause.voice:
        loud = lfilter([0.5], [1, -0.5], loud).astype(np.float32)
    return loud * np.float32(0.12 if clause.voice else 0.05)
