"""Model files of frame-level models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from waver.models.base import FusionModel
from waver.records import load, method_config
from waver.registry import FUSIONS
from waver.training.checkpoint import load_model, save_model
from waver.training.corpus import Normalisation
from waver.training.frames.hmm_decoding import Decoder

FORMAT = 3


@dataclass(frozen=True)
class Checkpoint:
    """A trained fusion and all that is needed to apply it to new videos.

    Attributes:
        fusion: name in the registry.
        modalities: letters.
        options: the method's whole config.
        normalisation: fitted to its training frames.
        state: the network's parameters and buffers.
        window: frames of an evaluation window, on the 24 fps clock; in steps:
            ``waver.training.frames.windows.in_steps``.
        hop: frames between windows, likewise.
        stride: every n-th frame is used.
        offset: taken from the margin (decoded, where there is a decoder), so that 0 is the decision of the
            config.
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


def build_model(checkpoint: Checkpoint) -> FusionModel:
    """The trained network on the CPU, in evaluation mode."""
    config = method_config(FUSIONS, checkpoint.fusion, checkpoint.options)
    model: FusionModel = load(FUSIONS, checkpoint.fusion)(checkpoint.normalisation.sizes, config)
    model.load_state_dict(checkpoint.state)
    return model.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, atomically."""
    save_model(Path(path), checkpoint, FORMAT)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is executed.

    Raises:
        WaverError: the file is not a checkpoint of this version.
    """
    restore = {"normalisation": Normalisation.from_state, "decoder": Decoder.from_state}
    return load_model(Path(path), Checkpoint, FORMAT, "model", **restore)
