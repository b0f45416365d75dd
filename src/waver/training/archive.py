"""Torch archives: written whole or not at all, read without executing anything."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch


def save_archive(path: Path, content: dict[str, Any]) -> None:
    """Write a torch archive, whole or not at all; equal contents give equal bytes."""
    # through memory: the archive's inner names would else depend on the temporary file's name
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(buffer.getbuffer())
    os.replace(temporary, path)


def load_archive(path: Path) -> dict[str, Any] | None:
    """Content of an archive; None where there is no readable one."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # bytes that are no archive fail in many ways inside the unpickler
        return None
    return content
