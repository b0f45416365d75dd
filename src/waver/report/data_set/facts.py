"""Figures of the data section of the dataset paper (section 3.2), of the data at hand."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waver.datasets.codebook import CHANNELS, unlisted_by_channel
from waver.evaluation.disclosure import disclosed, disclosed_splits
from waver.report.data import Material
from waver.report.data_set.cues_figures import CHANNEL_NAMES
from waver.report.data_set.groups import TOO_FEW, WITHHELD, Group, grouped
from waver.report.formatting import plural
from waver.report.papers.published import releases
from waver.report.papers.release_counts import LAYOUTS
from waver.shapes import FPS

PRINTED_OF = "224"
"""The release whose data section prints these figures."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fact:
    """One figure.

    Attributes:
        name: what is told.
        yours: of the data at hand, as text.
        printed: of the paper, as text; empty where it prints none.
    """

    name: str
    yours: str
    printed: str


@dataclass(frozen=True)
class Span:
    """An A/H segment.

    Attributes:
        participant: who shows it.
        video: where.
        seconds, frames: its length, on the source's clock.
    """

    participant: str
    video: str
    seconds: float
    frames: int


def spans_of(material: Material) -> list[Span]:
    """The A/H segments of listed videos; where there is no video file, at 24 frames a second."""
    owner = {row["video"]: row["participant"] for row in material.answers}
    rate = {row["video"]: row["source_fps"] for row in material.videos}
    found = []
    for row in material.segments:
        video, frames = row["video"], row["end_frame"] - row["start_frame"]
        seconds = row["end_s"] - row["start_s"] if row["end_s"] is not None else frames / rate.get(video, FPS)
        if video in owner:
            found.append(Span(owner[video], video, seconds, frames))
    return found


def facts(material: Material) -> list[Fact]:
    """Figures of answers, segments and ages; those of few people are not told."""
    least = material.config.evaluate.least_group
    found = dict(_of_answers(material.answers, material.questions.count, least))
    found |= dict(_of_segments(material, least))
    if not discloses_ah(material):
        found |= {key: WITHHELD for key in _OF_AH if found.get(key) not in (None, "", TOO_FEW)}
    ages = [(row["participant"], float(row["age"])) for row in material.participants if row["age"] is not None]
    found["age"] = _mean(ages, least, "years", extremes=False)
    printed = releases()[PRINTED_OF]["described"]
    shown = printed if material.layout in LAYOUTS else {}
    return [Fact(_NAMES[key], text, shown.get(key, "")) for key, text in found.items() if text]


def discloses_ah(material: Material) -> bool:
    """Whether numbers with A/H of everybody may be told: not where those of a split of few people follow from them."""
    of_split = {
        split: {row["participant"] for row in material.answers if row["split"] == split}
        for split in ("train", "val", "test")
    }
    return "all" in disclosed_splits(of_split, material.config.evaluate.least_group)


def videos_per_participant(answers: Sequence[Row], least: int) -> tuple[Group, ...]:
    """Participants by the number of their videos."""
    of_people = Counter(Counter(row["participant"] for row in answers).values())
    return grouped({str(videos): of_people[videos] for videos in sorted(of_people)}, least)


def _of_answers(answers: Sequence[Row], questions: int, least: int) -> Iterable[tuple[str, str]]:
    people = {row["participant"] for row in answers}
    yield "videos_per_participant", _rate(len(answers), people, least)
    complete = {group.name: group for group in videos_per_participant(answers, least)}.get(str(questions))
    yield "all_questions", complete.text if complete else ""
    labelled = [row for row in answers if row["label"] is not None]
    positive = sum(row["label"] for row in labelled)
    yield "ah_videos_per_participant", _rate(positive, {row["participant"] for row in labelled}, least)
    lengths = [(row["participant"], row["duration_s"]) for row in answers if row["duration_s"] is not None]
    yield "video_length", _mean(lengths, least, "s")


def _of_segments(material: Material, least: int) -> Iterable[tuple[str, str]]:
    packed = [row for row in material.used if row["labelled"]]
    people = {row["participant"] for row in packed}
    frames = sum(row["positive_frames"] for row in packed)
    yield "ah_frames_per_participant", _rate(frames, people, least)
    yield "ah_seconds_per_participant", _rate(frames / FPS, people, least)
    spans = spans_of(material)
    yield "segments", f"{len(spans):,}" if len({span.participant for span in spans}) >= least else TOO_FEW * bool(spans)
    yield from _videos_with(spans, least)
    yield "segment_length", _mean([(span.participant, span.seconds) for span in spans], least, "s")
    yield "segment_frames", _mean([(span.participant, float(span.frames)) for span in spans], least, "frames")
    yield from _unlisted(material, least)


def _unlisted(material: Material, least: int) -> Iterable[tuple[str, str]]:
    """Counts alone: what is written is free text. Nothing where every text is a cue."""
    owner = {row["video"]: row["participant"] for row in material.answers}
    of_people: defaultdict[str, list[str]] = defaultdict(list)
    for row in material.segments:
        if row["video"] in owner:
            of_people[owner[row["video"]]].append(row["cues"])
    counts = [unlisted_by_channel(cues) for cues in of_people.values()]
    unknown = [{channel: own for channel, (own, _) in one.items() if own} for one in counts]
    people = Counter(channel for one in unknown for channel in one)
    if not people:
        return
    if sum(map(bool, unknown)) < least:
        yield "unlisted_cues", TOO_FEW
        return
    parts = {channel: sum(one.get(channel, 0) for one in unknown) for channel in CHANNELS if channel in people}
    every = sum(number for one in counts for _, number in one.values())
    yield "unlisted_cues", f"{sum(parts.values()):,} of {every:,}, which count as nothing"
    if min(people.values()) >= least:  # else the part of a few people would follow from the others
        yield "unlisted_channels", ", ".join(f"{CHANNEL_NAMES[channel]} {own:,}" for channel, own in parts.items())


def segments_per_video(spans: Sequence[Span]) -> dict[int, list[str]]:
    """Number of segments of a video -> participant of each video that has so many."""
    owners = {span.video: span.participant for span in spans}
    found: defaultdict[int, list[str]] = defaultdict(list)
    for video, number in Counter(span.video for span in spans).items():
        found[number].append(owners[video])
    return dict(sorted(found.items()))


def _videos_with(spans: Sequence[Span], least: int) -> Iterable[tuple[str, str]]:
    """Videos with one and with several segments; both together are the videos with any."""
    owners: dict[str, list[str]] = {"one_segment": [], "several_segments": []}
    for number, people in segments_per_video(spans).items():
        owners["several_segments" if number > 1 else "one_segment"] += people
    shown = disclosed(owners, least)
    for key, people in owners.items():
        yield key, "" if not people else plural(len(people), "video") if key in shown else TOO_FEW


def _rate(number: float, people: set[str], least: int) -> str:
    if not people or not number:
        return ""
    return f"{number / len(people):,.2f}" if len(people) >= least else TOO_FEW


def _mean(values: Sequence[tuple[str, float]], least: int, unit: str, extremes: bool = True) -> str:
    """Mean, standard deviation and extremes of values with the people whom they are of.

    The extremes are those that ``least`` people reach: the lowest and the highest value of all are one person's.
    """
    if not values:
        return ""
    if len({who for who, _ in values}) < least:
        return TOO_FEW
    numbers = [value for _, value in values]
    sd = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    digits = 0 if unit == "frames" else 1
    high = -_reached([(who, -value) for who, value in values], least)
    ends = f", from {_reached(values, least):.{digits}f} to {high:.{digits}f}" if extremes else ""
    return f"{statistics.fmean(numbers):.2f} ± {sd:.2f} {unit}{ends}"


def _reached(values: Sequence[tuple[str, float]], least: int) -> float:
    """The lowest value so that ``least`` people have it or a lower one."""
    people: set[str] = set()
    for who, value in sorted(values, key=lambda pair: pair[1]):
        people.add(who)
        if len(people) >= least:
            return value
    raise AssertionError("fewer people than that have no extremes told")


_OF_AH = (
    "ah_videos_per_participant", "ah_frames_per_participant", "ah_seconds_per_participant", "one_segment",
    "several_segments", "segments", "segment_length", "segment_frames",
)  # fmt: skip
"""Figures from which the number of videos or frames with A/H follows."""
_NAMES = {
    "videos_per_participant": "videos of a participant, mean",
    "all_questions": "participants who answered every question",
    "ah_videos_per_participant": "videos with A/H of a participant, mean",
    "ah_frames_per_participant": "frames with A/H of a participant, mean",
    "ah_seconds_per_participant": "seconds with A/H of a participant, mean",
    "video_length": "length of a video",
    "segments": "A/H segments",
    "one_segment": "videos with one A/H segment",
    "several_segments": "videos with several A/H segments",
    "segment_length": "length of an A/H segment",
    "segment_frames": "length of an A/H segment in frames",
    "unlisted_cues": "texts of the annotators that are no cue of the codebook",
    "unlisted_channels": "these texts by channel",
    "age": "age",
}
"""Figure -> its name, in the order of the table."""
