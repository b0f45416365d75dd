"""Names of models and where they live; nothing is imported until it is asked for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
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

TEMPORALS: dict[str, str] = {
    "tcn": "waver.models.temporal.tcn:Tcn",
    "bigru": "waver.models.temporal.bigru:BiGru",
    "mstcn": "waver.models.temporal.mstcn:MsTcn",
    "asformer": "waver.models.temporal.asformer:AsFormer",
    "ssm": "waver.models.temporal.ssm:Ssm",
    "xl": "waver.models.temporal.xl:Xl",
}
"""Temporal contexts of one stream, see ``waver.models.contracts.Temporal``."""
OWN_CONTEXT = frozenset({"conflict"})
"""Fusions that look at time in a way of their own, and not by one of ``TEMPORALS``."""

EXPLAINED = frozenset({"conflict"})
"""Fusions that offer ``explain``: what led to their logits, frame by frame."""

BACKBONES: dict[str, str] = {
    "resnet18": "waver.models.backbones.resnet:ResNet18",
    "resnet34": "waver.models.backbones.resnet:ResNet34",
    "resnet50": "waver.models.backbones.resnet:ResNet50",
    "resnet101": "waver.models.backbones.resnet:ResNet101",
    "resnet152": "waver.models.backbones.resnet:ResNet152",
    "apvit": "waver.models.backbones.apvit:Apvit",
    "ir50": "waver.models.backbones.ir50_embedding:Ir50Embedding",
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

VIDEO_MODELS: dict[str, str] = {
    "focalnet_tiny": "waver.models.video.focalnet:VideoFocalNet",
    "focalnet_small": "waver.models.video.focalnet:VideoFocalNet",
    "focalnet_base": "waver.models.video.focalnet:VideoFocalNet",
    "emoclip": "waver.models.video.emoclip:EmoClip",
    "discrepancy": "waver.models.video.discrepancy:Discrepancy",
}
VIDEO_INPUTS: dict[str, str] = {
    "focalnet_tiny": "faces",
    "focalnet_small": "faces",
    "focalnet_base": "faces",
    "emoclip": "faces",
    "discrepancy": "features",
}
"""What a video model looks at: the pixels of faces, or the features of all frames."""
VIDEO_ASSETS: dict[str, str] = {"emoclip": "clip"}
"""Role of the model without which a video model cannot be built."""
VIDEO_LOADERS: dict[str, str] = {
    "focalnet_tiny": "waver.models.video.focalnet:load_focalnet_weights",
    "focalnet_small": "waver.models.video.focalnet:load_focalnet_weights",
    "focalnet_base": "waver.models.video.focalnet:load_focalnet_weights",
    "emoclip": "waver.models.video.emoclip_weights:load_emoclip_weights",
}
"""Of a video model that may begin with weights of a file: ``(model, path)``; the file's role is the model's name."""
IMPLIED: dict[str, dict[str, Any]] = {
    "focalnet_tiny": {"size": "tiny"},
    "focalnet_small": {"size": "small"},
    "focalnet_base": {"size": "base"},
}
"""Options that a name stands for."""


_NAME = re.compile(r"[a-z][a-z0-9_]*")
FOLDERS = frozenset({"videos"})
"""Folders below ``results/<run>/train`` that no method may be called like."""


def check_names(tables: Mapping[str, Iterable[str]]) -> None:
    """Hold methods to names by which paths and tables of scores tell them apart, whatever kind they are of.

    Args:
        tables: what the methods of a table are -> their names.

    Raises:
        WaverError: a name has other characters, is that of a folder, or stands in two tables.
    """
    owner: dict[str, str] = {}
    for kind, names in tables.items():
        for name in names:
            if not _NAME.fullmatch(name):
                raise WaverError(
                    f"{kind}: {name!r} must be lower-case letters, digits and _, a letter first; rename it"
                )
            if name in FOLDERS:
                raise WaverError(f"{kind}: {name!r} is a folder of results; rename the method")
            if name in owner:
                raise WaverError(f"{name!r} is called so twice, among {owner[name]} and {kind}; rename one of them")
            owner[name] = kind


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
    """A method's own frozen config: its defaults, changed by ``options`` and by what its name stands for.

    Raises:
        WaverError: an option is unknown or has a value of the wrong kind.
    """
    config, implied = load(table, name).Config, IMPLIED.get(name, {})
    for key, value in implied.items():
        if options.get(key, value) != value:
            raise WaverError(f"options of {name}: {key} of {name} is {value}; leave it out, or name another model")
    try:
        return config(**{**options, **implied})
    except ValidationError as error:
        problems = "; ".join(_sentence(problem, config) for problem in error.errors())
        raise WaverError(f"options of {name}: {problems}; correct them in the config") from None


def _sentence(problem: Any, config: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the whole"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key (known are {', '.join(config.model_fields)})"
    return f"{where}: {problem['msg']}"
