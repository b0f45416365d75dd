"""Names of trained models."""

from __future__ import annotations


def split_name(method: str) -> tuple[str, str]:
    """Fusion and variant of ``<fusion>`` or ``<fusion>.<variant>``; the variant is empty where there is none."""
    fusion, _, variant = method.partition(".")
    return fusion, variant
