"""The page of a recording in a real browser: what a person does with keys and mouse, and what is written."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from chromium import CHROMIUM, Browser
from video_clips import HEIGHT, WIDTH, number_of, write_clip
from viewed import result
from waver.predict.codings import read_codings
from waver.predict.result import Word
from waver.predict.segments import SegmentRule
from waver.predict.viewer.page import About, texts, write_index, write_page

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here"), pytest.mark.timeout(120)]

OFFSET_S = 0.5
RULE = SegmentRule("hysteresis", 0.6, 0.3)
HOSTILE = "</script><script>window.broken=1</script><!--<img src=x onerror=window.broken=1>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("browser"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A recording of ten seconds whose frames carry their number, one of hostile words, and one without a video.

    The sound of the first begins before its picture.
    """
    folder = tmp_path_factory.mktemp("pages")
    (folder / "a folder").mkdir()
    video = write_clip(folder / "a folder/recording 1%.webm", OFFSET_S + np.arange(240) / 24, "libvpx", 0.0)
    shown = replace(result(), video=video)
    words = [Word(HOSTILE, 0.5, 1.0), *(shown.words or [])]
    segments = [replace(one, cues=(HOSTILE,)) for one in shown.segments]
    hostile = replace(shown, recording="hostile", participant=HOSTILE, words=words, segments=segments, video=None)
    gone = replace(shown, recording="gone", video=folder / "gone.webm")
    written = [write_page(one, folder, About("can/VAT/0"), RULE, [(30, 60)]) for one in (shown, hostile, gone)]
    return {path.stem: path for path, _ in written} | {
        "index": write_index([row for _, row in written], folder, About("m"))
    }


@pytest.fixture
def page(browser, pages):
    """The first recording, nothing of it reviewed yet."""
    browser.open(pages["recording_001"])
    browser.until("film.readyState >= 2")
    browser.value("localStorage.clear()")
    browser.open(pages["recording_001"])
    browser.until("film.readyState >= 2 && playhead !== null")
    return browser


def pressed(browser):
    """Verdict of each segment, as its buttons show it."""
    return browser.value(
        "[...document.querySelectorAll('tr[data-segment]')].map(row => row.querySelector('[aria-pressed=true]'))"
        ".map(button => button && button.dataset.verdict)"
    )


@pytest.mark.slow
def test_the_page_opens_without_a_complaint_and_shows_what_it_is_of(page):
    assert page.complaints == []
    assert page.value("document.querySelectorAll('#lanes .predicted').length") == 2
    assert page.value("document.querySelectorAll('#lanes .annotated').length") == 1
    assert page.value("document.querySelectorAll('#lanes .missing').length") == 1
    assert page.value("document.querySelector('.internal').getBoundingClientRect().height > 20")
    widest = page.value(
        "Math.max(...[...document.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right))"
    )
    assert widest <= page.value("innerWidth")


def test_keys_go_from_segment_to_segment_and_the_video_shows_its_frame(page):
    for key, frame in (("j", 50), ("j", 144), ("k", 50)):
        page.press(key)
        page.until("!film.seeking && film.readyState >= 2")
        assert page.value("film.currentTime") == pytest.approx(OFFSET_S + frame / 24)
        shown = Image.open(io.BytesIO(page.picture("#video"))).convert("RGB")
        height = shown.width * HEIGHT // WIDTH
        inside = shown.crop((0, (shown.height - height) // 2, shown.width, (shown.height + height) // 2))
        assert abs(number_of(np.asarray(inside.resize((WIDTH, HEIGHT)))) - frame) <= 1
        assert page.value("document.querySelector('tr.here').dataset.segment") == ("0" if frame == 50 else "1")
        assert page.value("at('now').textContent").startswith(f"0:0{frame / 24:.1f}: score 0.9")
    page.press("ArrowRight")
    assert page.value("now()") == pytest.approx(50 / 24 + 1)
    assert page.value("document.querySelector('#words b').textContent") == "maybe"


def test_a_click_on_a_segment_jumps_to_it(page):
    page.click("#lanes [data-segment='1']")
    assert page.value("now()") == pytest.approx(6)
    page.click("tr[data-segment='0'] .go")
    assert page.value("now()") == pytest.approx(50 / 24)
    assert page.value("xOf(now()) - LEFT") == pytest.approx(page.value("wide()") * 50 / 240, abs=1)


def test_space_plays_and_stops_and_in_a_field_it_is_a_space(page):
    page.press(" ")
    page.until("!film.paused && film.currentTime > 0.1")
    page.press(" ")
    page.until("film.paused")
    page.value("at('coder').focus()")
    page.press(" ")
    page.press("j")
    assert page.value("film.paused")
    assert page.value("film.currentTime") < 2


def test_a_segment_is_played_to_its_end(page):
    page.value("at('speed').value = '2'; at('speed').dispatchEvent(new Event('change'))")
    page.click("tr[data-segment='0'] [data-verdict='unsure']")
    page.press("j")
    page.press("p")
    page.until("film.paused && now() >= 96 / 24")
    assert page.value("now()") < 96 / 24 + 0.5
    assert pressed(page)[0] == "unsure"
    page.press(" ")  # plays, and does not press again the button that was clicked
    page.until("!film.paused")
    assert pressed(page)[0] == "unsure"


def test_a_review_is_written_and_found_again(page, pages, tmp_path):
    page.press("j")
    page.press("1")
    page.press("j")
    page.click("tr[data-segment='1'] [data-verdict='reject']")
    page.value("at('coder').value = '=AB \"1\"'; at('coder').dispatchEvent(new Event('input'))")
    assert pressed(page) == ["accept", "reject"]
    page.open(pages["recording_001"])
    page.until("playhead !== null")
    assert pressed(page) == ["accept", "reject"]
    page.press("s")
    written = page.downloaded("recording_001_review.json")
    actual = json.loads(written)
    assert (actual["recording"], actual["coder"], actual["model"]) == ("recording_001", '=AB "1"', "can/VAT/0")
    spans = [(one["start_frame"], one["end_frame"], one["start_s"], one["verdict"]) for one in actual["segments"]]
    assert spans == [(50, 96, 2.083, "accept"), (144, 192, 6.0, "reject")]
    (tmp_path / "recording_001_review.json").write_bytes(written)
    page.click("tr[data-segment='1'] [data-verdict='reject']")
    page.click("#save-csv")
    table = page.downloaded("recording_001_review.csv")
    (tmp_path / "recording_001_review.csv").write_bytes(table)
    rows = list(csv.DictReader(io.StringIO(table.decode(), newline="")))
    assert [(row["start_s"], row["verdict"], row["judged"]) for row in rows] == [
        ("2.083", "accept", "true"), ("6.000", "unsure", "false")
    ]  # fmt: skip
    assert rows[0]["coder"] == '\'=AB "1"'  # no formula for a spreadsheet
    found = {}
    for file in tmp_path.iterdir():  # as waver import-review reads them
        (one,) = read_codings(file, "", {"recording_001": [(50, 96), (144, 192)]}, {})
        found[file.suffix] = (one.coder, one.positive, one.unsure)
    assert found[".json"] == ('=AB "1"', [(50, 96)], [])
    assert found[".csv"][1:] == ([(50, 96)], [(144, 192)])
    page.click("#forget")
    page.open(pages["recording_001"])
    assert pressed(page) == [None, None]


def test_no_text_of_a_recording_is_run_and_nothing_leaves_the_page(browser, pages):
    browser.open(pages["hostile"])
    browser.value("seek(0.7)")
    assert browser.value("document.querySelector('#words b').textContent") == HOSTILE
    assert browser.value("document.querySelector('dd').textContent") == HOSTILE
    browser.complaints.clear()
    browser.value(
        "(s => { s.textContent = 'window.broken = 1'; document.body.append(s); })(document.createElement('script'))"
    )
    assert browser.value("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
    assert browser.value("typeof window.broken") == "undefined"
    assert sum("Content Security Policy" in one for one in browser.complaints) >= 2
    browser.complaints.clear()


def test_without_a_video_the_time_line_still_runs(browser, pages):
    browser.open(pages["gone"])
    browser.until("clock.dead")
    assert browser.value("at('broken').getBoundingClientRect().height > 0 && film.hidden")
    browser.press("j")
    browser.press(" ")
    browser.until("now() > 2.1 && segmentAt(now()) === 0")
    browser.press(" ")
    browser.complaints.clear()


def test_what_can_be_operated_has_a_name(page):
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "textbox", "slider", "combobox", "link"}
    found = [(n["role"]["value"], n["name"]["value"]) for n in nodes if n["role"]["value"] in controls]
    assert len(found) > 15
    assert not [one for one in found if not one[1].strip()]
    assert [n["name"]["value"] for n in nodes if n["role"]["value"] == "image"] == [
        texts("en")["timeline_label"].strip()
    ]


def test_a_browser_that_keeps_nothing_says_so(browser, pages):
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)["identifier"]
    browser.open(pages["recording_001"])
    browser.press("j")
    browser.press("1")
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added)
    assert pressed(browser) == ["accept", None]
    assert browser.value("at('kept').textContent") == texts("en")["not_kept"].strip()
    assert browser.complaints == []


@pytest.mark.slow
def test_the_index_leads_to_the_pages(browser, pages):
    browser.open(pages["index"])
    browser.click("a")
    browser.until("location.pathname.endsWith('recording_001.html') && document.readyState === 'complete'")
