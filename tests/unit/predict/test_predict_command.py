"""``waver predict`` before any model is read: its options, and what the user has to mend."""

from __future__ import annotations

import re

import pytest

from checkout import ROOT
from waver.cli import main
from waver.predict.options import Options
from waver.predict.run import _options, _parser


def test_the_page_names_every_option_and_no_other():
    page = (ROOT / "docs/predict.md").read_text()
    table = page.split("## What to give")[1].split("## What you get")[0]
    known = {name for action in _parser()._actions for name in action.option_strings} - {"-h", "--help"}
    assert set(re.findall(r"`(--[a-z]+)", table)) == known


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--language", "english"], "--language english is no ISO 639-1 code"),
        (["--question", "0"], "--question 0 is no number; they count from 1"),
        (["--question", "four"], "--question four is no number"),
        (["--transcripts", "gone"], "--transcripts gone is no folder"),
        (["--model", "gone"], "--model gone is not there; give results/<run>"),
    ],
)
def test_what_has_to_be_mended_is_one_sentence(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "a.mp4", "--model", ".", "--out", "out", *arguments]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"waver predict: {told}")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file/below", tmp_path / ("a" * 300)):
        assert main(["predict", "a.mp4", "--model", str(tmp_path), "--out", str(out)]) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert re.fullmatch(r"waver predict: .* cannot be read or written \(.*\); give another path.*", said)


@pytest.mark.parametrize(
    ("value", "recognise", "words", "folder"),
    [("auto", True, True, False), ("none", False, False, False), ("said", False, True, True)],
)
def test_transcripts_are_recognised_left_out_or_taken_from_a_folder(
    value, recognise, words, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "said").mkdir()
    given = _parser().parse_args(["a.mp4", "--model", ".", "--out", "out", "--transcripts", value])
    options = _options(given)
    assert (options.recognise, options.words, options.transcripts is not None) == (recognise, words, folder)
    assert options.out == tmp_path / "out"


def test_a_dash_takes_back_what_an_earlier_call_said():
    names = ("participant", "question", "language")
    dashes = [part for name in names for part in (f"--{name}", "-")]
    options = _options(_parser().parse_args(["a.mp4", "--model", ".", "--out", "out", *dashes]))
    assert options.taken_back == set(names)
    assert (options.participant, options.question, options.language) == ("", None, None)


def test_no_record_holds_a_name_of_the_users_files(tmp_path):
    options = Options((tmp_path / "Anna.mp4",), tmp_path, tmp_path, participant="Anna", transcripts=tmp_path / "Anna")
    assert "Anna" not in str(options.recorded)
