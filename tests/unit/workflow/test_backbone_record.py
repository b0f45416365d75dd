"""What the predictions of a visual backbone itself say about what made them."""

from typing import Any

import pytest

from waver.config.model import load_config
from waver.config.section import overlaid
from waver.workflow.flow import Flow
from waver.workflow.run import Run

SETS = {"emotions": {"sets": [{"path": "pictures"}]}}
PLAIN: dict[str, Any] = {
    "features": {"visual": {"backbone": "resnet18"}},
    "backbone": {"stages": ["emotions", "ah"], **SETS},
}


def record(changes: dict[str, Any]) -> dict[str, Any]:
    return Flow(Run(load_config(overlaid(PLAIN, changes)))).backbone.frames_record(None)


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": {"seed": 1}},
        {"backbone": {"emotions": {"epochs": 3}}},
        {"backbone": {"stages": ["ah"]}},
        {"backbone": {"ah": {"lr": 0.5}}},
        {"features": {"visual": {"options": {"features": 128}}}},
    ],
)
def test_frames_of_a_backbone_say_how_all_of_it_was_trained(changes: dict[str, Any]) -> None:
    assert record(changes) != record({})


@pytest.mark.parametrize(
    ("plain", "changes"),
    [
        ({}, {"backbone": {"emotions": {"sets": [{"path": "elsewhere"}]}}}),
        ({"backbone": {"stages": ["ah"]}}, {"backbone": {"stages": ["ah"], "emotions": {"epochs": 3}}}),
    ],
)
def test_neither_where_pictures_lie_nor_a_stage_that_is_left_out_counts(plain: Any, changes: Any) -> None:
    assert record(changes) == record(plain)
    assert "path" not in str(record(changes))
