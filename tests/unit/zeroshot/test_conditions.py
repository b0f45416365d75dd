"""Names of conditions, and the record of predictions."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from waver.zeroshot.records import Condition, ZeroShotRecord, zero_shot_record

CONDITIONS = [
    (Condition("video_llava", "td1"), "video_llava.td1.video", "video"),
    (Condition("video_llava", "td1", 8), "video_llava.td1.w8", "frame"),
    (Condition("causal_lm", "s", None, "contextual"), "causal_lm.s.video.contextual", "video"),
]


@pytest.mark.parametrize(("condition", "name", "level"), CONDITIONS)
def test_a_condition_and_its_name_are_one(condition, name, level):
    assert (condition.method, condition.level) == (name, level)
    assert Condition.of(name) == condition


@pytest.mark.parametrize("name", ["lfan", "clip.zero_shot", "a.b.c", "a.b.w0", "a.b.video.c.d", ""])
def test_names_of_other_methods_are_none(name):
    assert Condition.of(name) is None


def test_predictions_of_other_methods_have_no_record_and_a_wrong_one_is_an_error():
    assert zero_shot_record({"method": "lfan"}) is None
    known = {
        "model": "video_llava", "weights": "tiny random", "family": "video_llava", "prompt_set": "released",
        "prompt": "td1", "label": "x", "prompt_sha256": "0", "calls": 3,
    }  # fmt: skip
    assert zero_shot_record({"zeroshot": known}) == ZeroShotRecord(**known)
    assert zero_shot_record({"zeroshot": known}).condition.method == "video_llava.td1.video"
    with pytest.raises(ValidationError):
        zero_shot_record({"zeroshot": known | {"text": "what somebody said"}})
