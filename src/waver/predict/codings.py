"""What people say of recordings: reviewed annotation files, tables, and the viewer's reviews, read as codings.

An annotation file that ``waver`` wrote has an empty tier ``AH_reviewed``: what a person writes there is the review.
Where it stays empty, a tier ``AH_model`` that differs from the prediction is (the person corrected it in place); an
untouched file says nothing. Files of others are read by a list of coders (``TierOf``).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from waver.datasets.clean_text import composed, printable
from waver.datasets.elan.annotations import MOST_MS
from waver.datasets.elan.eaf import read_eaf
from waver.datasets.elan.tab_export import read_tab
from waver.datasets.elan.tier_list import UNSURE, TierOf
from waver.datasets.text_files import decoded
from waver.errors import WaverError
from waver.predict.segments import Span
from waver.predict.textgrid import read_textgrid
from waver.predict.tiers import MODEL, REVIEWED, Tiers, ms_to_frame, to_frames

TIERED = {".eaf": read_eaf, ".txt": read_tab, ".tsv": read_tab, ".textgrid": read_textgrid}
SUFFIXES = (*TIERED, ".csv", ".json")
REVIEWER = "reviewer"
_VERDICTS = {"accept": True, "reject": False, "unsure": None}
_JUDGED = "judged"
"""Column that the tables of the viewer alone have."""
_MOST_BYTES = 64 << 20


@dataclass
class Coding:
    """What one coder says of one recording.

    Attributes:
        recording: id.
        coder: name.
        positive: where there is A/H, frames.
        unsure: where the coder could not tell; it counts neither way.
        cues: where the coder saw a cue, and which, e.g. ``cue_face: frown``.
        corrected: it is the predicted tier, which the coder corrected in place.
    """

    recording: str
    coder: str
    positive: list[Span] = field(default_factory=list)
    unsure: list[Span] = field(default_factory=list)
    cues: list[tuple[Span, str]] = field(default_factory=list)
    corrected: bool = False


def read_codings(
    path: Path, coder: str, predicted: Mapping[str, Sequence[Span]], tiers: Mapping[str, TierOf]
) -> list[Coding]:
    """The codings of a file.

    Args:
        path: annotation file, table or review.
        coder: who coded, where the file does not say.
        predicted: recording -> predicted segments; an annotation file is of the one whose id its name begins with.
        tiers: coder -> tier; empty: files that ``waver`` wrote.

    Returns:
        One for each recording and coder; none of a file that nobody touched.

    Raises:
        WaverError: the file cannot be read, or is of no recording that was predicted.
    """
    suffix = path.suffix.lower()
    if suffix in TIERED:
        return list(_tiered(TIERED[suffix](path), recording_of(path, predicted), coder, predicted, tiers, path))
    if suffix not in SUFFIXES:
        raise WaverError(f"{path} is of a kind that is not read; give {', '.join(SUFFIXES)}")
    found = _table(path, coder, predicted) if suffix == ".csv" else _review(path, coder, predicted)
    unknown = [one.recording for one in found if one.recording not in predicted]
    if unknown:
        raise WaverError(
            f"{path} is about {unknown[0]}, which was not predicted; give the predictions that it is about"
        )
    return found


def recording_of(path: Path, predicted: Mapping[str, object]) -> str:
    """The recording that a file is about: the longest id that its name begins with.

    Raises:
        WaverError: there is none.
    """
    stem = composed(path.name)
    ids = [one for one in predicted if stem.startswith(composed(one)) and not stem[len(one) : len(one) + 1].isalnum()]
    if not ids:
        raise WaverError(f"{path} is named as no recording that was predicted; name it as its prediction is")
    return max(ids, key=len)


def _tiered(
    found: Tiers, recording: str, coder: str, predicted: Mapping[str, Sequence[Span]], tiers: Mapping[str, TierOf],
    path: Path,
) -> Iterator[Coding]:  # fmt: skip
    if not tiers:
        if found.get(REVIEWED):
            yield _coding(found, recording, coder, TierOf(REVIEWED))
        elif MODEL in found and to_frames(found[MODEL]) != list(predicted[recording]):
            yield replace(_coding(found, recording, coder, TierOf(MODEL)), corrected=True)
        elif MODEL not in found and REVIEWED not in found:
            raise WaverError(f"{path} has no tier {REVIEWED}; say whose tier is which with --tiers")
        return
    for name, tier in tiers.items():
        if tier.tier in found:
            yield _coding(found, recording, name, tier)


def _coding(found: Tiers, recording: str, coder: str, tier: TierOf) -> Coding:
    said = [(tier.says(one.text), one) for one in found[tier.tier]]
    return Coding(
        recording,
        coder,
        to_frames([one for yes, one in said if yes]),
        to_frames([one for yes, one in said if yes is None]),
        _cues(found, tier),
    )


def _cues(found: Tiers, tier: TierOf) -> list[tuple[Span, str]]:
    """Annotations of the tiers of cues."""
    seen = [(name, one) for name in tier.cue_tiers(found) for one in found.get(name, ()) if tier.is_cue(one.text)]
    return sorted((span, f"{name}: {one.text}") for name, one in seen for span in to_frames([one]))


# tables and reviews -------------------------------------------------------------------------------


def _table(path: Path, coder: str, predicted: Mapping[str, Sequence[Span]]) -> list[Coding]:
    """A CSV table: ``start_s``, ``end_s``, perhaps ``recording`` (or ``video``), ``coder`` and ``verdict``.

    Without a recording the file is named as one. A line without times says that the recording was coded, and so does a
    table without lines.
    """
    rows = _rows(path)
    codings: dict[tuple[str, str], Coding] = {}
    if not rows:
        recording = recording_of(path, predicted)
        return [Coding(recording, coder)]
    for number, row in rows:
        recording = row.get("recording") or row.get("video") or recording_of(path, predicted)
        who = row.get("coder") or coder
        coding = codings.setdefault((recording, who), Coding(recording, who))
        try:
            span = _span(row)
            _add(coding, span, row.get("verdict", ""))
        except (ValueError, KeyError, OverflowError) as error:
            raise WaverError(f"{path}, line {number}: it needs start_s and a later end_s in seconds, "
                             f"and a verdict of {', '.join(_VERDICTS)} or none") from error  # fmt: skip
        if _JUDGED in row and span is not None:
            _check_predicted(path, recording, span, predicted)
    return list(codings.values())


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Number of the line and values by name in lower case."""
    text = printable(_content(path))
    head = text.partition("\n")[0]
    try:
        reader = csv.DictReader(text.split("\n"), delimiter=max(",;\t", key=head.count), strict=True)
        rows = [(reader.line_num, {str(k).strip().lower(): composed(v or "").strip() for k, v in row.items() if k})
                for row in reader]  # fmt: skip
    except csv.Error as error:
        raise WaverError(f"{path} is no CSV table; close its quotes and save it again") from error
    names = {str(name).strip().lower() for name in reader.fieldnames or ()}
    if not {"start_s", "end_s"} <= names:
        raise WaverError(f"{path} lacks columns; its first line must name start_s and end_s")
    return rows


def _content(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WaverError(f"{path} is larger than {_MOST_BYTES >> 20} MB, as no review is; give another file")
        return decoded(path.read_bytes())
    except OSError as error:
        raise WaverError(f"{path} cannot be read ({error.strerror}); give the path of a review") from error


def _span(row: Mapping[str, str]) -> Span | None:
    """Frames of a line; None where it has no times."""
    if not row["start_s"] and not row["end_s"]:
        return None
    start_ms, end_ms = (round(1000 * float(row[name].replace(",", "."))) for name in ("start_s", "end_s"))
    if not 0 <= start_ms < end_ms <= MOST_MS:
        raise ValueError(start_ms)
    return ms_to_frame(start_ms), ms_to_frame(end_ms)


def _add(coding: Coding, span: Span | None, verdict: str) -> None:
    yes = _VERDICTS[verdict.lower()] if verdict else True
    if span is not None and yes is not False and span[0] < span[1]:
        (coding.positive if yes else coding.unsure).append(span)


def _check_predicted(path: Path, recording: str, span: Span, predicted: Mapping[str, Sequence[Span]]) -> None:
    """Hold a segment that the viewer showed to being one of the prediction; verdicts on others say nothing of it."""
    if recording in predicted and span not in [tuple(one) for one in predicted[recording]]:
        raise WaverError(f"{path} reviews segments that these predictions do not have, as those of another model; "
                         "give the predictions that it is about")  # fmt: skip


def _review(path: Path, coder: str, predicted: Mapping[str, Sequence[Span]]) -> list[Coding]:
    """A review of the viewer: ``{"recording", "coder", "segments": [{"start_frame", "end_frame", "verdict"}]}``.

    A segment without a verdict was not judged, and counts neither way.
    """
    try:
        given = json.loads(_content(path))
        coding = Coding(str(given["recording"]), str(given.get("coder") or coder))
        for one in given["segments"]:
            span = int(one["start_frame"]), int(one["end_frame"])
            if not 0 <= span[0] < span[1] <= ms_to_frame(MOST_MS):
                raise ValueError(span)
            _check_predicted(path, coding.recording, span, predicted)
            _add(coding, span, one.get("verdict") or UNSURE)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise WaverError(f"{path} is no review; save it in the viewer again") from error
    return [coding]
