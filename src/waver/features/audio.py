"""Sound of every frame: the log-mel track of a video and one feature a frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from waver.assets.manifest import installed
from waver.config.sections import AudioConfig
from waver.device import torch_device
from waver.errors import WaverError
from waver.features.clock import frame_clock
from waver.features.logmel import Floats, padded_log_mel, patch_starts, patch_statistics, patches
from waver.features.waveform import Sound, read_waveform
from waver.models.backbones.vggish import load_vggish
from waver.shapes import FPS
from waver.store.arrays import StoreWriter
from waver.store.shards import Row, run_shard
from waver.store.tables import VIDEOS, read_table

Describe = Callable[[Floats, npt.NDArray[np.int64]], Floats]
"""From a log-mel track [R, 64] and first rows of patches [T] to features [T, 128]."""

_BATCH = 64


def extract_audio(
    videos: Path, root: Path, vggish: Path | None, stores: Path, index: Path, config: AudioConfig, code: str
) -> None:
    """Make the audio stores of a shard.

    A store holds ``logmel`` float32 [R, 64] at 100 Hz, ``feature`` float32 [T, 128], ``valid`` bool [T]
    and ``source_frame`` int32 [T]. A frame is valid where sound was recorded while it was shown; no
    frame of a file of digital silence is. Pauses, however quiet, are sound: they tell of hesitancy.

    Args:
        videos: the shard's VIDEOS table.
        root: folder to which the table's paths are relative.
        vggish: ``asset.json`` of VGGish; needed for that feature only.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        config: which feature.
        code: code version of this module.

    Raises:
        WaverError: VGGish is asked for and there are no weights, or a GPU is and there is none.
    """
    describe, model = _describer(config, vggish)

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        clock = frame_clock(root / video["path"])
        frames = len(clock.source_frame)
        sound = read_waveform(root / video["path"], clock.audio_start_s, frames / FPS)
        track = padded_log_mel(sound.samples)
        writer.put("logmel", track)
        writer.put("feature", describe(track, patch_starts(frames, len(track))))
        writer.put("valid", sounding_frames(sound, frames))
        writer.put("source_frame", np.asarray(clock.source_frame, np.int32))
        silent = "digital silence" if sound.silent else ""
        return frames, "; ".join(filter(None, (sound.note, silent)))

    made_from = {"thing": "audio", "config": config.model_dump(), "code": code, "model": model}
    run_shard(read_table(videos, VIDEOS), stores, index, made_from, compute)


def sounding_frames(sound: Sound, frames: int) -> npt.NDArray[np.bool_]:
    """Frames during which sound was recorded, bool [T]: those whose middle lies within the recording."""
    middle_s = (np.arange(frames) + 0.5) / FPS
    within: npt.NDArray[np.bool_] = (middle_s >= sound.start_s) & (middle_s < sound.end_s)
    return within & (not sound.silent)


def _describer(config: AudioConfig, vggish: Path | None) -> tuple[Describe, str | None]:
    """The feature's function, and the fingerprint of the weights it uses."""
    if config.feature == "logmel_stats":
        return patch_statistics, None
    if vggish is None:
        raise WaverError(
            "features.audio.feature is vggish and there are no weights; give their file under models.paths.vggish"
        )
    record = installed(vggish)
    return embedder(record.file()), record.key


def embedder(weights: Path) -> Describe:
    """VGGish over patches; the network is loaded when the first video needs it."""
    device = torch_device()

    @cache
    def network() -> Any:
        return load_vggish(weights).to(device)

    def embed(track: Floats, starts: npt.NDArray[np.int64]) -> Floats:
        model = network()
        parts = []
        with torch.inference_mode():
            for first in range(0, len(starts), _BATCH):
                batch = np.ascontiguousarray(patches(track, starts[first : first + _BATCH]))
                parts.append(model(torch.from_numpy(batch)[:, None].to(device)).cpu().numpy())
        features: Floats = np.concatenate(parts)
        return features

    return embed
