"""What every participant of the demo says and shows, balanced so that no single cue tells the label.

A clause has a state of face, of voice and of words. It is labelled A/H where they conflict. Given the
label, each channel alone is positive as often as negative, and so are question, place in the answer,
number of words and duration unrelated to it: only a comparison of channels can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from waver.config.sections import DemoConfig
from waver.datasets.demo.scripts import scripts
from waver.provenance import seed_for

Split = Literal["train", "val", "test"]
Pattern = tuple[bool, bool, bool]
QUESTIONS = (1, 3, 4, 7, 5, 6, 2)
"""Questions in the order in which they are taken up; 2 is kept free for broken extra videos."""
CONFLICTS: tuple[tuple[Pattern, Pattern], ...] = (
    ((True, True, False), (False, False, True)),
    ((True, False, True), (False, True, False)),
    ((False, True, True), (True, False, False)),
)
AGREEMENTS: tuple[Pattern, Pattern] = ((True, True, True), (False, False, False))
CONFLICT_SHARE = 0.8
"""Share of A/H clauses in a positive video; about half of the videos are positive."""
LEAD_S = 0.5
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Clause:
    """A sentence and how it is said; ``face``, ``voice`` and ``words`` are True where positive."""

    text: str
    face: bool
    voice: bool
    words: bool
    start_s: float
    speech_s: float
    slot_s: tuple[float, float]

    @property
    def conflict(self) -> bool:
        """Whether the channels disagree: the A/H label."""
        return not (self.face == self.voice == self.words)


@dataclass(frozen=True)
class Participant:
    """``number`` picks the identity; ``sex`` is empty where the metadata lack it."""

    id: str
    number: int
    split: Split
    language: str
    habit: str
    consent: bool
    sex_known: bool


@dataclass(frozen=True)
class Video:
    """One answer. ``spaced``: the split file spells its name with a space, as some of the release's."""

    participant: Participant
    question: int
    stamp: str
    clauses: tuple[Clause, ...]
    trouble: str = ""
    spaced: bool = False

    @property
    def path(self) -> str:
        """Path of the file below the root of the release."""
        person = self.participant.id
        return f"Videos/{person}/Visite_1/{person}_Question_{self.question}_{self.stamp}_Video.mp4"

    @property
    def listed_path(self) -> str:
        """The path as the split files spell it."""
        return self.path.replace(self.stamp, self.stamp.replace("_", " ")) if self.spaced else self.path

    @property
    def duration_s(self) -> float:
        return self.clauses[-1].slot_s[1]

    @property
    def text(self) -> str:
        return " ".join(clause.text for clause in self.clauses)

    @property
    def label(self) -> int:
        """Video label: 1 where any clause is A/H."""
        return int(any(clause.conflict for clause in self.clauses))


def draw_participants(config: DemoConfig) -> list[Participant]:
    """All participants, train first. The last of train and of test speak French where there are several."""
    sizes: dict[Split, int] = {"train": config.train, "val": config.val, "test": config.test}
    people: list[Participant] = []
    for split, size in sizes.items():
        for place in range(size):
            number = len(people)
            french = size > 1 and split != "val" and place == size - 1
            language = "french" if french else "english"
            habits = scripts()[language].habits
            people.append(
                Participant(
                    id=str(90001 + number),
                    number=number,
                    split=split,
                    language=language,
                    habit=habits[number % len(habits)],
                    consent=not (config.trouble and size > 1 and split != "val" and place == 1),
                    sex_known=not (config.trouble and split == "train" and place == size // 2),
                )
            )
    return people


def draw_videos(config: DemoConfig, people: list[Participant]) -> list[Video]:
    """The balanced design: every participant's answers, without trouble."""
    videos: list[Video] = []
    for split in ("train", "val", "test"):
        rng = np.random.default_rng(seed_for(config.seed, "plan", split))
        members = [person for person in people if person.split == split]
        rows = _conflict_rows(len(members), config.questions, config.clauses, rng)
        deal = _Dealer(rng)
        for person, row in zip(members, rows, strict=True):
            for question, flags in zip(QUESTIONS, row, strict=False):
                videos.append(deal.video(person, question, flags))
    return videos


def _conflict_rows(people: int, questions: int, clauses: int, rng: np.random.Generator) -> list[list[list[bool]]]:
    """Which clauses are A/H: [participant][question][clause].

    Participants come in pairs that have their positive videos at complementary questions. In positive
    videos the clauses that are not A/H take every place in turn.
    """
    choices = list(combinations(range(questions), questions // 2))
    order = rng.permutation(len(choices))
    made, spared = 0, int(rng.integers(clauses))
    rows = []
    for person in range(people):
        chosen = set(choices[order[person // 2 % len(order)]])
        positive = chosen if person % 2 == 0 else set(range(questions)) - chosen
        row = []
        for question in range(questions):
            flags = [False] * clauses
            if question in positive:
                share = CONFLICT_SHARE * clauses
                count = max(1, int((made + 1) * share) - int(made * share))
                made += 1
                flags = [True] * clauses
                for _ in range(clauses - count):
                    flags[spared % clauses] = False
                    spared += 1
            row.append(flags)
        rows.append(row)
    return rows


class _Dealer:
    """Deals states, sentences and durations of one split, each in turn rather than by chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.streams = {True: self._patterns(CONFLICTS), False: self._patterns((AGREEMENTS,))}
        self.used: dict[Pattern, int] = {}

    def _patterns(self, pairs: tuple[tuple[Pattern, Pattern], ...]) -> Iterator[Pattern]:
        while True:
            for place in self.rng.permutation(len(pairs)):
                first = int(self.rng.integers(2))
                yield pairs[place][first]
                yield pairs[place][1 - first]

    def video(self, person: Participant, question: int, flags: list[bool]) -> Video:
        day, minute = int(self.rng.integers(1, 29)), int(self.rng.integers(0, 60))
        stamp = f"2025-04-{day:02d}_{10 + question:02d}-{minute:02d}-{int(self.rng.integers(0, 60)):02d}"
        clauses: list[Clause] = []
        start, slot = LEAD_S, 0.0
        for place, conflict in enumerate(flags):
            text, pattern, speech = self._clause(person, conflict)
            pause = 0.25 + 0.2 * self._turn(pattern, 7)
            end = start + speech + pause
            last = place == len(flags) - 1
            slot_end = start + speech + (LEAD_S if last else pause / 2)
            clauses.append(
                Clause(text, *pattern, round(start, 3), round(speech, 3), (round(slot, 3), round(slot_end, 3)))
            )
            start, slot = end, slot_end
        spaced = (person.number * 3 + question) % 5 == 0
        return Video(person, question, stamp, tuple(clauses), spaced=spaced)

    def _clause(self, person: Participant, conflict: bool) -> tuple[str, Pattern, float]:
        pattern = next(self.streams[conflict])
        used = self.used[pattern] = self.used.get(pattern, int(self.rng.integers(40))) + 1
        text = scripts()[person.language].sentence(3 * used, used, pattern[2], person.habit)
        speech = 0.5 + 0.19 * len(text.split()) + 0.24 * (self._turn(pattern, 0) - 0.5)
        return text, pattern, speech

    def _turn(self, pattern: Pattern, shift: int) -> float:
        """Numbers that fill [0, 1) evenly, however many of a pattern are drawn."""
        return float((self.used[pattern] * GOLDEN + shift * 0.137) % 1)
