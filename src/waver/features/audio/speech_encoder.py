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
from waver.features.audio.windows import in_windows, scaled, timing
from waver.features.waveform import RATE_HZ
from waver.models.pretrained_folder import LOCAL, LOCAL_WEIGHTS, reading_folder
from waver.models.text.pretrained_encoder import check_whole
from waver.models.weights import read_state
from waver.shapes import FPS

Floats = npt.NDArray[np.float32]

VALENCE_S = 103 / FPS
"""Sound over which valence is estimated: a mean A/H segment (2026 paper, data set)."""


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
            model, found = AutoModel.from_pretrained(
                folder, output_loading_info=True, **LOCAL_WEIGHTS, **encoder_settings(device)
            )
        if not hasattr(model.config, "conv_kernel") or not hasattr(extractor, "do_normalize"):
            raise WaverError(
                f"{folder} holds a {model.config.model_type} model; models.paths.speech_encoder takes one of waveforms "
                "(wav2vec 2.0, HuBERT, WavLM)"
            )
        # only used in masked training
        check_whole(folder, found, "encoder of speech", "speech_encoder", unused=("masked_spec_embed",))
        depth = model.config.num_hidden_layers
        if not -depth - 1 <= layer <= depth:
            raise WaverError(f"features.audio.layer is {layer} and the encoder {folder} has {depth}; lower it")
        if extractor.sampling_rate != RATE_HZ:
            raise WaverError(f"{folder} wants {extractor.sampling_rate} samples a second; give one of {RATE_HZ}")
        self._model, self._layer, self._device = model.eval().to(device), layer, device
        self._scaled = bool(extractor.do_normalize)
        self._head = _valence_head(folder, model.config.hidden_size, device)

    def __call__(self, samples: Floats, frames: int) -> tuple[Floats, Floats]:
        """Features and valence of a waveform.

        Args:
            samples: float32 [S], 16 kHz.
            frames: T.

        Returns:
            float32 [T, D]; and float32 [T], 0 negative to 1 positive, nan for an encoder that was not trained on it.
        """
        if self._scaled:
            samples = scaled(samples)
        states = list(in_windows(samples.astype(np.float32), self._model.config, self._states))
        middle_s = (np.concatenate([at for at, _ in states]) + timing(self._model.config)[1] / 2) / RATE_HZ
        feature = mean_of_frames(np.concatenate([own for _, (own, _) in states]), middle_s, frames)
        if self._head is None:
            return feature, np.full(frames, np.nan, np.float32)
        last = mean_of_frames(np.concatenate([last for _, (_, last) in states]), middle_s, frames)
        with torch.inference_mode():
            valence = self._head(torch.from_numpy(_smoothed(last, round(VALENCE_S * FPS))).to(self._device))
        return feature, valence[:, 2].clamp(0, 1).float().cpu().numpy()

    def _states(self, heard: Floats) -> tuple[Floats, Floats]:
        """The layer's states of a window, and the last layer's."""
        with torch.inference_mode():
            output = self._model(torch.from_numpy(heard)[None].to(self._device), output_hidden_states=True)
        own, last = (x[0].float().cpu().numpy() for x in (output.hidden_states[self._layer], output.last_hidden_state))
        return own, last


def mean_of_frames(states: Floats, middle_s: npt.NDArray[np.float64], frames: int) -> Floats:
    """Mean of the states whose middle lies in each frame; a frame without any takes the nearest one's.

    Args:
        states: [R, D].
        middle_s: [R], ascending seconds.
        frames: T.

    Returns:
        float32 [T, D].
    """
    frame = np.floor(middle_s * FPS).astype(np.int64)
    inside = frame < frames
    total = np.zeros((frames, states.shape[1]), np.float64)
    np.add.at(total, frame[inside], states[inside])
    count = np.bincount(frame[inside], minlength=frames)[:, None]
    # the border half-way between the middles of two states separates the frames nearest to each
    borders_s = (middle_s[1:] + middle_s[:-1]) / 2
    nearest = states[np.searchsorted(borders_s, (np.arange(frames) + 0.5) / FPS)]
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
