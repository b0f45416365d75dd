"""Model files of frame-level models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from waver.errors import WaverError
from waver.models.registry import FUSIONS, load, method_config
from waver.training.archive import load_archive, save_archive
from waver.training.corpus import Normalisation
from waver.training.durations import Decoder

FORMAT = 3


@dataclass(frozen=True)
class Checkpoint:
    """A trained fusion and all that is needed to apply it to new videos.

    Attributes:
        fusion: name in the registry.
        modalities: letters.
        options: the method's whole config.
        normalisation: learnt from its training frames.
        state: the network's parameters and buffers.
        window: frames of an evaluation window, on the 24 fps clock; in steps: ``waver.training.windows.in_steps``.
        hop: frames between windows, likewise.
        stride: every n-th frame is looked at.
        offset: taken from the margin (decoded, where there is a decoder), so that 0 is the decision that the
            config asks for.
        decoder: what margins are decoded with; None: they stand as they are.
        record: what made it: seed, epoch, scores, config, code, model_set.
    """

    fusion: str
    modalities: str
    options: dict[str, Any]
    normalisation: Normalisation
    state: dict[str, Tensor]
    window: int
    hop: int
    stride: int = 1
    offset: float = 0.0
    decoder: Decoder | None = None
    record: dict[str, Any] = field(default_factory=dict)


def build_model(checkpoint: Checkpoint) -> nn.Module:
    """The trained network on the CPU, in evaluation mode."""
    config = method_config(FUSIONS, checkpoint.fusion, checkpoint.options)
    model: nn.Module = load(FUSIONS, checkpoint.fusion)(checkpoint.normalisation.sizes, config)
    model.load_state_dict(checkpoint.state)
    return model.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    parts = {name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}
    parts["normalisation"] = checkpoint.normalisation.state()
    parts["decoder"] = None if checkpoint.decoder is None else checkpoint.decoder.state()
    save_archive(Path(path), {**parts, "format": FORMAT})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        WaverError: the file is not a checkpoint of this version.
    """
    parts = load_archive(Path(path))
    if parts is None or parts.pop("format", None) != FORMAT:
        raise WaverError(f"{path} is not a model of this version; train it again")
    parts["normalisation"] = Normalisation.from_state(parts["normalisation"])
    decoder = parts.get("decoder")
    parts["decoder"] = None if decoder is None else Decoder.from_state(decoder)
    return Checkpoint(**parts)
