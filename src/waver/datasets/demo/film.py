"""From pictures and sound to an mp4 file, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from waver.datasets.demo.portraits import Array
from waver.datasets.demo.voice import RATE_HZ

CLOCK_HZ = 90_000
"""Ticks of presentation times; 24 and 30 frames a second fall on whole ticks."""
X264 = {"preset": "veryfast", "crf": "22", "threads": "1", "g": "48", "bf": "0"}


def write_film(
    path: Path, pictures: Iterable[Array], times_s: Array, fps: int, sound: Array | None, late_s: float, key: str
) -> None:
    """Write H.264 and AAC.

    Args:
        path: file to write.
        pictures: planar YUV 4:2:0, uint8 [H * 3 / 2, W] each.
        times_s: presentation time of each picture, from 0.
        fps: nominal rate.
        sound: float32 [S] at RATE_HZ from time 0; None for a film without sound.
        late_s: the sound track starts so much later than the pictures; what was before is lost.
        key: what the film was made from, kept in its comment.
    """
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["comment"] = key
        video = None
        audio: Any = None
        if sound is not None:
            audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
            audio.codec_context.bit_rate = 96_000
        heard = round(late_s * RATE_HZ)
        for picture, time_s in zip(pictures, times_s, strict=True):
            if video is None:
                video = _video_stream(container, picture, fps)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
            container.mux(video.encode(frame))
            if sound is not None:
                heard = _encode_sound(container, audio, sound, heard, round(time_s * RATE_HZ))
        if video is not None:
            container.mux(video.encode(None))
        if sound is not None:
            _encode_sound(container, audio, sound, heard, len(sound))
            container.mux(audio.encode(None))


def _video_stream(container: Any, picture: Array, fps: int) -> Any:
    stream = container.add_stream("libx264", rate=fps, options=X264)
    stream.width, stream.height = picture.shape[1], picture.shape[0] * 2 // 3
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
    stream.time_base = Fraction(1, CLOCK_HZ)
    return stream


def _encode_sound(container: Any, stream: Any, sound: Array, start: int, stop: int) -> int:
    """Encode samples ``start`` to ``stop``; returns where the next call goes on."""
    if stop <= start:
        return start
    samples = np.ascontiguousarray(sound[None, start:stop], np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
    container.mux(stream.encode(frame))
    return min(stop, len(sound))


def film_key(path: Path) -> str | None:
    """The key in a whole film's comment; None where the file is missing or cannot be read."""
    if not path.is_file():
        return None
    try:
        with av.open(str(path)) as container:
            comment: str | None = container.metadata.get("comment")
    except av.FFmpegError:
        return None
    return comment
