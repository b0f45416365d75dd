"""What a model shows of its reasons, frame by frame: for a fusion that ``explains``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from waver.device import torch_device
from waver.errors import WaverError
from waver.io.tables import write_arrow
from waver.models.base import FusionModel
from waver.models.fusion.conflict.evidence import WITHIN
from waver.shapes import AFFECT
from waver.training.corpus import VideoSample, read_corpus, thinned
from waver.training.frames.checkpoint import Checkpoint, build_model, load_checkpoint
from waver.training.frames.predict import over_windows
from waver.training.frames.windows import in_steps, windows_of

log = logging.getLogger(__name__)

Tracks = dict[str, npt.NDArray[np.float32]]
_COLUMNS = {"affect": AFFECT, "within": WITHIN}
"""Names of the columns of what has several."""


def explain_videos(indexes: Sequence[Path], packs: Path, model: Path, output: Path, record: Mapping[str, Any]) -> None:
    """Write what a model shows of val and test: a row a frame, a column a track.

    Columns are video, participant, split, frame and, in float32, the tracks that the fusion's ``explain`` names, such
    as ``gate/visual+text``, ``conflict/visual+text`` or ``affect/text/hesitant``; see there for their meaning.

    Args:
        indexes: index tables of all packs.
        packs: folder of the packs.
        model: ``model.pt`` of a fusion that ``explains``.
        output: Parquet file to write.
        record: metadata of the table.

    Raises:
        WaverError: the fusion does not explain itself.
    """
    checkpoint = load_checkpoint(model)
    network = build_model(checkpoint).to(torch_device())
    if not network.explains:
        raise WaverError(f"{checkpoint.fusion} does not explain itself; ask for explanations of another model")
    videos = read_corpus(indexes, packs, checkpoint.modalities, ["val", "test"])
    tables = [_table(video, video_tracks(network, video, checkpoint)) for video in videos]
    if not tables:
        raise WaverError(
            "neither val nor test has a video to explain; check the split files and the table of excluded items"
        )
    write_arrow(output, pa.concat_tables(tables), dict(record))
    log.info("%d videos, %d tracks", len(tables), tables[0].num_columns - 4)


@torch.inference_mode()
def video_tracks(network: FusionModel, video: VideoSample, checkpoint: Checkpoint) -> Tracks:
    """Tracks float32 [T] of one video as read, on every frame of the clock; means where windows overlap."""
    seen = thinned(video, checkpoint.stride)
    device = next(network.parameters()).device
    windows = windows_of([seen.frames], *in_steps(checkpoint))
    scale = checkpoint.normalisation
    found = over_windows(seen, windows, device, lambda batch: network.explain(batch.streams, batch.mask), scale)
    clock = np.arange(video.frames) // checkpoint.stride
    return {name: track[clock] for name, track in _named(found)}


def _named(found: Mapping[str, npt.NDArray[np.float32]]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for name, track in found.items():
        if track.ndim == 1:
            yield name, track
        else:
            for column, part in zip(track.T, _COLUMNS[name.partition("/")[0]], strict=True):
                yield f"{name}/{part}", column


def _table(video: VideoSample, tracks: Tracks) -> pa.Table:
    known = {"video": video.video, "participant": video.participant, "split": video.split}
    columns: dict[str, Any] = {name: pa.array([value] * video.frames, pa.string()) for name, value in known.items()}
    columns["frame"] = pa.array(np.arange(video.frames), pa.int32())
    return pa.table(columns | {name: pa.array(values, pa.float32()) for name, values in tracks.items()})
