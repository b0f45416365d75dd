"""ONNX graphs of fusions: equal to the network at any number of frames, or refused in a sentence."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from waver.errors import WaverError
from waver.modalities import modality_names
from waver.predict import onnx_graph
from waver.predict.onnx_graph import TOLERANCE, exported, largest_difference
from waver.records import load, method_config
from waver.registry import FUSIONS, TEMPORALS
from waver.training.corpus import Normalisation
from waver.training.frames.checkpoint import Checkpoint

SIZES = {"visual": 5, "text": 6, "question": 4}
SMALL = {
    "channels": {name: [8] for name in SIZES}, "size": 8, "hidden": 8, "layers": 1, "heads": 2, "shared": 4,
    "bigru": {"hidden": 4, "layers": 1}, "mstcn": {"stages": 1, "layers": 2, "width": 4, "classes": 2},
}  # fmt: skip


def tiny(fusion, modalities="VT", **options):
    """A small network whose batch normalisations have seen something."""
    torch.manual_seed(1)
    method = load(FUSIONS, fusion)
    own = {name: value for name, value in {**SMALL, **options}.items() if name in method.Config.model_fields}
    config, sizes = method_config(FUSIONS, fusion, own), {name: SIZES[name] for name in modality_names(modalities)}
    network = method(sizes, config)
    for _ in range(3):
        network({name: torch.randn(2, 24, size) + 0.3 for name, size in sizes.items()}, torch.ones(2, 24).bool())
    draw = np.random.default_rng(0)
    mean, std = ({name: draw.uniform(0.2, 2, size).astype(np.float32) for name, size in sizes.items()} for _ in "ab")
    return Checkpoint(fusion, modalities, config.model_dump(), Normalisation(mean, std), network.state_dict(), 24, 12)


CASES = [
    ("lfan", "VT", "tcn"),
    ("can", "VTQ", "bigru"),
    ("mt", "VT", "mstcn"),
    ("jmt", "VT", "none"),
    ("conflict", "VT", ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fusion", "modalities", "temporal"), CASES)
def test_a_graph_is_its_network_at_any_length(fusion, modalities, temporal):
    model = tiny(fusion, modalities, temporal=temporal or "tcn")
    graph = exported(model)
    assert largest_difference(model, graph, [(1, 1), (3, 17), (1, 200)]) <= TOLERANCE
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    inputs = {one.name: one.shape for one in session.get_inputs()}
    names = modality_names(modalities)
    assert inputs == {
        **{name: ["batch", "frames", SIZES[name]] for name in names},
        **{f"{name}_valid": ["batch", "frames"] for name in names},
    }
    assert b".py" not in graph  # no path of the machine that made it


def test_every_fusion_has_a_case():
    assert {fusion for fusion, _, _ in CASES} == set(FUSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("temporal", ["ssm", "asformer", "xl"])
def test_what_has_no_graph_is_refused_in_a_sentence(temporal):
    tiny_parts = {
        "ssm": {"width": 4, "states": 2, "rank": 1, "layers": 1},
        "xl": {"width": 4, "heads": 1, "layers": 1, "hidden": 4},
        "asformer": {"decoders": 1, "layers": 1, "width": 4, "classes": 2},
    }  # fmt: skip
    assert temporal in TEMPORALS
    with pytest.raises(WaverError, match=f"^can with {temporal} cannot be given as ONNX, because .*leave out --onnx"):
        exported(tiny("can", temporal=temporal, **{temporal: tiny_parts[temporal]}))


def test_a_graph_that_differs_is_not_given_out(monkeypatch):
    right = onnx_graph.largest_difference
    model = tiny("can", temporal="none")
    monkeypatch.setattr(onnx_graph, "largest_difference", lambda *_: 2 * TOLERANCE)
    with pytest.raises(WaverError, match="other numbers than the network"):
        exported(model)
    monkeypatch.setattr(onnx_graph, "largest_difference", right)
    graph = onnx.load_from_string(exported(model))
    weight = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.raw_data = bytes(len(weight.raw_data))
    assert right(model, graph.SerializeToString()) > TOLERANCE
    assert right(model, b"no graph") == float("inf")
