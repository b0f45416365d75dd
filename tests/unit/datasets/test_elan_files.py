"""Files as ELAN writes them: open times, dependent tiers, two cameras, and exports with any of the boxes ticked."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from waver.datasets.elan.annotations import Annotation
from waver.datasets.elan.eaf import read_eaf
from waver.datasets.elan.tab_export import read_tab
from waver.errors import WaverError

SAID = [Annotation(1000, 2500, "1"), Annotation(61_040, 62_000, "0"), Annotation(3_723_004, 3_725_000, "1")]
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-02T10:00:00+02:00" FORMAT="3.0" VERSION="3.0">
<LICENSE LICENSE_URL=""/>
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/face.mp4" MIME_TYPE="video/mp4" RELATIVE_MEDIA_URL="./face.mp4"{origin}/>
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/room.wav" MIME_TYPE="audio/x-wav" TIME_ORIGIN="7000"/>
<PROPERTY NAME="URN">urn:nl-mpi-tools-elan-eaf:1</PROPERTY>
</HEADER>
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="ts2"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1100"/>
<TIME_SLOT TIME_SLOT_ID="ts4"/>
<TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="4000"/>
<TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="4100"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="cv" TIER_ID="AH" ANNOTATOR="eva" PARTICIPANT="P1"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" CVE_REF="cveid_0" EXT_REF="er1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts5">
<ANNOTATION_VALUE>ambivalent</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="time" PARENT_REF="AH" TIER_ID="parts"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>a</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>b</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a4" TIME_SLOT_REF1="ts4" TIME_SLOT_REF2="ts5"><ANNOTATION_VALUE/>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="free" TIER_ID="other"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a5" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts6">
<ANNOTATION_VALUE>x</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="symbolic" PARENT_REF="AH" TIER_ID="cue_face"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a6" ANNOTATION_REF="a1">
<ANNOTATION_VALUE>frown</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a7" ANNOTATION_REF="a1" PREVIOUS_ANNOTATION="a6">
<ANNOTATION_VALUE>smile</ANNOTATION_VALUE>
</REF_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="symbolic" PARENT_REF="cue_face" TIER_ID="sure"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a8" ANNOTATION_REF="a7">
<ANNOTATION_VALUE>yes</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION></TIER>
<EXTERNAL_REF EXT_REF_ID="er1" TYPE="ecv" VALUE="file:///C:/codes.ecv"/>
</ANNOTATION_DOCUMENT>
"""


@pytest.mark.parametrize("origin_ms", [0, 250])
def test_open_times_dependent_tiers_and_two_recordings(tmp_path: Path, origin_ms: int) -> None:
    """Open times are even within their tier, whatever another tier has between; times are of the first recording."""
    origin = f' TIME_ORIGIN="{origin_ms}"' if origin_ms else ""
    (tmp_path / "a.eaf").write_text(EAF.replace("{origin}", origin), encoding="utf-8")

    def on(start_ms: int, end_ms: int, text: str) -> Annotation:
        return Annotation(start_ms + origin_ms, end_ms + origin_ms, text)

    assert read_eaf(tmp_path / "a.eaf") == {
        "AH": [on(1000, 4000, "ambivalent")],
        "parts": [on(1000, 2000, "a"), on(2000, 3000, "b"), on(3000, 4000, "")],
        "other": [on(1100, 4100, "x")],
        "cue_face": [on(1000, 2500, "frown"), on(2500, 4000, "smile")],
        "sure": [on(2500, 4000, "yes")],
    }


def test_annotations_that_refer_to_each_other_in_a_ring_are_refused(tmp_path: Path) -> None:
    text = EAF.replace("{origin}", "").replace('"a6" ANNOTATION_REF="a1"', '"a6" ANNOTATION_REF="a8"')
    (tmp_path / "a.eaf").write_text(text.replace('"a7" ANNOTATION_REF="a1"', '"a7" ANNOTATION_REF="a8"'))
    with pytest.raises(WaverError, match="whose time is missing"):
        read_eaf(tmp_path / "a.eaf")


def in_form(time_ms: int, form: str, point: str) -> str:
    if form == "msec":
        return str(time_ms)
    if form == "ss.msec":
        return f"{time_ms / 1000:.3f}".replace(".", point)
    seconds, ms = divmod(time_ms, 1000)
    hours, minutes, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    if form == "SMPTE":
        return f"{hours:02d}:{minutes:02d}:{second:02d}:{ms * 25 // 1000:02d}"
    return f"{hours:02d}:{minutes:02d}:{second:02d}{point}{ms:03d}"


CHOSEN = [("hh:mm:ss.ms",), ("ss.msec",), ("msec",), ("hh:mm:ss.ms", "ss.msec"), ("SMPTE", "msec"),
          ("hh:mm:ss.ms", "ss.msec", "msec")]  # fmt: skip


@pytest.mark.parametrize("forms", CHOSEN, ids="+".join)
def test_exports_with_any_boxes_ticked(tmp_path: Path, forms: tuple[str, ...]) -> None:
    """Values that are numbers are no times, and neither is a participant who is one."""
    for lasts, participant, named, point, encoding in product(
        (False, True), (None, "", "12"), (False, True), ".,", ("utf-8", "utf-8-sig", "utf-16")
    ):
        lines = []
        for one in SAID:
            times = [one.start_ms, one.end_ms, *([one.end_ms - one.start_ms] if lasts else [])]
            cells = [in_form(time_ms, form, point) for time_ms in times for form in forms]
            lines.append(["AH", *([] if participant is None else [participant]), *cells, one.text])
        kinds = ["Begin Time", "End Time", *(["Duration"] if lasts else [])]
        head = ["Tier", *([] if participant is None else ["Participant"])]
        head += [f"{kind} - {form}" for kind in kinds for form in forms] + ["Annotation"]
        text = "".join("\t".join(line) + "\r\n" for line in ([head] if named else []) + lines)
        (tmp_path / "a.txt").write_bytes(text.encode(encoding))
        assert read_tab(tmp_path / "a.txt") == {"AH": SAID}, (lasts, participant, named, point, encoding)


def test_an_export_with_a_column_for_each_tier(tmp_path: Path) -> None:
    text = '"#file:///C:/a.eaf"\n\nBegin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec\tAH\tcue_face\n'
    (tmp_path / "a.txt").write_text(text + "1.0\t2.0\t1.0\tyes\t\n1.5\t3.0\t1.5\t\tfrown\n")
    assert read_tab(tmp_path / "a.txt") == {
        "AH": [Annotation(1000, 2000, "yes")],
        "cue_face": [Annotation(1500, 3000, "frown")],
    }
