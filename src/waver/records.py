"""What the registry says of a method or a modality, and how a method is loaded by it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from waver.errors import WaverError

_NAME = re.compile(r"[a-z][a-z0-9_]*")
FOLDERS = frozenset({"videos", "backbones"})
"""Folders below ``results/<run>/train`` that no method may be called like."""


@dataclass(frozen=True)
class Record:
    """Something by name.

    Attributes:
        target: ``"module:name"`` of its class or function.
    """

    target: str


@dataclass(frozen=True, kw_only=True)
class MethodRecord(Record):
    """A class with a config of its own, its class attribute ``Config``.

    Attributes:
        label: name in tables and figures; else its name in the registry, with spaces.
        implied: options that its name stands for; the user cannot change them.
    """

    label: str = ""
    implied: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FusionRecord(MethodRecord):
    """A model of frames, see ``waver.models.base.Fusion``.

    Attributes:
        own_temporal: it looks at time in a way of its own or not at all, and takes none of TEMPORALS.
        explains: it offers ``explain``: what led to its logits, frame by frame.
    """

    own_temporal: bool = False
    explains: bool = False


@dataclass(frozen=True, kw_only=True)
class VideoModelRecord(MethodRecord):
    """A model of whole videos, see ``waver.models.base.VideoModel``.

    Attributes:
        inputs: what it looks at: the pixels of faces, or the features of all frames.
        asset: role of the installed model without which it cannot be built.
        loader: ``"module:function"`` of a model that may begin with weights of a file, called with the model and the
            path; the role of the file is the model's name.
        recipe: keys of the training section in which its authors differ from those of Video-FocalNet, whose recipe is
            the section's default.
    """

    inputs: Literal["faces", "features"]
    asset: str = ""
    loader: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AdaptationRecord(MethodRecord):
    """A method of personalisation, see ``waver.adaptation.base``.

    Attributes:
        sees: what it is given of source and target, as its class ``needs`` it; for tables.
        target_labels: it, or the choice of its epoch, is given labels of the person it is scored on: a ceiling, never
            the best.
        fusions: it adapts trained fusions too (``adapt.fusions``).
        faces: it adapts networks that look at faces too (``adapt.faces``).
        source: it is given labelled frames of the source.
        baseline: method of the same network without adaptation, with which it is compared.
    """

    sees: str
    target_labels: bool = False
    fusions: bool = False
    faces: bool = False
    source: bool = False
    baseline: str = "source_only"


@dataclass(frozen=True, kw_only=True)
class VisionLanguageRecord(AdaptationRecord):
    """A method that adapts CLIP, see ``waver.adaptation.vision_language.base``.

    Attributes:
        resets: what it begins anew with each of, in words, for tables; empty where nothing changes.
        views: it is given views of each frame; an option of that name may ask for them too.
        pictures: it is given the pictures.
        fitted: it is prepared on the train split by a job of its own.
    """

    resets: str = ""
    views: bool = False
    pictures: bool = False
    fitted: bool = False


@dataclass(frozen=True, kw_only=True)
class ZeroShotModelRecord(MethodRecord):
    """A model that is asked, see ``waver.zeroshot.families.base``. Its name is what ``zeroshot.models`` lists.

    Attributes:
        inputs: what it is shown: the transcript alone, or with it the video, or the face and the sound.
        asset: role of the installed model; empty of one that is not in this process.
        released: class that an unparsable answer counts as in its authors' code (policy ``as_released``).
        local: nothing that it is asked leaves the machine.
    """

    inputs: Literal["text", "video", "face_audio"]
    asset: str = ""
    released: Literal[0, 1] = 1
    local: bool = True


@dataclass(frozen=True)
class ControlRecord:
    """A predictor that sees no person, see ``waver.evaluation.controls``.

    Attributes:
        label: name in tables and figures.
        constant: it gives one answer for everything.
    """

    label: str
    constant: bool = False


@dataclass(frozen=True, kw_only=True)
class Modality:
    """What models may be given of every frame: one stream, in packs and in models.

    Its letter is its key in the registry. The features of most are made by a rule of their own,
    ``features_<feature>``. Those of one with a ``function`` are derived from features that are there already, by the
    rule ``features_derived``; see ``waver.features.derived``. A record has no methods, which code fingerprints could
    not follow through the registry; see ``waver.modalities``.

    Attributes:
        name: of its stream in packs and models.
        label: what it is, in words, for the report.
        feature: feature whose stores hold it; empty where none does, and it is the context in which a person speaks.
        arrays: of a store, those that are put on the clock: values float32 [T, D], and bool [T], where there are any.
        by_word: the values are those of words, [W, D], and the second array is the word of each frame, int32 [T].
        channels: of the blocks of its stream, in fusions that give it no others.
        recorded: it needs a recording: a data set of transcripts alone lacks it.
        sufficient: a video of which there is this modality alone is used.
        affect: there are targets of affect for it.
        networks: roles of the frozen models that may compute its features.
        receptive_field: ``"module:function"`` of how far its feature looks around a frame, see
            ``waver.features.receptive_fields``; without it there is no personalisation with this modality.
        function: ``"module:function"`` that derives the feature of one video.
        sources: features that it is derived from.
    """

    name: str
    label: str
    feature: str
    channels: tuple[int, ...]
    arrays: tuple[str, str] = ("feature", "valid")
    by_word: bool = False
    recorded: bool = False
    sufficient: bool = True
    affect: bool = False
    networks: tuple[str, ...] = ()
    receptive_field: str = ""
    function: str = ""
    sources: tuple[str, ...] = ()


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


def imported(target: str) -> Any:
    """The class or function that ``"module:name"`` names."""
    module, attribute = target.split(":")
    return getattr(importlib.import_module(module), attribute)


def load(table: Mapping[str, Record], name: str) -> Any:
    """The class or function that a table has under ``name``.

    Raises:
        WaverError: the table has no such name.
    """
    if name not in table:
        raise WaverError(f"{name!r} is not a known method; known are {', '.join(sorted(table))}")
    return imported(table[name].target)


def method_config(table: Mapping[str, MethodRecord], name: str, options: Mapping[str, Any]) -> Any:
    """A method's own frozen config: its defaults, changed by ``options`` and by what its name stands for.

    Raises:
        WaverError: an option is unknown or has a value of the wrong kind.
    """
    config, implied = load(table, name).Config, table[name].implied
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
