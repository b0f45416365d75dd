"""Methods by which a trained model may be adapted to a person of whom no label is known."""

from __future__ import annotations

from waver.registry import ADAPTATIONS

NONE = "none"
WITHOUT_LABELS = tuple(
    name for name, one in ADAPTATIONS.items() if one.fusions and not one.target_labels and name != "source_only"
)
