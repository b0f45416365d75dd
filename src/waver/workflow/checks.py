"""What the config names, held to the registries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from waver.errors import WaverError
from waver.modalities import packed
from waver.records import MethodRecord, Modality, check_names, method_config
from waver.registry import ANSWER_MODELS, CONTROLS, KINDS, MODALITIES


def check_registries() -> None:
    """Hold the names in the registries to each other.

    Raises:
        WaverError: two methods have one name, or one has a name that cannot be in a path; or a modality has a letter
            or a name that cannot be used, or is derived from what is not made before it.
    """
    check_modalities(MODALITIES)
    # a model of answers may be a control too; their inputs differ
    check_names({**KINDS, "controls": [name for name in CONTROLS if name not in ANSWER_MODELS]})


def check_modalities(table: Mapping[str, Modality]) -> None:
    """Hold the records of modalities to each other and to what packs and paths can hold.

    Raises:
        WaverError: one sentence that names the letter and the remedy.
    """
    taken = {"label", "source_frame", "word_of_frame"}
    made = ["faces", "speech"]
    for letter, one in table.items():
        arrays = {*packed(one), f"{one.name}_affect"} - {"word_of_frame"}
        if not re.fullmatch("[A-Z]", letter):
            raise WaverError(f"modality {letter!r}: a letter is one capital, A to Z; choose another in the registry")
        if not re.fullmatch("[a-z][a-z0-9_]*", one.name) or arrays & taken:
            raise WaverError(f"modality {letter}: its name {one.name!r} is taken or no name of an array; rename it")
        if one.feature in (*made, "answers", "embeddings", "views"):
            raise WaverError(f"modality {letter}: the feature {one.feature!r} is made already; rename it")
        if bool(one.function) != bool(one.sources):
            raise WaverError(f"modality {letter}: function and sources belong together; give both or none")
        for source in one.sources:
            needs_video = source == "faces" or any(o.feature == source and o.recorded for o in table.values())
            if source not in made or (needs_video and not one.recorded):
                raise WaverError(
                    f"modality {letter}: {source!r} is not made before it (known are {', '.join(made)}), or needs a "
                    "recording, which its record does not say (recorded)"
                )
        taken |= arrays
        made += [one.feature] if one.feature else []


def check_methods(
    key: str,
    table: Mapping[str, MethodRecord],
    names: Iterable[str],
    options: Mapping[str, Mapping[str, Any]],
    load: bool,
) -> None:
    """Hold a section's methods, and the options that it gives them, to their registry.

    Args:
        key: of the config where the methods are named, for the error.
        table: the registry.
        names: the methods.
        options: method -> keys of its own config.
        load: hold the options to the methods' own configs too, which imports the methods, and torch with them.

    Raises:
        WaverError: a method is unknown, or has no such option.
    """
    for name in sorted({*names, *options}):
        if name not in table:
            raise WaverError(f"{key}: {name!r} is not a known method; known are {', '.join(table)}")
    for name, values in options.items() if load else ():
        method_config(table, name, values)
