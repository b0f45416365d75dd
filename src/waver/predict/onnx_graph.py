"""A model of frames as an ONNX graph with a dynamic number of frames.

The graph holds the normalisation and the network. Its inputs are the features of each stream as they are stored,
``<stream>`` float32 [B, T, D], and where each is there, ``<stream>_valid`` bool [B, T]; its output is ``logits``
float32 [B, T, 2], no A/H and A/H. B and T are dynamic; the B sequences are equally long, without padding. Outside of
it stay windows and the mean where they overlap, the offset, decoding by durations and calibration (``model.json``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.onnx.symbolic_helper import parse_args

from waver.errors import WaverError
from waver.models.temporal.norm import MaskedBatchNorm
from waver.training.corpus import VideoSample
from waver.training.frames.checkpoint import Checkpoint, build_model

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference of a probability between the graph and the network."""

_BOOL, _INT64 = 9, 7
"""Types of ONNX (onnx.TensorProto)."""

_TRACED_FRAMES = 48
_LENGTHS = ((1, 31), (2, 48), (1, 131))
"""Batches and frames that every graph is held to before it is given out: shorter, as traced, and longer."""


class _FrameModel(nn.Module):
    """Normalisation and network, with inputs in a fixed order: all features, then all masks of them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = _folded(build_model(checkpoint))
        self.names = list(checkpoint.normalisation.sizes)
        for part, of in checkpoint.normalisation.state().items():
            for name, values in of.items():
                self.register_buffer(f"{part}_{name}", values)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits float32 [B, T, 2]."""
        count = len(self.names)
        streams = {}
        for name, values, valid in zip(self.names, inputs[:count], inputs[count:], strict=True):
            scaled = (values - self.get_buffer(f"mean_{name}")) / self.get_buffer(f"std_{name}")
            # chosen and not multiplied: features of frames that are not valid may be anything
            streams[name] = torch.where(valid.unsqueeze(-1), scaled, torch.zeros_like(scaled))
        logits: Tensor = self.network(streams, torch.ones_like(inputs[-1]))
        return logits


class _Scaled(nn.Module):
    """A batch normalisation as it is in evaluation: a factor and a summand for each channel."""

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        assert norm.running_var is not None
        assert norm.running_mean is not None
        factor = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        self.register_buffer("factor", factor)
        self.register_buffer("summand", norm.bias.detach() - norm.running_mean * factor)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """float32 [B, T, C], and a mask that changes nothing -> [B, T, C]."""
        return x * self.get_buffer("factor") + self.get_buffer("summand")


def _folded(network: nn.Module) -> nn.Module:
    """The network with its batch normalisations folded: what they do to shapes binds a graph to one length."""
    for module in list(network.modules()):
        for name, part in module.named_children():
            if isinstance(part, MaskedBatchNorm):
                setattr(module, name, _Scaled(part.norm))
    return network


@parse_args("v", "i", "i")
def _any(graph: Any, x: Any, dim: int, keepdim: int) -> Any:
    """Whether any value is not zero; the exporter's own operator rounds numbers between -1 and 1 to zero first."""
    true = graph.op("Cast", graph.op("Cast", x, to_i=_BOOL), to_i=_INT64)
    return graph.op("Cast", graph.op("ReduceMax", true, axes_i=[dim], keepdims_i=keepdim), to_i=_BOOL)


def _split(graph: Any, x: Any, size: Any, dim: Any, _outputs: int | None = None) -> list[Any]:
    """A split into one part, as MT and JMT make it of few frames to save memory: the whole, at any length."""
    if _outputs != 1:
        raise WaverError("a split into several parts depends on the number of frames")
    return [x]


_OPERATORS: dict[str, Callable[..., Any]] = {"aten::any": _any, "aten::split": _split}


@contextmanager
def _own_operators() -> Iterator[None]:
    for name, operator in _OPERATORS.items():
        torch.onnx.utils.register_custom_op_symbolic(name, operator, OPSET)
    try:
        yield
    finally:
        for name in _OPERATORS:
            torch.onnx.utils.unregister_custom_op_symbolic(name, OPSET)


def exported(checkpoint: Checkpoint) -> bytes:
    """The graph of a model, after it was compared with the network at several lengths.

    Raises:
        WaverError: the network has a part that ONNX cannot express, or whose graph differs at another length.
    """
    model = _FrameModel(checkpoint).eval()
    names = input_names(checkpoint)
    axes = {name: {0: "batch", 1: "frames"} for name in [*names, "logits"]}
    try:
        with warnings.catch_warnings(), torch.no_grad(), _own_operators(), TemporaryDirectory() as folder:
            file = Path(folder) / "graph.onnx"
            # the tracer warns of every Python number; lengths are compared below
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, tuple(_inputs(checkpoint, 1, _TRACED_FRAMES)), file, dynamo=False, opset_version=OPSET,
                input_names=names, output_names=["logits"], dynamic_axes=axes,
            )  # fmt: skip
            graph = file.read_bytes()
    except Exception as problem:  # the exporter raises errors of many kinds
        raise _refused(checkpoint, f"it has a part that has no ONNX operator ({type(problem).__name__})") from problem
    difference = largest_difference(checkpoint, graph)
    if not difference <= TOLERANCE:
        raise _refused(checkpoint, "its graph gives other numbers than the network at some length")
    return graph


def input_names(checkpoint: Checkpoint) -> list[str]:
    """Names of the graph's inputs, in order."""
    streams = list(checkpoint.normalisation.sizes)
    return [*streams, *(f"{name}_valid" for name in streams)]


def largest_difference(checkpoint: Checkpoint, graph: bytes, lengths: Sequence[tuple[int, int]] = _LENGTHS) -> float:
    """Largest difference of a probability between graph and network on random features; inf where the graph fails.

    Args:
        checkpoint: of the network.
        graph: ONNX bytes.
        lengths: B and T of the batches to compare.
    """
    import onnxruntime

    model = build_model(checkpoint)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    found = 0.0
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for batch, frames in lengths:
            inputs = _inputs(checkpoint, batch, frames)
            feeds = {name: x.numpy() for name, x in zip(input_names(checkpoint), inputs, strict=True)}
            (logits,) = session.run(None, feeds)
            with torch.no_grad():
                expected = torch.softmax(model(*_normalised(checkpoint, inputs)), -1).numpy()
            given = torch.softmax(torch.from_numpy(logits), -1).numpy()
            found = max(found, float(np.abs(given - expected).max()))
    except Exception:  # ONNX Runtime's errors share no class
        return float("inf")
    return found


def _inputs(checkpoint: Checkpoint, batch: int, frames: int) -> list[Tensor]:
    """Random features of about the training data's size, some of them missing."""
    draw = torch.Generator().manual_seed(frames)
    scale = checkpoint.normalisation
    features = [
        torch.randn(batch, frames, size, generator=draw) * torch.from_numpy(scale.std[name].copy())
        + torch.from_numpy(scale.mean[name].copy())
        for name, size in scale.sizes.items()
    ]
    valid = [torch.rand(batch, frames, generator=draw) > 0.1 for _ in features]
    return [*features, *valid]


def _refused(checkpoint: Checkpoint, why: str) -> WaverError:
    temporal = checkpoint.options.get("temporal")
    network = f"{checkpoint.fusion} with {temporal}" if temporal else checkpoint.fusion
    return WaverError(
        f"{network} cannot be given as ONNX, because {why}; leave out --onnx, the folder works without it"
    )


def _normalised(checkpoint: Checkpoint, inputs: Sequence[Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """Streams as the training normalises them, and a mask without padding."""
    names = list(checkpoint.normalisation.sizes)
    features = {name: x.flatten(0, 1).numpy() for name, x in zip(names, inputs, strict=False)}
    valid = {name: x.flatten().numpy() for name, x in zip(names, inputs[len(names) :], strict=True)}
    batch, frames = inputs[0].shape[:2]
    label = np.zeros(batch * frames, np.uint8)
    sample = checkpoint.normalisation.apply(VideoSample("", "", "", None, features, valid, label, False))
    streams = {name: torch.from_numpy(x).reshape(batch, frames, -1) for name, x in sample.features.items()}
    return streams, torch.ones(batch, frames, dtype=torch.bool)
