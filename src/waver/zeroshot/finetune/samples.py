"""What a model is fine-tuned on: a prompt about each video as tokens, its pictures as the model takes them, a label."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from waver.config.zeroshot import ZeroShotConfig
from waver.datasets.answers import read_answers
from waver.errors import ExcludedItem, WaverError, ends_job
from waver.zeroshot.families.transformers_model import TransformersModel
from waver.zeroshot.items import Items, Row, Sources
from waver.zeroshot.questions import Question

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One labelled video.

    Attributes:
        participant: whose it is.
        split: train or val.
        label: 1 A/H, 0 none.
        ids: tokens of the prompt.
        first: of both answers the first token behind it, no A/H before A/H.
        pictures: name -> what the model takes, on the CPU, the first axis that of items.
        recording: what pictures and sound were made of, see ``Items.recording``.
    """

    participant: str
    split: str
    label: int
    ids: list[int] = field(repr=False)
    first: tuple[int, int]
    pictures: Mapping[str, Tensor] = field(repr=False)
    recording: tuple[str | None, str | None] = (None, None)


def samples_of(
    family: TransformersModel,
    shards: Sequence[Sources],
    question: Question,
    config: ZeroShotConfig,
    hesitations: bool,
) -> list[Sample]:
    """The labelled videos of train and val, of all shards; those that cannot be read are left out and logged.

    Args:
        family: the loaded model.
        shards: files of each shard.
        question: that is learned.
        config: frames and transcript.
        hesitations: the recogniser was asked for them.

    Raises:
        WaverError: a participant is in both splits, one of them lacks videos or a class, or the answers begin alike.
    """
    learned = config.model_copy(update={"splits": ("train", "val")})
    found = []
    for sources in shards:
        items = Items(sources, family.capabilities, [question], None, learned, hesitations)
        labels = {answer.video: answer.label for answer in read_answers([sources.answers])}
        for row in items.rows():
            if (label := labels.get(row["video"])) in (0, 1):
                found += _of_video(family, items, row, question, label)
    _check(found)
    return found


@torch.no_grad()
def _of_video(family: TransformersModel, items: Items, row: Row, question: Question, label: int) -> list[Sample]:
    """The video as a sample; none where it cannot be read."""
    try:
        video = items.plan(row)
        ((part, item),) = items.items(video, video.parts)
        ids, answers = family.prepared(item, part.prompts[0], question.answers)
        pictures = {name: value.cpu() for name, value in family.pictures([item]).items()}
    except ExcludedItem as problem:
        log.warning("%s left out: %s", row["video"], problem)
        return []
    except Exception as problem:
        if ends_job(problem):
            raise
        log.exception("%s left out", row["video"])
        return []
    first = (answers[0][0], answers[1][0])
    return [Sample(row["participant"], row["split"], label, ids, first, pictures, items.recording(row))]


def _check(samples: Sequence[Sample]) -> None:
    """Nobody's own videos choose the epoch of what was learned from them."""
    people = {split: {one.participant for one in samples if one.split == split} for split in ("train", "val")}
    if both := people["train"] & people["val"]:
        raise WaverError(f"{len(both)} participants are in train and in val; correct the split files")
    labels = {one.label for one in samples if one.split == "train"}
    if labels != {0, 1}:
        raise WaverError("zeroshot.finetune needs labelled videos of both classes in train; see what ingest set aside")
    if not people["val"]:
        raise WaverError("zeroshot.finetune needs labelled videos in val, which choose the epoch")
    if any(first == other for first, other in {one.first for one in samples}):
        raise WaverError(
            "both answers begin with the same token, which fine-tuning cannot teach; change the prompt set"
        )
