"""Words from the pieces that a recogniser hands out."""

from types import SimpleNamespace

import numpy as np
import pytest

from waver.datasets.transcripts import continues
from waver.features.sentences import sentences
from waver.features.speech import transcribe
from waver.features.spoken import spoken, spread_chunks
from waver.models.text.cue_counts import CUE_NAMES, cue_counts, cue_words

ISSUE = ["Peut", "-être", "que", "j", "'aime", "euh", "n", "'aime", "pas,", "c", "'est", "à", "-dire"]
JOINED = {
    "fr": [
        "Peut-être que j'aime, euh, n'aime pas, c'est-à-dire... qu'il faut",
        "Aujourd'hui, l'école d’un ami : « c'est ça ? » Lorsqu’on m'a dit « jusqu'à demain »",
        "- Oui, vas-y ! Est-ce qu'il n'y a rien, là-bas ?",
    ],
    "en": [
        "I don't lack self-control, it's just 'cause I'm so-so... isn't it?",
        'Well, I’d say "maybe" (well-being) -- the kids\' twenty-one rooms.',
    ],
}


def cut(text):
    """As faster-whisper cuts a text: before a blank, an apostrophe, a hyphen, and around other punctuation."""
    pieces = [" "]
    for sign in text:
        if sign in " '’-?.,:!":
            pieces.append(sign)
        else:
            pieces[-1] += sign
    return pieces


def timed(pieces, seconds=0.5):
    return [(piece, i * seconds, (i + 1) * seconds, 0.5) for i, piece in enumerate(pieces)]


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in JOINED.items() for text in texts])
def test_pieces_give_what_the_joined_text_gives(language, text):
    found = spoken(timed(cut(text)), language)
    assert found.words == text.split()
    assert [part for _, part in sentences(found.words)] == [part for _, part in sentences(text.split())]
    places = cue_words(found.words, language)
    counts = dict(zip(CUE_NAMES, cue_counts([text], [language])[0], strict=True))
    assert {name: len(found) for name, found in places.items()} == {name: counts[name] for name in places}
    assert len(found.start_s) == len(found.end_s) == len(found.probability) == len(found.words)


def test_a_joined_word_has_its_first_start_its_last_end_and_the_weighted_mean():
    pieces = [(" j", 1.0, 1.1, 0.9), ("'aime", 1.2, 1.5, 0.3), ("", 1.5, 1.6, 0.1), (".", 1.6, 1.7, 1.0)]
    found = spoken([*pieces, (" Oui", 2.0, 2.5, 0.8)], "fr")
    assert found.words == ["j'aime.", "Oui"]
    np.testing.assert_allclose(found.start_s, [1.0, 2.0])
    np.testing.assert_allclose(found.end_s, [1.7, 2.5])
    np.testing.assert_allclose(found.probability, [(0.9 + 5 * 0.3 + 1.0) / 7, 0.8], rtol=1e-6)


def test_blanks_and_nothing():
    assert spoken(timed([]), "en").words == []
    assert spoken(timed(["", " ", "\u202f"]), "en").words == []
    assert spoken(timed(["one", "", " ", "two", " ?", " three four", "teen"]), "en").words == [
        "one", "two", "?", "three", "fourteen",
    ]  # fmt: skip
    halves = spoken([(" - Oui", 0.0, 2.0, 1.0)], "fr")
    assert halves.words == ["-", "Oui"]
    np.testing.assert_allclose(halves.start_s, [0, 0.5])


def test_a_language_without_blanks_keeps_its_pieces():
    assert spoken(timed(["我", "喜欢", "。", "你"]), "zh").words == ["我", "喜欢。", "你"]


def test_an_unknown_time_is_that_of_the_word_before():
    nan = float("nan")
    found = spoken([(" a", 0, 1, 1.0), (" b", nan, nan, nan), (" c", 2, float("inf"), 1.0), (" d", 3, 4, 1.0)], "en")
    assert found.start_s.tolist() == [0, 0, 2, 3]
    assert found.end_s.tolist() == [1, 0, 2, 4]
    assert found.probability.tolist() == [1, 0, 1, 1]


def test_one_time_that_is_far_too_late_moves_no_other_word():
    late = spoken(
        [(" a", 0, 1, 1.0), (" b", 500, 501, 1.0), (" c", 2, 3, 1.0), (" d", 3, 4, 1.0), (" e", 4, 5, 1)], "en"
    )
    assert late.start_s.tolist() == [0, 2, 2, 3, 4]
    assert late.end_s.tolist() == [1, 3, 3, 4, 5]
    nan = float("nan")
    unknown = spoken([(" a", 10, 11, 1.0), (" b", 20, 21, 1.0), *[(" c", nan, nan, 1.0)] * 9], "en")
    assert unknown.start_s.tolist() == [10, *[20] * 10]
    early = spoken([(" a", 1, 2, 1.0), (" b", 2, 3, 1.0), (" c", 0, 0.5, 1.0), (" d", 3, 4, 1.0)], "en")
    assert early.start_s.tolist() == [1, 2, 2, 3]


class Said:
    """A recogniser that hands out given segments."""

    def __init__(self, *segments, language="fr"):
        self.segments, self.language = segments, language

    def transcribe(self, samples, **options):
        clock = iter(range(1000))
        segments = [
            SimpleNamespace(
                words=[SimpleNamespace(word=word, start=(at := next(clock) / 10), end=at + 0.1, probability=0.5)
                       for word in words],
                no_speech_prob=0.0, avg_logprob=-0.1, text="".join(words),
            )
            for words in self.segments
        ]  # fmt: skip
        return segments, SimpleNamespace(language=self.language, language_probability=1.0)


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([["J", "'aime"], [" Oui."]], ["J'aime", "Oui."]),
        ([[" Oui."], ["Non", "."]], ["Oui.", "Non."]),
        ([[" Oui,"], ["non"]], ["Oui,", "non"]),
        ([[" Peut"], ["-être"]], ["Peut-être"]),
        ([[" je j"], ["", "’aime"]], ["je", "j’aime"]),
        ([[" qu'"], ["il", " va"]], ["qu'il", "va"]),
        ([[" Oui"], [".", " Et"]], ["Oui.", "Et"]),
        ([[" Oui."], ["-Non"]], ["Oui.", "-Non"]),
        ([[" Oui"], ["Je"]], ["Oui", "Je"]),
        ([[], [" Oui"], None], ["Oui"]),
    ],
)
def test_words_over_the_border_of_segments(segments, words):
    segments = [segment or [] for segment in segments]
    assert transcribe(Said(*segments), np.zeros(16000, np.float32), "fr", 1).words == words


def test_the_pieces_of_split_words_are_read_as_the_words():
    found = {name for name, places in cue_words(ISSUE, "fr").items() if places}
    assert found >= {"hedge", "correction", "positive", "negative", "no_mot", "self"}
    assert found >= {"filler_sound", "negation", "cap"}
    joined = cue_words(["Peut-être", "que", "j'aime", "euh", "n'aime", "pas,", "c'est", "à-dire"], "fr")
    assert found == {name for name, places in joined.items() if places}
    assert cue_words(ISSUE, "fr")["hedge"] == [(0, 1)]
    assert cue_words(ISSUE, "fr")["correction"] == [(9, 12)]
    assert cue_words(["no", "self", "-control", "it", "isn", "’t"], "en")["no_cap"] == [(1, 2)]


@pytest.mark.parametrize(
    ("before", "piece", "same"),
    [
        ("j", "'aime", True), ("lorsqu", "'on", True), ("aujourd", "'hui", True), ("c'", "est", True),
        ("j", "'", True), ("isn", "'t", True), ("i", "'ve", True), ("y", "'all", True), ("vingt", "-et", True),
        ("just", "'cause", False), ("said", "'maybe'", False), ("kids'", "rooms", False), ("oui.", "-non", False),
        ("oui", "-", False), ("well", "--", False), ("'n'", "roll", False), ("oui", "non", False), ("", "'t", False),
    ],
)  # fmt: skip
def test_what_goes_on_with_the_word_before(before, piece, same):
    assert continues(before, piece) is same


def test_a_word_cut_by_chunks_of_a_transcript_is_one_word():
    chunks = [
        {"text": text, "start_s": float(i), "end_s": i + 1.0, "language": "fr"}
        for i, text in enumerate(["Peut", "-être que j", "'aime."])
    ]
    found = spread_chunks(chunks, 3.0)
    assert found.words == ["Peut-être", "que", "j'aime."]
    assert found.start_s[0] == 0
    assert found.end_s[2] == 3
    assert found.measured.tolist() == [False, False, False], "two words share a chunk"
    assert spread_chunks([chunks[0], chunks[2]], 3.0).measured.all()
    assert spread_chunks([chunks[0], {**chunks[2], "end_s": None}], 3.0).measured.tolist() == [True, False]
