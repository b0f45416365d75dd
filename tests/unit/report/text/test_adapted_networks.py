"""What was adapted, in the report's names, sentences and rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from waver.report.formatting import network_name, row_name
from waver.report.personalisation import _one_class
from waver.report.ranking import ranked_methods
from waver.report.tables.results import results
from waver.report.text.facts import not_applicable
from waver.training.trained_model import NO_MODEL


def row(method: str, network: str | None, value: float) -> dict[str, Any]:
    about = {"modalities": "VA", "level": "participant", "split": "test", "protocol": "block", "group": "all"}
    counts = {"n": 5, "participants": 5, "positives": 9, "predicted_positives": 7, "seeds": 1}
    scored = {"metric": "AVGF1", "value": value, "low": 0.1, "high": 0.9, "seed_mean": value, "seed_sd": None}
    return {**NO_MODEL, **about, **counts, **scored, "method": method, "network": network}


def test_a_row_names_the_fusion_that_was_adapted() -> None:
    names = [row_name(row("tent", network, 0.5)) for network in ("can", "can.w24", "bottleneck", "clip", None)]
    assert names == ["TENT, CAN V+A", "TENT, can.w24 V+A", *["TENT V+A"] * 3]
    assert [network_name(network) for network in ("conflict", "bottleneck", "clip", None)] == [
        "Conflict model",
        "bottleneck",
        "CLIP",
        "–",
    ]


def test_rows_of_two_networks_are_not_mixed() -> None:
    rows = [row("tent", "can", 0.7), row("tent", "bottleneck", 0.6), row("source_only", "can", 0.5)]
    ranked = ranked_methods(rows, "participant", "test", "block")
    assert [(one.method, one.network, one.value("AVGF1")) for one in ranked] == [
        ("tent", "can", 0.7),
        ("tent", "bottleneck", 0.6),
        ("source_only", "can", 0.5),
    ]
    assert not ranked[0].same_method(ranked[1])
    table = results(rows, "participant", "test", "block")
    assert table is not None
    assert table.heads[0] == "Network"
    assert [shown.cells[0].text for shown in table.methods] == ["CAN", "bottleneck", "CAN"]


def test_what_a_method_cannot_do_is_said_once_for_all_shards() -> None:
    about = {"method": "bn_adapt", "modalities": "VA", "network": "conflict", "not_applicable": "it has none"}
    adapted = [{**about, "protocol": protocol} for protocol in ("block", "block", "video")]
    material: Any = SimpleNamespace(adapted=[*adapted, {"method": "tent", "protocol": "block"}])
    assert not_applicable(material, "block") == " BN-adapt, Conflict model V+A: not applicable, it has none."
    assert not_applicable(material, "frame_random") == ""


def test_scores_that_one_class_could_have_are_named() -> None:
    def scored(method: str, avgf1: float, war: float) -> list[dict[str, Any]]:
        return [row(method, "bottleneck", avgf1), row(method, "bottleneck", war) | {"metric": "WAR"}]

    rows = [*scored("tent", 0.444, 0.8), *scored("sar", 0.5, 0.8), *scored("all_negative", 0.444, 0.8)]
    found = _one_class(ranked_methods(rows, "participant", "test", "block"))
    assert found.endswith("Within .01 of it: TENT V+A.")
    assert _one_class(ranked_methods(rows[2:], "participant", "test", "block")) == ""
