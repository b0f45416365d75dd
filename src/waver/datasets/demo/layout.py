"""Annotation, transcripts, splits and metadata of the demo, in the files of the 300-participant release."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from waver.datasets.base import SPLITS
from waver.datasets.demo.people import Identity
from waver.datasets.demo.plan import Clause, Participant, Video
from waver.datasets.demo.recording_faults import clause_at, frame_times
from waver.datasets.demo.scripts import scripts
from waver.io.atomic import atomic_write
from waver.provenance import seed_for

HEARD_IN_SILENCE = " Thank you."
"""What a recogniser makes of a video without sound."""
AGE_GROUPS = {24: "18 - 24 years", 34: "25 - 34 years", 44: "35 - 44 years", 54: "45 - 54 years"}
AGE_GROUPS |= {64: "55 - 64 years", 120: "Over 65 years"}


def write_layout(
    root: Path, videos: list[Video], people: list[Participant], identities: dict[str, Identity], seed: int
) -> None:
    """Write everything of the release but the videos themselves below ``root``."""
    labels = {video.path: frame_labels(video, seed) for video in videos}
    _write_splits(root, videos, labels)
    for video in videos:
        folder = root / "transcription" / video.path
        name = f"{PurePosixPath(video.path).stem}.yml"
        _write_yaml(folder / name, transcript(video), flow=False)
    annotation = {video.path: _annotation(video, labels[video.path], seed) for video in videos}
    _write_yaml(root / "video_annotation_transcript.yaml", annotation, flow=None)
    rows = [f"{video.path},{video.label}" for video in videos]
    _write_lines(root / "bah-video.csv", ["video-path,label", *rows])
    metadata = {person.id: _metadata(person, identities[person.id], seed) for person in people}
    _write_yaml(root / "meta_data.yml", metadata, flow=False)


def frame_labels(video: Video, seed: int) -> list[int]:
    """A/H (1) or not (0) of every frame of the file, in order."""
    times, _ = frame_times(video, seed)
    return [int(clause_at(video, float(time_s)).conflict) for time_s in times]


def intervals(labels: list[int]) -> list[tuple[int, int]]:
    """First and last frame of every run of ones."""
    edges = np.flatnonzero(np.diff([0, *labels, 0]))
    return [(int(first), int(stop) - 1) for first, stop in zip(edges[::2], edges[1::2], strict=True)]


def transcript(video: Video) -> dict[str, Any]:
    """Chunks and text as the release's recogniser writes them; the flaws it has are here too."""
    language = video.participant.language
    if video.trouble == "no_sound":
        whole = {"language": "english", "text": HEARD_IN_SILENCE, "timestamp": (0.0, round(video.duration_s, 2))}
        return {"chunks": [whole], "text": HEARD_IN_SILENCE}
    chunks = []
    for clause in video.clauses:
        span: tuple[float, float | None] = (round(clause.start_s, 2), round(clause.start_s + clause.speech_s, 2))
        chunks.append({"language": language, "text": f" {clause.text}", "timestamp": span})
    if video.trouble == "30_fps":
        # the recogniser at times gives the last chunk no end
        chunks[-1]["timestamp"] = (round(video.clauses[-1].start_s, 2), None)
    return {"chunks": chunks, "text": f" {video.text}"}


def _write_splits(root: Path, videos: list[Video], labels: dict[str, list[int]]) -> None:
    for split in SPLITS:
        chosen = [video for video in videos if video.participant.split == split]
        texts = [transcript(video)["text"].strip() for video in chosen]
        lines = [f"{video.listed_path},{video.label},{text}" for video, text in zip(chosen, texts, strict=True)]
        _write_lines(root / "split" / f"{split}.txt", lines)
        frames = (
            f"{video.listed_path}/frame-{frame}.jpg,{label}"
            for video in chosen
            for frame, label in enumerate(labels[video.path])
        )
        _write_lines(root / "split-frames" / f"{split}.txt", frames)


def _annotation(video: Video, labels: list[int], seed: int) -> dict[str, Any]:
    times, fps = frame_times(video, seed)
    runs = intervals(labels)
    rng = np.random.default_rng(seed_for(seed, "annotation", video.participant.id, video.question))
    ends = [*times[1:].tolist(), times[-1] + 1 / fps]
    return {
        "all_cues": [_cues(video, times[first : last + 1]) for first, last in runs] or [_no_cues()],
        "annotator_id": ("AAA", "BBB")[video.participant.number % 2],
        "certainty_ah": [int(rng.integers(1, 4)) for _ in runs],
        "fr_detailed_ah": [[first, last] for first, last in runs],
        "frame_annotation": [[f"{video.path}/frame-{frame}.jpg", label] for frame, label in enumerate(labels)],
        "global_ah": video.label,
        "time_detailed_ah": [[_clock(times[first]), _clock(ends[last])] for first, last in runs],
        "transcript": transcript(video),
    }


def _no_cues() -> dict[str, str | None]:
    return dict.fromkeys(("audio", "body", "facial", "inconsistencies", "language"))


def _cues(video: Video, times: Any) -> dict[str, str | None]:
    """Cues of one interval: what its clauses show, and which channels they set against each other."""
    clauses = {clause_at(video, float(time_s)) for time_s in times}
    found: dict[str, set[str]] = {name: set() for name in ("audio", "facial", "inconsistencies", "language")}
    for clause in clauses:
        found["facial"].add("Smile" if clause.face else "Frown")
        found["audio"].add("Volume" if clause.voice else "Slow")
        found["language"] |= {"Positive", "Mot"} if clause.words else {"Negative", "No mot"}
        if _has_filler(video, clause):
            found["language"].add("Filler word")
        found["inconsistencies"] |= _contrasts(clause)
    return _no_cues() | {name: ", ".join(sorted(values)) for name, values in found.items()}


def _contrasts(clause: Clause) -> set[str]:
    pairs = {"FL": clause.face != clause.words, "FA": clause.face != clause.voice, "LA": clause.words != clause.voice}
    return {name for name, differ in pairs.items() if differ}


def _has_filler(video: Video, clause: Clause) -> bool:
    fillers = [filler for filler in scripts()[video.participant.language].fillers if filler]
    return clause.text.startswith(tuple(fillers))


def _metadata(person: Participant, identity: Identity, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed_for(seed, "metadata", person.id))
    age = int(rng.integers(19, 72))
    group = next(name for oldest, name in AGE_GROUPS.items() if age <= oldest)
    record: dict[str, Any] = {
        "Age": age,
        "Age range": group,
        "Birth country": "Canada",
        "Canada province": "Quebec (QC)" if person.language == "french" else "Ontario (ON)",
        "Ethnicity": "Synthetic",
        "Ethnicity simplified": "Synthetic",
        "Gender": "Female" if identity.female else "Male",
        "Is student": "Yes" if age < 25 else "No",
        "Use in challenges": "Yes",
        "Use in publications": "Yes" if person.consent else "No",
    }
    if not person.sex_known:
        del record["Gender"]
    return record


def _clock(seconds: float) -> str:
    whole = round(float(seconds) * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def _write_yaml(path: Path, content: Any, flow: bool | None) -> None:
    with atomic_write(path) as file, open(file, "w", encoding="utf-8") as stream:
        yaml.dump(content, stream, Dumper=yaml.CDumper, default_flow_style=flow, allow_unicode=True, width=4000)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path) as file:
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
