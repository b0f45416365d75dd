"""What a model costs, as a record in a file; loads no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.training.trained_model import TrainedModel, recorded_model

VIDEO_S = 26.7
"""Mean length of a video of the release of 300 participants (10.60 h in 1,427 videos; 2026 paper, section 3)."""


@dataclass(frozen=True)
class Cost:
    """Measured costs of one model.

    Attributes:
        method, modalities: of the model.
        parameters: of the network; those of frozen feature extractors are not among them.
        trainable: of these, the ones that are trained.
        unit: what is passed through the network at once: window, or video.
        frames: frames of such a unit, on the 24 fps clock.
        flops: floating-point operations of one forward pass of a unit: matrix products, convolutions and
            attention; additions and multiplications count one each, elementwise work does not count.
        epochs: epochs trained, one number a seed.
        epoch_s: seconds of an epoch, median over epochs and seeds.
        frame_s: seconds of inference for a frame of the clock, the way that predictions are made (overlapping
            windows and all), median of repeats after a warm-up.
        video_frames: length of the made-up video that this was measured with.
        threads: CPU threads.
        device: what it ran on.
        sees_pixels: its input is faces, not features of a frozen backbone.
        model: what else is known of a model of frames; None of video-level models.
    """

    method: str
    modalities: str
    parameters: int
    trainable: int
    unit: str
    frames: int
    flops: int
    epochs: tuple[int, ...]
    epoch_s: float | None
    frame_s: float
    video_frames: int
    threads: int
    device: str
    sees_pixels: bool = False
    model: TrainedModel | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations: half the floating-point operations."""
        return self.flops // 2


def write_cost(path: Path, cost: Cost) -> None:
    """Write costs, whole or not at all."""
    with atomic_write(path) as file:
        file.write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")


def read_cost(path: Path) -> Cost:
    """Costs as ``write_cost`` wrote them.

    Raises:
        WaverError: the file is of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        model = content["model"] and recorded_model(content["model"], path)
        return Cost(**{**content, "epochs": tuple(content["epochs"]), "model": model})
    except (ValueError, KeyError, TypeError) as error:
        raise WaverError(f"{path} is not a cost record of this version ({error}); delete it and run again") from error
