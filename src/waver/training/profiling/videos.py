"""What a video-level model costs; see ``waver.training.profiling.frames``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from waver.device import torch_device
from waver.models.base import VideoModel
from waver.registry import VIDEO_MODELS
from waver.shapes import FPS
from waver.training.profiling.frames import device_name, epochs_of, flops_of, made_up, parameters_of, seconds_of
from waver.training.profiling.record import VIDEO_S, Cost, write_cost
from waver.training.videos.checkpoint import VideoCheckpoint, build_video_model, load_video_checkpoint
from waver.training.videos.clips import SIDE
from waver.training.videos.steps import pooled


def measure(
    record: Mapping[str, Any],
    models: Sequence[Path],
    histories: Sequence[Path],
    weights: Mapping[str, Path],
    output: Path,
) -> None:
    """Measure a video-level model on one made-up video; arguments as in ``waver.training.profiling.measure``.

    Raises:
        WaverError: the model is not of this version.
    """
    checkpoint = load_video_checkpoint(models[0])
    device = torch_device()
    model = build_video_model(checkpoint, weights).to(device)
    pixels = VIDEO_MODELS[checkpoint.model].inputs == "faces"
    inputs = _moved(_clip(model, checkpoint) if pixels else _steps(checkpoint), device)
    frames = round(VIDEO_S * FPS)
    parameters, trainable = parameters_of(model)
    epochs, epoch_s = epochs_of(histories)

    @torch.inference_mode()
    def predict() -> Any:
        return model(*inputs).cpu()

    cost = Cost(
        method=record["method"],
        modalities=checkpoint.modalities,
        parameters=parameters,
        trainable=trainable if model.learns else 0,
        unit="video",
        frames=frames,
        flops=flops_of(model, *inputs),
        epochs=epochs,
        epoch_s=epoch_s,
        frame_s=seconds_of(predict) / frames,
        video_frames=frames,
        threads=torch.get_num_threads(),
        device=device_name(device),
        sees_pixels=pixels,
    )
    write_cost(output, cost)


def _clip(model: VideoModel, checkpoint: VideoCheckpoint) -> tuple[Any, ...]:
    """A grey clip [1, F, 3, 224, 224] and, where it is known, the question asked [1, C]."""
    clip = torch.full((1, model.config.frames, 3, SIDE, SIDE), 0.5)
    known = checkpoint.normalisation
    return (clip,) if known is None else (clip, torch.zeros(1, known.sizes["question"]))


def _steps(checkpoint: VideoCheckpoint) -> tuple[Any, ...]:
    """Steps of a made-up video, as the model takes them."""
    assert checkpoint.normalisation is not None
    video = pooled(made_up(checkpoint.normalisation.sizes, round(VIDEO_S * FPS)), checkpoint.step_frames)
    features = {name: v[:1] if name == "question" else v for name, v in video.features.items()}
    valid = {name: v[:1] if name == "question" else v for name, v in video.valid.items()}
    return (
        {name: torch.from_numpy(values)[None] for name, values in features.items()},
        {name: torch.from_numpy(values)[None] for name, values in valid.items()},
    )


def _moved(inputs: Any, device: torch.device) -> Any:
    if isinstance(inputs, dict):
        return {name: values.to(device) for name, values in inputs.items()}
    return inputs.to(device) if isinstance(inputs, torch.Tensor) else tuple(_moved(part, device) for part in inputs)
