"""The viewer's files as they are written: whole, small, in words, and with nothing from elsewhere."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml

from viewed import result
from waver.predict.result import Bands
from waver.predict.segments import SegmentRule
from waver.predict.viewer.data import page_data
from waver.predict.viewer.page import _SCRIPTED, TEMPLATES, TEXTS, About, clock, write_index, write_page

ABOUT = About("can/VAT/0")


@pytest.fixture
def written(tmp_path):
    """Writes a page of the recording with some changes; its text."""

    def write(**changes):
        path, _ = write_page(replace(result(), **changes), tmp_path, ABOUT, SegmentRule("hysteresis", 0.6, 0.3))
        return path.read_text(encoding="utf-8")

    return write


def test_a_page_is_small_and_names_nothing_elsewhere(written):
    page = written()
    assert len(page.encode()) < 60_000
    assert not re.findall(
        r"https?:|//[a-z]+\.|src=\"(?!data)|@import|url\((?!#)", page.replace("http://www.w3.org/2000/svg", "")
    )
    assert written(participant="p1") == page  # the same bytes from the same recording


def test_its_policy_names_the_style_and_the_script_that_are_in_it(written):
    page = written()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    for element, rule in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)[1]
        sha256 = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{rule} 'sha256-{sha256}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.findall(r"<[^>]* (on\w+|style)=", page)


def test_data_lie_in_a_block_that_no_word_can_end(written):
    evil = "</script><script>alert(1)</script><!-- \u2028 & 'x'"
    page = written(participant=evil, segments=[replace(result().segments[0], cues=(evil,))])
    assert page.count("</script>") == 2
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert json.loads(block)["segments"][0]["cues"] == [evil]
    assert not set("<>&\u2028") & set(block)


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["Likely", "would have said the same (0.80)", "may tell no more", "“unlikely” (0.30)"], ["cannot tell"]),
        ({"question_only": 0.2}, ["Likely", "would have said “unlikely” (0.20)"], ["said the same"]),
        ({"video_probability": 0.5}, ["Unclear", "The model cannot tell"], ["said the same"]),
        ({"video_probability": 0.1, "question_only": None, "control": None}, ["Unlikely", "is not known"], ["0.30"]),
    ],
)  # fmt: skip
def test_what_is_said_is_a_band_beside_a_guess_and_never_a_bare_number(written, changes, said, unsaid):
    page = written(**changes)
    verdict = re.sub(r"\s+", " ", page[page.index('<section class="verdict') : page.index("</section>")])
    assert not [text for text in said if text not in verdict]
    assert not [text for text in unsaid if text in verdict]
    assert "Not for employment, education, policing, insurance" in verdict
    assert "This page shows a person" in page


def test_a_missing_modality_is_named(written):
    nowhere = {**result().valid, "audio": np.zeros(240, bool)}
    assert "face +1.7, voice +0.0, words -0.4" in written()
    assert "Missing altogether, and left out: voice." in written(valid=nowhere)
    assert "Missing altogether" not in written()


def test_the_recording_is_a_relative_link(tmp_path):
    (tmp_path / "pages").mkdir()
    path, _ = write_page(replace(result(), video=tmp_path / "films/a b%.mp4"), tmp_path / "pages", ABOUT)
    assert 'src="../films/a%20b%25.mp4"' in path.read_text()
    assert str(tmp_path) not in path.read_text()


def test_the_script_gets_every_frame_and_every_gap():
    shown = result()
    data = page_data(shown, SegmentRule("hysteresis", 0.6, 0.3), None, "m", "s")
    assert np.allclose(np.array(data["probability"]) / 1000, shown.probability, atol=5e-4)
    face = data["modalities"][0]
    assert face["gaps"] == [[200, 230]]
    assert np.allclose(np.array(face["adds"]) / 100, shown.contributions[:, 0], atol=5e-3)
    assert data["conflict"] == {"visual+text": [[0, 60]]}
    assert (data["low"], data["high"]) == (0.3, 0.6)
    assert page_data(shown, None, None, "m", "s")["low"] == shown.threshold
    other = page_data(replace(shown, segments=shown.segments[:1]), None, None, "m", "s")
    assert other["stamp"] != data["stamp"]  # a review belongs to its segments


def test_the_index_has_a_line_a_recording(tmp_path):
    shown = [result(), replace(result(), recording="<b>", bands=Bands(0.95, 0.99), question_only=None)]
    page = write_index([write_page(one, tmp_path, ABOUT)[1] for one in shown], tmp_path, ABOUT).read_text()
    lines = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)[1:]
    assert ["Likely (0.90)" in lines[0], "the same (0.80)" in lines[0]] == [True, True]
    assert ["Unlikely (0.90)" in lines[1], "not known" in lines[1], "&lt;b&gt;" in lines[1]] == [True, True, True]
    assert "<b>" not in page


def test_every_sentence_is_used_and_every_used_one_is_there():
    pages = "\n".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    scripts = "\n".join(path.read_text() for path in TEMPLATES.glob("*.js"))
    scripted = set(re.findall(r"\bt\.([a-z_]+)", scripts))
    assert scripted <= set(_SCRIPTED)
    used = set(re.findall(r"\bt\.([a-z_]+)", pages)) | set(_SCRIPTED) | {"from"}
    used |= {f"{band}_sentence" for band in ("likely", "unclear", "unlikely")}
    for language, words in yaml.safe_load(TEXTS.read_text()).items():
        assert set(words) == used, language


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00.0"), (7.46, "0:07.5"), (59.97, "1:00.0"), (3723, "1:02:03.0")])
def test_times_are_told_as_on_a_clock(seconds, told):
    assert clock(seconds) == told


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(scheme):
    """WCAG 2.1, 1.4.3: at least 4.5 to 1."""
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "viewer.css").read_text(), re.DOTALL)
    colours = {name: value for block in blocks[: scheme + 1] for name, value in re.findall(r"--(\w+): (#\w{6})", block)}
    pairs = [("ink", "paper"), ("ink", "wash"), ("muted", "paper"), ("muted", "wash"), ("blue", "paper")]
    for text, ground in pairs:
        high, low = sorted((_luminance(colours[text]), _luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
