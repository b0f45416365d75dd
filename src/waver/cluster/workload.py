"""The amount of data: videos, their lengths and splits; counted, sampled or given."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waver.config.model import Config
from waver.datasets.inventory import VIDEO_SUFFIXES
from waver.errors import WaverError
from waver.io.tables import VIDEOS, read_arrow
from waver.shapes import FPS
from waver.workflow.paths import Paths

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
_SAMPLE = 20
_DERIVED = ("frames", "cropped", ".")


@dataclass(frozen=True)
class Workload:
    """What a data set holds.

    Attributes:
        lengths_s: split -> float64 [videos], seconds of each video; exact or as if.
        basis: where that is known from, for the reader of a forecast.
    """

    lengths_s: dict[str, npt.NDArray[np.float64]]
    basis: str

    @property
    def videos(self) -> int:
        return sum(len(lengths) for lengths in self.lengths_s.values())

    @property
    def hours(self) -> float:
        return float(sum(lengths.sum() for lengths in self.lengths_s.values())) / 3600

    def frames(self, *splits: str) -> float:
        """Frames on the 24 fps clock; of all splits where none is named."""
        return FPS * float(sum(self.lengths_s[split].sum() for split in splits or SPLITS))

    def window_frames(self, window: int, hop: int, *splits: str) -> float:
        """Frames in all windows of one epoch over ``splits`` (train where none is named).

        Windows overlap; a short video is one window.
        """
        frames = np.concatenate([self.lengths_s[split] for split in splits or ("train",)]) * FPS
        windows = 1 + np.ceil(np.maximum(frames - window, 0) / hop)
        return float((windows * np.minimum(frames, window)).sum())


def workload(
    config: Config, rates: dict[str, Any], folder: Path, participants: int | None = None, hours: float | None = None
) -> Workload:
    """The best that is known: numbers given, else the tables of ingest, else the files of the release.

    Args:
        config: of the run.
        rates: the table of rates, for what has to be assumed.
        folder: working folder, where ``resources`` lies.
        participants: given instead of a data set.
        hours: of video, given instead of a data set.

    Raises:
        WaverError: there is nothing to go by.
    """
    if participants is not None or hours is not None:
        return _given(rates, participants, hours)
    table = folder / Paths(config.dataset.name, config.run).table("videos")
    if table.is_file():
        return _from_table(table)
    if config.dataset.source == "demo":
        return _demo(config)
    root = Path(config.dataset.root)
    if not config.dataset.root or not root.is_dir():
        raise WaverError(
            "no data set to count: give dataset.root (--config dataset='{root: /data/BAH}'), "
            "or numbers of your own: --participants 300 --hours 10.6"
        )
    return _from_files(root, rates)


def _given(rates: dict[str, Any], participants: int | None, hours: float | None) -> Workload:
    mean_s = float(rates["mean_video_s"])
    if participants is not None:
        videos = max(1, round(participants * float(rates["videos_per_participant"])))
    else:
        videos = max(1, round(float(hours or 0) * 3600 / mean_s))
    seconds = videos * mean_s if hours is None else hours * 3600
    basis = f"as given: {videos} videos in {seconds / 3600:.1f} h, lengths and splits spread as in BAH"
    return Workload(_spread(rates, videos, seconds), basis)


def _from_table(table: Path) -> Workload:
    rows = read_arrow(table, VIDEOS)
    splits = np.array(rows.column("split").to_pylist())
    lengths = rows.column("duration_s").to_numpy().astype(np.float64)
    return Workload({split: lengths[splits == split] for split in SPLITS}, f"{table}: every video's own length")


def _demo(config: Config) -> Workload:
    demo = config.dataset.demo
    lengths = {
        split: np.full(getattr(demo, split) * demo.questions, 2.9 * demo.clauses, np.float64) for split in SPLITS
    }
    return Workload(lengths, "the demo data set is not made yet: 2.9 s a clause assumed")


def _from_files(root: Path, rates: dict[str, Any]) -> Workload:
    files = sorted(video_files(root))
    if not files:
        raise WaverError(f"no video below {root}; correct dataset.root, or give --participants and --hours")
    some = files[:: max(1, len(files) // _SAMPLE)][:_SAMPLE]
    known = [seconds for seconds in map(_seconds, some) if seconds]
    mean_s = float(np.mean(known)) if known else float(rates["mean_video_s"])
    how = f"mean length of {len(known)} of them" if known else f"{mean_s} s each assumed, none could be opened"
    basis = f"{len(files)} videos below {root}, {how}; lengths and splits spread as in BAH"
    return Workload(_spread(rates, len(files), len(files) * mean_s), basis)


def video_files(root: Path) -> Iterator[str]:
    """Paths of the video files of a data set; folders of single images (nearly a million) are skipped."""
    for folder, below, names in os.walk(root, followlinks=True):
        below[:] = [name for name in below if not name.lower().startswith(_DERIVED)]
        yield from (os.path.join(folder, name) for name in names if name.lower().endswith(VIDEO_SUFFIXES))


def _seconds(file: str) -> float | None:
    """Length by the container's header."""
    import av

    try:
        with av.open(file) as container:
            return container.duration / av.time_base if container.duration else None
    except (OSError, av.FFmpegError):
        return None


def _spread(rates: dict[str, Any], videos: int, seconds: float) -> dict[str, npt.NDArray[np.float64]]:
    """Videos over the splits, each with lengths spread as in BAH; ``seconds`` in all."""
    shares: dict[str, float] = rates["split_shares"]
    quantiles: Sequence[float] = rates["length_quantiles"]
    found = {
        split: np.resize(np.array(quantiles, np.float64), max(1, round(shares[split] * videos))) for split in SPLITS
    }
    scale = seconds / sum(lengths.sum() for lengths in found.values())
    return {split: lengths * scale for split, lengths in found.items()}
