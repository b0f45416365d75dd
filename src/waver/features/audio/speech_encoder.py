"""Features of frames from a pretrained encoder of speech (wav2vec 2.0, HuBERT, WavLM), given by path.

Such encoders, above all those trained on affect, are more informative about A/H than log-mel spectra (Hallmen et al.
2025 and the teams of the later challenges). An encoder that was trained on arousal, dominance and valence (Wagner et
al., TPAMI 2023) also estimates how positive the voice is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
from transformers.utils.logging import disable_progress_bar

from waver.device import encoder_settings
from waver.errors import WaverError
from waver.features.audio.windows import AS_IT_IS, in_windows, scale_of, timing
from waver.features.samples import RATE_HZ, Samples
from waver.models.pretrained_folder import LOCAL, read_model, reading_folder
from waver.models.text.pretrained_encoder import check_complete
from waver.models.weights import read_state
from waver.shapes import FPS

Floats = npt.NDArray[np.float32]

VALENCE_S = 103 / FPS
"""Sound over which valence is estimated: a mean A/H segment (2026 paper, data set)."""
_BLOCK = 2048  # frames


class SpeechEncoder:
    """A frozen encoder; the feature of a frame is the mean of the hidden states whose middle lies in it.

    Args:
        folder: of a transformers model of waveforms at 16 kHz.
        layer: hidden state after this layer; 0: the input of the first, -1: after the last.
        device: where it runs.

    Raises:
        WaverError: the folder holds no such model, or it has fewer layers.
    """

    def __init__(self, folder: Path, layer: int, device: torch.device) -> None:
        disable_progress_bar()
        with reading_folder(folder, "encoder of speech", "correct models.paths.speech_encoder"):
            # the weights' extractor only defines whether waveforms are scaled to a variance of 1
            extractor = AutoFeatureExtractor.from_pretrained(folder, **LOCAL)
            model, found = read_model(AutoModel, folder, output_loading_info=True, **encoder_settings(device))
        if not hasattr(model.config, "conv_kernel") or not hasattr(extractor, "do_normalize"):
            raise WaverError(
                f"{folder} holds a {model.config.model_type} model; models.paths.speech_encoder takes one of waveforms "
                "(wav2vec 2.0, HuBERT, WavLM)"
            )
        # only used in masked training
        check_complete(folder, found, "encoder of speech", "speech_encoder", unused=("masked_spec_embed",))
        depth = model.config.num_hidden_layers
        if not -depth - 1 <= layer <= depth:
            raise WaverError(f"features.audio.layer is {layer} and the encoder {folder} has {depth}; lower it")
        if extractor.sampling_rate != RATE_HZ:
            raise WaverError(f"{folder} wants {extractor.sampling_rate} samples a second; give one of {RATE_HZ}")
        self._model, self._layer, self._device = model.eval().to(device), layer, device
        self._scaled = bool(extractor.do_normalize)
        self._head = _valence_head(folder, model.config.hidden_size, device)

    def __call__(self, samples: Samples, frames: int) -> tuple[Floats, Floats]:
        """Features and valence of a waveform.

        Args:
            samples: [S], 16 kHz.
            frames: T.

        Returns:
            float32 [T, D]; and float32 [T], 0 negative to 1 positive, nan for an encoder that was not trained on it.
        """
        feature, last = FrameMeans(frames), FrameMeans(frames)
        scale, reach = scale_of(samples) if self._scaled else AS_IT_IS, timing(self._model.config)[1]
        for at, (own, top) in in_windows(samples, self._model.config, self._states, scale):
            middle_s = (at + reach / 2) / RATE_HZ
            feature.add(own, middle_s)
            if self._head is not None:
                last.add(top, middle_s)
        if self._head is None:
            return feature.finish(), np.full(frames, np.nan, np.float32)
        return feature.finish(), self._valence(last.finish())

    def _valence(self, last: Floats) -> Floats:
        """Of the last layer [T, D], smoothed over ``VALENCE_S``, in blocks."""
        assert self._head is not None
        width, found = round(VALENCE_S * FPS), []
        for first in range(0, len(last), _BLOCK):
            start, end = max(first - width, 0), first + _BLOCK
            own = _smoothed(last[start : end + width], width)[first - start : end - start]
            with torch.inference_mode():
                found.append(self._head(torch.from_numpy(own).to(self._device))[:, 2].clamp(0, 1).float().cpu().numpy())
        return np.concatenate(found)

    def _states(self, heard: Floats) -> tuple[Floats, Floats]:
        """The layer's states of a window, and the last layer's."""
        with torch.inference_mode():
            output = self._model(torch.from_numpy(heard)[None].to(self._device), output_hidden_states=True)
        own, last = (x[0].float().cpu().numpy() for x in (output.hidden_states[self._layer], output.last_hidden_state))
        return own, last


class FrameMeans:
    """Mean of the states whose middle lies in each frame; a frame without any takes the nearest one's.

    States are added in their order, and only those of the last frame are kept.

    Args:
        frames: T.
    """

    def __init__(self, frames: int) -> None:
        self._frames, self._done = frames, 0
        self._means: Floats | None = None
        self._states: Floats | None = None
        self._middle_s = np.zeros(0)

    def add(self, states: Floats, middle_s: npt.NDArray[np.float64]) -> None:
        """Further states [R, D] and their middles [R], ascending seconds."""
        self._states = states if self._states is None else np.concatenate([self._states, states])
        self._middle_s = np.append(self._middle_s, middle_s)
        frame = np.floor(self._middle_s * FPS).astype(np.int64)
        self._fill(min(int(frame[-1]), self._frames))
        # the state before the first frame to come may be its nearest
        kept = max(int(np.searchsorted(frame, self._done)) - 1, 0)
        self._states, self._middle_s = self._states[kept:], self._middle_s[kept:]

    def finish(self) -> Floats:
        """float32 [T, D]."""
        self._fill(self._frames)
        assert self._means is not None
        return self._means

    def _fill(self, end: int) -> None:
        assert self._states is not None
        if self._means is None:
            self._means = np.empty((self._frames, self._states.shape[1]), np.float32)
        if end > self._done:
            self._means[self._done : end] = _means(self._states, self._middle_s, self._done, end)
            self._done = end


def _means(states: Floats, middle_s: npt.NDArray[np.float64], first: int, end: int) -> Floats:
    """Those of the frames from ``first`` to before ``end``."""
    frame = np.floor(middle_s * FPS).astype(np.int64) - first
    inside = (frame >= 0) & (frame < end - first)
    total = np.zeros((end - first, states.shape[1]), np.float64)
    np.add.at(total, frame[inside], states[inside])
    count = np.bincount(frame[inside], minlength=end - first)[:, None]
    # the border half-way between the middles of two states separates the frames nearest to each
    borders_s = (middle_s[1:] + middle_s[:-1]) / 2
    nearest = states[np.searchsorted(borders_s, (np.arange(first, end) + 0.5) / FPS)]
    mean: Floats = np.where(count > 0, total / count.clip(min=1), nearest).astype(np.float32)
    return mean


def _smoothed(x: Floats, width: int) -> Floats:
    """Mean [T, D] over ``width`` frames around each, fewer at the ends."""
    total = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, 0, np.float64)])
    at = np.arange(len(x))
    low, high = (at - width // 2).clip(0), (at + width - width // 2).clip(max=len(x))
    mean: Floats = ((total[high] - total[low]) / (high - low)[:, None]).astype(np.float32)
    return mean


class _Valence(nn.Module):
    """Regression head of Wagner et al.: dense, tanh, three values of which the last is valence."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense, self.out_proj = nn.Linear(size, size), nn.Linear(size, 3)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [N, D] -> [N, 3]."""
        return self.out_proj(torch.tanh(self.dense(x)))  # type: ignore[no-any-return]


def _valence_head(folder: Path, size: int, device: torch.device) -> _Valence | None:
    """The head in a folder's weights, where its config says that it regresses arousal, dominance and valence."""
    with reading_folder(folder, "encoder of speech", "correct models.paths.speech_encoder"):
        names = getattr(AutoConfig.from_pretrained(folder, **LOCAL), "id2label", {})
        if [str(names.get(number, "")).lower() for number in range(3)] != ["arousal", "dominance", "valence"]:
            return None
        file = folder / "model.safetensors"
        state = load_file(file) if file.is_file() else read_state(folder / "pytorch_model.bin", "speech encoder")
    own = {name.removeprefix("classifier."): x for name, x in state.items() if name.startswith("classifier.")}
    head = _Valence(size)
    wanted: Sequence[str] = list(head.state_dict())
    if sorted(own) != sorted(wanted):
        raise WaverError(f"{folder} names valence and its weights have no classifier of {', '.join(wanted)}")
    head.load_state_dict(own)
    return head.eval().to(device)
