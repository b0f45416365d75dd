"""Folders of models that bring code: none of it runs, nobody is asked, and the error is one sentence."""

from __future__ import annotations

import ast
import builtins
import json
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from checkout import ROOT
from tiny_bert import write_bert
from tiny_clip import write_clip
from tiny_speech import saved, saved_ctc
from waver.errors import WaverError
from waver.features.answer_encodings import encode_answers
from waver.features.audio.speech_encoder import SpeechEncoder, _valence_head
from waver.features.cues.sentiment import load_sentiment
from waver.features.forced_alignment import Aligner
from waver.features.speech import load_whisper
from waver.features.words import TextEncoder
from waver.models.text.pretrained_encoder import load_backbone, load_tokenizer
from waver.models.text.sentence_encoder import SentenceEncoder
from waver.models.video.emoclip import _clip
from waver.models.weights import read_state

CPU = torch.device("cpu")
RAN = "canary_of_a_model_folder"
CODE = f"import sys\nsys.modules[{RAN!r}] = sys\n" + "\n".join(
    f"class {name}:\n    @classmethod\n    def from_pretrained(cls, *a, **k): sys.modules[{RAN!r}] = sys"
    for name in ("Config", "Model", "Words", "Sound")
)


class Runs:
    """Pickled, it runs code when it is read back."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (f"import sys; sys.modules[{RAN!r}] = sys",)


def _bert(folder: Path) -> Path:
    return write_bert(folder, ["a", "b"])


LOADERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "tokenizer": (_bert, load_tokenizer),
    "text encoder": (_bert, lambda folder: load_backbone(folder, CPU)),
    "words": (_bert, lambda folder: TextEncoder(folder, 1, CPU)),
    "answers": (_bert, lambda folder: encode_answers(["a b"], folder, folder, 1)),
    "sentences": (_bert, lambda folder: SentenceEncoder(folder, CPU)),
    "sentiment": (_bert, lambda folder: load_sentiment(folder, CPU)),
    "speech encoder": (saved, lambda folder: SpeechEncoder(folder, -1, CPU)),
    "aligner": (saved_ctc, lambda folder: Aligner(folder, "aligner_en", CPU)),
    "CLIP": (write_clip, lambda folder: _clip(folder, [["a"]])),
}
SETTINGS = ("config.json", "tokenizer_config.json", "preprocessor_config.json")


@pytest.fixture(autouse=True)
def _nobody_is_asked_and_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def asked(*_: object) -> str:
        raise AssertionError("a question on the terminal")

    monkeypatch.setattr(builtins, "input", asked)
    sys.modules.pop(RAN, None)
    yield
    assert RAN not in sys.modules, "code of the folder ran"


@pytest.mark.parametrize("known", [True, False], ids=["known architecture", "unknown architecture"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_folder_with_code_is_refused_in_one_sentence(tmp_path, loader, known):
    write, load = LOADERS[loader]
    folder = write(tmp_path / "model")
    (folder / "own.py").write_text(CODE)
    here = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoFeatureExtractor": "own.Sound",
            "AutoModelForSequenceClassification": "own.Model", "AutoTokenizer": ["own.Words", "own.Words"]}  # fmt: skip
    for name in SETTINGS:
        file = folder / name
        settings = json.loads(file.read_text()) if file.exists() else {}
        settings |= {"auto_map": here} if known else {"auto_map": here, "model_type": "its_own"}
        file.write_text(json.dumps(settings))
    with pytest.raises(WaverError, match="names code of the model's own") as refused:
        load(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("loader", [name for name in LOADERS if name != "tokenizer"])
def test_a_pickled_object_among_the_weights_is_not_made(tmp_path, loader):
    write, load = LOADERS[loader]
    folder = write(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"embeddings.weight": Runs()}, folder / "pytorch_model.bin")
    with pytest.raises(WaverError, match="holds no"):
        load(folder)


def test_a_pickled_object_in_a_file_of_weights_is_not_made(tmp_path):
    file = tmp_path / "weights.pt"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "args": Runs()}, file)
    assert list(read_state(file, "network")) == ["a"]
    for number, protocol in enumerate((2, 4)):
        old = tmp_path / f"old{number}.pt"
        old.write_bytes(pickle.dumps(Runs(), protocol))
        with pytest.raises(WaverError, match="cannot be read as network weights"):
            read_state(old, "network")


def test_the_valence_head_reads_tensors_alone(tmp_path):
    folder = saved(tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    settings["id2label"] = {"0": "arousal", "1": "dominance", "2": "valence"}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(WaverError, match="cannot be read"):
        _valence_head(folder, 16, CPU)


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b"[" * 5000, b'"auto_map"', b'{"model_type": 3}', b'{"model_type": "bert", "hidden_size": "x"}',
        b'{"model_type": "bert", "quantization_config": {"quant_method": "x"}}', b"\xff\xfe",
        b'{"model_type": "bert", "_attn_implementation": "someone/kernel"}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("loader", ["text encoder", "speech encoder", "CLIP"])
def test_settings_that_are_none_are_told_in_one_sentence(tmp_path, content, loader):
    write, load = LOADERS[loader]
    folder = write(tmp_path / "model")
    (folder / "config.json").write_bytes(content)
    with pytest.raises(WaverError) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_a_whisper_folder_without_a_tokenizer_is_not_completed_from_a_hub(tmp_path):
    with pytest.raises(WaverError, match=r"has no tokenizer\.json"):
        load_whisper(tmp_path, "cpu", "int8")


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("bench/*.py"), *ROOT.glob("workflow/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), node


RUN = frozenset({"eval", "exec", "os.system", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load"})
PICKLES = ("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "shelve.open", "marshal.loads")
NEEDED = {
    "torch.load": "weights_only=True", "np.load": "allow_pickle=False", ".from_pretrained": "**LOCAL",
    "SentenceTransformer": "**LOCAL",
}  # fmt: skip
SITE = "src/waver/cluster/slurm.py"
"""Evaluates expressions of the site's own Snakemake profile, as Snakemake does."""


@pytest.mark.slow
def test_no_call_reads_what_could_run():
    """Every call in this source that may read code from a file says that none of it runs."""
    found: set[str] = set()
    wrong = []
    for where, function, call in _calls():
        text = ast.unparse(call)
        for name, option in NEEDED.items():
            if function == name or (name[0] == "." and function.endswith(name)):
                found.add(name)
                wrong += [] if option in text else [f"{where}: {text}"]
        loader = function == "yaml.load" and not re.search(r"CSafeLoader|ReleaseLoader|[lL]oader=loader", text)
        if loader or function in PICKLES or (function in RUN and not where.startswith(SITE)):
            wrong.append(f"{where}: {text}")
    assert not wrong
    assert found == set(NEEDED)


def test_a_recogniser_that_is_none_is_told_in_one_sentence(tmp_path):
    for name, content in {"model.bin": b"\x06\0\0\0\xff\xff", "config.json": b"{}", "tokenizer.json": b"{}"}.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WaverError, match="holds no Whisper in CTranslate2's format") as refused:
        load_whisper(tmp_path, "cpu", "int8")
    assert "\n" not in str(refused.value)
