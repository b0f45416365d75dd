"""Tables of the scores made by hand: people who answer questions, methods of known skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from waver.evaluation.labels import Truth
from waver.evaluation.predictions import Method, Predicted
from waver.evaluation.scores import Table

PRIOR = np.array([0.22, 0.62, 0.58, 0.95, 0.50, 0.40, 0.88])
"""Positive videos by question 1 to 7, as in the public train split."""


def made_truth(people: int = 40, frames: int = 1, seed: int = 0, level: str = "video") -> Truth:
    """Seven videos a person of ``frames`` items each; the last third of the people is val, the rest train."""
    rng = np.random.default_rng(seed)
    participant = np.arange(people).repeat(7 * frames)
    question = np.tile(np.arange(1, 8).repeat(frames), people).astype(np.int8)
    label = (rng.random(len(participant)) < PRIOR[question - 1]).astype(np.int8)
    names = np.array([f"{82000 + number}" for number in range(people)])
    videos = [f"{name}_Q{q}" for name in names for q in range(1, 8)]
    return Truth(
        level=level,
        start={video: number * frames for number, video in enumerate(videos)},
        length=dict.fromkeys(videos, frames),
        label=label,
        participant=participant,
        question=question,
        split=np.where(participant < people - people // 3, "train", "val"),
        people=names,
    )


def made(truth: Truth, method: str, margin: np.ndarray, item: np.ndarray | None = None, **about: Any) -> Predicted:
    """A method's margins of all items of the truth, or of some; by person in five folds."""
    item = np.arange(len(truth.label)) if item is None else item
    name = Method(method, **{"modalities": "T", "protocol": "cv", "model_set": "embedded", **about})
    fold = (truth.participant[item] % 5).astype(np.int8)
    margin = margin[item]
    return Predicted(name, truth.level, 1, item, 1 / (1 + np.exp(-margin)), margin, fold)


def skilled(truth: Truth, skill: float, seed: int) -> np.ndarray:
    """Margins of all items that hold ``skill`` times the label."""
    return skill * (truth.label - 0.5) + np.random.default_rng(seed).normal(size=len(truth.label))


def question_margin(truth: Truth) -> np.ndarray:
    """Logit of the prior of the question asked."""
    prior = PRIOR[truth.question - 1]
    return np.log(prior / (1 - prior))


def made_table(truth: Truth, margins: Mapping[str, np.ndarray], split: str = "cv", level: str | None = None) -> Table:
    """A table of methods; content_free and question_prior use no modality."""
    blind = ("content_free", "question_prior", "all_negative", "all_positive")
    methods = [made(truth, name, margin, modalities="" if name in blind else "T") for name, margin in margins.items()]
    return Table(level or truth.level, split, "standard", truth, methods)
