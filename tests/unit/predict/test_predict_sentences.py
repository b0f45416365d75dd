"""What the command says of a recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from waver.predict.sentences import LIMITS, about_controls, about_recording, closing

ROW = {
    "recording": "recording_001", "band": "likely", "p_video": 0.874, "masked": "audio,text",
    "question": 4, "words": 30, "notes": "face in 90% of frames; sound of track 1 of 2",
    "p_content_free": 0.4, "content_free_says": "unlikely", "p_question_only": 0.6, "question_only_says": "likely",
    "guess_says_the_same": True,
}  # fmt: skip


def test_a_recording_has_its_band_what_it_lacks_and_what_a_guess_says():
    assert about_recording(ROW) == (
        "recording_001: likely (0.87); without audio, text; sound of track 1 of 2; the question alone says likely "
        "(0.60), the same without a look at the recording; question, length and number of words say unlikely (0.40)"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"question": None}, "the question is not known, so that there is no control; give --question"),
        ({"p_content_free": None}, "the model has no controls"),
        ({"guess_says_the_same": False}, "the question alone says likely (0.60); question, length"),
        ({"words": None}, "; question and length say unlikely (0.40)"),
    ],
)
def test_there_is_a_control_or_the_reason_why_not(changed, said):
    assert said in about_controls(ROW | changed)


def test_what_is_not_used_is_told_with_the_name_of_the_file_and_the_remedy():
    rows = [
        {"item": "recording_002", "path": None, "reason": "it is empty", "remedy": "copy it again"},
        {"item": "input 1, line 3", "path": "list.csv", "reason": "no video is given", "remedy": "mend it"},
    ]
    assert list(closing(rows, {"recording_002": "b\n\udce9\x1b[1m.mp4"}, Path("out"))) == [
        "2 not used, or not as given:",
        "  recording_002 (b\\n\\udce9\\x1b[1m.mp4): it is empty; copy it again",
        "  input 1, line 3 (list.csv): no video is given; mend it",
        LIMITS,
        "results: out",
    ]
    assert list(closing([], {}, Path("out"))) == [LIMITS, "results: out"]
