"""Sound of every frame: the log-mel track of a video and one feature per frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from waver.assets.manifest import installed
from waver.config.sections import AudioConfig
from waver.device import autocast, torch_device
from waver.errors import WaverError
from waver.features.audio.logmel import Floats, padded_log_mel, patch_starts, patch_statistics, patches
from waver.features.audio.prosody import prosody
from waver.features.audio.vggish import load_vggish
from waver.features.clock import frame_clock
from waver.features.samples import Samples
from waver.features.waveform import Sound, read_in_worker, spoken_in
from waver.io.shard_job import Row, run_shard
from waver.io.tables import VIDEOS, read_table
from waver.io.zarr_store import StoreWriter
from waver.provenance import digest
from waver.records import load
from waver.registry import READERS
from waver.shapes import FPS

Describe = Callable[[Samples, Floats, int], tuple[Floats, Floats]]
"""From samples [S], log-mel track [R, 64] and T to features [T, D] and valence [T], see ``extract_audio``."""

_BATCH = 64


def extract_audio(
    videos: Path,
    root: Path,
    model: Path | None,
    stores: Path,
    index: Path,
    config: AudioConfig,
    code: str,
    language: str = "auto",
) -> None:
    """Make the audio stores of a shard.

    A store holds ``logmel`` float32 [R, 64] at 100 Hz, ``feature`` float32 [T, D], ``prosody`` float32 [T, 3]
    (``waver.features.audio.prosody``), ``valence`` float32 [T] (0 negative to 1 positive, nan unless the feature's
    model was trained on it), ``valid`` bool [T] and ``source_frame`` int32 [T]. A frame is valid where sound was
    recorded while it was shown; in a file of digital silence no frame is valid. Pauses, however quiet, are sound: they
    may express hesitancy.

    Args:
        videos: the shard's VIDEOS table.
        root: folder to which the table's paths are relative.
        model: ``asset.json`` of VGGish or of a speech encoder, for these features.
        stores: folder of the stores.
        index: FEATURE_INDEX table to write.
        config: which feature.
        code: code version of this module.
        language: ISO 639-1 code of the sound that is taken of a file with several; auto: that of the table.

    Raises:
        WaverError: the feature's model is not given or cannot be read, or a GPU is requested and none is available.
    """
    describe, key = _describer(config, model)

    def compute(video: Row, writer: StoreWriter) -> tuple[int, str]:
        clock = frame_clock(root / video["path"])
        frames = len(clock.source_frame)
        sound = read_in_worker(root / video["path"], clock.audio_start_s, frames / FPS, spoken_in(video, language))
        track = padded_log_mel(sound.samples)
        writer.put("logmel", track)
        feature, valence = describe(sound.samples, track, frames)
        writer.put("feature", feature)
        writer.put("valence", valence)
        writer.put("prosody", prosody(sound.samples, frames))
        writer.put("valid", sounding_frames(sound, frames))
        writer.put("source_frame", np.asarray(clock.source_frame, np.int32))
        silent = "digital silence" if sound.silent else ""
        return frames, "; ".join(filter(None, (sound.note, silent)))

    made_from = {"feature": "audio", "config": config.deciding, "code": code, "model": key}
    rows = [{**row, "checksum": _heard(row, language)} for row in read_table(videos, VIDEOS)]
    run_shard(rows, stores, index, made_from, compute)


def _heard(video: Row, language: str) -> str:
    """What decides the sound that is taken."""
    spoken = spoken_in(video, language)
    return digest([video["checksum"], spoken]) if spoken else str(video["checksum"])


def sounding_frames(sound: Sound, frames: int) -> npt.NDArray[np.bool_]:
    """Frames during which sound was recorded, bool [T]: those whose middle lies within the recording."""
    middle_s = (np.arange(frames) + 0.5) / FPS
    within: npt.NDArray[np.bool_] = (middle_s >= sound.start_s) & (middle_s < sound.end_s)
    return within & (not sound.silent)


def _describer(config: AudioConfig, model: Path | None) -> tuple[Describe, str | None]:
    """The feature's function, and the fingerprint of the weights it uses."""
    if config.feature == "logmel_stats":
        return _statistics, None
    if model is None:
        raise WaverError(
            f"features.audio.feature is {config.feature} and there are no weights; give them under "
            f"models.paths.{config.feature}"
        )
    record, device = installed(model), torch_device()
    if config.feature == "vggish":
        return embedder(record.file(), device, config.precision), record.key
    encoder = load(READERS, config.feature)(Path(record.folder), config.layer, device)
    return lambda samples, _, frames: encoder(samples, frames), record.key


def _statistics(_: Samples, track: Floats, frames: int) -> tuple[Floats, Floats]:
    return patch_statistics(track, patch_starts(frames, len(track))), _unknown(frames)


def embedder(weights: Path, device: torch.device, precision: Literal["fp32", "bf16"] = "fp32") -> Describe:
    """VGGish over patches."""
    model = load_vggish(weights).to(device)
    if precision == "bf16":  # twice as fast again
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def embed(_: Samples, track: Floats, frames: int) -> tuple[Floats, Floats]:
        starts, parts = patch_starts(frames, len(track)), []
        with torch.inference_mode(), autocast(device, precision):
            for first in range(0, len(starts), _BATCH):
                batch = np.ascontiguousarray(patches(track, starts[first : first + _BATCH]))
                parts.append(model(torch.from_numpy(batch)[:, None].to(device)).float().cpu().numpy())
        return np.concatenate(parts), _unknown(frames)

    return embed


def _unknown(frames: int) -> Floats:
    return np.full(frames, np.nan, np.float32)
