"""Clips with known sound, a synthetic speaker, and the table rows that describe them."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from waver.assets.manifest import package_folder
from waver.io.tables import VIDEOS, write_table

Piece = tuple[float, np.ndarray]


def tone(seconds: float, frequency_hz: float = 1000.0, rate_hz: int = 16000, level: float = 0.5) -> np.ndarray:
    """Sine, float32."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write_sounding(
    path: Path,
    seconds: float,
    pieces: Sequence[Piece] = (),
    rate_hz: int = 16000,
    codec: str = "pcm_s16le",
    layout: str = "mono",
) -> Path:
    """A black 24 fps clip whose sound is made of pieces at given times.

    Args:
        path: file to write; Matroska keeps PCM.
        seconds: length of the picture, which begins at 1.0 s on the file's own clock so that sound
            may come before it.
        pieces: (start relative to the first picture, samples); none leaves out the sound stream.
        rate_hz: of the samples.
        codec: sound encoder.
        layout: mono or stereo (the second channel is the negative of the first).
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        video = out.add_stream("libx264", rate=24, options={"g": "24", "bf": "0", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = out.add_stream(codec, rate=rate_hz, layout=layout) if len(pieces) else None
        for start_s, samples in pieces:
            _encode_sound(out, sound, start_s + 1.0, samples, rate_hz, layout)
        for number in range(round(seconds * 24)):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = 24 + number, Fraction(1, 24)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))
    return path


def _encode_sound(out: Any, stream: Any, start_s: float, samples: np.ndarray, rate_hz: int, layout: str) -> None:
    whole = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    for first in range(0, len(whole), 1024):
        part = whole[first : first + 1024]
        interleaved = np.stack([part, -part], 1).reshape(1, -1) if layout == "stereo" else part[None]
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = round(start_s * rate_hz) + first
        out.mux(stream.encode(frame))


def write_videos(path: Path, clips: Sequence[Path], root: Path, **changes: Any) -> list[dict[str, Any]]:
    """A VIDEOS table of the clips; participant 82001, question i + 1; ``changes`` apply to all rows."""
    rows = []
    for number, clip in enumerate(clips, start=1):
        row = {
            "video": f"82001_Q{number}", "participant": "82001", "split": "train", "question": number,
            "path": str(clip.relative_to(root)), "label": 0, "source_frames": 48, "source_fps": 24.0,
            "duration_s": 2.0, "has_audio": True, "annotated_frames": 48, "language": None, "checksum": clip.name,
        }  # fmt: skip
        rows.append(row | changes)
    write_table(path, rows, VIDEOS)
    return rows


class Speaker:
    """eSpeak NG, run as a tool, which also tells when each word begins."""

    class _Event(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("position", ctypes.c_int), ("length", ctypes.c_int),
            ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", ctypes.c_char * 8),
        )  # fmt: skip

    _WORD, _RATE = 1, 1

    def __init__(self, library: Path) -> None:
        # a copy of its own: the demo's synthesiser counts on unloading the library after each sentence
        own = Path(tempfile.mkdtemp()) / library.name
        shutil.copyfile(library, own)
        self._espeak = ctypes.CDLL(str(own))
        data = package_folder("espeakng_loader") / "espeak-ng-data"
        self.rate_hz = self._espeak.espeak_Initialize(2, 0, str(data).encode(), 0)

    def say(self, text: str, voice: str = "en", words_per_minute: int = 150) -> tuple[np.ndarray, list[float]]:
        """Samples float32 at ``rate_hz`` and the onsets of the words, seconds."""
        pieces: list[np.ndarray] = []
        onsets: list[float] = []

        def heard(wave: Any, count: int, events: Any) -> int:
            if wave and count:
                pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
            number = 0
            while events[number].type:
                if events[number].type == self._WORD:
                    onsets.append(events[number].audio_ms / 1000)
                number += 1
            return 0

        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(self._Event))
        callback = kind(heard)
        self._espeak.espeak_SetSynthCallback(callback)
        self._espeak.espeak_SetVoiceByName(voice.encode())
        self._espeak.espeak_SetParameter(self._RATE, words_per_minute, 0)
        data = text.encode()
        self._espeak.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, 1, None, None)
        self._espeak.espeak_Synchronize()
        return np.concatenate(pieces).astype(np.float32) / 32768, onsets
