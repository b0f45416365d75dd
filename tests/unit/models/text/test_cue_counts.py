import numpy as np
import pytest
import yaml

from waver.datasets.answers import Answer
from waver.datasets.transcripts import guessed_language
from waver.models.text.cue_counts import CUE_LISTS, CUE_NAMES, cue_counts, normalised
from waver.models.text.cues import Cues, CuesConfig
from waver.models.text.side_features import SideFeatures


def count(text, language="en"):
    row = cue_counts([text], [language])[0]
    return {name: int(number) for name, number in zip(CUE_NAMES, row, strict=True) if number}


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Um, I think, uh, maybe.", "en", {"filler_sound": 2, "hedge": 2}),
        ("I wish I could have stopped", "en", {"wish": 2}),
        ("But however although", "en", {"contrast": 3}),
        ("I don’t, I didn't and I never", "en", {"negation": 3}),
        ("I should; I have to", "en", {"obligation": 2}),
        ("the the dog", "en", {"repetition": 1}),
        ("I was, I was there", "en", {"repetition": 1}),
        ("the theory", "en", {}),
        ("butter, mayor, notary", "en", {}),
        ("love and hate and joy", "en", {"positive": 2, "negative": 1, "ambivalence": 1}),
        ("euh, je pense, peut-être", "fr", {"filler_sound": 1, "hedge": 2}),
        ("mais pourtant", "fr", {"contrast": 2}),
        ("il faudrait, je dois", "fr", {"obligation": 2}),
        ("doch vielleicht doch doch", "de", {"repetition": 1}),
        ("", None, {}),
        ("The dog barked and needed bed", "en", {"past": 2, "chain": 1}),
        ("I'd put laundry off, or put it off", "en", {"self": 1, "postponement": 2}),
        ("I should call them -- wait... no", "en", {"obligation": 1, "correction": 3, "others": 1, "self": 1}),
        ("Why? You tell me?", "en", {"question_mark": 2, "you": 1, "self": 1}),
        ("Can't you?", "en", {"question_mark": 1, "you": 1}),
        ("j'ai fait, je pourrais et on a mangé", "fr", {"self": 2, "past": 2, "condition": 1, "chain": 1, "we": 1}),
    ],
)
def test_what_is_counted(text, language, expected):
    found = count(text, language)
    named = set(expected) | {"repetition", "contrast", "obligation", "filler_sound", "ambivalence"}
    assert {name: number for name, number in found.items() if name in named} == expected


def test_a_longer_expression_hides_the_shorter_ones_of_its_cue():
    assert count("a little bit")["hedge"] == 1
    assert count("a little, a little bit")["hedge"] == 2


def test_an_unknown_language_is_told_by_its_words():
    french = "Je dis que c'est la chose que j'ai dans ma maison et je ne l'aime pas"
    assert guessed_language(french) == "fr"
    assert guessed_language("I do it and it is the thing that I like") == "en"
    np.testing.assert_array_equal(cue_counts([french], [None]), cue_counts([french], ["fr"]))
    assert (cue_counts([french], ["en"]) != cue_counts([french], ["fr"])).any()


def test_every_list_is_of_distinct_strings_in_both_languages():
    lists = yaml.safe_load(CUE_LISTS.read_text())
    assert [*lists["cues"]] == [name for name in CUE_NAMES if name not in ("repetition", "ambivalence")]
    for cue, by_language in lists["cues"].items():
        assert set(by_language) == {"en", "fr"}
        for language, phrases in by_language.items():
            assert all(isinstance(phrase, str) and phrase == normalised(phrase) for phrase in phrases), (cue, language)
            assert len(set(phrases)) == len(phrases), (cue, language, [p for p in phrases if phrases.count(p) > 1])


def test_every_expression_is_found_where_it_is_said():
    lists = yaml.safe_load(CUE_LISTS.read_text())["cues"]
    for cue, by_language in lists.items():
        for language, phrases in by_language.items():
            said = [f"xx {phrase.replace('*', 'x').replace('+', 'abc')} xx" for phrase in phrases]
            found = cue_counts(said, [language] * len(said))[:, CUE_NAMES.index(cue)]
            assert (found >= 1).all(), (cue, language, [p for p, n in zip(phrases, found, strict=True) if n < 1])


def test_counts_of_repeats_take_no_time_to_speak_of():
    # an expression that backtracks would not come back
    assert count("no " * 5000)["repetition"] >= 1
    assert cue_counts(["ab" * 20_000], ["en"]).sum() == 0
    assert cue_counts(["put " * 5000], ["en"]).sum() < 5000


def test_features_beside_the_text_are_scaled_and_have_names():
    texts = ["but I wish", "and then we went", "maybe I should", ""]
    answers = [Answer(f"{i}_Q1", str(i), "train", 1 + i, 0, t, len(t.split()), None, "en") for i, t in enumerate(texts)]
    side = SideFeatures("TQ", cues=True)
    features = side.fit(answers)
    assert features.shape == (4, len(side.names)) == (4, 2 * len(CUE_NAMES) + 8)
    varies = features.std(axis=0) > 0
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features.std(axis=0)[varies], side.size[varies])
    np.testing.assert_allclose(side.size, [(2 * len(CUE_NAMES)) ** -0.5] * 2 * len(CUE_NAMES) + [1] * 8)
    assert varies[side.names.index("count of contrast")]
    assert not varies[side.names.index("question 7")]  # nobody was asked
    np.testing.assert_array_equal(features[:2], side(answers[:2]))
    assert SideFeatures("T", cues=False).fit(answers).shape == (4, 0)


def test_named_weights_of_cues_are_changes_of_the_margin_by_a_deviation():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60).astype(np.uint8)
    texts = [" ".join(["table"] * int(rng.integers(4, 9)) + ["but"] * int(one)) for one in label]
    answers = [Answer(f"{i}_Q1", str(i), "train", 1, 0, t, len(t.split()), None, "en") for i, t in enumerate(texts)]
    model = Cues("T", CuesConfig(), 0, None)
    model.fit(answers, label)
    z = model.side(answers) / model.side.size
    expected = z @ np.array(list(model.explain().values())) + model.model.intercept_
    np.testing.assert_allclose(model.margin(answers), expected, atol=1e-8)
    # "but" is in two cues, by count and by rate
    strongest = sorted(model.explain(), key=model.explain().__getitem__)[-4:]
    assert set(strongest) == {f"{form} of {cue}" for form in ("count", "rate") for cue in ("but", "contrast")}
