"""Which channel of a sound is heard where its mix cancels it.

A microphone that is wired or coded in opposite phase (right = -left) vanishes in a mono mix, and a voice on one of
many channels becomes faint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt

_FAINT = 0.525
"""A mix of no more than this share of the loudest channel's level is not used; one of two channels is dead at 0.5."""
_CANCELLED = 0.25
"""A frame whose mix has no more than this share is cancelled: a dead channel alone does not do that."""
_CANCELLED_PART = 0.1
"""Share of the sound's power in cancelled frames from which the mix is not used."""


_USUAL = {6: ("FL", "FR", "FC", "LFE", "BL", "BR"), 8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")}


@dataclass
class ChannelLevels:
    """Power of each channel and of the mix of a sound with several channels, summed over its frames.

    Attributes:
        layout: name of the channels' arrangement.
        channels: names of the channels.
    """

    layout: str
    channels: tuple[str, ...]
    _mixer: Any
    _each: npt.NDArray[np.float64] = field(init=False)
    _mix: float = 0.0
    _cancelled: float = 0.0

    def __post_init__(self) -> None:
        self._each = np.zeros(len(self.channels))

    @classmethod
    def of(cls, frame: Any) -> ChannelLevels:
        """Levels of sound like that of a frame, none heard yet."""
        mixer = av.AudioResampler(format="s16", layout="mono", rate=frame.sample_rate)
        names = tuple(channel.name for channel in frame.layout.channels)
        # WAV and Matroska give a number of channels without their names; FFmpeg's mix takes them in this order
        return cls(frame.layout.name, _USUAL.get(len(names), names) if set(names) == {"NONE"} else names, mixer)

    def add(self, frame: Any) -> None:
        """Hear a frame of decoded sound; its time is lost."""
        each = (channels_of(frame) ** 2).sum(1)
        frame.pts = None
        mix = sum(float((channels_of(piece) ** 2).sum()) for piece in self._mixer.resample(frame))
        self._each += each
        self._mix += mix
        loudest = float(each[self._voices].max())
        if mix <= _CANCELLED**2 * loudest:
            self._cancelled += loudest

    def louder(self) -> int | None:
        """The loudest channel where the mix is far below it or cancels a part of it, else None."""
        number = self._voices[int(self._each[self._voices].argmax())]
        loudest = self._each[number]
        far_below = self._mix <= _FAINT**2 * loudest or self._cancelled >= _CANCELLED_PART * loudest
        return number if loudest > 0 and far_below else None

    @property
    def _voices(self) -> list[int]:
        """Channels that carry more than the lowest frequencies."""
        return [number for number, name in enumerate(self.channels) if name != "LFE"] or [0]


@cache
def can_be_mixed(layout: str, channels: int) -> bool:
    """Whether FFmpeg has a mono mix of this arrangement; of spatial sound (ambisonics) it has none."""
    try:
        silence = av.AudioFrame.from_ndarray(np.zeros((channels, 8), np.float32), format="fltp", layout=layout)
        silence.sample_rate = 48_000
        av.AudioResampler(format="s16", layout="mono", rate=48_000).resample(silence)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def channels_of(frame: Any) -> npt.NDArray[np.float64]:
    """Samples [C, n] of a decoded frame, full scale 1."""
    samples = _planes(frame)
    if samples.dtype.kind == "f":
        return samples.astype(np.float64)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return (samples.astype(np.float64) - (half if samples.dtype.kind == "u" else 0)) / half


def one_channel(frame: Any, channel: int) -> Any:
    """A mono frame of one channel of a decoded frame, without its time."""
    samples = np.ascontiguousarray(_planes(frame)[channel : channel + 1])
    mono = av.AudioFrame.from_ndarray(samples, format=frame.format.name, layout="mono")
    mono.sample_rate = frame.sample_rate
    return mono


def _planes(frame: Any) -> npt.NDArray[Any]:
    samples: npt.NDArray[Any] = frame.to_ndarray()
    return samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
