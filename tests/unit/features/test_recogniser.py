"""Which language is taken, what is left out as invented, what is flagged, and when Whisper listens again."""

from types import SimpleNamespace

import numpy as np
import pytest

from waver.features.level import is_silent, levelled
from waver.features.recogniser import transcribe
from waver.features.speech_phrases import invented, prompt

TONE = (0.1 * np.sin(np.arange(32000) / 5)).astype(np.float32)


def segment(text, no_speech_prob=0.05, avg_logprob=-0.2):
    words = [SimpleNamespace(word=f" {word}", start=i / 4, end=(i + 1) / 4, probability=0.9)
             for i, word in enumerate(text.split())]  # fmt: skip
    return SimpleNamespace(words=words, no_speech_prob=no_speech_prob, avg_logprob=avg_logprob)


class Fake:
    """A recogniser with given segments and probabilities of languages; keeps how it was asked."""

    def __init__(self, *heard, languages=(("en", 0.9),), unfiltered=None):
        self.heard, self.languages, self.unfiltered = heard, languages, unfiltered
        self.asked = []

    def transcribe(self, samples, **options):
        self.asked.append(options)
        every = list(self.languages)
        heard = self.heard if options["vad_filter"] or self.unfiltered is None else self.unfiltered
        language = options["language"] or every[0][0]
        return iter(heard), SimpleNamespace(
            language=language, language_probability=every[0][1], all_language_probs=every,
            duration_after_vad=2.0 if heard or not options["vad_filter"] else 0.0,
        )  # fmt: skip


LATIN = (("la", 0.5), ("cy", 0.3), ("en", 0.12), ("fr", 0.08))


@pytest.mark.parametrize(
    ("languages", "candidates", "vote", "taken", "probability", "note"),
    [
        (LATIN, (), None, "la", 0.5, ()),
        (LATIN, ("en", "fr"), None, "en", 0.12, ("its language is uncertain",)),
        (LATIN, ("en", "fr"), "fr", "fr", 0.08, ("language by the participant's other recordings",)),
        (LATIN, ("en", "fr"), "en", "en", 0.12, ("its language is uncertain",)),
        ((("en", 0.9), ("fr", 0.1)), ("en", "fr"), "fr", "en", 0.9, ()),
        ((("fr", 0.6), ("en", 0.4)), ("en",), None, "en", 0.4, ("its language is uncertain",)),
        ((("es", 0.9), ("pt", 0.1)), ("xx",), None, "es", 0.9, ()),
    ],
)
def test_the_best_candidate_is_taken(languages, candidates, vote, taken, probability, note):
    model = Fake(segment("Oui, bonjour."), languages=languages)
    found = transcribe(model, TONE, None, 1, candidates, vote=(lambda language, share: vote) if vote else None)
    assert (found.language, found.language_probability, found.notes) == (taken, probability, note)
    assert len(model.asked) == 1 + (taken != languages[0][0]), "heard again only in another language"
    assert model.asked[-1]["language"] in (None, taken)


def test_a_given_language_is_not_detected():
    found = transcribe(Fake(segment("Hi."), languages=LATIN), TONE, "fr", 1, ["en"])
    assert (found.language, found.language_probability) == ("fr", 1.0)


def test_what_nobody_says_is_left_out_by_both_numbers_together():
    heard = [
        segment("Real words.", 0.9, -0.2), segment("Unclear words.", 0.1, -1.5), segment("Noise.", 0.9, -0.8),
        segment("Thank you.", 0.7, -0.1), segment("Thank you.", 0.2, -0.3),
    ]  # fmt: skip
    found = transcribe(Fake(*heard), TONE, "en", 1)
    assert found.words == ["Real", "words.", "Unclear", "words.", "Thank", "you."]
    assert found.flagged.tolist() == [False] * 4 + [True] * 2
    np.testing.assert_allclose(found.no_speech_prob, [0.9, 0.9, 0.1, 0.1, 0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found.avg_logprob, [-0.2, -0.2, -1.5, -1.5, -0.3, -0.3], rtol=1e-6)
    assert found.notes == ("words that nobody says left out", "known inventions flagged")


@pytest.mark.parametrize(
    ("pieces", "flags"),
    [
        ([" Sous", "-titres", " réalisés", " par", " la", " communauté", " d", "'Amara", ".org"], [True] * 9),
        ([" Thank", " you."], [True] * 2),
        ([" Merci", " beaucoup", " !"], [True] * 3),
        ([" Thank", " you,", " I", " tried."], [False] * 4),
        ([" Yes.", " Thank", " you."], [False] * 3),
        ([" I", " tried.", " Thanks", " for", " watching!"], [False] * 2 + [True] * 3),
        ([" [Music]"], [True]),
        ([" ♪"], [True]),
        ([], []),
    ],
)
def test_known_inventions(pieces, flags):
    assert invented(pieces) == flags


@pytest.mark.parametrize(
    ("samples", "unfiltered", "words", "note"),
    [
        (TONE, [segment("quiet words")], ["quiet", "words"], ()),
        (TONE, [segment("quiet words", 0.7)], [], ("words that nobody says left out", "sound but no words")),
        (TONE, [segment("Thank you.")], [], ("words that nobody says left out", "sound but no words")),
        (TONE, [], [], ("sound but no words",)),
        (TONE * 0, [segment("Thank you.")], [], ("nobody speaks",)),
        (TONE[:0], [], [], ("nobody speaks",)),
    ],
)
def test_where_the_voice_detector_leaves_nothing_whisper_listens_without_it(samples, unfiltered, words, note):
    model = Fake(unfiltered=unfiltered)
    found = transcribe(model, samples, "en", 1)
    assert (found.words, found.notes) == (words, note)
    assert [requested["vad_filter"] for requested in model.asked] == [True, *([False] if samples.any() else [])]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_prompt_for_verbatim_text_is_of_the_language_and_given_with_every_window(language):
    other = "fr" if language == "en" else "en"
    for given in (language, None):
        model = Fake(segment("Um."), languages=((language, 0.9), (other, 0.1)))
        transcribe(model, TONE, given, 1, verbatim=True)
        assert model.asked[-1]["hotwords"] == prompt(language)
    assert prompt(language) not in ("", prompt(other))
    assert not prompt("de")
    plain = Fake(segment("Um."))
    transcribe(plain, TONE, None, 1)
    assert plain.asked[-1]["hotwords"] is None


def test_quiet_speech_is_raised_and_nothing_else():
    quiet = TONE * np.float32(10 ** (-30 / 20))
    raised = levelled(quiet)
    assert 20 * np.log10(np.abs(raised).max() / np.abs(quiet).max()) > 25
    assert levelled(TONE) is TONE
    click = quiet.copy()
    click[100] = 0.9
    assert np.abs(levelled(click)).max() <= 1
    assert levelled(TONE * 0).max() == 0
    assert [is_silent(sound) for sound in (TONE * 0, TONE[:0], quiet)] == [True, True, False]
    late = np.concatenate([np.zeros(160000, np.float32), TONE])
    assert levelled(late) is late, "silence before it is not its level"
    assert transcribe(Fake(segment("Yes.")), quiet, "en", 1).notes == ("quiet speech, raised in level",)
