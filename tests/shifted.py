"""People whose features are moved and turned against the source's, with known classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.linalg

from waver.adaptation.participants import Target
from waver.align.packs import write_pack

DIM = 16
GAP = 4.0
"""Distance of the class means; features have unit deviation around them."""


class Crowd:
    """Draws people. All share the class means; each adds an offset of 2 GAP and a small rotation."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        axis = self.rng.standard_normal(DIM)
        self.axis = axis / np.linalg.norm(axis)

    def frames(self, count: int, prior: float, shifted: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Features float32 [count, DIM] and labels uint8 [count] of a new person."""
        label = (self.rng.random(count) < prior).astype(np.uint8)
        return self.features(label, self.offset() if shifted else np.zeros(DIM)), label

    def features(self, label: np.ndarray, offset: np.ndarray) -> np.ndarray:
        clean = (label[:, None] - 0.5) * GAP * self.axis + self.rng.standard_normal((len(label), DIM))
        turn = self.rng.standard_normal((DIM, DIM)) * 0.05
        return (clean @ scipy.linalg.expm(turn - turn.T) + offset).astype(np.float32)

    def offset(self) -> np.ndarray:
        direction = self.rng.standard_normal(DIM)
        return direction * 2 * GAP / np.linalg.norm(direction)


def target_of(features: np.ndarray, labels: np.ndarray, participant: str = "82001", videos: int = 4) -> Target:
    """A target participant whose frames lie in videos of equal length."""
    video = np.arange(len(labels)) * videos // len(labels)
    frame = np.arange(len(labels)) - np.searchsorted(video, video)
    names = tuple(f"{participant}_Q{number + 1}" for number in range(videos))
    return Target(participant, names, features, labels, video.astype(np.int32), frame.astype(np.int32))


def write_people(
    folder: Path,
    people: list[tuple[str, str, np.ndarray, np.ndarray]],
    unlabelled: tuple[str, ...] = (),
    name: str = "000",
) -> tuple[list[Path], Path]:
    """One pack with the visual features of (participant, split, features, labels), two videos each."""
    content = []
    for participant, split, features, labels in people:
        for question, rows in enumerate(np.array_split(np.arange(len(labels)), 2), start=1):
            count = len(rows)
            arrays = {
                "visual": features[rows],
                "visual_valid": np.ones(count, bool),
                "audio": np.zeros((count, 2), np.float32),
                "audio_valid": np.zeros(count, bool),
                "text": np.zeros((0, 2), np.float32),
                "word_of_frame": np.full(count, -1, np.int32),
                "label": labels[rows],
                "source_frame": np.arange(count, dtype=np.int32),
            }
            row = {
                "video": f"{participant}_Q{question}",
                "participant": participant,
                "split": split,
                "question": question,
                "label": int(labels[rows].any()),
                "duration_s": count / 24,
                "status": "ok",
                "frames": count,
                "words": 0,
                "positive_frames": int(labels[rows].sum()),
                "labelled": f"{participant}_Q{question}" not in unlabelled,
                "note": "",
                "reason": None,
                "remedy": None,
            }
            content.append((row, arrays))
    index = folder / f"{name}.parquet"
    write_pack(folder / "packs" / f"{name}.zarr", index, content, key="people")
    return [index], folder / "packs"


def states(rng: np.random.Generator, count: int, prior: float) -> np.ndarray:
    """Labels held for a second each, uint8 [count]."""
    return np.repeat(rng.random(-(-count // 24)) < prior, 24)[:count].astype(np.uint8)
