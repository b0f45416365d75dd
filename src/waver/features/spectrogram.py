"""Whisper's spectrogram, made in parts: the same values, in a quarter of the memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

Floats = npt.NDArray[np.float32]

_BLOCK = 3000  # rows per transform; the complex values of all at once take 50 MB a minute


class SpectrogramInParts(FeatureExtractor):
    """As FeatureExtractor, value by value."""

    def __call__(self, waveform: Floats, padding: int = 160, chunk_length: int | None = None) -> Floats:
        """Log-mel spectrogram float32 [bands, R] of a waveform [S]; arguments as FeatureExtractor's."""
        if chunk_length is not None:
            self.n_samples = chunk_length * self.sampling_rate
            self.nb_max_frames = self.n_samples // self.hop_length
        bands: Floats = self.mel_filters @ self._power(np.pad(waveform.astype(np.float32, copy=False), (0, padding)))
        np.log10(np.maximum(bands, 1e-10, out=bands), out=bands)
        np.maximum(bands, bands.max() - 8.0, out=bands)
        found: Floats = (bands + 4.0) / 4.0
        return found

    def _power(self, waveform: Floats) -> Floats:
        """Power spectrum float32 [n_fft / 2 + 1, R], without its last row."""
        side = self.n_fft // 2
        waveform = np.pad(waveform, (side, side), mode="reflect")
        rows = (len(waveform) - self.n_fft) // self.hop_length
        window = np.hanning(self.n_fft + 1)[:-1].astype(np.float32)
        power = np.empty((rows, side + 1), np.float32)
        for first in range(0, rows, _BLOCK):
            last = min(first + _BLOCK, rows) - 1
            heard = waveform[first * self.hop_length : last * self.hop_length + self.n_fft]
            part = self.stft(heard, self.n_fft, self.hop_length, window=window, center=False, return_complex=True)
            power[first : last + 1] = np.abs(part.astype(np.complex64)).T ** 2
        return power.T
