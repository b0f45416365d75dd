"""What a trained model of frames is, as a record. Its name is a label: nothing is read out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from waver.errors import WaverError

HEAD = "video-head"
"""Last part of the name that predictions of a head for whole videos have; no variant has a hyphen in its name."""


@dataclass(frozen=True)
class TrainedModel:
    """A model of frames to train with every seed, or its head for whole videos.

    Attributes:
        method: ``<fusion>`` or ``<fusion>.<variant>``, its label in paths, predictions and tables.
        modalities: letters.
        fusion: its name in the registry.
        variant: name of the variant; empty where it is none.
        base_modalities: letters of the model without the variant, which is otherwise this one.
        window_frames: window that it is trained on, frames of the 24 fps clock.
        changed: JSON object of what differs from the model without the variant: keys of its recipe and, where the
            variant adds one, ``modalities``, and where it is another visual backbone, that (``on_backbone``); ``{}``
            where nothing does.
        video_head: predictions are those of its head for whole videos.
    """

    method: str
    modalities: str
    fusion: str
    variant: str
    base_modalities: str
    window_frames: int
    changed: str = "{}"
    video_head: bool = False

    @property
    def head(self) -> TrainedModel:
        """The same model where its head for whole videos predicts."""
        return replace(self, method=f"{self.method}.{HEAD}", video_head=True)

    @property
    def record(self) -> dict[str, Any]:
        """All that is known of it."""
        return asdict(self)

    @property
    def own_record(self) -> dict[str, Any]:
        """What its jobs and the metadata of its predictions hold: all but ``changed``.

        That depends on the recipe of the model without the variant too, of which no other change trains this one.
        """
        return {name: value for name, value in self.record.items() if name != "changed"}

    @property
    def columns(self) -> dict[str, Any]:
        """What tables hold of it in addition to its method and modalities."""
        return {
            "fusion": self.fusion,
            "variant": self.variant or None,
            "window_frames": self.window_frames,
            "changed": self.changed if self.variant else None,
            "video_head": self.video_head,
            "network": None,
        }


NO_MODEL: dict[str, Any] = {
    "fusion": None, "variant": None, "window_frames": None, "changed": None, "video_head": False, "network": None
}  # fmt: skip
"""``TrainedModel.columns`` of methods that are no model of frames: of videos, answers, adaptation; controls."""


def recorded_model(about: Mapping[str, Any], source: object) -> TrainedModel | None:
    """The model that a record names; None of methods that are no model of frames.

    Args:
        about: the record, e.g. a table's metadata and ``changed``.
        source: whose they are, for the error.

    Raises:
        WaverError: they name a fusion and lack what else is known of a model.
    """
    if "fusion" not in about:
        return None
    known = {field.name: about[field.name] for field in fields(TrainedModel) if field.name in about}
    if len(known) < len(fields(TrainedModel)):
        raise WaverError(f"{source} does not say all that is known of its model; delete it and run again")
    return TrainedModel(**known)


def difference(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of ``own`` whose values differ from those of ``base``, mappings within them key by key."""
    found: dict[str, Any] = {}
    for key, value in own.items():
        known = base.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            if inner := difference(known, value):
                found[key] = inner
        elif key not in base or known != value:
            found[key] = value
    return found


def as_json(changed: Mapping[str, Any]) -> str:
    """Changes as a table holds them."""
    return json.dumps(changed, sort_keys=True)


def changes(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of a table says that differs from the model without the variant; empty where it is none."""
    found: dict[str, Any] = json.loads(row.get("changed") or "{}")
    return found


def on_backbone(name: str) -> dict[str, Any]:
    """The changes of a model that is trained on the features of another visual backbone, and in nothing else."""
    return {"features": {"visual": {"backbone": name}}}


def other_backbone(row: Mapping[str, Any]) -> str:
    """That backbone, of a row of a table about such a model; empty of all others."""
    found = changes(row)
    return str(found["features"]["visual"]["backbone"]) if found.keys() == {"features"} else ""


def only_window(row: Mapping[str, Any]) -> bool:
    """Whether a row is about a variant that differs by its window alone, and by the hop that goes with it.

    The window may be that of the model without it, where the config names a length of the window that it has anyway.
    """
    if not row.get("variant") or row.get("video_head"):
        return False
    found = changes(row)
    return found.keys() <= {"window", "hop"} and ("window" in found or not found)
