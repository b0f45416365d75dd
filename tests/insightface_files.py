"""ONNX files with the layout of InsightFace's packs and random weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from waver.assets.manifest import Installed

STRIDES = (8, 16, 32)
WIDTHS = {"score": 1, "box": 4, "points": 10}


def installed_file(path: Path, role: str) -> Installed:
    """Record of a file, written beside it as ``asset.json``."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    about = {"role": role, "set": "path", "title": path.name, "licence": "none"}
    record = Installed(name=f"path.{role}", folder=str(path.parent), files=files, **about)
    (path.parent / "asset.json").write_text(record.model_dump_json())
    return record


def write_detector(path: Path, side: int | None = None, points: bool = True) -> Installed:
    """A detector of three strides and two anchors: a convolution for each of score, box and points.

    Args:
        path: file to write; its folder is created.
        side: of the input, where it is fixed.
        points: with the outputs of five points.
    """
    rng = np.random.default_rng(3)
    nodes, weights, outputs = [], [], []
    for kind, width in list(WIDTHS.items())[: 3 if points else 2]:
        for stride in STRIDES:
            name = f"{kind}_{stride}"
            kernel = rng.normal(0, 6 / stride, (2 * width, 3, stride, stride)).astype(np.float32)
            bias = np.full(2 * width, {"score": -1.0, "box": 2.0, "points": 0.0}[kind], np.float32)
            scale = np.float32(1 if kind == "score" else 0.2)
            weights += [
                numpy_helper.from_array(kernel * scale, f"{name}_w"),
                numpy_helper.from_array(bias, f"{name}_b"),
            ]
            weights.append(numpy_helper.from_array(np.array([-1, width]), f"{name}_shape"))
            inputs = ["input.1", f"{name}_w", f"{name}_b"]
            nodes += [
                helper.make_node("Conv", inputs, [f"{name}_maps"], strides=[stride, stride]),
                helper.make_node("Transpose", [f"{name}_maps"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [f"{name}_rows"]),
                helper.make_node("Sigmoid" if kind == "score" else "Identity", [f"{name}_rows"], [name]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]))
    shape = [1, 3, side or "?", side or "?"]
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape)
    return _saved(path, nodes, [given], outputs, weights, "face_detector")


def write_embedding(path: Path, side: int = 112) -> Installed:
    """An embedding: means over squares of a seventh of the side, then a matrix."""
    matrix = np.random.default_rng(5).normal(size=(3 * 49, 512)).astype(np.float32)
    cell = side // 7
    nodes = [
        helper.make_node("AveragePool", ["input.1"], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["683"]),
    ]
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [None, 3, side, side])
    vector = helper.make_tensor_value_info("683", TensorProto.FLOAT, [None, 512])
    return _saved(path, nodes, [given], [vector], [numpy_helper.from_array(matrix, "matrix")], "face_embedding")


def _saved(path: Path, nodes: list, inputs: list, outputs: list, weights: list, role: str) -> Installed:
    graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return installed_file(path, role)
