from pathlib import Path

import pytest

from waver.datasets.bah.release_yaml import parse_yaml
from waver.datasets.transcripts import (
    accumulate_times,
    guessed_language,
    language_code,
    main_language,
    plain_transcript,
    read_transcript,
)
from waver.errors import WaverError

RELEASED = """
chunks:
- language: english
  text: ' I get a lot of joy, mostly.'
  timestamp: !!python/tuple
  - 0.0
  - 12.0
- language: english
  text: ' In my job I decide.'
  timestamp: !!python/tuple
  - 12.0
  - 28.5
- language: french
  text: ' Oui.'
  timestamp: !!python/tuple
  - 0.0
  - null
text: ' I get a lot of joy, mostly. In my job I decide. Oui.'
"""


def test_windows_follow_each_other_and_the_last_end_is_the_videos():
    chunks = read_transcript(parse_yaml(RELEASED, Path("a.yml")), duration_s=33.0)
    assert [(chunk.start_s, chunk.end_s) for chunk in chunks] == [(0.0, 12.0), (12.0, 28.5), (28.5, 33.0)]
    assert [chunk.language for chunk in chunks] == ["en", "en", "fr"]
    assert chunks[0].text == "I get a lot of joy, mostly."
    assert main_language(chunks) == "en"


def test_no_python_object_is_made_from_a_file():
    with pytest.raises(WaverError, match="a tag that is not known"):
        parse_yaml("!!python/object/apply:os.system ['true']", Path("a.yml"))


@pytest.mark.parametrize(
    ("released", "duration_s", "mended"),
    [
        # whole windows as single chunks: both start at 0
        ([(0.0, 29.0), (0.0, 28.0), (0.0, 5.0)], None, [(0.0, 29.0), (29.0, 57.0), (57.0, 62.0)]),
        # a window that begins with silence
        ([(0.0, 29.0), (2.0, 8.0)], None, [(0.0, 29.0), (31.0, 37.0)]),
        # right as released, with a small overlap
        ([(0.0, 10.4), (10.0, 20.0), (20.0, 31.0), (31.0, 40.0)], 40.0, None),
        # an open end inside a window, then at its end
        ([(0.0, None), (4.0, None), (0.0, 3.0)], None, [(0.0, 4.0), (4.0, 30.0), (30.0, 33.0)]),
        # an open end that nothing closes
        ([(0.0, 4.0), (4.0, None)], None, None),
        # beyond the end of the video
        ([(0.0, 4.0), (4.0, 30.0)], 9.5, [(0.0, 4.0), (4.0, 9.5)]),
        # an end before its start
        ([(0.0, 4.0), (5.0, 4.5), (6.0, 7.0)], None, [(0.0, 4.0), (5.0, 6.0), (6.0, 7.0)]),
        ([(None, 4.0), (None, 6.0)], None, [(0.0, 4.0), (4.0, 6.0)]),
        ([(None, None), (None, None)], 10.0, None),
    ],
)
def test_times_on_one_clock(released, duration_s, mended):
    assert accumulate_times(released, duration_s) == (released if mended is None else mended)


def test_text_without_chunks_or_times():
    assert read_transcript({"chunks": [], "text": " Thank you. "}, 5.0) == plain_transcript("Thank you.")
    assert read_transcript({"chunks": [{"text": "Hm."}]}, 5.0)[0].start_s is None
    assert plain_transcript("  ") == []
    with pytest.raises(TypeError):
        read_transcript(["Hm."], 5.0)


def test_languages():
    assert [language_code(name) for name in ("english", "French", "fr", None, "klingon")] == [
        "en",
        "fr",
        "fr",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Well, I know that I should go for a run, but it is cold.", "en"),
        ("Oui, je sais que c'est bon pour la santé, mais je n'ai pas le temps.", "fr"),
        ("JE NE SAIS PAS", "fr"),
        ("I don't know what the French call a \u201cpain au chocolat\u201d", "en"),
        ("Shower.", None),
        ("", None),
        ("... 42!", None),
        ("the le", None),
    ],
)
def test_the_language_is_guessed_from_its_commonest_words(text, language):
    assert guessed_language(text) == language
