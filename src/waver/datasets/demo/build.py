"""Makes the demo data set: a small BAH-shaped release of synthetic participants."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from waver.assets.manifest import installed
from waver.config.sections import DemoConfig
from waver.datasets.demo.layout import frame_labels, write_layout
from waver.datasets.demo.motion import GRID
from waver.datasets.demo.people import Identity, draw_identity
from waver.datasets.demo.plan import Participant, Video, draw_participants, draw_videos
from waver.datasets.demo.recording_faults import EXTRA, KINDS, frame_times, spread_trouble
from waver.datasets.demo.render import make_films
from waver.errors import WaverError
from waver.io.atomic import atomic_write
from waver.provenance import digest, file_sha256
from waver.workflow.fingerprint import code_version

log = logging.getLogger(__name__)

OWN_ID = re.compile(r"9\d{4}")
"""Ids of synthetic participants; the release's begin with 8."""
MEDIA = ("astronaut", "wolfgang", "single_face", "carphone", "no_face", "espeak")


def build_demo(root: Path, manifest: Path, models: Path, config: DemoConfig, workers: int) -> None:
    """Write the demo data set below ``root`` in the layout of the 300-participant release.

    Videos that are there, whole and made from the same plan by the same code stay as they are; others
    are written beside their place and renamed. ``manifest`` is written last.

    Args:
        root: root of the release to make.
        manifest: JSON of every file with its sha256, and of what each video shows.
        models: folder of installed assets, ``<models>/<name>/asset.json``.
        config: size, trouble and seed.
        workers: processes; participants are shared out among them.

    Raises:
        WaverError: an asset is not installed or holds no voice, the frame size does not suit the
            encoder, or ``root`` holds recordings of somebody else.
    """
    _check(root, config)
    people, videos = plan_demo(config)
    identities = {person.id: draw_identity(person.number, config.seed) for person in people}
    keys = _keys(videos, identities, models, config)
    _drop_others(root, videos)
    # the longest share first, so that no process is left with it at the end
    shares = [[(video, keys[video.path]) for video in videos if video.participant == person] for person in people]
    shares.sort(key=len, reverse=True)
    # joblib's processes do not import the main module, which under Snakemake is the rule's script
    Parallel(n_jobs=workers)(delayed(make_films)(root, models, config, share) for share in shares)
    write_layout(root, videos, people, identities, config.seed)
    log.info("%d videos of %d participants below %s", len(videos), len(people), root)
    _write_manifest(manifest, root, videos, identities, config)


def _check(root: Path, config: DemoConfig) -> None:
    if config.width % GRID or config.height % GRID or min(config.width, config.height) < 160:
        raise WaverError(
            f"demo: {config.width} x {config.height} pixels cannot be made; give a width and a height "
            f"of at least 160 that are multiples of {GRID}"
        )
    others = [path.name for path in (root / "Videos").glob("*") if not OWN_ID.fullmatch(path.name)]
    if others:
        raise WaverError(f"{root} holds recordings of {others[0]}, no demo; give the demo a folder of its own")


def plan_demo(config: DemoConfig) -> tuple[list[Participant], list[Video]]:
    """Everything that will be made: participants and videos, with their trouble."""
    people = draw_participants(config)
    videos = draw_videos(config, people)
    return people, spread_trouble(videos, people) if config.trouble else videos


def _keys(videos: list[Video], identities: dict[str, Identity], models: Path, config: DemoConfig) -> dict[str, str]:
    """What each film is made from, by its path."""
    common = {
        "code": code_version(make_films),
        "media": {name: installed(models / name / "asset.json").key for name in MEDIA},
        "size": [config.width, config.height, config.seed],
    }
    return {video.path: digest([common, asdict(video), asdict(identities[video.participant.id])]) for video in videos}


def _drop_others(root: Path, videos: list[Video]) -> None:
    """Remove videos and transcripts that an earlier plan left below the root."""
    wanted = {root / video.path for video in videos}
    wanted |= {root / "transcription" / video.path / f"{Path(video.path).stem}.yml" for video in videos}
    for folder in (root / "Videos", root / "transcription"):
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_file() and path not in wanted:
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _write_manifest(
    manifest: Path, root: Path, videos: list[Video], identities: dict[str, Identity], config: DemoConfig
) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    record = {
        "notice": "Synthetic participants and scripted answers; scores on them mean nothing about people.",
        "config": config.model_dump(),
        "files": [
            {"path": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": file_sha256(path)}
            for path in files
        ],
        "participants": {name: asdict(identity) for name, identity in identities.items()},
        "videos": [_shown(video, config.seed) for video in videos],
    }
    with atomic_write(manifest) as file:
        file.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _shown(video: Video, seed: int) -> dict[str, Any]:
    """What a video shows and which trouble it carries."""
    _, trouble = (KINDS | EXTRA).get(video.trouble, ("", ""))
    _, fps = frame_times(video, seed)
    labels = frame_labels(video, seed)
    return {
        "path": video.path,
        "participant": video.participant.id,
        "split": video.participant.split,
        "language": video.participant.language,
        "question": video.question,
        "label": video.label,
        "frames": len(labels),
        "positive_frames": sum(labels),
        "fps": fps,
        "duration_s": video.duration_s,
        "trouble": video.trouble,
        "trouble_means": trouble,
        "clauses": [asdict(clause) | {"label": int(clause.conflict)} for clause in video.clauses],
    }
