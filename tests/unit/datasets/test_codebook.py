"""Cues of the codebook, in the ways in which an annotation may name them."""

import json

import pytest

from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.segments import segment_rows
from waver.datasets.codebook import PAIRS, codebook, cue_names, decode, unlisted


def test_the_codebook_is_that_of_the_tables():
    assert {channel: len(cues) for channel, cues in codebook().items()} == {
        "facial": 15, "language": 16, "audio": 10, "body": 11, "inconsistencies": 6,
    }  # fmt: skip
    assert len(set(cue_names())) == 58
    assert tuple(PAIRS) == codebook()["inconsistencies"]


@pytest.mark.parametrize(
    "said",
    [
        "Smile, Close 2",
        "close_2; SMILE",
        "Close 2/Smile",
        ["Smile", "Close 2"],
        [["Close-2"], "smile"],
        {"Close 2": 1, "smile": True, "Frown": 0, "Nose": None},
        {"Close 2": "x", "smile": "Yes", "Frown": "no", "Nose": " False", "Open": "0", "Squint": "non"},
        "Smile|close2\nSmile",
        "a kind of grin, Smile + Close 2",
    ],
)
def test_ways_to_write_two_cues(said):
    assert decode({"facial": said}) == ["facial: Close 2", "facial: Smile"]


def test_lists_in_lists_without_end_stop_nothing():
    said = "Smile"
    for _ in range(5000):
        said = [said]
    assert decode({"facial": said}) == ["facial: Smile"]


def test_a_cue_belongs_to_its_channel():
    # a sigh is seen, its breath is heard; "No cap" is not "Cap"
    assert decode({"body": "Sigh", "audio": "Sigh", "language": "No cap", "remark": "Smile"}) == [
        "language: No cap",
        "body: Sigh",
    ]


@pytest.mark.parametrize("said", [None, {}, {"facial": None}, {"facial": ""}, {"facial": 3}, {"facial": "a grin"}])
def test_no_cue(said):
    assert decode(said) is None


@pytest.mark.parametrize(
    ("said", "unknown", "every"),
    [
        ({"facial": "Smile, Close 2"}, 0, 2),
        ({"facial": "Smile (slight); sourire\nFrown"}, 2, 3),
        ({"inconsistencies": "FL LA, LF"}, 2, 2),
        ({"facial": ["Smile", ["grin", ""]], "body": None, "audio": 3}, 1, 2),
        ({"facial": {"Smile": "Yes", "Frown": "no", "grin": True, "wink": 0, "1": "Close 2", "2": ["smirk"]}}, 2, 4),
        ({"Facial ": "éé", "remark": "anything", "language": "none"}, 1, 1),
        (None, 0, 0),
    ],
)
def test_texts_that_are_no_cue_are_counted(said, unknown, every):
    cues = None if said is None else json.dumps(said)
    assert unlisted([cues]) == (unknown, every)
    assert unlisted([cues, None, json.dumps({"body": "nothing of it"})]) == (unknown + 1, every + 1)


def test_segments_take_the_cues_of_their_interval():
    cues = ({"facial": "Frown", "audio": None}, {"inconsistencies": "FL, LB"})
    annotation = Annotation("v", intervals=((0, 4), (8, 12)), cues=cues, certainty=(1, 3))
    first, second = segment_rows("v", [(0, 4), (8, 12)], annotation)
    assert (first["certainty"], first["cue_names"]) == (1, ["facial: Frown"])
    assert (second["certainty"], second["cue_names"]) == (3, ["inconsistencies: FL", "inconsistencies: LB"])
    assert second["cues"] == '{"inconsistencies": "FL, LB"}'
    assert segment_rows("v", [(0, 4)], None)[0]["cue_names"] is None
