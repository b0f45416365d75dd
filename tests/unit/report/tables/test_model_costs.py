import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from waver.assets.manifest import Installed
from waver.io.tables import FEATURE_INDEX, PREDICTIONS, write_table
from waver.report.build import render_report
from waver.report.formatting import method_name
from waver.report.papers.section import Papers, papers_section
from waver.report.tables.formats import FORMS, read_table_index, with_ours
from waver.report.tables.model_costs import COLUMNS, CostInputs, cost_table
from waver.report.tables.names import FIGURE, TABLES
from waver.report.tables.parameter_counts import parameters_in
from waver.report.tables.write import TableInputs, write_tables
from waver.training.profiling.record import Cost, write_cost

pytestmark = pytest.mark.slow

LFAN = Cost("lfan", "VAT", 5_001_378, 5_001_378, "window", 696, 6_950_289_408, (60, 31), 12.5, 2e-5, 641, 1, "a CPU")
VIDEO = Cost("focalnet_tiny", "V", 49_247_210, 49_247_210, "video", 641, 2 * 10**9, (60,), 80.0, 1e-3, 641, 2, "a CPU",
             sees_pixels=True)  # fmt: skip


def record(folder, name, role, files):
    path = folder / name / "asset.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = Installed(name=name, role=role, set="embedded", title=f"{name}, a network", licence="MIT",
                      folder=str(path.parent), files=dict.fromkeys(files, "0"))  # fmt: skip
    path.write_text(about.model_dump_json())
    return path


def benchmark(folder, rule, name, *jobs):
    path = folder / rule / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"s": s, "cpu_time": cpu}) + "\n" for s, cpu in jobs))


@pytest.fixture
def inputs(tmp_path):
    models, marks = tmp_path / "models", tmp_path / "benchmarks"
    face = record(models, "face", "expression_backbone", ["model.safetensors"])
    save_file({"a.weight": np.zeros((10, 3), np.float32), "b.running_mean": np.zeros(9, np.float32)},
              face.parent / "model.safetensors")  # fmt: skip
    words = record(models, "words", "word_encoder", ["notes.txt"])
    (words.parent / "notes.txt").write_text("no weights")
    costs = [tmp_path / "train/lfan/VAT/cost.json", tmp_path / "train/videos/focalnet_tiny/V/cost.json"]
    write_cost(costs[0], LFAN)
    write_cost(costs[1], VIDEO)
    answers = tmp_path / "tfidf.parquet"
    about = {"method": "tfidf", "modalities": "T", "level": "video", "protocol": "standard", "seed": 0}
    write_table(answers, [], PREDICTIONS, {**about, "parameters": 1234})
    index = tmp_path / "000.parquet"
    videos = [("82001_Q1", "ok", 200), ("82001_Q2", "set_aside", 0), ("82002_Q1", "ok", 300)]
    empty = {"key": "", "note": "", "reason": None, "remedy": None}
    write_table(index, [{"video": v, "participant": v[:5], "status": s, "frames": f, **empty} for v, s, f in videos],
                FEATURE_INDEX)  # fmt: skip
    benchmark(marks, "train_fusion", "lfan/VAT/0", (9, 99.0), (100, 80.0))
    benchmark(marks, "train_fusion", "lfan/VAT/1", (100, 100.0))
    benchmark(marks, "train_answers", "tfidf/T/0", (5, 4.0))
    benchmark(marks, "features_visual", "000", (2.5, 2.0))
    features = {"visual": [index], "words": [index], "audio": [index]}
    return CostInputs(costs, [answers], [face, words], features, marks)


def cells(sheet, label):
    found = [line for line in sheet.lines if line.labels[0].startswith(label)]
    assert len(found) == 1, [line.labels for line in sheet.lines]
    heads = [column.head for column in COLUMNS]
    return found[0].body, dict(zip(heads, found[0].cells, strict=True))


def test_costs_of_trained_models(inputs):
    sheet = cost_table(inputs)
    body, lfan = cells(sheet, "LFAN V+A+T")
    assert body == "Models of frames"
    assert lfan["Parameters"].text == lfan["of these trainable"].text == "5,001,378"
    assert (lfan["Frames of the input"].text, lfan["Frames of the input"].below) == ("696", "window")
    assert (lfan["GFLOPs"].text, lfan["GMACs"].text) == ("6.95", "3.48")
    assert lfan["Seconds per epoch"].text == "12.5"
    assert lfan["Epochs"].text == "31–60"
    assert lfan["CPU time of a job"].values == (90.0,)  # the last measurement of each seed
    assert lfan["ms per frame"].text == "0.02"
    assert (lfan["On"].text, sheet.notes[lfan["On"].note - 1]) == ("1 thread", "a CPU")
    # the words' file has no known form, so nobody knows the sum
    assert lfan["with frozen extractors"].text == "–"
    body, video = cells(sheet, method_name("focalnet_tiny", "V"))
    assert body == "Models of videos"
    assert video["with frozen extractors"].text == "–"
    assert video["CPU time of a job"].text == "–"


def test_frozen_extractors_are_added_to_what_sees_their_features(inputs, tmp_path):
    write_cost(tmp_path / "train/lfan/VA/cost.json", Cost(**{**LFAN.__dict__, "modalities": "VA"}))
    sheet = cost_table(CostInputs([tmp_path / "train/lfan/VA/cost.json"], *list(inputs.__dict__.values())[1:]))
    _, lfan = cells(sheet, "LFAN V+A")
    assert lfan["with frozen extractors"].text == "5,001,408"  # 30 of the face's network, none of the sound's


def test_costs_of_frozen_extractors(inputs):
    sheet = cost_table(inputs)
    body, visual = cells(sheet, "visual: face, a network")
    assert body == "Frozen feature extractors"
    assert (visual["Parameters"].text, visual["of these trainable"].text) == ("30", "0")
    assert visual["ms per frame"].text == "5"  # 2.5 s over 500 frames
    assert visual["CPU time of a job"].values == (2.0,)
    _, words = cells(sheet, "words: words, a network")
    assert (words["Parameters"].text, words["ms per frame"].text) == ("–", "–")
    assert "another run" in sheet.notes[words["ms per frame"].note - 1]
    _, audio = cells(sheet, "audio: no network")
    assert audio["Parameters"].text == "0"


def test_a_model_whose_file_was_deleted_has_no_number_of_parameters(inputs):
    (inputs.models[0].parent / "model.safetensors").unlink()
    _, visual = cells(cost_table(inputs), "visual: face, a network")
    assert (visual["Parameters"].text, visual["ms per frame"].text) == ("–", "5")


def test_costs_of_models_of_answers_and_the_papers(inputs):
    sheet = cost_table(inputs)
    body, tfidf = cells(sheet, "TF-IDF, words")
    assert body == "Models of answers"
    assert tfidf["Parameters"].text == "1,234"
    assert tfidf["CPU time of a job"].values == (4.0,)
    body, printed = cells(sheet, "LFAN with ResNet152")
    assert body == "Published"
    assert printed["with frozen extractors"].text == "≈ 223 M"
    assert printed["of these trainable"].text == "≈ 5 M"
    assert (printed["GFLOPs"].text, printed["GMACs"].text) == ("≈ 1,870", "≈ 938")
    assert (printed["Seconds per epoch"].text, printed["ms per frame"].text) == ("≈ 300", "≈ 0.12")
    assert sheet.ours == len(sheet.lines) - 1


def test_parameters_of_files(tmp_path):
    def counted(*names):
        return parameters_in(Installed(name="x", role="r", set="path", title="", licence="", folder=str(tmp_path),
                                       files=dict.fromkeys(("config.json", *names), "")))  # fmt: skip

    state = {"w": torch.zeros(4, 5), "bn.running_var": torch.zeros(7), "bn.num_batches_tracked": torch.zeros(())}
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"format": 1, "state_dict": state}, tmp_path / "ours.pth")
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert counted("plain.pt") == counted("ours.pth") == counted("pytorch_model.bin") == 20
    _write_onnx(tmp_path / "model.onnx")
    assert counted("model.onnx") == 6
    _write_ctranslate2(tmp_path / "model.bin")
    assert counted("model.bin") == 12
    parts = [f"deep/model-0000{place}-of-00002.safetensors" for place in (1, 2)]
    (tmp_path / "deep").mkdir()
    for part, rows in zip(parts, (3, 4), strict=True):
        save_file({f"w{rows}": np.zeros((rows, 5))}, tmp_path / part)
    assert counted(*parts) == counted(*parts, "plain.pt") == 35
    torch.save({"v": torch.zeros(2)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    torch.save(state, tmp_path / "pytorch_model-00001-of-00002.bin")
    assert counted("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin") == 22
    (tmp_path / parts[1]).write_bytes(b"no")
    assert counted(*parts) is None, "a part of a model is none"
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    assert counted("broken.pt") is counted("broken.safetensors") is counted("words.txt") is None


def _write_onnx(path):
    from onnx import TensorProto, helper, save

    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], np.zeros(6))
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2, 3])
    save(helper.make_model(helper.make_graph([], "g", [], [], [weights, shape])), path)


def _write_ctranslate2(path):
    """Two variables, a scale of a quantised one, and a number."""

    def text(words):
        return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"

    variables = [("a/weight", (3, 4), 12), ("a/weight_scale", (3,), 12), ("version", (), 4)]
    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, shape, size in variables:
        content += text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
        content += struct.pack("<BI", 1, size) + bytes(size)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    """The tables of the report tests' run, made from its scores."""
    folder = tmp_path_factory.mktemp("tables") / "tables"
    costs = CostInputs([], [], made.inputs.models, {"faces": made.inputs.feature_indexes["faces"]}, Path("nowhere"))
    write_tables(
        TableInputs(made.inputs.scores, {}, costs, "mini_xception", ["fine_tuned"], "synthetic", False), folder
    )
    return folder


def test_every_table_is_written_in_every_form(written):
    found = {path.name for path in written.iterdir()}
    wanted = {f"{name}.{form}" for name in TABLES for form in FORMS} | {f"{FIGURE}.svg", "tables.json"}
    assert found == wanted
    assert "| Visual + Audio + Text |" in (written / "2026_table_2.md").read_text()
    filled = {sheets[0].name for sheets in with_ours(read_table_index(written / "tables.json"))}
    assert {"2026_table_1", "2026_table_2", "2026_table_3", "2025_table_17"} <= filled
    assert "2026_table_4" not in filled


def test_the_files_name_and_quote_nobody(written, made, gate_of, report_config):
    from waver.report.data import load

    gate = gate_of(load(made.inputs, report_config, "demo", True))
    people = {row["participant"] for row in load(made.inputs, report_config, "demo", True).participants}
    for path in written.iterdir():
        text = path.read_text()
        gate.check(text)
        words = set(text.replace("|", " ").replace(",", " ").replace("&", " ").split())
        assert not people & words, path


def test_the_page_shows_tables_with_ours_and_links_their_files(written, made, report_config, tmp_path):
    from dataclasses import replace

    inputs = replace(made.inputs, tables=written / "tables.json")
    render_report(inputs, report_config, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    html = (tmp_path / "report.html").read_text()
    section = html[html.index('id="papers"') : html.index('id="figures"')]
    for form in FORMS:
        assert f'href="tables/2026_table_2.{form}"' in section
    assert "2026 paper, Table 2" in section
    assert ".5502" in section
    assert "not run; to run it: train.runs" in section
    assert section.count("Content-free control") >= 10
    assert "Table 4: Video models" in section.split("Not shown")[1]
    assert section.count("<details open>") == 1
    assert '<a href="#papers">' in html
    cost = html[html.index('id="costs"') :]
    assert "Costs of models" in cost
    assert 'href="tables/compute.csv"' in cost
    assert "≈ 223 M" in cost


def test_a_page_without_tables_has_no_section():
    assert papers_section(None) == Papers()
    assert papers_section(None).fullest == ""
