"""Models of a few kilobytes whose templates, graphs, patterns or headers ask for work without end."""

from __future__ import annotations

import json
import struct

import gguf
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tiny_bert import write_bert
from tiny_gguf import write_gguf
from waver.device import onnx_session
from waver.errors import WaverError
from waver.io import onnx_trial
from waver.models.text.pretrained_encoder import load_tokenizer
from waver.models.tokenizer_patterns import check_patterns
from waver.zeroshot.families.causal_lm import CausalLm, CausalLmConfig
from waver.zeroshot.families.chat_text import chat_text
from waver.zeroshot.tiny import byte_tokenizer


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ 'a' * 10 ** 10 }}", "768 MB of memory"),
        ("{{ 'a' | center(3 * 10 ** 9) }}", "768 MB of memory"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{% include '/etc/passwd' %}", "TypeError"),
        ("{{ '(' }}" + "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "RecursionError"),
        ("{{ raise_exception('no system turn') }}", r"\(no system turn\)"),
        ("{{ raise_exception(messages[0].content) }}", r"\(TemplateError\)"),
    ],
)
def test_a_chat_template_cannot_exhaust_look_around_or_quote(template, why):
    tokenizer = byte_tokenizer([])
    tokenizer.chat_template = template
    with pytest.raises(WaverError, match=f"chat template cannot be used .*{why}") as refused:
        chat_text(tokenizer, [{"role": "user", "content": "I met Ann Smith"}])
    assert "Ann" not in str(refused.value)


@pytest.mark.parametrize("key", ["block_count", "embedding_length", "feed_forward_length", "vocab_size"])
def test_a_gguf_file_cannot_describe_more_than_it_holds(tmp_path, monkeypatch, key):
    add = getattr(gguf.GGUFWriter, f"add_{key}")
    monkeypatch.setattr(gguf.GGUFWriter, f"add_{key}", lambda writer, _: add(writer, 10**9))
    write_gguf(tmp_path / "model.gguf")
    with pytest.raises(WaverError, match=r"model\.gguf has \w+: 1000000000"):
        CausalLm.load(tmp_path, CausalLmConfig(), "float32")


def test_a_gguf_file_without_sizes_is_not_taken_for_a_large_model(tmp_path):
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    head = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("general.architecture")
    (tmp_path / "model.gguf").write_bytes(head + struct.pack("<I", 8) + text("llama"))
    with pytest.raises(WaverError, match=r"model\.gguf is of a network of [0-9,]+ values"):
        CausalLm.load(tmp_path, CausalLmConfig(), "float32")


def _repeat() -> onnx.ModelProto:
    one = numpy_helper.from_array(np.array([10**12]), "size")
    return _graph([helper.make_node("ConstantOfShape", ["size"], ["y"])], one)


def _loop() -> onnx.ModelProto:
    kinds = {"i": TensorProto.INT64, "go": TensorProto.BOOL, "v": TensorProto.FLOAT}
    given = [helper.make_tensor_value_info(name, kind, []) for name, kind in kinds.items()]
    out = [helper.make_tensor_value_info(f"{name}2", kinds[name], []) for name in ("go", "v")]
    nodes = [helper.make_node("Identity", ["go"], ["go2"]), helper.make_node("Add", ["v", "v"], ["v2"])]
    body = helper.make_graph(nodes, "b", given, out)
    starts = {"n": np.array(10**12), "yes": np.array(True), "v0": np.array(1, np.float32)}
    arrays = [numpy_helper.from_array(value, name) for name, value in starts.items()]
    return _graph([helper.make_node("Loop", list(starts), ["y"], body=body)], *arrays)


def _graph(nodes: list[onnx.NodeProto], *arrays: onnx.TensorProto) -> onnx.ModelProto:
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, None, None])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", given, out, list(arrays))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("make", "told"), [(_repeat, "more than 768 MB of memory"), (_loop, "more than 1 s")])
def test_a_graph_without_end_is_refused(tmp_path, monkeypatch, make, told):
    monkeypatch.setattr(onnx_trial, "SECONDS", 1)
    (tmp_path / "model.onnx").write_bytes(make().SerializeToString())
    with pytest.raises(WaverError, match=rf"model\.onnx takes {told}"):
        onnx_session(tmp_path / "model.onnx", 1)


@pytest.mark.parametrize("place", ["/etc/hostname", "../elsewhere", "link"])
def test_a_graph_reads_no_file_elsewhere(tmp_path, place):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    array = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    array.external_data.add(key="location", value=place)
    (folder / "m.onnx").write_bytes(_graph([helper.make_node("Identity", ["w"], ["y"])], array).SerializeToString())
    with pytest.raises(WaverError, match="cannot be loaded as an ONNX model"):
        onnx_session(folder / "m.onnx", 1)


QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def _split(pattern: str) -> dict[str, object]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def test_a_pattern_that_fails_for_long_words_is_refused(tmp_path):
    file = write_bert(tmp_path / "model", ["a", "b"]) / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pre_tokenizer": _split("(a+)+b")}))
    with pytest.raises(WaverError, match=r"tokenizer\.json has a pattern that fails for some texts"):
        load_tokenizer(file.parent)
    check_patterns([QWEN], {"pre_tokenizer": _split(QWEN)})


def test_a_cubic_pattern_is_refused():
    """Three thousand letters take it half a minute, and the library stops it at none of them."""
    with pytest.raises(WaverError, match="more than 1 s"):
        check_patterns(["a*a*(?:Qb|Rc)"], {"pre_tokenizer": _split("a*a*(?:Qb|Rc)")}, seconds=1)
