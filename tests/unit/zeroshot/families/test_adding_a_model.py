"""The page adds a model: its file and its record, as printed."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from test_scoring import ANSWERS, prompts, write_llama

from checkout import ROOT
from waver import registry
from waver.records import ZeroShotModelRecord, load, method_config
from waver.zeroshot.families.base import Item

PAGE = (ROOT / "docs/zeroshot.md").read_text()


@pytest.fixture
def added(monkeypatch) -> None:
    """The page's family, as if its file were in its place, and its record in the registry."""
    file, record = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module = types.ModuleType("waver.zeroshot.families.plain")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(file, "plain.py", "exec"), module.__dict__)
    known = eval(f"{{{record}}}", {"ZeroShotModelRecord": ZeroShotModelRecord})
    monkeypatch.setattr(registry, "ZERO_SHOT_MODELS", registry.ZERO_SHOT_MODELS | known)


@pytest.mark.usefixtures("added")
def test_the_page_adds_a_model_that_is_asked(tmp_path: Path):
    config = method_config(registry.ZERO_SHOT_MODELS, "plain", {"head": "So:"})
    model = load(registry.ZERO_SHOT_MODELS, "plain").load(write_llama(tmp_path), config, "float32")
    prompted = prompts("Perhaps.", "td1", "td2")
    assert model.wrapped(Item(), prompted[0]).endswith("only one word:\nSo:")
    (scores,) = model.score([Item()], [prompted], ANSWERS, "first_token")
    assert all(0 < one.mass < 1 for one in scores)
