"""The model card (Mitchell et al., 2019): what a person should know who is handed a model.

Every field is filled from the run. A card without the licence of every model that the features rest on is not written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from waver.assets.entries import manifest
from waver.assets.manifest import Installed
from waver.errors import WaverError
from waver.predict.preparation import provenance
from waver.provenance import digest
from waver.report.formatting import SPLITS, VIDEO_RULES, row_name
from waver.training.trained_model import TrainedModel

if TYPE_CHECKING:
    from waver.predict.model_folder import HandedModel

TEMPLATES = Path(__file__).with_name("templates")
TEXTS = TEMPLATES / "texts.yaml"

_UNSTATED = frozenset({"path", "trained"})
"""Sets of models whose licence Waver cannot know: the user states it."""
_CONTROLS = ("all_negative", "all_positive", "content_free")
_METRICS = ("AVGF1", "AP", "AUROC_within", "AVGF1_within")
_COLUMNS = ("value", "low", "high", "seed_mean", "seed_sd", "n", "participants", "predicted_positives", "seeds")

Row = Mapping[str, Any]


def texts() -> dict[str, str]:
    """Sentences that cards and pages share, by name."""
    found: dict[str, str] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return found


def licence_chain(records: Iterable[Installed], stated: Mapping[str, str]) -> list[dict[str, Any]]:
    """Licence of every model that the features rest on.

    Args:
        records: of the models.
        stated: role -> licence, by the user, of models that were given by path or trained in the run.

    Returns:
        A row each: ``role``, ``title``, ``licence``, ``origin``, ``restricted`` (the licence forbids some uses) and
        ``files`` (name -> sha256).

    Raises:
        WaverError: a licence is unknown.
    """
    chain = []
    for record in records:
        licence = stated.get(record.role, "") if record.set in _UNSTATED else record.licence
        if not licence.strip():
            raise WaverError(
                f"the licence of the {record.role} ({record.shown_title}) is not known, and a model card must state "
                f"it; give --licence {record.role}='<its licence, and those of what it was trained on>'"
            )
        known = manifest().get(record.name)
        chain.append(
            {
                "role": record.role,
                "title": record.shown_title,
                "licence": licence,
                "origin": known.origin if known else "",
                "restricted": bool(known and known.restricted),
                "files": record.files,
            }
        )
    if not chain:
        raise WaverError("no model makes the features of this run, so its card has no licence chain; check the config")
    return chain


def data_facts(table: Path, participants: Sequence[Row], answers: Sequence[Row], least: int) -> dict[str, Any]:
    """What the card says of the data: counts, and of fewer than ``least`` people that they are few.

    Args:
        table: of the participants, with the record of the job that made it.
        participants: PARTICIPANTS rows.
        answers: ANSWERS rows.
        least: ``evaluate.least_group`` of the run.
    """
    made = provenance(table)["params"]
    refused = {
        purpose: sum(not row[f"consent_{purpose}"] for row in participants) for purpose in ("publication", "challenge")
    }
    return {
        "name": table.parents[1].name,
        "generated": made["inventory"] == "generated",
        "layout": f"{made['reader']}, {made['layout']}",
        "purpose": made["purpose"],
        "participants": dict(Counter(row["split"] for row in participants)),
        "videos": dict(Counter(row["split"] for row in answers)),
        "split_hash": digest(sorted((row["video"], row["split"]) for row in answers)),
        "refused": {purpose: None if 0 < count < least else count for purpose, count in refused.items()},
        "least_group": least,
    }


def shown_rows(scores: Iterable[Row], model: TrainedModel) -> list[dict[str, Any]]:
    """Scores of the model and of the controls, over everybody, at frame and video level.

    Args:
        scores: SCORES rows of the run.
        model: the model.

    Raises:
        WaverError: the run has no scores of the model.
    """
    wanted = {(model.method, model.modalities), *((name, "") for name in _CONTROLS)}
    rows = [
        row
        for row in scores
        if (row["method"], row["modalities"]) in wanted
        and (row["protocol"], row["group"]) in (("standard", "all"), ("cv", "all"))
        and row["level"] != "participant"
        and row["metric"] in _METRICS
    ]
    if not any(row["method"] == model.method for row in rows):
        raise WaverError(f"the scores have no line of {model.method} on {model.modalities}; finish the run first")
    names = ("method", "modalities", "level", "split", "metric")
    return [{name: row[name] for name in (*names, *_COLUMNS)} | {"name": row_name(row)} for row in rows]


def card_text(model: HandedModel) -> str:
    """The card, Markdown.

    Raises:
        WaverError: there is no licence chain.
    """
    if not model.about.get("licences"):
        raise WaverError("a model card must state the licences of the models in use; export the model again")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,  # Markdown; a page is made by waver.predict.viewer
    )  # fmt: skip
    template = environment.get_template("model_card.md")
    return template.render(
        model=model, about=model.about, tables=_tables(model.about["scores"]), texts=texts(), splits=SPLITS,
        trained=model.trained, video_rule=VIDEO_RULES[model.trained.decisions.rule],
        title=row_name(model.about["model"]),
    )  # fmt: skip


def _tables(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A table a level and split: its methods, the model first, each with its scores by metric."""
    tables: dict[tuple[str, str], dict[str, dict[str, Row]]] = {}
    for row in rows:
        tables.setdefault((row["level"], row["split"]), {}).setdefault(row["method"], {})[row["metric"]] = row
    found = []
    for (level, split), methods in tables.items():
        order = sorted(methods, key=lambda method: (method in _CONTROLS, method))
        lines = [{"name": next(iter(methods[m].values()))["name"], "scores": methods[m]} for m in order]
        found.append({"level": level, "split": split, "metrics": _METRICS, "lines": lines})
    return found
