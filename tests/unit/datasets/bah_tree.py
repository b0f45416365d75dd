"""A tiny release in the BAH-300 layout, every part of which a test may bend before it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

TABLES = ("participants", "videos", "answers", "segments", "transcripts", "set_aside")
FRAMES = 24
SHARDS = 4


def video_path(participant: str, question: int, separator: str = "_", copy: str = "") -> str:
    name = f"{participant}_Question_{question}_2024-10-02{separator}15-46-1{question}_Video{copy}.mp4"
    return f"Videos/{participant}/Visite_1/{name}"


def write_clip(path: Path, frames: int = FRAMES, index_first: bool = False) -> None:
    """H.264, 64x48, 24 fps, of noise; the index at the end of the file or at its start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.thread_count = 1
        for _ in range(frames):
            picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def frame_list(video: str, positive: tuple[int, int] | None, frames: int = FRAMES) -> list[list[Any]]:
    low, high = positive or (0, 0)
    return [[f"{video}/frame-{number}.jpg", int(low <= number < high)] for number in range(frames)]


def annotation_entry(video: str, positive: tuple[int, int] | None = None, frames: int = FRAMES) -> dict[str, Any]:
    inclusive = [] if positive is None else [[positive[0], positive[1] - 1]]
    cues = {"audio": "Pause", "body": None, "facial": "Frown", "inconsistencies": None, "language": None}
    return {
        "all_cues": [cues] * len(inclusive),
        "annotator_id": "AB",
        "certainty_ah": [2] * len(inclusive),
        "fr_detailed_ah": inclusive,
        "frame_annotation": frame_list(video, positive, frames),
        "global_ah": int(positive is not None),
        "time_detailed_ah": [
            [f"00:00:{pair[0] / 24:06.3f}", f"00:00:{(pair[1] + 1) / 24:06.3f}"] for pair in inclusive
        ],
        "transcript": {
            "chunks": [{"language": "english", "text": " From the annotation.", "timestamp": (0.0, None)}],
            "text": " From the annotation.",
        },
    }


def person(publication: str = "Yes", challenge: str = "Yes", **changes: Any) -> dict[str, Any]:
    return {
        "Age": 51,
        "Age range": "45 - 54 years",
        "Birth country": "Canada",
        "Ethnicity simplified": "Asian",
        "Gender": "Male",
        "Is student": "No",
        "Use in challenges": challenge,
        "Use in publications": publication,
        **changes,
    }


@dataclass
class Release:
    """What a release says; ``write`` puts it on the disk.

    Attributes:
        splits: split -> lines of its file.
        annotation: path of the video -> entry.
        metadata: participant -> record.
        clips: files to encode, by path.
    """

    splits: dict[str, list[str]] = field(default_factory=dict)
    annotation: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)

    def add(self, split: str, path: str, positive: tuple[int, int] | None = None, text: str = "Well, yes, no.") -> str:
        self.splits.setdefault(split, []).append(f"{path},{int(positive is not None)},{text}")
        self.annotation[path] = annotation_entry(path, positive)
        self.metadata.setdefault(path.split("/")[1], person())
        self.clips[path] = FRAMES
        return path

    def write(self, root: Path, clip: bytes) -> Path:
        for split, lines in self.splits.items():
            put(root / f"split/{split}.txt", "".join(f"{line}\n" for line in lines))
        put(root / "video_annotation_transcript.yaml", yaml.dump(self.annotation))
        put(root / "meta_data.yml", yaml.dump(self.metadata))
        for path, frames in self.clips.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if frames == FRAMES:
                (root / path).write_bytes(clip)
            else:
                write_clip(root / path, frames)
        return root


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def by_video(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["video"]: row for row in rows}
