"""Hostile texts for the readers: sound files damaged at random, and texts put together from the formats' own parts.

Every text follows from a number, so that a failure is repeated with it.
"""

from __future__ import annotations

import random

from bah_tree import annotation_entry, frame_list, video_path

VIDEO, OTHER = video_path("82567", 7), video_path("82568", 1)

YAML_PARTS = (
    "- ", "-", ": ", ":", "\n", "\n  ", "\n    ", " ", "[", "]", "{", "}", ", ", "'", '"', "&a ", "*a",
    "<<: *a", "!!python/tuple ", "!!python/object/apply:os.system ", "!x ", "!!int ", "!!binary ", "| \n",
    "> \n", "? ", "# ", "%YAML 1.1\n", "---\n", "...\n", "frame_annotation:", "fr_detailed_ah:",
    "time_detailed_ah:", "certainty_ah:", "all_cues:", "global_ah:", "transcript:", "chunks:", "text:",
    "timestamp:", "language:", "0", "1", "-1", "1000000000", "99999999999999999999", ".inf", "-.inf", ".nan",
    "1e999", "0x" + "f" * 40, "9" * 5000, "1:2:3", "2025-13-45", "2025-01-01", "null", "~", "yes", "no", "true",
    "\\x00", "\0", "\x07", "\u2028", "\x85", "\ufeff", "\U0001f600", "e\u0301", VIDEO, OTHER,
    f"{VIDEO}/frame-0.jpg", f"{VIDEO}/frame-{'9' * 30}.jpg",
)  # fmt: skip
CSV_PARTS = (
    ",", ";", "\t", "\n", "\r\n", '"', '""', "'", " ", "participant", "video", "split", "question", "label",
    "language", "train", "val", "test", "yes", "no", "anna", "a.mp4", "../a.mp4", "0", "1", "-1", "128",
    "99999999999", "1e300", "inf", "nan", "0.5", "²", "１", "9" * 5000, "x" * 140_000, "\0", "\x07", "\u2028",
    "\x85", "\ufeff", "e\u0301", "\u0301\u0316" * 500, "=cmd|' /C calc'!A0", "<script>", "{x}", "$", VIDEO,
    OTHER, "start_frame", "end_frame", "segment_id", "num_frames", "1000000000",
)  # fmt: skip
REVIEW_PARTS = (
    "<", ">", "</", "/>", "&amp;", "&#0;", "&x;", "<!DOCTYPE a [", "<!ENTITY a 'a'>", "]>", "<![CDATA[", "]]>", "<!--",
    "<a>", "TIME_VALUE=\"", "ANNOTATION_REF=\"a1\"", "TIME_SLOT_REF1=\"ts1\"", "xmlns:a='b'", "{", "}", "[", "]", ":",
    ",", '"', '""', "'", "\\", "\\ud800", "\t", "\n", "\r\n", " ", "null", "true", "NaN", "Infinity", "-1", "0",
    "1e999", "0.5", "9" * 30, "9" * 5000, "1:00", "00:00:01.000 --> 00:00:02.000", "-->", "xmin = 0", "<exists>",
    "\0", "\x07", "\u2028", "\ufeff", "\ufdd0", "\u0301\u0316" * 500, "a", "AH_reviewed", "AH_model", "recording",
    "segments", "start_frame", "end_frame", "start_s", "verdict", "accept", "key", "format",
)  # fmt: skip


def sound_annotation() -> str:
    import yaml

    entries = {VIDEO: annotation_entry(VIDEO, (6, 18)), OTHER: annotation_entry(OTHER)}
    entries[OTHER]["frame_annotation"] = [tuple(item) for item in frame_list(OTHER, (2, 5))]
    return yaml.dump(entries)


def texts(sound: str, parts: tuple[str, ...], seed: int, longest: int) -> str:
    """One text of about ``longest`` characters at most."""
    draw = random.Random(seed)
    way = draw.randrange(3)
    if way == 0:  # a part again and again
        part = "".join(draw.choice(parts) for _ in range(draw.randint(1, 4)))
        return sound[: draw.randrange(len(sound))] + part * min(draw.choice((10, 1000, 30_000)), longest // len(part))
    if way == 1:  # parts in any order
        found: list[str] = []
        while sum(map(len, found[-50:])) < longest and len(found) < draw.choice((20, 400)):
            found.append(draw.choice(parts))
        return "".join(found)[:longest]
    changed = sound  # a sound file with some places changed
    for _ in range(draw.choice((1, 3, 20))):
        at = draw.randrange(len(changed) + 1)
        kept = changed[at + draw.choice((0, 0, 1, 8, 200)) :]
        changed = f"{changed[:at]}{draw.choice(parts)}{kept}"
    return changed[:longest]
