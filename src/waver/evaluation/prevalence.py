"""How much A/H there is by question and by length of the answer, and what predictors score that know nothing else.

No prediction of a model is read here. A predictor with one answer for everything has a score that follows from the
prevalence alone. The two-question rule says A/H after two questions and none after the others. Nothing is fitted: the
two questions are those with the largest share of A/H in the train split, in a cross-validation in the folds that are
not held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from waver.config.sections import EvaluateConfig
from waver.datasets.folds import Folding, folds_of
from waver.evaluation import metrics
from waver.evaluation.bootstrap import interval, resamples
from waver.evaluation.control_names import CROSS_VALIDATED
from waver.evaluation.disclosure import disclosed
from waver.io.zarr_store import Array

LENGTH_GROUPS = 5
"""Groups of equal size into which answers are divided by their length."""

RULE_QUESTIONS = 2
"""Questions after which the two-question rule says A/H."""

Row = Mapping[str, Any]


def constant_score(metric: str, prevalence: float, positive: bool) -> float | None:
    """Score of a predictor with one answer for everything; None for metrics of ranking.

    Args:
        metric: AVGF1, F1, WF1, WAR or UAR.
        prevalence: share of positives in the test set.
        positive: whether the answer is A/H.
    """
    share = prevalence if positive else 1 - prevalence
    own_f1 = 2 * share / (1 + share)
    scores = {"AVGF1": own_f1 / 2, "WF1": share * own_f1, "F1": own_f1 * positive, "WAR": share, "UAR": 0.5}
    return scores.get(metric)


def _draws(config: EvaluateConfig, people: int, *names: object) -> Array:
    """Weights of ``evaluate.bootstrap`` resamples; seed 0 is not in the name, so that its draws stay what they were."""
    return resamples(people, config.bootstrap, *names, *([config.seed] if config.seed else []))


@dataclass(frozen=True)
class Share:
    """Share of answers with A/H in a group of answers.

    Attributes:
        question: the question; 0 for a group by length.
        middle: median number of words, or seconds where no words are known.
        value, low, high: the share and its 95 % interval over participants.
        people: participants who gave these answers.
    """

    question: int
    middle: float
    value: float
    low: float
    high: float
    people: int


@dataclass(frozen=True)
class Prevalence:
    """Shares over the labelled answers of train and val; no label of test is read.

    Attributes:
        by_question: questions that may be told (``told_questions``).
        by_length: from the shortest answers to the longest.
        unit: of the length, words or seconds.
        people, answers: how many the shares by question are made of.
    """

    by_question: tuple[Share, ...]
    by_length: tuple[Share, ...]
    unit: str
    people: int
    answers: int


def prevalence_of(answers: Sequence[Row], config: EvaluateConfig) -> Prevalence | None:
    """Shares of A/H by question and by length; None where no question may be told.

    Args:
        answers: rows with participant, split, question, label, words, duration_s.
        config: resamples, seed, least size of a group.
    """
    rows = [row for row in answers if row["split"] != "test" and row["label"] is not None]
    known = [row for row in rows if row["question"] is not None]
    unit = "words" if any(row["words"] for row in rows) else "seconds"
    rows = [row for row in rows if unit == "words" or row["duration_s"] is not None]
    questions = sorted({row["question"] for row in known})
    questions = [one for one in questions if one in told_questions(known, config.least_group)]
    by_question = [_share([row for row in known if row["question"] == one], one, unit, config) for one in questions]
    if not by_question:
        return None
    order = sorted(range(len(rows)), key=lambda k: (_length(rows[k], unit), k))
    groups = [[rows[k] for k in part] for part in np.array_split(order, LENGTH_GROUPS) if len(part)]
    shown = disclosed(_people_of(enumerate(groups)), config.least_group)
    shown_ah = disclosed(_people_of(enumerate(map(_with_ah, groups))), config.least_group)
    by_length = [_share(group, 0, unit, config) for number, group in enumerate(groups) if number in shown & shown_ah]
    people = len({row["participant"] for row in known})
    return Prevalence(tuple(by_question), tuple(by_length), unit, people, len(known))


def told_questions(rows: Sequence[Row], least: int) -> set[int]:
    """Questions whose answers with A/H may be told: enough people answered, and enough showed A/H, or nobody.

    Args:
        rows: with participant, question and label; those without a question or a label are ignored.
        least: ``evaluate.least_group``.
    """
    known = [row for row in rows if row["question"] is not None and row["label"] is not None]
    of = {
        question: [row for row in known if row["question"] == question] for question in {r["question"] for r in known}
    }
    with_ah = _people_of((question, _with_ah(own)) for question, own in of.items())
    answered, shown = disclosed(_people_of(of.items()), least), disclosed(with_ah, least)
    return answered & shown


def _with_ah(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["label"]]


def _people_of(cells: Iterable[tuple[int, Sequence[Row]]]) -> dict[int, set[str]]:
    return {cell: {row["participant"] for row in rows} for cell, rows in cells}


def _length(row: Row, unit: str) -> float:
    return float(row["words"] if unit == "words" else row["duration_s"] or 0.0)


def _share(rows: Sequence[Row], question: int, unit: str, config: EvaluateConfig) -> Share:
    people, who = np.unique([row["participant"] for row in rows], return_inverse=True)
    weights = _draws(config, len(people), "asked", question, len(rows))
    labels = np.array([row["label"] for row in rows], np.float64)
    drawn, positive = weights @ np.bincount(who), weights @ np.bincount(who, labels)
    value, low, high = interval(positive / drawn)
    middle = float(np.median([_length(row, unit) for row in rows]))
    return Share(question, middle, value, low, high, len(people))


@dataclass(frozen=True)
class LabelCount:
    """One video with a known question: its items (frames, or the video itself), and how many of them are A/H."""

    participant: str
    split: str
    question: int
    positive: int
    size: int

    @classmethod
    def of_frames(cls, packs: Sequence[Row]) -> list[LabelCount]:
        """From rows of the packs' indexes."""
        known = [row for row in packs if row["labelled"] and row["question"] is not None]
        return [cls._of(row, row["positive_frames"], row["frames"]) for row in known]

    @classmethod
    def of_videos(cls, answers: Sequence[Row]) -> list[LabelCount]:
        """From rows of the ANSWERS tables."""
        known = [row for row in answers if row["label"] is not None and row["question"] is not None]
        return [cls._of(row, row["label"], 1) for row in known]

    @classmethod
    def _of(cls, row: Row, positive: int, size: int) -> LabelCount:
        return cls(row["participant"], row["split"], row["question"], positive, size)


@dataclass(frozen=True)
class RuleScore:
    """AVGF1 of the two-question rule on one sample, as the scores table has it of the methods.

    Attributes:
        questions: those after which the rule says A/H; of the train split, also in a cross-validation.
        value, low, high: the score and its 95 % interval over participants.
        participants: people scored.
    """

    questions: tuple[int, ...]
    value: float
    low: float
    high: float
    participants: int


def two_question_rule(
    counts: Sequence[LabelCount],
    level: str,
    split: str,
    config: EvaluateConfig,
    folds: int,
    folding: Folding,
) -> RuleScore | None:
    """The rule's AVGF1; None where there is nothing to choose the questions from, or fewer to score than least_group.

    Args:
        counts: of frames for the levels frame and participant, of videos for the level video.
        level: frame, video or participant (mean over those with A/H).
        split: cv, val or test.
        config: resamples and seed.
        folds, folding: of the cross-validation, where the split is cv.
    """
    train = [one for one in counts if one.split == "train"]
    if not any(one.positive for one in train):
        return None
    if split == CROSS_VALIDATED:
        predicted = _out_of_fold(counts, folds, folding)
    else:
        predicted = _predicted([one for one in counts if one.split == split], top_questions(train))
    people = sorted({one.participant for one, _ in predicted})
    cells = np.zeros((len(people), 4))
    for one, says_positive in predicted:
        right, wrong = one.positive, one.size - one.positive
        cells[people.index(one.participant)] += (right, wrong, 0, 0) if says_positive else (0, 0, right, wrong)
    if level == "participant":
        cells = cells[cells[:, 0] + cells[:, 2] > 0]
    if len(cells) < max(1, config.least_group):
        return None
    weights = _draws(config, len(cells), "two questions", level, split)
    values = metrics.avgf1_of(weights @ cells)
    if level == "participant":
        values = weights @ metrics.avgf1_of(cells) / len(cells)
    return RuleScore(top_questions(train), *interval(values), len(cells))


def top_questions(counts: Sequence[LabelCount]) -> tuple[int, ...]:
    """The questions with the largest shares of A/H, ascending."""
    shares = {}
    for question in {one.question for one in counts}:
        same = [one for one in counts if one.question == question]
        shares[question] = sum(one.positive for one in same) / max(1, sum(one.size for one in same))
    return tuple(sorted(sorted(shares, key=lambda question: (-shares[question], question))[:RULE_QUESTIONS]))


def _predicted(counts: Sequence[LabelCount], questions: Sequence[int]) -> list[tuple[LabelCount, bool]]:
    return [(one, one.question in questions) for one in counts]


def _out_of_fold(counts: Sequence[LabelCount], folds: int, folding: Folding) -> list[tuple[LabelCount, bool]]:
    """What the rule says of train and val; the questions are chosen on the folds that are not held out."""
    known = [one for one in counts if one.split in ("train", "val")]
    people = {one.participant for one in known}
    if folds < 2 or len(people) < folds:
        return []
    fold_of = folds_of(people, folds, folding)
    predicted = []
    for number in range(folds):
        questions = top_questions([one for one in known if fold_of[one.participant] != number])
        predicted += _predicted([one for one in known if fold_of[one.participant] == number], questions)
    return predicted
