"""Small packs with known content, for tests of everything after ``align``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from waver.align.packs import write_pack
from waver.datasets.questions import Questions
from waver.io.tables import ANSWERS, PACK_INDEX, read_tables, write_table

DIMS = {"visual": 16, "audio": 12, "text": 20}
CUES = 5
"""Size of the cues, of which the first is the state of the words."""


def conflict_video(rng: np.random.Generator, frames: int, directions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Per modality a state of -1 or +1 held for 24 frames; label 1 where face and words disagree."""
    blocks = -(-frames // 24)
    states = {name: rng.choice([-1.0, 1.0], blocks).repeat(24)[:frames] for name in DIMS}
    arrays: dict[str, Any] = {}
    for name, size in DIMS.items():
        noise = rng.standard_normal((frames, size)) * 0.5
        arrays[name] = (states[name][:, None] * directions[name] + noise).astype(np.float32)
    word = np.arange(frames) // 8
    arrays["text"] = arrays["text"][::8].copy()
    arrays["word_of_frame"] = word.astype(np.int32)
    arrays["visual_valid"] = np.ones(frames, bool)
    arrays["audio_valid"] = np.ones(frames, bool)
    waves = np.cos(np.arange(frames)[:, None] / np.arange(2, 1 + CUES))
    arrays["cues"] = np.column_stack([states["text"], waves]).astype(np.float32)
    arrays["cues_valid"] = np.ones(frames, bool)
    for name in DIMS:
        arrays[f"{name}_affect"] = affect_of(states[name], name)
    arrays["label"] = (states["visual"] != states["text"]).astype(np.uint8)
    arrays["source_frame"] = np.arange(frames, dtype=np.int32)
    return arrays


def affect_of(state: np.ndarray, name: str) -> np.ndarray:
    """Targets of affect: positive where the state is +1, negative where -1; of the sound only how hesitant."""
    target = np.stack([state > 0, state < 0, np.zeros(len(state))], 1).astype(np.float32)
    target[:, {"visual": [2], "audio": [0, 1], "text": []}[name]] = np.nan
    return target


def write_packs(
    folder: Path,
    participants: dict[str, int] | None = None,
    questions: int = 3,
    frames: int = 120,
    shards: int = 2,
    questions_of: Questions | None = None,
) -> tuple[list[Path], Path]:
    """Packs of synthetic participants; returns the index files and the folder of the packs.

    Args:
        folder: where to write.
        participants: number in each split.
        questions: videos of each participant.
        frames: frames of the shortest video; others are up to 24 longer.
        shards: number of packs.
        questions_of: questions of the data set; else those of BAH.
    """
    rng = np.random.default_rng(0)
    directions = {name: rng.standard_normal(size) for name, size in DIMS.items()}
    videos: list[list[Any]] = [[] for _ in range(shards)]
    number = 0
    for split, count in (participants or {"train": 6, "val": 2, "test": 4}).items():
        for _ in range(count):
            number += 1
            for question in range(1, questions + 1):
                length = frames + int(rng.integers(0, 25))
                arrays = conflict_video(rng, length, directions)
                row = {
                    "video": f"{82000 + number}_Q{question}",
                    "participant": f"{82000 + number}",
                    "split": split,
                    "question": question,
                    "label": int(arrays["label"].any()),
                    "duration_s": length / 24,
                    "status": "ok",
                    "frames": length,
                    "words": len(arrays["text"]),
                    "positive_frames": int(arrays["label"].sum()),
                    "labelled": True,
                    "note": "",
                    "reason": None,
                    "remedy": None,
                }
                videos[number % shards].append((row, arrays))
    indexes = []
    for shard, content in enumerate(videos):
        indexes.append(folder / f"{shard:03d}.parquet")
        record = questions_of.record() if questions_of else {}
        write_pack(folder / "packs" / f"{shard:03d}.zarr", indexes[-1], content, f"synthetic-{shard}", record)
    return indexes, folder / "packs"


def write_answers(path: Path, indexes: list[Path], **changes: dict[str, Any]) -> Path:
    """ANSWERS table of all packed videos; what one says of them may be changed.

    Args:
        path: file to write.
        indexes: index files of the packs.
        changes: column -> video -> value.
    """
    rows = []
    for row in read_tables(indexes, PACK_INDEX):
        answer = {name: row[name] for name in ("video", "participant", "split", "question", "label", "duration_s")}
        answer |= {"text": " ".join(["so"] * row["words"]), "words": row["words"], "language": "en"}
        rows.append(answer | {name: values[row["video"]] for name, values in changes.items() if row["video"] in values})
    write_table(path, rows, ANSWERS)
    return path
