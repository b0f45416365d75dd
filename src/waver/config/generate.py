"""Writes the files generated from the config models: ``config.yaml`` and ``schema.json`` in config, ``docs/config.md``.

``python -m waver.config.generate`` rewrites them; with ``--check`` it only reports whether they are up to date.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from waver.config.model import Config

ROOT = Path(__file__).resolve().parents[3]

_EXPONENT = re.compile(r"(?<=[ \[])(\d+)e(?=[+-]\d)")
"""YAML takes 3e-05 for text, and 3.0e-05 for a number."""


def config_yaml() -> str:
    """The defaults with the description of each key as a comment above it."""
    head = "# Defaults, generated from src/waver/config (make config). Presets in config/presets overlay them.\n"
    return head + "\n".join(_yaml_lines(Config())) + "\n"


def _yaml_lines(section: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            summary = (type(value).__doc__ or "").split("\n")[0]
            yield f"{indent}# {summary}" if indent else f"\n# {summary}"
            yield f"{indent}{name}:"
            yield from _yaml_lines(value, indent + "  ")
            continue
        text = f"{indent}# {field.description}"
        yield from textwrap.wrap(text, 100, subsequent_indent=f"{indent}# ", break_long_words=False)
        plain = json.loads(json.dumps(value, default=_plain))
        value_text = _EXPONENT.sub(r"\1.0e", json.dumps(plain))
        yield f"{indent}{name}: {value_text}"


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_defaults=True) if isinstance(value, BaseModel) else list(value)


def schema_json() -> str:
    """JSON Schema of the config, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def docs_table() -> str:
    """Markdown page with every key, its default and meaning."""
    lines = [
        "# Config keys",
        "",
        "Generated from `src/waver/config` by `make config`. A preset or `--config` overlays these defaults;",
        "an unknown key stops the run.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *_table_rows(Config(), "")]) + "\n"


def _table_rows(section: BaseModel, prefix: str) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _table_rows(value, f"{prefix}{name}.")
        else:
            default = json.dumps(value, default=_plain)
            yield f"| `{prefix}{name}` | `{default}` | {field.description} |".replace("->", "→")


def generated_files() -> dict[Path, str]:
    """What each generated file must hold."""
    return {
        ROOT / "config/config.yaml": config_yaml(),
        ROOT / "config/schema.json": schema_json(),
        ROOT / "docs/config.md": docs_table(),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` name those that are out of step."""
    stale = [path for path, text in generated_files().items() if not path.exists() or path.read_text() != text]
    if "--check" not in arguments:
        for path in stale:
            path.write_text(generated_files()[path])
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is out of step' if '--check' in arguments else 'written'}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
