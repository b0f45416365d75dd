"""Names of trained models."""

from __future__ import annotations


def split_name(method: str) -> tuple[str, str]:
    """Fusion and variant of ``<fusion>`` or ``<fusion>.<variant>``; the variant is empty where there is none."""
    fusion, _, variant = method.partition(".")
    return fusion, variant


def window_of(method: str) -> int | None:
    """Frames of the window that a variant of the window ablation is named by: 24 of ``lfan.w24``."""
    _, variant = split_name(method)
    return int(variant[1:]) if variant[:1] == "w" and variant[1:].isdigit() else None


def head_name(method: str) -> str:
    """Name, as a method of whole videos, of the head that a trained model has for them."""
    fusion, variant = split_name(method)
    return f"{fusion}.{variant}_video_head" if variant else f"{fusion}.video_head"
