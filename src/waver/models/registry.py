"""Names of models and where they live; nothing is imported until it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from waver.errors import WaverError

FUSIONS: dict[str, str] = {
    "lfan": "waver.models.fusion.lfan:Lfan",
    "can": "waver.models.fusion.can:Can",
    "mt": "waver.models.fusion.mt:Mt",
    "jmt": "waver.models.fusion.jmt:Jmt",
    "conflict": "waver.models.fusion.conflict:Conflict",
}

ANSWER_MODELS: dict[str, str] = {
    "question_prior": "waver.models.text.prior:QuestionPrior",
    "tfidf": "waver.models.text.tfidf:Tfidf",
    "cues": "waver.models.text.cues:Cues",
    "sentence": "waver.models.text.sentence:Sentence",
    "content": "waver.models.text.content:Content",
    "sequence": "waver.models.text.sequence:SequenceModel",
    "encoder": "waver.models.text.encoder:TunedEncoder",
}


def load(table: Mapping[str, str], name: str) -> Any:
    """The class that a table of methods has under ``name``.

    Args:
        table: name -> ``"module:Class"``.
        name: the method wanted.

    Raises:
        WaverError: the table has no such name.
    """
    if name not in table:
        raise WaverError(f"{name!r} is not a known method; known are {', '.join(sorted(table))}")
    module, attribute = table[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def method_config(table: Mapping[str, str], name: str, options: Mapping[str, Any]) -> Any:
    """A method's own frozen config: its defaults, changed by ``options``.

    Raises:
        WaverError: an option is unknown or has a value of the wrong kind.
    """
    config = load(table, name).Config
    try:
        return config(**options)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem, config) for problem in error.errors())
        raise WaverError(f"options of {name}: {problems}; correct them in the config") from None


def _sentence(problem: Any, config: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the whole"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key (known are {', '.join(config.model_fields)})"
    return f"{where}: {problem['msg']}"
