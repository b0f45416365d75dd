"""The config as Snakemake would merge it: defaults, ``--configfile`` files in order, ``--config`` on top."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from waver.config.model import Config, load_config
from waver.errors import WaverError

PROFILE = "profiles/slurm"
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 64
"""Levels; the config has six."""
_MOST_VALUES = 100_000
"""Of a file; the defaults of all keys are some hundreds."""


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The options by which Snakemake and the commands are given a config."""
    parser.add_argument(
        "--configfile", nargs="+", action="extend", default=[], help="presets that overlay the defaults"
    )
    parser.add_argument("--config", nargs="+", action="extend", default=[], help="KEY=VALUE, as for snakemake")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the commands of this package share with Snakemake."""
    add_config_arguments(parser)
    parser.add_argument("--profile", default=PROFILE, help="folder of the cluster profile")


def read_config(files: Sequence[str | Path], overrides: Sequence[str] = ()) -> Config:
    """Merge and check.

    Args:
        files: YAML files; later ones win, key by key.
        overrides: ``KEY=VALUE`` with a YAML value, e.g. ``dataset={root: /data}``.

    Raises:
        WaverError: a file cannot be read, an override is no ``KEY=VALUE``, or the config is wrong.
    """
    values: dict[str, Any] = {}
    for file in files:
        _overlay(values, _read(Path(file)), str(file))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not (key and equals):
            raise WaverError(f"--config {override}: write KEY=VALUE, e.g. --config dataset='{{root: /data/BAH}}'")
        _overlay(values, {key: _parsed(value, f"--config {key}")}, "--config")
    return load_config(values)


def read_profile(folder: str | Path) -> dict[str, Any]:
    """A Snakemake profile, with what it takes from the environment filled in.

    Raises:
        WaverError: there is no profile in the folder, or it cannot be read.
    """
    import yte  # type: ignore[import-untyped]

    found = [Path(folder) / name for name in ("profile.yaml", "config.yaml") if (Path(folder) / name).is_file()]
    if not found:
        raise WaverError(
            f"{folder} holds no Snakemake profile (config.yaml); give its folder: --profile profiles/slurm"
        )
    try:
        with open(found[0], encoding="utf-8") as stream:
            values: dict[str, Any] = yte.process_yaml(stream) or {}
    except Exception as error:  # a profile may run any expression
        raise WaverError(f"{found[0]} cannot be read ({error}); mend it") from error
    return values


def _read(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise WaverError(f"{file} cannot be read ({error.strerror}); correct --configfile") from error
    except UnicodeDecodeError as error:
        raise WaverError(f"{file} has characters that are not UTF-8; save it as UTF-8") from error
    values = _parsed(text, str(file))
    if not isinstance(values, Mapping):
        raise WaverError(f"{file} holds no keys; a config file is a YAML mapping, see config/config.yaml")
    return values


def _parsed(text: str, where: str) -> Any:
    try:
        _check_depth(text)
        loader = _Safe(text)
        node = loader.get_single_node()
        if _size(node, {}) > _MOST_VALUES:
            raise ValueError("it repeats too many values by aliases")
        return (node and loader.construct_document(node)) or {}
    # PyYAML has no error of its own for a number, date or tag whose text is none
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        what = " ".join(str(error).splitlines()[:1]) or type(error).__name__
        raise WaverError(f"{where} is no YAML ({what}); mend it") from error


def _check_depth(text: str) -> None:
    """Refuse what would overflow the stack of PyYAML's composer, which calls itself for every level."""
    depth = 0
    for event in yaml.parse(text, Loader=_Safe):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def _size(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Values below a node with those that aliases repeat, which merged and printed values are as many as."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _overlay(values: dict[str, Any], more: Mapping[str, Any], where: str) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _overlay(values[key], value, where)
        else:
            values[key] = dict(value) if isinstance(value, Mapping) else value
