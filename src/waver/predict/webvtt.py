"""WebVTT: annotations as captions (https://www.w3.org/TR/webvtt1/); ``transcript_files`` reads them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from waver.datasets.clean_text import printable
from waver.datasets.elan.annotations import Annotation
from waver.io.atomic import atomic_write


def write_vtt(path: Path, captions: Sequence[Annotation]) -> None:
    """Write captions; they may overlap."""
    blocks = ["WEBVTT"]
    for one in captions:
        text = html.escape(" ".join(printable(one.text).split()), quote=False)  # it then holds no --> and no tag
        blocks.append(f"{_stamp(one.start_ms)} --> {_stamp(one.end_ms)}\n{text}")
    with atomic_write(path) as file:
        file.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _stamp(time_ms: int) -> str:
    minutes, left = divmod(time_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{left // 1000:02d}.{left % 1000:03d}"
