"""ELAN, Praat and WebVTT files: what is written is read back, by our readers and by others'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pympi import Eaf
from test_segment_rules import result

from waver.align.timeline import _within
from waver.datasets.elan.annotations import Annotation
from waver.datasets.elan.eaf import read_eaf
from waver.errors import WaverError
from waver.predict.elan import write_eaf
from waver.predict.result import Word
from waver.predict.segments import DURATIONS, with_segments
from waver.predict.textgrid import read_textgrid, write_textgrid
from waver.predict.tiers import (
    ANNOTATOR,
    CONFLICT,
    MODEL,
    QUALITY,
    REVIEWED,
    TRANSCRIPT,
    WORD,
    frame_to_ms,
    ms_to_frame,
    on_grid,
    tiers_of,
    to_frames,
)
from waver.predict.transcript_files import read_transcript
from waver.predict.webvtt import write_vtt

ODD = 'a <b> & "c" --> é\u0301 ]]> \u200f'


@pytest.fixture
def tiers() -> dict[str, list[Annotation]]:
    spans = [(0, 1), (1, 5), (7, 8), (24, 100), (86399, 86400)]
    return {MODEL: [on_grid(*span, "0.83") for span in spans], "mine": [Annotation(5, 7, ODD)], REVIEWED: []}


def test_a_time_on_the_grid_is_its_frame() -> None:
    frames = np.arange(24 * 3600 * 5)
    assert all(ms_to_frame(frame_to_ms(int(frame))) == frame for frame in frames[::7])
    assert [ms_to_frame(frame_to_ms(frame)) for frame in range(200)] == list(range(200))


def test_times_off_the_grid_are_read_as_labels_are() -> None:
    for start in range(0, 260, 3):
        for end in (start + 1, start + 40, start + 43, start + 411):
            label = np.zeros(24, np.uint8)
            for first, last in to_frames([Annotation(start, end, "")]):
                label[first:last] = 1
            assert np.array_equal(label, _within([(start / 1000, end / 1000)], 24)), (start, end)


def test_eaf_there_and_back(tmp_path: Path, tiers: dict[str, list[Annotation]]) -> None:
    write_eaf(tmp_path / "a.eaf", tiers, tmp_path / "work/clip.mp4")
    back = read_eaf(tmp_path / "a.eaf")
    assert back[MODEL] == tiers[MODEL]
    assert to_frames(back[MODEL]) == [(0, 1), (1, 5), (7, 8), (24, 100), (86399, 86400)]
    assert back[REVIEWED] == []
    assert back["mine"][0].text == 'a <b> & "c" --> é\u0301 ]]> \u200f'
    write_eaf(tmp_path / "b.eaf", tiers, tmp_path / "work/clip.mp4")
    assert (tmp_path / "a.eaf").read_bytes() == (tmp_path / "b.eaf").read_bytes()
    with pytest.raises(ValueError, match="no length"):
        write_eaf(tmp_path / "c.eaf", {MODEL: [Annotation(5, 5, "")]})


def test_pympi_reads_what_is_written_and_we_what_it_writes(tmp_path: Path, tiers: dict[str, list[Annotation]]) -> None:
    write_eaf(tmp_path / "a.eaf", tiers, tmp_path / "clip.mp4")
    opened = Eaf(str(tmp_path / "a.eaf"))
    assert set(opened.get_tier_names()) == set(tiers)
    assert [Annotation(*one) for one in opened.get_annotation_data_for_tier(MODEL)] == tiers[MODEL]
    assert opened.get_linked_files()[0]["RELATIVE_MEDIA_URL"] == "./clip.mp4"
    entries = opened.get_cv_entries("review")
    assert [values[0][0] for values, _ in entries.values()] == ["A/H", "unsure"]
    opened.add_annotation(REVIEWED, 1000, 2000, "A/H")
    opened.remove_annotation(MODEL, 1100)
    opened.to_file(str(tmp_path / "edited.eaf"))
    edited = read_eaf(tmp_path / "edited.eaf")
    assert edited[REVIEWED] == [Annotation(1000, 2000, "A/H")]
    assert edited[MODEL] == [one for one in tiers[MODEL] if one.start_ms != 1000]


def test_dependent_and_open_times(tmp_path: Path) -> None:
    eaf = Eaf()
    eaf.add_linguistic_type("cue", constraints="Symbolic_Association", timealignable=False)
    eaf.add_tier("AH_coder")
    eaf.add_tier("cue_face", ling="cue", parent="AH_coder")
    eaf.add_annotation("AH_coder", 100, 900, "A/H")
    eaf.add_ref_annotation("cue_face", "AH_coder", 500, "frown")
    eaf.to_file(str(tmp_path / "x.eaf"))
    assert read_eaf(tmp_path / "x.eaf")["cue_face"] == [Annotation(100, 900, "frown")]
    text = (tmp_path / "x.eaf").read_text()
    assert 'TIME_VALUE="900"' in text
    later = '<TIME_SLOT TIME_SLOT_ID="ts9" TIME_VALUE="500" /></TIME_ORDER>'
    (tmp_path / "y.eaf").write_text(text.replace(' TIME_VALUE="900"', "").replace("</TIME_ORDER>", later))
    assert read_eaf(tmp_path / "y.eaf")["AH_coder"] == [Annotation(100, 300, "A/H")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "boom">]><ANNOTATION_DOCUMENT>&x;</ANNOTATION_DOCUMENT>',
            "type",
        ),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>', "declares a document type"),
        (b"<a>" * 60, "too many elements"),
        (b"<html/>", "no ELAN annotation file"),
        (b"<ANNOTATION_DOCUMENT>", "no complete XML"),
        (b"", "no complete XML"),
        (b"\xff\xfe\x00garbage", "no complete XML"),
        (b'<?xml version="1.0" encoding="none"?><a/>', "no complete XML"),
        (b"<?xml version='1.0' encoding='UTF-7'?><a/>", "no complete XML"),
        (b'<?xml version="1.0" encoding="gb2312"?><a/>', "no complete XML"),
        (b'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="NTSC-frames"/></ANNOTATION_DOCUMENT>', "not in milliseconds"),
        (
            b'<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t" TIME_VALUE="1e9"/></TIME_ORDER>'
            b"</ANNOTATION_DOCUMENT>",
            "missing or no number",
        ),
        (
            b'<ANNOTATION_DOCUMENT><TIER TIER_ID="x"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a" ANNOTATION_REF="a"/>'
            b"</ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
            "missing or no number",
        ),
    ],
)
def test_hostile_files_end_with_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "x.eaf").write_bytes(content)
    with pytest.raises(WaverError, match=told):
        read_eaf(tmp_path / "x.eaf")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.eaf").open("wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(WaverError, match="larger than 64 MB"):
        read_eaf(tmp_path / "x.eaf")
    with pytest.raises(WaverError, match="cannot be read"):
        read_eaf(tmp_path / "none.eaf")


def test_textgrid_there_and_back(tmp_path: Path, tiers: dict[str, list[Annotation]]) -> None:
    write_textgrid(tmp_path / "a.TextGrid", tiers, 10_000)
    back = read_textgrid(tmp_path / "a.TextGrid")
    assert to_frames(back[MODEL]) == to_frames(tiers[MODEL])
    assert back["mine"][0].text == ODD.replace("é\u0301", "é\u0301")
    assert back[REVIEWED] == []
    text = (tmp_path / "a.TextGrid").read_text()
    short = "\n".join(line.partition("=")[2] or line for line in text.split("\n") if "[" not in line)
    assert short.count("IntervalTier") == 3


@pytest.mark.parametrize(
    "content", ["", 'File type = "ooTextFile"\n"TextGrid" 0 1 <exists> 1 "IntervalTier" "a" 0', "x" * 99]
)
def test_half_a_textgrid_ends_with_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.TextGrid").write_text(content)
    with pytest.raises(WaverError, match="no whole TextGrid"):
        read_textgrid(tmp_path / "a.TextGrid")


def test_captions_there_and_back(tmp_path: Path) -> None:
    captions = [Annotation(0, 42, "0.83"), Annotation(3_600_123, 3_600_999, "a <b> & c --> d")]
    write_vtt(tmp_path / "a.vtt", captions)
    said = read_transcript(tmp_path / "a.vtt")
    assert [(one.start_s, one.end_s, one.text) for one in said] == [
        (one.start_ms / 1000, one.end_ms / 1000, one.text) for one in captions
    ]


def test_tiers_of_a_result(tmp_path: Path) -> None:
    words = [Word("I", 0.1, 0.2), Word("hmm", 0.15, 0.5), Word("no", 2.0, 2.0)]
    made = result(np.repeat([0.2, 0.9, 0.2], 48), words=words, tracks={"gate/visual+text": np.ones(144)})
    made.valid["visual"][30:60] = False
    made.valid["text"][40:90] = False
    made.valid["text"][100:110] = False
    tiers = tiers_of(with_segments(made, DURATIONS), annotated=[(50, 90)])
    assert tiers[MODEL] == [Annotation(2000, 4000, "0.90")]
    assert tiers[CONFLICT] == [Annotation(2000, 4000, "face against words")]
    assert [one.text for one in tiers[TRANSCRIPT]] == ["I hmm", "no"]
    assert [(one.start_ms, one.end_ms) for one in tiers[WORD]] == [(100, 200), (200, 500), (2000, 2001)]
    assert [one.text for one in tiers[QUALITY]] == ["no face", "no face, no words", "no words"]
    assert to_frames(tiers[ANNOTATOR]) == [(50, 90)]
    assert ANNOTATOR not in tiers_of(made)
    assert WORD not in tiers_of(made, words=False)
    write_eaf(tmp_path / "a.eaf", tiers)
    write_textgrid(tmp_path / "a.TextGrid", tiers, 6000)
    assert {name: list(found) for name, found in tiers.items()} == read_eaf(tmp_path / "a.eaf")
