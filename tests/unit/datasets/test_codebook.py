"""Cues of the codebook, in the ways in which an annotation may name them."""

import json
from time import process_time

import pytest

from waver.datasets.bah.annotation import Annotation
from waver.datasets.bah.segments import segment_rows
from waver.datasets.codebook import PAIRS, codebook, cue_names, decode, unlisted, unlisted_by_channel
from waver.datasets.cue_words import is_denial, joined, other_words, spellings


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


def test_long_texts_are_read_in_time_that_grows_with_their_length():
    def seconds(words):
        start = process_time()
        assert decode({"facial": "1 " * words + "Smile"}) == ["facial: Smile"]
        return process_time() - start

    assert seconds(40_000) < 20 * max(seconds(4_000), 0.01)


def test_a_cue_belongs_to_its_channel():
    # a sigh is seen, its breath is heard; "No cap" is not "Cap"
    assert decode({"body": "Sigh", "audio": "Sigh", "language": "No cap", "remark": "Smile"}) == [
        "language: No cap",
        "body: Sigh",
    ]


@pytest.mark.parametrize(
    "said",
    [
        None, {}, {"facial": None}, {"facial": ""}, {"facial": 3}, {"facial": "a grin"}, {"facial": "Close 3"},
        {"facial": "no smile; Frown: no"}, {"face": "pas de sourire"}, {"facial": {"Smile": "n/a"}},
        {"body": "hands (no)"}, {"inconsistencies": "FLA"},
    ],
)  # fmt: skip
def test_no_cue(said):
    assert decode(said) is None


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"inconsistencies": "FL LA"}, ["FL", "LA"]),
        ({"inconsistencies": "L/F, b – l"}, ["FL", "LB"]),
        ({"inconsistencies": "F & L"}, ["FL"]),
        ({"Inconsistency": "FL: smiles while worried"}, ["FL"]),
        ({"inconsistencies": "face vs. voice; words/body"}, ["FA", "LB"]),
        ({"cross-modal inconsistency": "Language and audio do not match"}, ["LA"]),
        ({"facial": "Smile (slight, left)"}, ["Smile"]),
        ({"facial": "a slight SMILE, short\u00a0smile"}, ["Smile"]),
        ({"facial": "Smile frown"}, ["Frown", "Smile"]),
        ({"facial": "1. Smile 2. Frown"}, ["Frown", "Smile"]),
        ({"facial": "eyes: close\u20112"}, ["Close 2"]),
        ({"facial": "mouth wide open"}, ["Mouth"]),
        ({"facial": "Smile: no, Frown: yes"}, ["Frown"]),
        ({"Facial cues": "ＳＭＩＬＥＳ"}, ["Smile"]),
        ({"visage": "Sourire et froncement de sourcils"}, ["Frown", "Smile"]),
        ({"voix": "mots coupés; longues pauses"}, ["Pause", "Cut words"]),
        ({"corps": "Haussement d’épaules, hochements de tête"}, ["Nod", "Shrug"]),
        ({"body": "Looks away, HAND"}, ["Look away", "Hands"]),
        ({"language": "no-cap / No  mot"}, ["No cap", "No mot"]),
        ({"language": "Filler sounds (“umm”) and successes"}, ["Filler sound", "Success"]),
    ],
)
def test_spellings_of_a_cue(said, names):
    assert [name.partition(": ")[2] for name in decode(said) or []] == names
    assert unlisted([json.dumps(said)])[0] == 0


def test_every_name_is_of_one_cue_and_the_codebooks_own_go_first():
    for channel, own in other_words()["cues"].items():
        assert set(own) == set(codebook()[channel])
        for cue, texts in own.items():
            for text in texts:
                assert decode({channel: text}) == [f"{channel}: {cue}"], text
                assert spellings([], {cue: [text]}).keys() != {""}
    for name in cue_names():
        channel, _, cue = name.partition(": ")
        assert decode({channel: cue}) == decode({channel: cue.upper()}) == [name]
    named = [joined(text) for channel, texts in other_words()["channels"].items() for text in (channel, *texts)]
    assert len(set(named)) == len(named)
    assert not any(is_denial(name) for name in named)


@pytest.mark.parametrize(
    ("said", "unknown", "every"),
    [
        ({"facial": "Smile, Close 2"}, 0, 2),
        ({"facial": "Smile (slight); sourir\nFrown"}, 1, 3),
        ({"inconsistencies": "FL LA, FLA, no, n/a, –, 矛盾"}, 2, 3),
        ({"facial": ["Smile", ["grin", ""]], "body": None, "audio": 3}, 1, 2),
        ({"facial": {"Smile": "Yes", "Frown": "no", "grin": True, "wink": 0, "1": "Close 2", "2": ["grimace"]}}, 2, 4),
        ({"Facial ": "éé", "remark": "anything", "language": "none"}, 1, 1),
        (None, 0, 0),
    ],
)
def test_texts_that_are_no_cue_are_counted(said, unknown, every):
    cues = None if said is None else json.dumps(said)
    assert unlisted([cues]) == (unknown, every)
    assert unlisted([cues, None, json.dumps({"body": "wobbles, Nod"})]) == (unknown + 1, every + 2)
    assert unlisted_by_channel([cues, json.dumps({"Body cues": "wobbles, Nod"})])["body"] == (1, 2)


def test_segments_take_the_cues_of_their_interval():
    cues = ({"facial": "Frown", "audio": None}, {"inconsistencies": "FL, LB"})
    annotation = Annotation("v", intervals=((0, 4), (8, 12)), cues=cues, certainty=(1, 3))
    first, second = segment_rows("v", [(0, 4), (8, 12)], annotation)
    assert (first["certainty"], first["cue_names"]) == (1, ["facial: Frown"])
    assert (second["certainty"], second["cue_names"]) == (3, ["inconsistencies: FL", "inconsistencies: LB"])
    assert second["cues"] == '{"inconsistencies": "FL, LB"}'
    assert segment_rows("v", [(0, 4)], None)[0]["cue_names"] is None
