"""From a model and videos to frame logits, and to the table of predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from waver.device import torch_device
from waver.io.predictions import frames_of, prediction_table
from waver.models.base import FusionModel
from waver.training.corpus import Normalisation, VideoSample, rows_of, thinned
from waver.training.frames.checkpoint import Checkpoint, build_model
from waver.training.frames.windows import Batch, Window, collate, in_steps, windows_of

Logits = npt.NDArray[np.float32]
_WINDOWS_AT_ONCE = 8


def predict(checkpoint: Checkpoint, videos: Iterable[VideoSample]) -> dict[str, Logits]:
    """Logits of new videos.

    Args:
        checkpoint: a trained model.
        videos: samples as read (not normalised), with the model's modalities.

    Returns:
        video id -> float32 [T, 2].
    """
    device = torch_device()
    model = build_model(checkpoint).to(device)
    found = {video.video: _clock_logits(model, video, checkpoint, device) for video in videos}
    if checkpoint.decoder is not None:
        decoded = checkpoint.decoder.decode([margin_of(logits) for logits in found.values()])
        found = {video: _as_logits(margin) for video, margin in zip(found, decoded, strict=True)}
    for logits in found.values():
        logits[:, 1] -= checkpoint.offset
    return found


def _clock_logits(model: FusionModel, video: VideoSample, checkpoint: Checkpoint, device: torch.device) -> Logits:
    """Logits [T, 2] of every frame of the clock, as the network gives them."""
    seen = thinned(video, checkpoint.stride)
    logits = video_logits(model, seen, *in_steps(checkpoint), device, checkpoint.normalisation)
    return np.repeat(logits, checkpoint.stride, axis=0)[: video.frames]


@torch.inference_mode()
def video_logits(
    model: FusionModel, sample: VideoSample, window_steps: int, hop_steps: int, device: torch.device,
    normalisation: Normalisation | None = None,
) -> Logits:  # fmt: skip
    """Logits float32 [T, 2] of one video, thinned to T steps, in fp32 and evaluation mode.

    A model with ``whole_video`` sees it in one pass. Any other sees windows as in training, and its
    logits, not its probabilities, are averaged where windows overlap. ``normalisation`` as in ``over_windows``.
    """
    windows = windows_of([sample.frames], sample.frames if model.whole_video else window_steps, hop_steps)

    def logits_of(batch: Batch) -> Mapping[str, Tensor]:
        return {"logits": model(batch.streams, batch.mask)}

    return over_windows(sample, windows, device, logits_of, normalisation)["logits"]


def over_windows(
    sample: VideoSample, windows: Sequence[Window], device: torch.device, of: Callable[[Batch], Mapping[str, Tensor]],
    normalisation: Normalisation | None = None,
) -> dict[str, npt.NDArray[np.float32]]:  # fmt: skip
    """What a model makes of each frame of a video, the mean of the windows that hold the frame.

    Args:
        sample: normalised, or as read.
        windows: of the sample; they cover it.
        device: of the model.
        of: batch of windows -> name -> [B, T, ...].
        normalisation: of a sample as read; some windows are normalised at a time, for a long recording takes much.

    Returns:
        name -> float32 [T, ...].
    """
    total: dict[str, npt.NDArray[np.float64]] = {}
    seen = np.zeros(sample.frames)
    for first in range(0, len(windows), _WINDOWS_AT_ONCE):
        chunk = windows[first : first + _WINDOWS_AT_ONCE]
        batch = _batch(sample, chunk, normalisation).to(device)
        made = {name: x.float().cpu().numpy() for name, x in of(batch).items()}
        for row, part in enumerate(chunk):
            seen[part.start : part.stop] += 1
            for name, values in made.items():
                own = total.setdefault(name, np.zeros((sample.frames, *values.shape[2:])))
                own[part.start : part.stop] += values[row, : part.stop - part.start]
    return {name: (x.T / seen).T.astype(np.float32) for name, x in total.items()}


def _batch(sample: VideoSample, windows: Sequence[Window], normalisation: Normalisation | None) -> Batch:
    if normalisation is None:
        return collate([sample], windows)
    first, stop = min(part.start for part in windows), max(part.stop for part in windows)
    part = normalisation.apply(rows_of(sample, slice(first, stop)))
    return collate([part], [Window(0, one.start - first, one.stop - first) for one in windows])


def _as_logits(margin: npt.NDArray[np.float64]) -> Logits:
    return np.stack([np.zeros_like(margin), margin], -1).astype(np.float32)


def margin_of(logits: Logits) -> npt.NDArray[np.float64]:
    """Logit of A/H minus logit of none, float64 [T], of logits [T, 2]."""
    margin: npt.NDArray[np.float64] = logits[:, 1].astype(np.float64) - logits[:, 0]
    return margin


def video_margin(model: FusionModel, sample: VideoSample, window_steps: int, hop_steps: int) -> Logits:
    """Logit of A/H minus logit of none, float32 [T]; arguments as ``video_logits``, the device is the model's."""
    model.eval()
    logits = video_logits(model, sample, window_steps, hop_steps, next(model.parameters()).device)
    margin: Logits = logits[:, 1] - logits[:, 0]
    return margin


def probability(logits: Logits) -> npt.NDArray[np.float64]:
    """Probability of A/H, float64 [T]: softmax of the two logits."""
    margin = margin_of(logits)
    # log-space keeps the ranking of very negative margins
    result: npt.NDArray[np.float64] = np.exp(-np.logaddexp(0, -margin))
    return result


def frame_table(
    videos: Sequence[VideoSample], logits: Mapping[str, Logits], fold_of: Mapping[str, int] | None = None
) -> pa.Table:
    """PREDICTIONS rows of frames.

    Args:
        videos: whose predictions; their order is kept.
        logits: video id -> float32 [T, 2].
        fold_of: participant -> fold that held them out, in a cross-validation.
    """
    lengths = [video.frames for video in videos]
    values = np.concatenate([logits[video.video] for video in videos] or [np.zeros((0, 2), np.float32)])
    items = [(video.video, video.participant, video.split) for video in videos]
    fold = None if fold_of is None else [fold_of[video.participant] for video in videos]
    return prediction_table(items, margin_of(values), lengths, frames_of(lengths), fold)
