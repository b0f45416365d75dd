"""Facts of recognised speech, as aggregates: languages, and hesitation sounds beside those of the given transcripts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from waver.io.tables import ANSWERS, read_tables
from waver.report.consent_gate import SpeechCounts, count_speech, count_text
from waver.report.data import Material
from waver.report.formatting import LANGUAGES, plural
from waver.report.text.store_facts import store_facts

_COUNTED = ("en", "fr")
"""Languages with a list of hesitation sounds."""


@dataclass(frozen=True)
class _Heard:
    """What was recognised in a video."""

    video: str
    participant: str
    counts: SpeechCounts


def recognised_speech(material: Material) -> list[tuple[str, str]]:
    """How probable the detected languages are, and how often um and euh stand in recognised and in given words.

    Recognisers leave hesitations out and transcribers write them down, so that people whose words come from two sources
    differ by their source. Languages of fewer than ``least_group`` participants are withheld.
    """
    heard = list(_recognised(material))
    return [*_languages(material, heard), *_hesitations(material, heard)]


def _recognised(material: Material) -> Iterator[_Heard]:
    for row, counts in store_facts(material, "speech", count_speech):
        if counts.recognised and counts.words:
            yield _Heard(row["video"], row["participant"], counts)


def _languages(material: Material, heard: Sequence[_Heard]) -> list[tuple[str, str]]:
    stated = {row["video"] for row in material.videos if row["language"]}
    detected = [one for one in heard if one.video not in stated]
    found = [one.counts.probability for one in detected if one.counts.probability is not None]
    if not found or _few(material, detected):
        return []
    return [("Detected languages", f"in {plural(len(found), 'video')}, median probability {median(found):.2f}")]


def _hesitations(material: Material, heard: Sequence[_Heard]) -> list[tuple[str, str]]:
    given = {row["video"]: row["text"] for row in read_tables(material.inputs.answers, ANSWERS) if row["text"].strip()}
    groups: dict[str, list[_Heard]] = defaultdict(list)
    for one in heard:
        if one.video in given and one.counts.language in _COUNTED:
            groups[one.counts.language].append(one)
    lines = []
    for language, members in sorted(groups.items()):
        if not _few(material, members):
            own = _rate([one.counts for one in members])
            theirs = _rate([count_text(given[one.video], language) for one in members])
            lines.append(f"{LANGUAGES[language]}: {own:.1f} recognised, {theirs:.1f} in the given transcripts")
    return [("Hesitation sounds in 100 words", "; ".join(lines))] if lines else []


def _few(material: Material, heard: Sequence[_Heard]) -> bool:
    return len({one.participant for one in heard}) < material.config.evaluate.least_group


def _rate(counts: Sequence[SpeechCounts]) -> float:
    """Hesitation sounds in 100 words."""
    return 100 * sum(one.hesitations for one in counts) / max(sum(one.words for one in counts), 1)
