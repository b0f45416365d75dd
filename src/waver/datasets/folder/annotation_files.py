"""ELAN's annotation files beside the recordings of a folder: where there is A/H, and by which cues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from waver.datasets.elan.annotations import Annotation
from waver.datasets.elan.eaf import read_eaf
from waver.datasets.elan.tier_list import TierOf, channel_of, read_tier_list
from waver.datasets.exclusions import Row, exclusion_row
from waver.datasets.folder.annotations import Span
from waver.datasets.folder.listing import Recording
from waver.errors import ExcludedItem, WaverError

TIERS_FILE = "tiers.yaml"
SUFFIX = ".eaf"
_FILLED = TierOf("AH_reviewed")
"""The tier of Waver's own files that a person fills."""
_TIERS = "write into tiers.yaml which tier says it (docs/adding_a_dataset.md)"

Tiers = Mapping[str, Sequence[Annotation]]


def read_annotation_files(
    root: Path,
    paths: Mapping[str, str],
    recordings: Sequence[Recording],
    tabled: Mapping[str, list[Span]],
    exclusions: list[Row],
) -> dict[str, list[Span]]:
    """A/H segments by video id, sorted: those of the table, and of the files of recordings that it says nothing of.

    A tier without annotations says nothing.

    Args:
        root: folder of the recordings; a file is named as its recording, with the ending ``.eaf``.
        paths: video id -> path of the recording as the disk has it.
        recordings: what the listing lists.
        tabled: what ``read_segments`` found.
        exclusions: gets a row for each file that cannot be used.

    Raises:
        WaverError: the list of tiers cannot be read, or names several coders.
    """
    tier = _tier(root / TIERS_FILE)
    found = dict(tabled)
    for one in recordings:
        file = (root / paths[one.video]).with_suffix(SUFFIX)
        if not file.is_file():
            continue
        try:
            if one.video in tabled:
                raise ExcludedItem("segments.csv says where there is A/H, and its annotation file is not used",
                                   "delete its lines there, or the file")  # fmt: skip
            if spans := _spans(file, tier, one):
                found[one.video] = spans
        except ExcludedItem as problem:
            path = file.relative_to(root).as_posix()
            exclusions.append(exclusion_row(one.video, problem.reason, problem.remedy, one.participant, path))
    return found


def _tier(path: Path) -> TierOf:
    if not path.is_file():
        return _FILLED
    coders = read_tier_list(path)
    if len(coders) != 1:
        raise WaverError(f"{path} names {len(coders)} coders; leave the one whose tier the models are to learn from")
    return next(iter(coders.values()))


def _spans(file: Path, tier: TierOf, one: Recording) -> list[Span]:
    """Segments of an annotation file.

    Raises:
        ExcludedItem: it cannot be read, or does not say where there is A/H.
    """
    try:
        tiers = read_eaf(file)
    except WaverError as error:
        raise ExcludedItem("its annotation file cannot be read", "open it in ELAN and save it again") from error
    if tier.tier not in tiers:
        raise ExcludedItem("its annotation file lacks the tier with the segments", _TIERS)
    said = [(tier.says(annotation.text), annotation) for annotation in tiers[tier.tier]]
    if any(yes is None for yes, _ in said):
        reason = "its annotation file has stretches that cannot be told, and is not used"
        raise ExcludedItem(reason, "decide them in ELAN, or take the file away")
    found = [annotation for yes, annotation in said if yes and annotation.start_ms < annotation.end_ms]
    if found and one.label == 0:
        raise ExcludedItem("its annotation file has A/H, and its label is 0", "correct one of the two")
    cues = list(_cues(tiers, tier))
    return [
        Span(whole.start_ms / 1000, whole.end_ms / 1000, None, tuple(dict.fromkeys(
            (channel, cue.text) for channel, cue in cues if cue.start_ms < whole.end_ms and whole.start_ms < cue.end_ms
        )))
        for whole in found
    ]  # fmt: skip


def _cues(tiers: Tiers, tier: TierOf) -> Iterator[tuple[str, Annotation]]:
    """Channel of the codebook and each annotation of the tiers that say what is seen or heard there."""
    for name in tier.cue_tiers(tiers):
        channel = channel_of(name)
        yield from ((channel, one) for one in tiers.get(name, ()) if channel and tier.is_cue(one.text))
