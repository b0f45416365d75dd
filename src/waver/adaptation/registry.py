"""Names of adaptation methods and where they live; nothing is imported until it is asked for."""

from __future__ import annotations

METHODS: dict[str, str] = {
    "source_only": "waver.adaptation.source_only:SourceOnly",
    "shot": "waver.adaptation.sfda.shot:Shot",
    "oracle": "waver.adaptation.oracle:Oracle",
}
"""Read with ``load`` and ``method_config`` of waver.models.registry."""
