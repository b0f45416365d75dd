"""A finished run without its computing: the files lie empty, and Snakemake marks them as made (``--touch``)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from checkout import ROOT
from waver.cluster.planning import snakemake


def overlay(folder: Path, config: dict[str, Any], changes: dict[str, Any]) -> list[str]:
    """Arguments that run a config with changes."""
    for name, values in (("config", config), ("changes", changes)):
        (folder / f"{name}.json").write_text(json.dumps(values))
    return ["--configfile", str(folder / "config.json"), str(folder / "changes.json")]


def touch_outputs(folder: Path, config: dict[str, Any], targets: Sequence[str], root: Path = ROOT) -> None:
    """Make all that a config needs for its targets, as empty files; ``root`` is the checkout that runs."""
    arguments = overlay(folder, config, {})
    for _ in range(2):  # before ingest, and after
        for line in snakemake(root, folder, [*arguments, "--summary", *targets]).text.splitlines():
            if re.match(r"re(sources|sults)/\S+\t", line):
                file = folder / line.split("\t")[0]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    snakemake(root, folder, [*arguments, "--touch", "--forceall", *targets])


def edited(text: str, line: str) -> str:
    """The text with one more statement in a definition, or another value of a constant."""
    assert text.count("\n" + line) == 1
    tree = ast.parse(text)
    first = text[: text.index("\n" + line)].count("\n") + 2
    node = next(node for node in tree.body if node.lineno == first)
    if isinstance(node, ast.Assign):
        node.value = ast.BoolOp(ast.And(), [node.value, node.value])
    else:
        node.body.append(ast.Pass())
    return ast.unparse(tree)
