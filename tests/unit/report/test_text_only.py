"""The page of a data set without video files: words and questions alone, and nobody who consents."""

import re
from dataclasses import replace

import pytest

from waver.errors import WaverError
from waver.report import build as page_module
from waver.report.build import render_report
from waver.report.data import load
from waver.report.ranking import scored_splits
from waver.report.text.facts import split_counts

pytestmark = pytest.mark.slow

CONTROLS = ("All negative", "All positive", "Question prior", "ontent-free control")


@pytest.fixture(scope="session")
def page(texts_only, report_config):
    folder, config = texts_only.folder, report_config.model_copy(update={"released": True})
    render_report(texts_only.inputs, config, "transcripts", False, folder / "report.html", folder / "figures")
    return (folder / "report.html").read_text(), folder / "figures"


def test_nobody_is_named_seen_or_quoted(page, canaries):
    html, figures = page
    texts = [html, *(path.read_text() for path in figures.iterdir())]
    assert len(texts) > 8
    for text in texts:
        assert "base64" not in text
        assert "forty geese" not in text
        assert not any(word in text for word in canaries.answer.split() if len(word) > 8)
        assert not re.search(r"(?<![\w.])82\d\d\d(?![A-Za-z0-9])", text)
        assert not re.search(r"\bP-[A-Z2-7]{5}\b", text)
    assert "No video is shown, because the data set has no video files" in html


def test_a_partial_copy_of_the_release_is_told_at_the_head(page):
    head, data = page[0].split("<nav", 1)
    assert "Partial copy." in head
    assert "of 224 participants and" in head
    assert "Your copy and the printed release of 224 participants" in data
    assert "Known misprint: Section 3.2 counts 376 videos" in data


def test_no_text_is_kept_in_memory(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    assert material.answers
    assert not any("text" in row for row in material.answers)


def test_a_quotation_leaves_no_page_behind(texts_only, canaries, report_config, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "languages", lambda material: f"they say: {canaries.answer}")
    with pytest.raises(WaverError, match="would quote"):
        render_report(texts_only.inputs, report_config, "t", False, tmp_path / "report.html", tmp_path / "figures")
    assert not (tmp_path / "report.html").exists()
    assert not list((tmp_path / "figures").iterdir())


def test_every_table_names_its_split_and_cross_validation_comes_first(page):
    html, _ = page
    tables = re.findall(r'<table class="scores.*?</table>', html, re.DOTALL)
    assert len(tables) >= 8
    for table in tables:
        caption = re.search(r"<caption>(.*?)</caption>", table, re.DOTALL)[1]
        assert re.search("cross-validation|validation split", caption, re.IGNORECASE), caption
        assert all(control in table for control in CONTROLS)
    for section in ("frames", "videos"):
        part = html[html.index(f'<section id="{section}">') :]
        first, second = part.index("Cross-validation over participants"), part.index("Validation split: the epoch")
        assert first < part.index("<table") < second


def test_the_control_comes_before_the_tables(page):
    html, figures = page
    part = html[html.index('<section id="control">') : html.index('<section id="frames">')]
    assert "is above the content-free control by" in part
    for name in ("asked", "decomposition-video", "within-video", "beside"):
        assert f'id="fig-{name}"' in part
        assert (figures / f"{name}.svg").exists()
    assert "Encoder" not in part
    assert "Fine-tuned encoder, words + question" in part
    assert "TF-IDF, words<" in part


def test_calibration_has_its_own_section(page):
    html, figures = page
    part = html[html.index('<section id="calibration">') :]
    assert "ECE" in part
    assert "after scaling" in part
    assert {"reliability-frame.svg", "reliability-video.svg"} <= {path.name for path in figures.iterdir()}


def test_links_and_ids_hold(page):
    html, _ = page
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert all(f'id="{target}"' in html for target in re.findall(r'href="#([^"]+)"', html))
    assert "nan" not in html.lower().split()


def test_answers_without_frames_are_counted(texts_only, report_config):
    material = load(texts_only.inputs, report_config, "transcripts", False)
    more = [
        {**row, "video": f"9{row['video']}", "participant": f"9{row['participant']}", "split": "test"}
        for row in material.answers
        if row["split"] == "val"
    ]
    rows = split_counts(replace(material, answers=[*material.answers, *more]))
    assert [row[0] for row in rows] == ["train", "val", "test", "all"]
    val, test = rows[1], rows[2]
    assert test[1:4] == val[1:4]
    assert test[4:6] == ("0", "–")


def test_a_split_of_controls_alone_comes_last(texts_only, report_config):
    scores = load(texts_only.inputs, report_config, "transcripts", False).scores
    assert scored_splits(scores, "video") == ["cv", "val"]
    kept = [row for row in scores if row["split"] == "val" or row["method"] in ("content_free", "all_negative")]
    assert scored_splits(kept, "video") == ["val", "cv"]
