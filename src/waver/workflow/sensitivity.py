"""What each output of each rule tells of people: its class, declared here rule by rule (docs/privacy.md).

What may be published lies in ``results/<run>/report`` and, beside the controls, in ``results/<run>/evaluate``. A test
walks the rules: each output has a class, and nothing private lies there. Jobs record the classes with their provenance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from waver.errors import WaverError


class Sensitivity(Enum):
    """Classes, the most private first."""

    IDENTIFIABLE = "identifiable"
    """Faces, voices, words, ids or files of people."""
    PERSONAL = "personal"
    """Numbers about single people, under their ids, and models, which may hold what they learnt from one person."""
    AGGREGATE = "aggregate"
    """Groups of ``evaluate.least_group`` people or more; of a person only what that person allowed to publish."""
    PUBLIC = "public"
    """Nothing of the data set."""


_FACES, _OWN, _ALL, _NOBODY = Sensitivity

_MODEL = {"model": _OWN, "history": _ALL, "predictions": _OWN, "folds": _OWN, "folds_history": _ALL}
_BACKBONE = {"record": _OWN, "history": _ALL}

DECLARED: dict[str, Sensitivity | Mapping[str, Sensitivity]] = {
    "models_install": _NOBODY,
    "models_fetch": _NOBODY,
    "models_convert": _NOBODY,
    "ingest_demo": _NOBODY,
    "ingest_tables": _FACES,
    "features_faces": _FACES,
    "features_visual": _FACES,
    "features_audio": _FACES,
    "features_speech": _FACES,
    "features_words": _FACES,
    "features_cues": _FACES,
    "features_derived": _FACES,
    "features_answers": _FACES,
    "features_embeddings": _FACES,
    "features_views": _FACES,
    "align_pack": _OWN,
    "train_emotions": {**_BACKBONE, "pictures": _FACES, "set_aside": _FACES},
    "train_backbone": _BACKBONE,
    "train_backbone_frames": _OWN,
    "train_fusion": _MODEL,
    "train_folds": {"predictions": _OWN, "history": _ALL},
    "train_video_head": _OWN,
    "train_explanations": _OWN,
    "train_answers": {"predictions": _OWN, "folds": _OWN, "weights": _FACES},  # features of text are people's words
    "train_videos": _MODEL,
    "train_cost": _ALL,
    "adapt_source": _OWN,
    "adapt_fit": _OWN,
    "adapt_target": _OWN,
    "adapt_fusion": _OWN,
    "adapt_faces": _OWN,
    "adapt_vision_language": _OWN,
    "adapt_participant": _OWN,
    "adapt_splits": _OWN,
    "zeroshot_ask": _FACES,
    "zeroshot_finetune": {"config": _NOBODY, "weights": _OWN, "history": _ALL},
    "zeroshot_predict": _OWN,
    "zeroshot_spread": _OWN,
    "zeroshot_conditions": _ALL,
    "zeroshot_cues": _ALL,
    "evaluate_controls": _OWN,
    "evaluate_scores": _ALL,
    "evaluate_explanations": _ALL,
    "report_tables": _ALL,
    "report_html": _ALL,
}
"""Rule -> the class of all its outputs, or of each by its name."""

_PUBLISHED = re.compile(r"(?:^|/)results/[^/]+/(?:report/.+|evaluate/[^/]+)$")


def class_of(rule: str, output: str) -> Sensitivity:
    """The class of an output.

    Args:
        rule: its name.
        output: the name that the rule gives to its output; empty where it gives none.

    Raises:
        WaverError: nobody declared it.
    """
    found = _declared(rule, output)
    if found is None:
        what = f"output {output} of " if output else ""
        raise WaverError(
            f"{what}rule {rule} has no class of sensitivity; declare it in src/waver/workflow/sensitivity.py"
        )
    return found


def _declared(rule: str, output: str) -> Sensitivity | None:
    found = DECLARED.get(rule)
    return found.get(output) if isinstance(found, Mapping) else found


def recorded_classes(rule: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """The classes of a job's outputs, for its record; of what nobody declared there is none.

    Args:
        rule: its name.
        outputs: path -> the name that the rule gives to it, or nothing.
    """
    known = {path: _declared(rule, name) for path, name in outputs.items()}
    return {path: found.value for path, found in known.items() if found is not None}


def is_published(path: str) -> bool:
    """Whether a file lies where what may be published lies."""
    return _PUBLISHED.search(path) is not None and not path.endswith(".provenance.json")


def may_lie_at(found: Sensitivity, path: str) -> bool:
    """Whether an output of a class may lie at a path."""
    return found in (Sensitivity.AGGREGATE, Sensitivity.PUBLIC) or not is_published(path)
