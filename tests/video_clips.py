"""Small clips whose frames carry their own number, so that a wrong frame is seen at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
WIDTH, HEIGHT = 200, 120


def numbered(number: int) -> np.ndarray:
    """Grey picture [HEIGHT, WIDTH, 3] with the number's bits as bars; the lower fifth is black."""
    bars = np.array([255 if number >> bit & 1 else 0 for bit in range(BITS)], np.uint8)
    picture = np.repeat(bars, WIDTH // BITS)[None, :].repeat(HEIGHT, 0)
    picture[-HEIGHT // 5 :] = 0
    return np.repeat(picture[:, :, None], 3, axis=2)


def number_of(picture: np.ndarray) -> int:
    """Number burnt into an upright picture."""
    bars = picture[: HEIGHT // 2, :, 1].reshape(HEIGHT // 2, BITS, -1).mean(axis=(0, 2))
    return int(sum(1 << bit for bit in range(BITS) if bars[bit] > 128))


def write_clip(
    path: Path,
    times_s: Sequence[float],
    codec: str = "libx264",
    sound_from_s: float | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Frames 0, 1, ... shown at the given times; sound, if any, is a tone of one second.

    Args:
        path: file to write; its suffix chooses the container.
        times_s: presentation times, ascending.
        codec: video encoder; libx264 writes B-frames and a key frame every 12.
        sound_from_s: start of the sound.
        rotation: display rotation flag, degrees counter-clockwise.
        options: of the container.
    """
    with av.open(str(path), "w", options=options or {}) as out:
        video = out.add_stream(codec, rate=1000)
        video.width, video.height = WIDTH, HEIGHT
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, 24000)
        if codec == "libx264":
            video.options = {"g": "12", "bf": "2", "crf": "20"}
        if rotation:
            video.set_display_rotation(rotation)
        sound = (
            out.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000)
            if sound_from_s is not None
            else None
        )
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 24000), Fraction(1, 24000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None and sound_from_s is not None:
            for piece in range(50):
                wave = np.sin(np.arange(960) / 48000 * 2 * np.pi * 440 + piece).astype(np.float32)[None] * 0.3
                frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
                frame.pts = round(sound_from_s * 48000) + 960 * piece
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


def write_packets_at(
    path: Path, times_s: Sequence[float], picture: Callable[[int], np.ndarray] = numbered, rate: int = 24
) -> Path:
    """Packets with the time stamps given, as broken writers make them, in Matroska, whatever the file's name.

    Args:
        path: file to write.
        times_s: presentation times, in any order.
        picture: number -> uint8 [H, W, 3].
        rate: frames a second that the file claims.
    """
    height, width = picture(0).shape[:2]
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts = number
            for packet in stream.encode(frame):
                packet.pts = packet.dts = round(time_s / packet.time_base)
                out.mux(packet)
        out.mux(stream.encode(None))
    return path


def trim_without_encoding(source: Path, target: Path, start_s: float) -> Path:
    """Copy packets from the key frame before ``start_s``; an edit list hides what comes earlier."""
    with av.open(str(source)) as given, av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        shift = round(start_s / stream.time_base)
        given.seek(shift, stream=stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                out.mux(packet)
    return target


def constant_rate(fps: float, frames: int) -> list[float]:
    """Times of frames at a constant rate."""
    return [number / fps for number in range(frames)]


def variable_rate(frames: int, seed: int = 0) -> list[float]:
    """Times of a 24 fps recording that lost a quarter of its frames."""
    kept = np.sort(np.random.default_rng(seed).permutation(np.arange(1, frames * 4 // 3))[: frames - 1])
    return [0.0, *(float(number) / 24 for number in kept)]
