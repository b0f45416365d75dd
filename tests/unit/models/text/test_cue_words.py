import numpy as np
import pytest

from waver.models.text.cue_counts import CUE_NAMES, cue_counts, cue_words

ENGLISH = (
    "Well, I don’t know… um, um maybe I -- I was, I was kind of happy, but the the gym is boring; "
    "I'm not sure. ISN'T it? I should, a little bit, stop... you know"
)
FRENCH = "Euh, je ne sais pas, peut-être que j’aime ça mais c'est plate, je je pense. Il faudrait, n'est-ce pas ?"


def said(text, name, language="en"):
    words = text.split()
    return [" ".join(words[first : last + 1]) for first, last in cue_words(words, language)[name]]


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (FRENCH, "fr"), (ENGLISH, None), (FRENCH, None)])
def test_what_is_found_is_what_is_counted(text, language):
    counted = dict(zip(CUE_NAMES, cue_counts([text], [language])[0], strict=True))
    found = cue_words(text.split(), language)
    assert set(found) == set(CUE_NAMES) - {"ambivalence"}
    assert {name: len(places) for name, places in found.items()} == {name: counted[name] for name in found}
    assert sum(counted.values()) > 20


def test_words_are_those_that_say_it():
    hedges = ["I don’t know…", "maybe", "kind of", "I'm not sure.", "ISN'T it?", "a little bit,"]
    assert said(ENGLISH, "hedge") == hedges
    assert said(ENGLISH, "filler_sound") == ["um,", "um"]
    assert said(ENGLISH, "repetition") == ["um, um", "I -- I", "the the"]
    assert said(ENGLISH, "contrast") == ["but"]
    assert said(ENGLISH, "question_mark") == ["it?"]
    assert "know…" in said(ENGLISH, "correction")
    assert said(FRENCH, "hedge", "fr") == ["je ne sais pas,", "peut-être", "je pense.", "n'est-ce pas"]
    assert said(FRENCH, "repetition", "fr") == ["je je"]


def test_a_word_may_hold_blanks_and_capitals_that_change_their_length():
    words = ["İstanbul", "so  to say", "MAYBE", "no"]
    assert cue_words(words, "en")["hedge"] == [(2, 2)]
    assert cue_words(words, "en")["negation"] == [(3, 3)]


def test_a_language_without_lists_has_its_repetitions():
    assert {name for name, places in cue_words(["doch", "vielleicht", "doch", "doch"], "de").items() if places} == {
        "repetition"
    }
    assert cue_words([], "en")["hedge"] == []


def test_numbers_are_plain_and_in_the_order_of_the_text():
    for places in cue_words(ENGLISH.split(), "en").values():
        assert all(type(number) is int for place in places for number in place)
        assert all(first <= last for first, last in places)
        assert np.all(np.diff([first for first, _ in places]) >= 0)
