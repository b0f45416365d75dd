"""A trained model applied to recordings whose packs are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.datasets.questions import rows_with_questions
from waver.device import torch_device
from waver.io.shard_job import store_path
from waver.io.tables import PACK_INDEX, VIDEOS, read_table
from waver.io.zarr_store import open_store, read_store
from waver.predict.inputs import SPLIT
from waver.predict.personalise import personalised
from waver.predict.result import RecordingResult, Word
from waver.predict.segments import with_segments
from waver.predict.steps import Steps
from waver.predict.trained import Trained
from waver.training.corpus import VideoSample, read_corpus
from waver.training.frames.checkpoint import build_model
from waver.training.frames.explanations import video_tracks
from waver.training.frames.predict import Logits, margin_of, predict, probability

_OTHER_MODEL = "choose a model of other modalities (--method), or mend what the recording lacks"
CONTEXT = "question"
"""Modality that is not the person's: every frame has it."""


def judge(trained: Trained, recordings: Sequence[Steps], method: str) -> list[RecordingResult]:
    """What a model says of the recordings of one participant.

    Args:
        trained: the model.
        recordings: whose packs are there.
        method: of personalisation; ``none``: the model as it was trained.

    Raises:
        WaverError: the model cannot be personalised by the method.
    """
    samples = [_sample(trained, steps) for steps in recordings]
    logits = personalised(trained, samples, method)
    return [
        _result(trained, steps, sample, logits.get(sample.video))
        for steps, sample in zip(recordings, samples, strict=True)
    ]


def _sample(trained: Trained, steps: Steps) -> VideoSample:
    return read_corpus([steps.pack_index], steps.packs, trained.checkpoint.modalities, [SPLIT])[0]


def _result(trained: Trained, steps: Steps, sample: VideoSample, adapted: Logits | None) -> RecordingResult:
    row = rows_with_questions([steps.pack_index], PACK_INDEX)[0]
    video = read_table(steps.table("videos"), VIDEOS)[0]
    chance = probability(predict(trained.checkpoint, [sample])[sample.video] if adapted is None else adapted)
    valid = {name: valid for name, valid in sample.valid.items() if name != CONTEXT}
    tracks = _tracks(trained, sample) if adapted is None else {}
    result = replace(
        result_of(trained, row, chance, valid, tracks, _words(steps, video)),
        video=steps.root / str(video["path"]),
        contributions=contributions(trained, sample) if adapted is None else None,
        notes=_notes(steps),
    )
    return with_segments(result, trained.decisions.segments)


def result_of(
    trained: Trained, row: Mapping[str, Any], chance: npt.NDArray[Any], valid: Mapping[str, npt.NDArray[Any]],
    tracks: Mapping[str, npt.NDArray[Any]], spoken: tuple[list[Word] | None, str | None],
) -> RecordingResult:  # fmt: skip
    """The result of one recording, with the decisions and controls of its model, without segments.

    Args:
        trained: the model.
        row: of PACK_INDEX, with the number of the question.
        chance: probability of A/H, [T].
        valid: modality -> bool [T].
        tracks: of a model that explains itself, name -> [T].
        spoken: words and language.
    """
    words, language = spoken
    controls: tuple[float | None, float | None] = (None, None)
    if trained.controls is not None and row["question"] is not None:
        controls = trained.controls.of({**row, "words": None if words is None else len(words)})
    return RecordingResult(
        recording=row["video"],
        participant=row["participant"],
        question=row["question"],
        language=language,
        duration_s=float(row["duration_s"]),
        probability=chance.astype(np.float32),
        valid=valid,
        threshold=trained.decisions.frame_threshold,
        video_probability=trained.decisions.video_probability(chance),
        bands=trained.decisions.bands,
        temperatures=(trained.decisions.frame_temperature, trained.decisions.video_temperature),
        control=controls[0],
        question_only=controls[1],
        words=words,
        tracks=tracks,
    )


def _notes(steps: Steps) -> list[str]:
    """Notes of the jobs and reasons why a feature is not there, each once."""
    rows = [row for feature in steps.features if (row := steps.row(feature)) is not None]
    notes = [note for row in rows for note in (*str(row["note"]).split("; "), row["reason"] or "")]
    return list(dict.fromkeys(str(note) for note in notes if note and "=" not in str(note)))


def _words(steps: Steps, video: Mapping[str, object]) -> tuple[list[Word] | None, str | None]:
    """Words with their times, and the language of the speech; None where there is no transcript."""
    language = None if video["language"] is None else str(video["language"])
    row = steps.row("speech") if "speech" in steps.features else None
    if row is None or row["status"] != "ok":
        return None, language
    store = store_path(steps.stores("speech"), row)
    attributes, times = open_store(store).attrs, read_store(store, "start_s", "end_s")
    spoken = zip(attributes["words"], times["start_s"].tolist(), times["end_s"].tolist(), strict=True)
    return [Word(*one) for one in spoken], attributes["language"] or language


def contributions(trained: Trained, sample: VideoSample) -> npt.NDArray[np.float32] | None:
    """What each modality adds to the margin: with all of them less without it; float32 [T, M], None of one alone."""
    names = [name for name in sample.valid if name != CONTEXT]
    if len(names) < 2:
        return None
    nowhere = np.zeros(sample.frames, bool)
    without = [replace(sample, video=name, valid={**sample.valid, name: nowhere}) for name in names]
    margin = {video: margin_of(logits) for video, logits in predict(trained.checkpoint, [sample, *without]).items()}
    return np.stack([margin[sample.video] - margin[name] for name in names], axis=1).astype(np.float32)


def _tracks(trained: Trained, sample: VideoSample) -> dict[str, npt.NDArray[np.float32]]:
    network = build_model(trained.checkpoint).to(torch_device())
    return video_tracks(network, sample, trained.checkpoint) if network.explains else {}


def usable(steps: Steps) -> tuple[str, str] | None:
    """Why the pack of a recording holds nothing, and the remedy; None where it does."""
    row = rows_with_questions([steps.pack_index], PACK_INDEX)[0]
    if row["status"] == "ok":
        return None
    nothing = str(row["reason"]).startswith("it has no usable modality")
    return str(row["reason"]), _OTHER_MODEL if nothing else str(row["remedy"])
