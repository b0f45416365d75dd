"""Transcripts as prompts quote them."""

from __future__ import annotations

import numpy as np
import pytest

from waver.errors import WaverError
from waver.features.cues.columns import TimedWords
from waver.zeroshot.prompts.prompt_set import read_prompts
from waver.zeroshot.questions import Question
from waver.zeroshot.transcripts import quoted, written


def said(words="Um, I should, uh, stop.", starts=(1.0, 1.2, 1.5, 3.0, 3.3), measured=None):
    start_s = np.array(starts, np.float32)
    known = np.ones(len(starts), bool) if measured is None else np.array(measured)
    return TimedWords(words.split(), start_s, start_s + np.float32(0.2), "en", known)


def test_a_clean_transcript_is_as_given_unless_hesitations_were_asked_for():
    assert quoted(said(), "clean") == "Um, I should, uh, stop."
    assert quoted(said(), "clean", hesitations=True) == "I should, stop."
    assert quoted(said(), "verbatim", hesitations=True) == "Um, I should, uh, stop."


def test_a_timed_transcript_names_long_pauses_between_measured_words():
    assert quoted(said(), "timed") == "[pause 1.0 s] Um, I should, [pause 1.3 s] uh, stop."
    guessed = said(measured=[True, True, True, False, True])
    assert quoted(guessed, "timed") == "[pause 1.0 s] Um, I should, uh, stop."


def test_a_window_quotes_the_words_that_overlap_it():
    assert quoted(said(), "clean", from_s=1.1, to_s=1.5) == "Um, I"
    assert quoted(said(), "clean", from_s=1.1, to_s=1.5, context_s=0.1) == "Um, I should,"
    assert quoted(said(), "timed", from_s=2.9, to_s=3.1) == "[pause 1.3 s] uh,"
    assert quoted(said(), "clean", from_s=9.0, to_s=10.0) == ""


def test_silence_is_an_empty_quotation():
    assert quoted(said("", ()), "timed") == ""


def test_a_transcript_without_times_has_no_pauses_and_no_windows():
    assert written(" Bien, {x} ", "clean") == " Bien, {x} "
    with pytest.raises(WaverError, match="style: timed, and this data set has no times"):
        written("x", "timed")
    with pytest.raises(WaverError, match="scope: window, and this data set has no times"):
        written("x", "clean", whole=False)


@pytest.mark.parametrize(
    ("name", "prompt", "question"),
    [
        ("released", "ts", "Classify the emotion in the video as"),
        ("textual", "tcues", "A person answers a question about a habit that they might change.What was seen"),
    ],
)
def test_a_question_without_its_quotation_leaves_no_part_of_it(name, prompt, question):
    given = read_prompts(name)
    requested = Question(prompt, given.prompts[prompt], given.answers).about({"transcript": "Bien.", "cues": "x"})
    assert requested.question.startswith(question)
    assert "Bien" not in requested.question
    assert requested.transcript == "Bien."
