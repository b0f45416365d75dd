"""The records of modalities, what reads them, and what runs again when one changes."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest

from waver.config.model import load_config
from waver.errors import WaverError
from waver.modalities import feature_names, layouts, split_context, subsets
from waver.records import Modality
from waver.registry import MODALITIES
from waver.report.formatting import method_name
from waver.report.tables.model_costs import FEATURE_OF_ROLE
from waver.workflow.checks import check_modalities
from waver.workflow.flow import Flow
from waver.workflow.run import Run

MOVEMENT = Modality(
    name="movement", label="movement of the face", feature="movement", channels=(32, 32), recorded=True,
    function="waver.features.clock:frame_clock", sources=("faces",),
)  # fmt: skip


@pytest.fixture
def flow(monkeypatch) -> Flow:
    """A run in which there is one more modality, before Q."""
    question = MODALITIES["Q"]
    monkeypatch.delitem(MODALITIES, "Q")
    monkeypatch.setitem(MODALITIES, "M", MOVEMENT)
    monkeypatch.setitem(MODALITIES, "Q", question)
    return Flow(Run(load_config({"adapt": {"modalities": "V"}})))


def job(**wildcards: str) -> Any:
    return SimpleNamespace(**wildcards)


def test_any_subset_in_order_is_allowed_and_nothing_else():
    sets = {"".join(some) for size in range(1, 6) for some in combinations("VATCQ", size)}
    assert len(sets) == 31
    assert all(re.match(subsets(), some) for some in sets)
    assert not [some for some in ("", "AV", "VV", "QV", "TA", "VX", "CT", "v") if re.match(subsets(), some)]


def test_the_records_say_what_was_always_so():
    """Names in stores and packs, their order, and the roles of the table of costs."""
    assert feature_names(recorded=True) == ["faces", "visual", "audio", "speech", "words", "cues"]
    assert feature_names(recorded=False) == ["speech", "words", "cues"]
    assert [(one["name"], one["feature"], one["arrays"]) for one in layouts()] == [
        ("visual", "visual", ("feature", "valid")),
        ("audio", "audio", ("feature", "valid")),
        ("text", "words", ("vector", "word_of_frame")),
        ("cues", "cues", ("feature", "valid")),
    ]
    assert list(FEATURE_OF_ROLE.items()) == [
        ("face_detector", "faces"),
        ("face_embedding", "faces"),
        ("expression_backbone", "visual"),
        ("vggish", "audio"),
        ("speech_encoder", "audio"),
        ("speech_recogniser", "speech"),
        ("word_encoder", "words"),
        ("sentiment", "cues"),
    ]


def test_context_is_told_apart():
    assert split_context("VATQ") == (["V", "A", "T"], ["question"])
    assert method_name("lfan", "VATQ") == "LFAN V+A+T + question"
    assert method_name("lfan", "Q") == "LFAN question"
    assert split_context("VX") == (["V", "X"], [])  # of another run, whose modality is not here


def test_one_more_modality_is_made_packed_and_named(flow):
    features = flow.features
    assert features.names == ["faces", "visual", "audio", "movement", "speech", "words", "cues"]
    assert [one["name"] for one in features.streams] == ["visual", "audio", "text", "cues", "movement"]
    assert features.derived == ["movement"]
    assert features.source_indexes(job(derived="movement", shard="003")) == ["resources/bah/features/faces/003.parquet"]
    assert re.match(subsets(), "VATMQ")
    assert method_name("lfan", "VATMQ") == "LFAN V+A+T+M + question"
    assert flow.modalities()["M"] == ["movement", "movement of the face", "movement", [], True]
    transcripts = {"dataset": {"source": "transcripts"}, "features": {"speech": {"source": "given"}}}
    words = {**transcripts, "train": {"runs": [{"fusion": "lfan", "modalities": "T"}]}, "adapt": {"methods": []}}
    assert Flow(Run(load_config(words))).features.derived == []


@pytest.mark.parametrize(
    ("change", "params"),
    [
        ({"arrays": ("expression", "valid")}, {"align"}),
        ({"affect": False}, {"align"}),
        ({"sufficient": False}, {"align"}),
        ({"channels": (8,)}, {"frames V"}),
        ({"name": "face"}, {"align", "frames V", "videos V", "adapt", "report"}),
        ({"label": "looks"}, {"report"}),
        ({"networks": ()}, {"report"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_job_takes_from_a_record_is_in_the_params_of_its_rule(flow, monkeypatch, change, params):
    """Fingerprints of code do not follow the registry."""

    def told() -> dict[str, Any]:
        return {
            "align": flow.features.streams,
            "report": flow.modalities(),
            "adapt": flow.adapt.streams(job(letters="")),
            **{f"frames {letters}": flow.frames.streams(job(modalities=letters)) for letters in ("V", "A")},
            **{f"videos {letters}": flow.videos.streams(job(modalities=letters)) for letters in ("V", "AT")},
        }

    before = told()
    monkeypatch.setitem(MODALITIES, "V", replace(MODALITIES["V"], **change))
    assert {name for name, value in told().items() if value != before[name]} == params


def test_another_function_derives_again_and_its_code_counts(flow, monkeypatch):
    was = flow.features.derived_code(job(derived="movement"))
    assert flow.features.function(job(derived="movement")) == MOVEMENT.function
    monkeypatch.setitem(MODALITIES, "M", replace(MOVEMENT, function="waver.features.clock:clock_of"))
    assert flow.features.derived_code(job(derived="movement")) != was


def test_personalisation_needs_to_know_how_far_a_modality_looks(flow, monkeypatch):
    adapt = Flow(Run(flow.run.config.model_copy(update={"adapt": flow.run.config.adapt.model_copy(
        update={"modalities": "VM"})}))).adapt  # fmt: skip
    with pytest.raises(WaverError, match=r"M: nobody says how far .* receptive_field, or leave it out of adapt"):
        adapt.check(load=False)
    field = {"receptive_field": "waver.features.receptive_fields:visual"}
    monkeypatch.setitem(MODALITIES, "M", replace(MOVEMENT, **field))
    adapt.check(load=False)


@pytest.mark.parametrize(
    ("letter", "record", "told"),
    [
        ("m", MOVEMENT, "modality 'm': a letter is one capital"),
        ("M", replace(MOVEMENT, name="audio"), "its name 'audio' is taken"),
        ("M", replace(MOVEMENT, name="label"), "its name 'label' is taken"),
        ("M", replace(MOVEMENT, name="head-pose"), "its name 'head-pose' is taken or no name"),
        ("M", replace(MOVEMENT, feature="speech"), "the feature 'speech' is made already"),
        ("M", replace(MOVEMENT, feature="answers"), "the feature 'answers' is made already"),
        ("M", replace(MOVEMENT, sources=()), "function and sources belong together"),
        ("M", replace(MOVEMENT, sources=("pose",)), r"'pose' is not made before it \(known are faces, .*cues\)"),
        ("M", replace(MOVEMENT, recorded=False), "or needs a recording, which its record does not say"),
    ],
)
def test_a_record_that_cannot_be_is_refused(letter, record, told):
    with pytest.raises(WaverError, match=told):
        check_modalities({**MODALITIES, letter: record})


def test_the_records_can_be():
    check_modalities({**MODALITIES, "M": MOVEMENT})
